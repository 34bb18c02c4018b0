// Loans: messages that are filled in place, in shared memory, and then put.

#ifndef IO_SHARED_LOAN_HPP
#define IO_SHARED_LOAN_HPP

#include <array>
#include <cstddef>
#include <cstdint>

#include "guard.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// How many elements the lists of a message have. A list that is not named has none.
///
///     auto most = io_shared::sizes<Detections>()
///                     .of(&Detections::boxes, 100)
///                     .of(&Detections::image, {480, 640, 3});
template <class T>
class sizes {
  static_assert(detail::list_axes<T>() > 0, "io_shared: the message has no lists");

 public:
  /// The list has this many elements.
  template <class E>
  sizes& of(list<E> T::*member, std::size_t count) {
    all_[first_of(member)] = count;
    return *this;
  }
  /// The list has this many elements along each axis.
  template <class E, std::size_t Axes>
  sizes& of(nd_list<E, Axes> T::*member, const std::array<std::size_t, Axes>& shape) {
    const std::size_t first = first_of(member);
    for (std::size_t axis = 0; axis < Axes; ++axis) all_[first + axis] = shape[axis];
    return *this;
  }
  /// How many bytes such a message has, for `options().capacity(..)`.
  returned<std::uint64_t> capacity() const {
    std::string schema;
    std::uint64_t length = 0;
    ios_status status = detail::schema_of<T>::make(schema);
    if (status == IOS_OK) {
      status = ios_lists_length(schema.c_str(), all_.data(), all_.size(), &length);
    }
    return detail::done(status, length);
  }
  /// The sizes, one for each axis, in the order of the struct.
  view<const std::size_t> all() const noexcept { return all_; }

 private:
  /// The index of the first size of a list.
  template <class List>
  static std::size_t first_of(List T::*member) {
    static const T sample{};
    const std::size_t at = detail::offset_in(&sample, member);
    std::size_t first = 0;
    for (const ios_member& one : detail::struct_table<T>::its.all) {
      if (one.offset == at) break;
      if (one.role == IOS_MEMBER_LIST) first += one.counts[0];
    }
    return first;
  }

  std::array<std::size_t, detail::list_axes<T>()> all_{};
};

/// A producer's buffer, lent to be filled in place. Nobody sees it until `put()`. A loan that ends
/// without a put, because of an exception for example, gives its buffer back. It keeps the
/// producer's role, also after the producer was closed; a producer lends one buffer at a time.
///
///     auto cloud = clouds.loan(120'000);
///     cloud->frame = 1;
///     cloud.points()[0] = {1.0F, 2.0F, 3.0F};
///     cloud.put();
///
/// The bytes are those of an older message, or zeros: fill all of them. (The fields are zeros if
/// the message has lists, or if a bool or an enum is among them, and so is a tail that has some.)
template <class T>
class loan : public detail::tail_base<T, loan<T>> {
 public:
  /// The fields. They are valid until the put.
  auto* operator->() const noexcept { return message_.fields(); }
  /// The fields. They are valid until the put.
  auto& operator*() const noexcept { return *message_.fields(); }
  /// The elements after the fields, or of a `slice` or of `bytes`. They are valid until the put.
  auto elements() const noexcept { return message_.elements(); }

  /// The elements of a list, `loan.list(&Detections::boxes)`, to be filled; valid until the put.
  template <class E, class Fields>
  returned<view<E>> list(io_shared::list<E> Fields::*member) const {
    void* first = nullptr;
    std::size_t count = 0;
    const std::size_t at = detail::offset_in(message_.fields(), member);
    const ios_status status = ios_loan_list(owner_.get(), at, sizeof(E), &first, &count, 1);
    view<E> elements(static_cast<E*>(first), count);
    return detail::done(status, elements);
  }
  /// The elements of a list of several axes: as for a list of one.
  template <class E, std::size_t Axes, class Fields>
  returned<nd_view<E, Axes>> list(nd_list<E, Axes> Fields::*member) const {
    void* first = nullptr;
    std::array<std::size_t, Axes> shape{};
    const std::size_t at = detail::offset_in(message_.fields(), member);
    const ios_status status =
        ios_loan_list(owner_.get(), at, sizeof(E), &first, shape.data(), Axes);
    nd_view<E, Axes> elements(static_cast<E*>(first), shape);
    return detail::done(status, elements);
  }

  /// Keeps the first elements of the tail only, `count` of them; no effect if there are no more.
  void truncate(std::size_t count) noexcept {
    if (count < elements().size()) {
      message_.shorten(detail::whole<T>::size + count * sizeof(elements()[0]));
    }
  }
  /// Gives the value a tag: any number of the caller's. A stage of a pipeline tags its output with
  /// the `seq()` of its input, so that the two can be paired.
  returned<void> tag(std::uint64_t tag) { return detail::done(ios_loan_tag(owner_.get(), tag)); }
  /// Gives the value a number in place of the next one, and a stamp in nanoseconds of
  /// CLOCK_MONOTONIC (0: none). It is for programs that pass on, or replay, what was numbered
  /// elsewhere. `bad_seq_error`: the number is not greater than the last.
  returned<void> number(std::uint64_t number, std::chrono::nanoseconds stamp) {
    const auto nanoseconds = static_cast<std::uint64_t>(stamp.count());
    return detail::done(ios_loan_number(owner_.get(), number, nanoseconds));
  }
  /// Makes it the channel's newest value, wakes consumers that wait, and returns its number. The
  /// loan is over, also if this fails.
  returned<std::uint64_t> put() {
    std::uint64_t seq = 0;
    const std::size_t length = detail::list_axes<T>() > 0 ? IOS_WHOLE : message_.length();
    const ios_status status = ios_loan_put(owner_.release(), length, &seq);
    message_ = {};
    return detail::done(status, seq);
  }
  /// Gives the buffer back before the loan's end, without a put.
  void release() noexcept { *this = loan(); }

  /// A loan of the C library with `length` bytes at `data`, which this owns from then on.
  loan(ios_loan* lent, void* data, std::size_t length) noexcept
      : owner_(lent), message_(static_cast<std::byte*>(data), length) {}
  /// No loan. Only assignment and destruction are allowed.
  loan() noexcept = default;

 private:
  detail::owned<ios_loan, &ios_loan_drop> owner_;
  detail::message<T, std::byte> message_;
};

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
