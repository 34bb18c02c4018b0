// Views: elements that lie elsewhere, in shared memory or in a container, as std::span has them in
// C++20.

#ifndef IO_SHARED_VIEW_HPP
#define IO_SHARED_VIEW_HPP

#include <array>
#include <cassert>
#include <cstddef>
#include <type_traits>

#include "error.hpp"

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif
#if defined(__cpp_lib_span)
#include <span>
#endif

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// Elements that lie one after another, elsewhere: a pointer and a count. It owns nothing, and is
/// valid for as long as what it looks at: a guard, a loan, a container. In C++20 it converts to
/// std::span.
template <class T>
class view {
 public:
  /// The type of the elements, without const.
  using value_type = std::remove_cv_t<T>;
  /// A pointer, as in std::span.
  using iterator = T*;

  /// No elements.
  constexpr view() noexcept = default;
  /// `count` elements from `first` on.
  constexpr view(T* first, std::size_t count) noexcept : first_(first), count_(count) {}
  /// The elements of an array.
  template <std::size_t N>
  constexpr view(T (&array)[N]) noexcept : view(array, N) {}
  /// The elements of a container that has data() and size(): std::vector, std::array, std::span.
  template <class Container,
            class = std::enable_if_t<!std::is_array_v<std::remove_reference_t<Container>>>,
            class Data = decltype(std::declval<Container&>().data()),
            class = decltype(std::declval<Container&>().size()),
            class = std::enable_if_t<
                std::is_convertible_v<std::remove_pointer_t<Data> (*)[], T (*)[]>>>
  constexpr view(Container&& from) : view(from.data(), from.size()) {}

  /// The first element; null if there is none.
  constexpr T* data() const noexcept { return first_; }
  /// How many elements there are.
  constexpr std::size_t size() const noexcept { return count_; }
  /// How many bytes they have.
  constexpr std::size_t size_bytes() const noexcept { return count_ * sizeof(T); }
  /// Whether there is no element.
  constexpr bool empty() const noexcept { return count_ == 0; }
  /// Where the elements begin.
  constexpr T* begin() const noexcept { return first_; }
  /// Where they end.
  constexpr T* end() const noexcept { return first_ + count_; }
  /// The i-th element, which must exist (asserted without NDEBUG), as in std::span.
  constexpr T& operator[](std::size_t i) const noexcept {
    assert(i < count_);
    return first_[i];
  }
  /// The first element, which must exist.
  constexpr T& front() const noexcept { return (*this)[0]; }
  /// The last element, which must exist.
  constexpr T& back() const noexcept { return (*this)[count_ - 1]; }
  /// At most `count` elements, from `from` on. There are fewer where these elements end.
  constexpr view subview(std::size_t from, std::size_t count = SIZE_MAX) const noexcept {
    const std::size_t start = from < count_ ? from : count_;
    const std::size_t rest = count_ - start;
    return {first_ + start, count < rest ? count : rest};
  }

 private:
  T* first_ = nullptr;
  std::size_t count_ = 0;
};

template <class Container>
view(Container&&) -> view<std::remove_pointer_t<decltype(std::declval<Container&>().data())>>;
template <class T, std::size_t N>
view(T (&)[N]) -> view<T>;

/// Elements along several axes, in C order: the last index runs fastest. An image has the axes
/// rows, columns and colours.
///
///     auto image = guard.list(&Detections::image);  // nd_view<const std::uint8_t, 3>
///     std::uint8_t red = image(0, 0, 0);
template <class T, std::size_t Axes>
class nd_view {
 public:
  /// No elements.
  constexpr nd_view() noexcept = default;
  /// The elements from `first` on.
  constexpr nd_view(T* first, const std::array<std::size_t, Axes>& shape) noexcept
      : first_(first), shape_(shape) {}

  /// How many elements there are along each axis.
  constexpr const std::array<std::size_t, Axes>& shape() const noexcept { return shape_; }
  /// The first element; null if there is none.
  constexpr T* data() const noexcept { return first_; }
  /// How many elements there are.
  constexpr std::size_t size() const noexcept {
    std::size_t count = 1;
    for (const std::size_t axis : shape_) count *= axis;
    return count;
  }
  /// Whether there is no element.
  constexpr bool empty() const noexcept { return size() == 0; }
  /// All elements, one after another.
  constexpr view<T> flat() const noexcept { return {first_, size()}; }
  /// The element at these indices, one for each axis (asserted without NDEBUG).
  template <class... Indices>
  constexpr T& operator()(Indices... indices) const noexcept {
    static_assert(sizeof...(Indices) == Axes, "io_shared: give one index for each axis");
    const std::size_t at[] = {static_cast<std::size_t>(indices)...};
    std::size_t position = 0;
    for (std::size_t axis = 0; axis < Axes; ++axis) {
      assert(at[axis] < shape_[axis]);
      position = position * shape_[axis] + at[axis];
    }
    return first_[position];
  }

 private:
  T* first_ = nullptr;
  std::array<std::size_t, Axes> shape_{};
};

/// Copies all elements of `from` to the start of `to`, which must have as many (asserted without
/// NDEBUG; without it fewer are copied). Large copies are up to twice as fast as by memcpy where
/// the processor allows it. The two do not overlap.
template <class To, class From>
void copy(To&& to, const From& from) noexcept {
  const view target(to);
  const view source(from);
  using element = typename decltype(target)::value_type;
  static_assert(std::is_same_v<element, typename decltype(source)::value_type>,
                "io_shared: copy takes elements of one type");
  static_assert(std::is_trivially_copyable_v<element>, "io_shared: copy takes plain elements");
  assert(source.size() <= target.size());
  const std::size_t count = source.size() < target.size() ? source.size() : target.size();
  static_cast<void>(ios_copy(target.data(), source.data(), count * sizeof(element)));
}

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#if defined(__cpp_lib_span)
// A view owns nothing, so its elements outlive it. With this, std::span takes one that is returned.
template <class T>
inline constexpr bool std::ranges::enable_borrowed_range<io_shared::view<T>> = true;
#endif

#endif
