// The macros that make a struct a message. Its schema, which channels compare field by field, comes
// from the compiler: names, types and offsets. What cannot be a message does not compile.
//
//     struct Point {
//       float x, y, z;
//     };
//     IO_SHARED_MESSAGE(Point, x, y, z);
//
//     enum class Mode : std::uint8_t { Idle, Driving = 3 };
//     IO_SHARED_ENUM(Mode, Idle, Driving);
//
//     struct Cloud {  // the fields before the points
//       std::uint64_t frame;
//       std::uint64_t stamp_ns;
//     };
//     IO_SHARED_MESSAGE(Cloud, frame, stamp_ns);
//     IO_SHARED_TAIL(Cloud, points, Point);
//     IO_SHARED_UNIT(Cloud, stamp_ns, "ns stamp");
//     IO_SHARED_NAME(Cloud, points, "class");  // in the schema, where C++ cannot have it
//
// All macros of a struct stand after it, in its namespace, before the first use of the message.
// They take the name of the struct alone; a template or a struct of a class gets one by `using`.
//
//     in C++                                          in Rust
//     bool, std::uint8_t to 64, std::int8_t to 64     bool, u8 to u64, i8 to i64
//     float, double, io_shared::f16                   f32, f64, half::f16
//     io_shared::text<32>, char [32]                  Text<32>
//     std::array<T, 3>, T [3]                         [T; 3]
//     a struct, an enum                               a struct, an enum
//     io_shared::list<T>, io_shared::nd_list<T, 3>    List<T>, NdList<T, 3>
//     (no member)                                     ListData, under the name `data`
//     io_shared::duration_ns, system_time_ns          DurationNs, SystemTimeNs
//     IO_SHARED_TAIL(T, points, Point)                points: [Point]
//     io_shared::slice<T> (no field)                  [T]

#ifndef IO_SHARED_SCHEMA_HPP
#define IO_SHARED_SCHEMA_HPP

#include "each.hpp"
#include "table.hpp"

/// Makes a struct a message: its name, and all its members in their order, at most 64. It does not
/// compile if a member cannot be in a message, if one is left out, or if there is padding.
#define IO_SHARED_MESSAGE(T, ...)                                                                \
  static_assert(std::is_standard_layout_v<T>,                                                    \
                "io_shared: " #T " has no standard layout: it has virtual functions, references, " \
                "private members among public ones, or a base with members");                    \
  IO_SHARED_EACH(IO_SHARED_CHECK_MEMBER, T, __VA_ARGS__)                                         \
  static_assert(std::is_trivially_destructible_v<T>,                                             \
                "io_shared: " #T " has a destructor, which nobody calls on a message");          \
  constexpr bool io_shared_checked(const T*) {                                                   \
    return IO_SHARED_EACH(IO_SHARED_CHECKED, T, __VA_ARGS__) false;                              \
  }                                                                                              \
  constexpr auto io_shared_members(const T*) {                                                   \
    const ios_member members[] = {IO_SHARED_EACH(IO_SHARED_MEMBER, T, __VA_ARGS__)};             \
    return ::io_shared::detail::describe(#T, members);                                           \
  }                                                                                              \
  IO_SHARED_EACH(IO_SHARED_CHECK_PLACE, T, __VA_ARGS__)                                          \
  static_assert(                                                                                 \
      ::io_shared::detail::gap_at_end(io_shared_members(::io_shared::detail::null<T>),           \
                                      sizeof(T), alignof(T)) == 0,                               \
      "io_shared: " #T " ends in padding, or its last member is not listed: add a member "       \
      "`std::uint8_t pad[n]` for as many bytes, and list it")

/// Adds any number of elements after the fields of a message: their name and type. Guards and loans
/// have them as `.name()`. The elements begin at `sizeof(T)`.
#define IO_SHARED_TAIL(T, tail_name, ...)                                                        \
  template <class Whole>                                                                         \
  struct io_shared_tail_of_##T {                                                                 \
    using io_shared_element = __VA_ARGS__;                                                       \
    static constexpr const char* io_shared_name = #tail_name;                                    \
    auto tail_name() const { return static_cast<const Whole*>(this)->elements(); }               \
  };                                                                                             \
  template <class Whole>                                                                         \
  io_shared_tail_of_##T<Whole> io_shared_tail(const T*, const Whole*);                           \
  static_assert(::io_shared::detail::has_members<T>,                                             \
                "io_shared: put IO_SHARED_MESSAGE(" #T ", ..) before IO_SHARED_TAIL");           \
  IO_SHARED_CHECK_TYPE(#T "." #tail_name, __VA_ARGS__)                                           \
  static_assert(::io_shared::detail::axes_of<__VA_ARGS__> == 0,                                  \
                "io_shared: " #T "." #tail_name " has elements that are lists");                 \
  static_assert(::io_shared::detail::list_axes<T>() == 0,                                        \
                "io_shared: " #T " has lists: make the tail " #tail_name " a list too");         \
  static_assert(sizeof(T) % alignof(__VA_ARGS__) == 0,                                           \
                "io_shared: there is padding before " #T "." #tail_name ": add a member "        \
                "`std::uint8_t pad[n]` for as many bytes to " #T)

/// Makes an enum a field: its name and its variants, of which one has the number 0. It is stored as
/// its underlying type, of 8 to 32 bits. Bytes that are no variant are never read as one: a get is
/// `bad_value_error`.
#define IO_SHARED_ENUM(T, ...)                                                                   \
  static_assert(std::is_enum_v<T>, "io_shared: " #T " is no enum");                              \
  static_assert(::io_shared::detail::is_storable<T>,                                             \
                "io_shared: " #T " is not stored as a number of 8 to 32 bits: say `enum class "  \
                #T " : std::uint8_t`, for example");                                             \
  constexpr auto io_shared_variants(const T*) {                                                  \
    const ios_variant variants[] = {IO_SHARED_EACH(IO_SHARED_VARIANT, T, __VA_ARGS__)};          \
    return ::io_shared::detail::describe(#T, variants);                                          \
  }                                                                                              \
  static_assert(                                                                                 \
      ::io_shared::detail::has_zero(io_shared_variants(::io_shared::detail::null<T>)),           \
      "io_shared: no variant of " #T " has the number 0, which fresh memory is full of: add one")

/// Says the unit of a member or of the tail, for people and tools: "m", "rad". The word `stamp`
/// says that a number is when the value was measured, in nanoseconds since 1970; `frame:lidar` in
/// which frame the points of the field are. In the last field or the tail, `cloud`, `image:bgr8`,
/// `depth` or `none` says what the message is. Words are separated by blanks.
#define IO_SHARED_UNIT(T, member_name, unit)                                                     \
  constexpr const char* io_shared_unit(                                                          \
      const T*, ::io_shared::detail::label<::io_shared::detail::hash_of(#member_name)>) {        \
    return unit;                                                                                 \
  }                                                                                              \
  static_assert(true, "")

/// Gives a member, the tail or a variant another name in the schema, "class" for example, which C++
/// cannot have: another program's struct has it.
///
///     struct Seen {
///       std::uint32_t class_;
///     };
///     IO_SHARED_MESSAGE(Seen, class_);
///     IO_SHARED_NAME(Seen, class_, "class");
#define IO_SHARED_NAME(T, name_in_cpp, name)                                                     \
  constexpr const char* io_shared_renamed(                                                       \
      const T*, ::io_shared::detail::label<::io_shared::detail::hash_of(#name_in_cpp)>) {        \
    return name;                                                                                 \
  }                                                                                              \
  static_assert(true, "")

/// Names the data of the lists, for programs in Rust whose `ListData` has another name than `data`.
#define IO_SHARED_DATA(T, data_name)                                                             \
  constexpr const char* io_shared_data(const T*) { return #data_name; }                          \
  static_assert(true, "")

#define IO_SHARED_MEMBER(T, m)                                                                   \
  ::io_shared::detail::member<decltype(T::m)>(#m, offsetof(T, m)),
#define IO_SHARED_CHECKED(T, m) ::io_shared::detail::has_checks<decltype(T::m)>() ||
#define IO_SHARED_VARIANT(T, v) ios_variant{#v, static_cast<std::int64_t>(T::v)},
#define IO_SHARED_CHECK_MEMBER(T, m) IO_SHARED_CHECK_TYPE(#T "." #m, decltype(T::m))
#define IO_SHARED_LACKS(which, ...)                                                              \
  ::io_shared::detail::fault_of<__VA_ARGS__>() != ::io_shared::detail::fault::which
#define IO_SHARED_CHECK_TYPE(name, ...)                                                          \
  static_assert(IO_SHARED_LACKS(pointer, __VA_ARGS__),                                           \
                "io_shared: " name " is a pointer or a reference, which means nothing in "       \
                "another process: use an array, an io_shared::list or a tail");                  \
  static_assert(IO_SHARED_LACKS(owner, __VA_ARGS__),                                             \
                "io_shared: " name " is not trivially copyable, so its bytes are not all of "    \
                "it: use io_shared::text<N> for a string, and std::array, io_shared::list or a " \
                "tail for a vector");                                                            \
  static_assert(IO_SHARED_LACKS(character, __VA_ARGS__),                                         \
                "io_shared: " name " is a character: use std::uint8_t or std::int8_t for a "     \
                "number, and char [n] or io_shared::text<n> for a text");                        \
  static_assert(IO_SHARED_LACKS(wide, __VA_ARGS__),                                              \
                "io_shared: " name " is a long double, which differs between machines: use "     \
                "double");                                                                       \
  static_assert(IO_SHARED_LACKS(unknown, __VA_ARGS__),                                           \
                "io_shared: the type of " name " is not described: put IO_SHARED_MESSAGE or "    \
                "IO_SHARED_ENUM after it");                                                      \
  static_assert(IO_SHARED_LACKS(flags, __VA_ARGS__),                                             \
                "io_shared: the elements of " name " have a bool or an enum: store the number "  \
                "that stands for it");                                                           \
  static_assert(IO_SHARED_LACKS(empty, __VA_ARGS__),                                             \
                "io_shared: " name " has no elements: for any number of them use "               \
                "IO_SHARED_TAIL");
#define IO_SHARED_CHECK_PLACE(T, m)                                                              \
  static_assert(                                                                                 \
      ::io_shared::detail::gap_before(io_shared_members(::io_shared::detail::null<T>), #m) == 0, \
      "io_shared: there is padding before " #T "." #m ", or a member before it is not listed, "  \
      "or they are listed in another order: add a member `std::uint8_t pad[n]` for the padding");

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// The schema of a message, as JSON. `bad_schema_error`: the struct cannot be one; the text says
/// what to change.
template <class T>
returned<std::string> schema() {
  std::string text;
  const ios_status status = detail::schema_of<T>::make(text);
  return detail::done(status, text);
}

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
