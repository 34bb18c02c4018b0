// Guards: values that were got, which keep their bytes; and what guards and loans have in common.

#ifndef IO_SHARED_GUARD_HPP
#define IO_SHARED_GUARD_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "options.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {
namespace detail {

/// How a message is read: as a struct, and the elements after it.
template <class T>
struct whole {
  using fields = T;
  using element = tail_element<T>;
  static constexpr std::size_t size = sizeof(T);
};
template <class E>
struct whole<slice<E>> {
  using fields = void;
  using element = E;
  static constexpr std::size_t size = 0;
};
template <>
struct whole<bytes> : whole<slice<std::byte>> {};

/// Where a list lies in the struct that `fields` points to.
template <class T, class List>
std::size_t offset_in(const T* fields, List T::*member) noexcept {
  const auto* start = reinterpret_cast<const char*>(fields);
  return static_cast<std::size_t>(reinterpret_cast<const char*>(&(fields->*member)) - start);
}

template <class T, class Byte>
using like = std::conditional_t<std::is_const_v<Byte>, const T, T>;

/// A message in shared memory. `Byte` is const if it is read only.
template <class T, class Byte>
class message {
 public:
  using fields_type = typename whole<T>::fields;
  using element_type = typename whole<T>::element;

  message() noexcept = default;
  message(Byte* start, std::size_t length) noexcept : start_(start), length_(length) {}
  // What was moved from has no bytes, which somebody else may have by then.
  message(message&& from) noexcept { *this = std::move(from); }
  message& operator=(message&& from) noexcept {
    start_ = std::exchange(from.start_, nullptr);
    length_ = std::exchange(from.length_, 0);
    return *this;
  }

  auto* fields() const noexcept {
    static_assert(!std::is_void_v<fields_type>,
                  "io_shared: the message is elements alone: use elements()");
    assert(start_ != nullptr);
    return reinterpret_cast<like<fields_type, Byte>*>(start_);
  }
  auto elements() const noexcept {
    static_assert(!std::is_void_v<element_type>,
                  "io_shared: the message has no tail: IO_SHARED_TAIL adds one");
    using element = like<element_type, Byte>;
    const std::size_t start = whole<T>::size;
    if (length_ <= start) return view<element>();
    const std::size_t count = (length_ - start) / sizeof(element);
    return view<element>(reinterpret_cast<element*>(start_ + start), count);
  }
  view<Byte> bytes() const noexcept { return {start_, length_}; }
  std::size_t length() const noexcept { return length_; }
  void shorten(std::size_t length) noexcept { length_ = length; }

 private:
  Byte* start_ = nullptr;
  std::size_t length_ = 0;
};

}  // namespace detail

/// A value that was got: it is read in place, and its bytes do not change while the guard lives. It
/// holds one of the producer's buffers until then, also after its consumer was closed. Any thread
/// may destroy it.
///
///     auto cloud = viewer.get();
///     std::printf("%zu points of frame %lu\n", cloud.points().size(), cloud->frame);
///
/// A tail has the name that IO_SHARED_TAIL gives it, here `points()`.
template <class T>
class guard : public detail::tail_base<T, guard<T>> {
 public:
  /// The fields. They are valid while the guard lives.
  const auto* operator->() const noexcept { return message_.fields(); }
  /// The fields. They are valid while the guard lives.
  const auto& operator*() const noexcept { return *message_.fields(); }
  /// The elements after the fields, or of a `slice` or of `bytes`. They are valid while the guard
  /// lives.
  auto elements() const noexcept { return message_.elements(); }
  /// The whole message. It is valid while the guard lives.
  view<const std::byte> as_bytes() const noexcept { return message_.bytes(); }

  /// The elements of a list, `guard.list(&Detections::boxes)`, valid while the guard lives.
  /// `corrupt_error`: another program has moved the list out of its message since the get.
  template <class E, class Fields>
  returned<view<const E>> list(io_shared::list<E> Fields::*member) const {
    const void* first = nullptr;
    std::size_t count = 0;
    const std::size_t at = detail::offset_in(message_.fields(), member);
    const ios_status status = ios_guard_list(owner_.get(), at, sizeof(E), &first, &count, 1);
    view<const E> elements(static_cast<const E*>(first), count);
    return detail::done(status, elements);
  }
  /// The elements of a list of several axes: as for a list of one.
  template <class E, std::size_t Axes, class Fields>
  returned<nd_view<const E, Axes>> list(nd_list<E, Axes> Fields::*member) const {
    const void* first = nullptr;
    std::array<std::size_t, Axes> shape{};
    const std::size_t at = detail::offset_in(message_.fields(), member);
    const ios_status status =
        ios_guard_list(owner_.get(), at, sizeof(E), &first, shape.data(), Axes);
    nd_view<const E, Axes> elements(static_cast<const E*>(first), shape);
    return detail::done(status, elements);
  }

  /// The value's number: 1 for the channel's first. No number is used twice.
  std::uint64_t seq() const noexcept { return value_.seq; }
  /// How many values were put between this one and the one that this consumer got before, and were
  /// never seen by it. For `since`, between the number given there and this value.
  std::uint64_t missed() const noexcept { return value_.missed; }
  /// The tag that its producer put it with; 0 if it has none.
  std::uint64_t tag() const noexcept { return value_.tag; }
  /// CLOCK_MONOTONIC at the put, to two microseconds, which is std::chrono::steady_clock on Linux.
  /// 0 if the value was not stamped, or by the clock of another boot.
  std::chrono::nanoseconds stamp() const noexcept {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(value_.stamp));
  }
  /// The time since the put; nothing if the value was not stamped by this clock.
  std::optional<std::chrono::nanoseconds> age() const noexcept {
    std::int64_t age = -1;
    if (ios_guard_age(owner_.get(), &age) != IOS_OK || age < 0) return std::nullopt;
    return std::chrono::nanoseconds(age);
  }
  /// Lets go of the value before the guard's end: the producer may use its buffer again.
  void release() noexcept { *this = guard(); }

  /// A value from the C library, which this guard owns from then on.
  explicit guard(const ios_value& value) noexcept
      : owner_(value.guard), value_(value),
        message_(static_cast<const std::byte*>(value.data), value.length) {}
  /// A guard without a value. Only assignment and destruction are allowed.
  guard() noexcept : value_() {}

 private:
  detail::owned<ios_guard, &ios_guard_drop> owner_;
  ios_value value_;
  detail::message<T, const std::byte> message_;
};

namespace detail {

/// The value that `get` found.
template <class T, class Get>
returned<guard<T>> got(Get get) {
  ios_value value{};
  const ios_status status = get(&value);
  guard<T> found;
  if (status == IOS_OK) found = guard<T>(value);
  return done(status, found);
}

/// The value that `get` found; nothing if there was none in time.
template <class T, class Get>
returned<std::optional<guard<T>>> got_or_none(Get get) {
  ios_value value{};
  ios_status status = get(&value);
  std::optional<guard<T>> found;
  if (status == IOS_OK) found.emplace(value);
  if (status == IOS_EMPTY || status == IOS_TIMEOUT) status = IOS_OK;
  return done(status, found);
}

}  // namespace detail
}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
