// What the fields of messages are, besides numbers, bools, enums, arrays and structs: texts, lists,
// times, numbers of 16 bits.

#ifndef IO_SHARED_VALUES_HPP
#define IO_SHARED_VALUES_HPP

#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "view.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// A text of at most N bytes (UTF-8), stored in place and filled up with zeros: `Text<N>` in Rust,
/// `|S` in NumPy. A field `char name[N]` is the same.
template <std::size_t N>
class text {
  static_assert(N > 0, "io_shared: a text must have at least one byte");

 public:
  /// The empty text.
  constexpr text() noexcept = default;
  /// A text that is written in the program, of at most N bytes.
  template <std::size_t Length>
  constexpr text(const char (&literal)[Length]) noexcept {
    static_assert(Length <= N + 1, "io_shared: the text is longer than the field");
    for (std::size_t i = 0; i < Length && literal[i] != '\0'; ++i) bytes_[i] = literal[i];
  }
  /// The text, unless it has more than N bytes or a zero among them.
  static constexpr std::optional<text> from(std::string_view whole) noexcept {
    if (whole.size() > N || whole.find('\0') != std::string_view::npos) return std::nullopt;
    return truncated(whole);
  }
  /// As much of the text as fits, cut between characters of UTF-8 and before a zero byte.
  static constexpr text truncated(std::string_view whole) noexcept {
    whole = whole.substr(0, whole.find('\0'));
    std::size_t end = whole.size() < N ? whole.size() : N;
    while (end < whole.size() && end > 0 && (whole[end] & 0xc0) == 0x80) --end;
    text fits;
    for (std::size_t i = 0; i < end; ++i) fits.bytes_[i] = whole[i];
    return fits;
  }
  /// The text, without the zeros after it. Another program may have written it, so it may be any
  /// bytes. It is valid for as long as this field.
  constexpr std::string_view str() const noexcept {
    return std::string_view(bytes_, N).substr(0, std::string_view(bytes_, N).find('\0'));
  }
  /// As `str()`.
  constexpr operator std::string_view() const noexcept { return str(); }
  friend constexpr bool operator==(const text& a, std::string_view b) { return a.str() == b; }
  friend constexpr bool operator!=(const text& a, std::string_view b) { return a.str() != b; }

 private:
  char bytes_[N] = {};
};

/// The text in a field `char name[N]`, without the zeros after it.
template <std::size_t N>
constexpr std::string_view text_in(const char (&field)[N]) noexcept {
  return std::string_view(field, N).substr(0, std::string_view(field, N).find('\0'));
}

/// A number of 16 bits (IEEE 754 binary16): `half::f16` in Rust, `<f2` in NumPy.
class f16 {
 public:
  /// Zero.
  constexpr f16() noexcept = default;
  /// The nearest number of 16 bits; of two that are equally near, the even one. Numbers from
  /// 65,520 on become infinite.
  explicit f16(float number) noexcept {
    std::uint32_t wide;
    std::memcpy(&wide, &number, sizeof wide);
    const auto sign = static_cast<std::uint16_t>(wide >> 16 & 0x8000);
    const std::uint32_t rest = wide & 0x7fffffff;
    if (rest > 0x7f800000) {  // NaN, which stays one
      bits = static_cast<std::uint16_t>(sign | 0x7e00 | (rest >> 13 & 0x3ff));
    } else if (rest >= 0x47800000) {  // 65,536 and more
      bits = static_cast<std::uint16_t>(sign | 0x7c00);
    } else if (rest >= 0x38800000) {  // a normal number; rounding up may carry into the exponent
      const std::uint32_t half = rest - 0x38000000;
      bits = static_cast<std::uint16_t>(sign | rounded(half, 13));
    } else if (rest >= 0x33000000) {  // subnormal: 2^-25 and more
      const std::uint32_t digits = (rest & 0x7fffff) | 0x800000;
      bits = static_cast<std::uint16_t>(sign | rounded(digits, 126 - (rest >> 23)));
    } else {
      bits = sign;
    }
  }
  /// A number with these bits.
  static constexpr f16 from_bits(std::uint16_t bits) noexcept {
    f16 number;
    number.bits = bits;
    return number;
  }
  /// The number, exactly.
  operator float() const noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
    const std::uint32_t exponent = bits >> 10 & 0x1f;
    const std::uint32_t digits = bits & 0x3ff;
    std::uint32_t wide = sign;
    if (exponent == 0x1f) {
      wide |= 0x7f800000 | digits << 13;
    } else if (exponent != 0) {
      wide |= (exponent + 112) << 23 | digits << 13;
    } else {  // a subnormal number is digits times 2^-24
      const float small = static_cast<float>(digits) * 0x1p-24F;
      std::uint32_t its_bits;
      std::memcpy(&its_bits, &small, sizeof its_bits);
      wide |= its_bits;
    }
    float number;
    std::memcpy(&number, &wide, sizeof number);
    return number;
  }

  /// The bits: sign, 5 of the exponent, 10 of the fraction.
  std::uint16_t bits = 0;

 private:
  /// The digits without the last `shift` bits, to the nearest, ties to even.
  static constexpr std::uint32_t rounded(std::uint32_t digits, std::uint32_t shift) noexcept {
    const std::uint32_t half = 1U << (shift - 1);
    const std::uint32_t is_odd = digits >> shift & 1;
    return (digits + half - 1 + is_odd) >> shift;
  }
};

/// A span of time as a field: whole nanoseconds in a `uint64_t`, as `DurationNs` in Rust. Say the
/// unit with IO_SHARED_UNIT(T, field, "ns").
struct duration_ns {
  /// The nanoseconds.
  std::uint64_t nanoseconds = 0;

  /// No time.
  constexpr duration_ns() noexcept = default;
  /// The span in whole nanoseconds. A negative one becomes 0.
  template <class Rep, class Period>
  constexpr duration_ns(std::chrono::duration<Rep, Period> from) noexcept {
    const auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(from).count();
    nanoseconds = count < 0 ? 0 : static_cast<std::uint64_t>(count);
  }
  /// The span. One of over 292 years, which std::chrono does not have, becomes the longest.
  constexpr operator std::chrono::nanoseconds() const noexcept {
    constexpr auto most = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(nanoseconds < most ? nanoseconds : most));
  }
};

/// A time as a field: whole nanoseconds since 1970 in an `int64_t`, as `SystemTimeNs` in Rust. A
/// recording has it in the headers of clouds and pictures if its unit is "ns stamp".
struct system_time_ns {
  /// The nanoseconds since the start of 1970; before that they are negative.
  std::int64_t nanoseconds = 0;

  /// The start of 1970.
  constexpr system_time_ns() noexcept = default;
  /// A time of the system's clock.
  template <class Duration>
  constexpr system_time_ns(
      std::chrono::time_point<std::chrono::system_clock, Duration> from) noexcept
      : nanoseconds(
            std::chrono::duration_cast<std::chrono::nanoseconds>(from.time_since_epoch()).count()) {
  }
  /// The time.
  constexpr operator std::chrono::system_clock::time_point() const noexcept {
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds(nanoseconds)));
  }
};

/// A list as a field: any number of elements, which lie after the struct. `guard.list(&T::boxes)`
/// returns them in place, and `loan.list(&T::boxes)` to be filled. Elements are numbers, texts,
/// arrays and structs of these, without a bool or an enum.
///
/// It cannot be assigned, so that filling a loan never moves it.
template <class Element>
class list {
 public:
  /// The type of the elements.
  using element = Element;

  constexpr list() noexcept = default;
  constexpr list(const list&) noexcept = default;
  list& operator=(const list&) = delete;

 private:
  std::uint64_t offset_ = 0;
  std::uint64_t count_ = 0;
};

/// As `list`, along several axes: an image is an `nd_list<std::uint8_t, 3>`.
template <class Element, std::size_t Axes>
class nd_list {
 public:
  /// The type of the elements.
  using element = Element;

  constexpr nd_list() noexcept = default;
  constexpr nd_list(const nd_list&) noexcept = default;
  nd_list& operator=(const nd_list&) = delete;

 private:
  std::uint64_t offset_ = 0;
  std::uint64_t shape_[Axes] = {};
};

/// A message that is any number of elements and nothing else, `[T]` in Rust:
/// `producer<slice<float>>`. Guards and loans have them as `elements()`.
template <class Element>
struct slice;

/// A message of any type, as bytes. A `consumer<bytes>` or an `observer<bytes>` takes the type that
/// the channel has, which `schema()` returns; a `producer<bytes>` puts bytes. Guards and loans have
/// them as `elements()`.
struct bytes;

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
