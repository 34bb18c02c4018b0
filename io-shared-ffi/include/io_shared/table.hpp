// What the compiler knows of a message, as the tables of the C library (ios_type), from which that
// makes the schema. schema.hpp has the macros that describe a struct; this is what they expand to.
//
// The macros define functions next to the struct: io_shared_members, io_shared_checked,
// io_shared_variants, io_shared_tail, io_shared_unit, io_shared_renamed, io_shared_data. They are
// found here by argument-dependent lookup, so a struct may be in any namespace. Those below take
// what no macro has described.

#ifndef IO_SHARED_TABLE_HPP
#define IO_SHARED_TABLE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "values.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// Makes a type of another library a field: specialise it with a `type` whose bytes are the same.
///
///     template <>
///     struct io_shared::foreign<Eigen::Vector3f> {
///       using type = std::array<float, 3>;
///     };
template <class T>
struct foreign {};

template <>
struct foreign<duration_ns> {
  using type = std::uint64_t;
};
template <>
struct foreign<system_time_ns> {
  using type = std::int64_t;
};
template <>
struct foreign<std::byte> {
  using type = std::uint8_t;
};

namespace detail {

/// Which field or tail a name is, as a type: its FNV-1a hash.
constexpr std::uint64_t hash_of(const char* name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (; *name != '\0'; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001b3;
  return hash;
}
template <std::uint64_t Hash>
using label = std::integral_constant<std::uint64_t, Hash>;

constexpr bool same_text(const char* a, const char* b) {
  for (; *a != '\0' && *a == *b; ++a, ++b) {
  }
  return *a == *b;
}

struct undescribed {};
undescribed io_shared_members(const void*);
undescribed io_shared_variants(const void*);
constexpr bool io_shared_checked(const void*) { return false; }
constexpr const char* io_shared_data(const void*) { return "data"; }
template <class Label>
constexpr const char* io_shared_unit(const void*, Label) {
  return nullptr;
}
template <class Label>
constexpr const char* io_shared_renamed(const void*, Label) {
  return nullptr;
}
/// What guards and loans of a message without a tail inherit.
template <class Whole>
struct no_tail {
  using io_shared_element = void;
};
template <class Whole>
no_tail<Whole> io_shared_tail(const void*, const Whole*);

template <class T>
inline constexpr const T* null = nullptr;

/// The name of a struct or an enum, and its members or variants.
template <class Member, std::size_t Count>
struct described {
  const char* name;
  std::array<Member, Count> all;
};
template <class Member, std::size_t Count>
constexpr described<Member, Count> describe(const char* name, const Member (&all)[Count]) {
  described<Member, Count> its{name, {}};
  for (std::size_t i = 0; i < Count; ++i) its.all[i] = all[i];
  return its;
}

template <class T>
inline constexpr bool has_members =
    !std::is_same_v<decltype(io_shared_members(null<T>)), undescribed>;
template <class T>
inline constexpr bool has_variants =
    !std::is_same_v<decltype(io_shared_variants(null<T>)), undescribed>;

/// The name in the schema of what C++ knows by a name with this hash.
template <class T, std::uint64_t Hash>
constexpr const char* name_of(const char* in_cpp) {
  const char* renamed = io_shared_renamed(null<T>, label<Hash>{});
  return renamed == nullptr ? in_cpp : renamed;
}

/// The base of guards and loans that has the tail under its name.
template <class T, class Whole>
using tail_base = decltype(io_shared_tail(null<T>, std::declval<const Whole*>()));
template <class T>
using tail_element = typename tail_base<T, int>::io_shared_element;
template <class T>
inline constexpr bool has_tail = !std::is_void_v<tail_element<T>>;

template <class T, class = void>
inline constexpr bool is_foreign = false;
template <class T>
inline constexpr bool is_foreign<T, std::void_t<typename foreign<T>::type>> = true;

template <class T>
inline constexpr std::size_t axes_of = 0;
template <class E>
inline constexpr std::size_t axes_of<list<E>> = 1;
template <class E, std::size_t Axes>
inline constexpr std::size_t axes_of<nd_list<E, Axes>> = Axes;

template <class T>
struct array_of {
  static constexpr std::size_t count = 0;
};
template <class E, std::size_t N>
struct array_of<E[N]> {
  using element = E;
  static constexpr std::size_t count = N;
};
template <class E, std::size_t N>
struct array_of<std::array<E, N>> {
  using element = E;
  static constexpr std::size_t count = N;
};

template <class T>
inline constexpr std::size_t text_length = 0;
template <std::size_t N>
inline constexpr std::size_t text_length<text<N>> = N;
template <std::size_t N>
inline constexpr std::size_t text_length<char[N]> = N;
template <std::size_t N>
inline constexpr std::size_t text_length<std::array<char, N>> = N;

template <class T>
inline constexpr bool is_character = std::is_same_v<T, char> || std::is_same_v<T, wchar_t> ||
                              std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

template <class T>
inline constexpr bool is_number =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, f16> ||
    (std::is_integral_v<T> && !is_character<T> && sizeof(T) <= 8);

/// What a type is in a message.
enum class kind { none, number, text, array, foreign, variants, members };

template <class T>
constexpr kind kind_of() {
  if constexpr (is_number<T>) return kind::number;
  else if constexpr (text_length<T> > 0) return kind::text;
  else if constexpr (array_of<T>::count > 0) {
    return kind_of<typename array_of<T>::element>() == kind::none ? kind::none : kind::array;
  } else if constexpr (is_foreign<T>) return kind::foreign;
  else if constexpr (std::is_enum_v<T>) return has_variants<T> ? kind::variants : kind::none;
  else if constexpr (std::is_class_v<T>) return has_members<T> ? kind::members : kind::none;
  else return kind::none;
}

/// The table of a number.
template <class T>
constexpr const ios_type* number_table() {
  if constexpr (std::is_same_v<T, bool>) return &ios_type_bool;
  else if constexpr (std::is_same_v<T, float>) return &ios_type_f32;
  else if constexpr (std::is_same_v<T, double>) return &ios_type_f64;
  else if constexpr (std::is_same_v<T, f16>) return &ios_type_f16;
  else if constexpr (sizeof(T) == 1) return std::is_signed_v<T> ? &ios_type_i8 : &ios_type_u8;
  else if constexpr (sizeof(T) == 2) return std::is_signed_v<T> ? &ios_type_i16 : &ios_type_u16;
  else if constexpr (sizeof(T) == 4) return std::is_signed_v<T> ? &ios_type_i32 : &ios_type_u32;
  else return std::is_signed_v<T> ? &ios_type_i64 : &ios_type_u64;
}

template <class T>
struct struct_table;
template <class T>
struct enum_table;
template <std::size_t N>
struct text_table {
  static constexpr ios_type table{"|S", nullptr, N, 1, nullptr, nullptr, nullptr, N};
};
template <class T>
struct array_table;

/// The table of a type; null if it cannot be in a message. (Whether it is null is not constant for
/// all compilers: `kind_of` is.)
template <class T>
constexpr const ios_type* table_of() {
  constexpr kind is = kind_of<T>();
  if constexpr (is == kind::number) return number_table<T>();
  else if constexpr (is == kind::text) return &text_table<text_length<T>>::table;
  else if constexpr (is == kind::array) return &array_table<T>::table;
  else if constexpr (is == kind::variants) return &enum_table<T>::table;
  else if constexpr (is == kind::members) return &struct_table<T>::table;
  else if constexpr (is == kind::foreign) {
    using same = typename foreign<T>::type;
    static_assert(sizeof(T) == sizeof(same) && alignof(T) == alignof(same),
                  "io_shared: foreign<T>::type has another size or alignment than T");
    return table_of<same>();
  } else return nullptr;
}

template <class T>
struct array_table {
  using element = typename array_of<T>::element;
  static constexpr ios_type table{nullptr,    nullptr, sizeof(T),           alignof(T),
                                  nullptr,    nullptr, table_of<element>(), array_of<T>::count};
};

template <class T>
struct enum_table {
  static constexpr auto in_cpp = io_shared_variants(null<T>);
  template <std::size_t... I>
  static constexpr auto named(std::index_sequence<I...>) {
    auto all = in_cpp;
    ((all.all[I].name = name_of<T, hash_of(in_cpp.all[I].name)>(in_cpp.all[I].name)), ...);
    return all;
  }
  static constexpr auto its = named(std::make_index_sequence<in_cpp.all.size()>());
  static constexpr ios_type table{
      nullptr, its.name,        sizeof(T),
      alignof(T), nullptr,      its.all.data(),
      number_table<std::underlying_type_t<T>>(), its.all.size()};
};

/// A member for a table: a value, an array, or a list.
template <class M>
constexpr ios_member member(const char* name, std::size_t offset) {
  if constexpr (axes_of<M> > 0) {
    using element = typename M::element;
    return {name, table_of<element>(), offset, sizeof(M), {axes_of<M>, 0, 0}, IOS_MEMBER_LIST};
  } else {
    return {name, table_of<M>(), offset, sizeof(M), {0, 0, 0}, IOS_MEMBER_FIELD};
  }
}

/// How many axes all lists of a struct have together.
template <class Members>
constexpr std::size_t axes_in(const Members& members) {
  std::size_t axes = 0;
  for (const ios_member& one : members.all) {
    if (one.role == IOS_MEMBER_LIST) axes += one.counts[0];
  }
  return axes;
}
template <class T>
constexpr std::size_t list_axes() {
  if constexpr (std::is_class_v<T> && has_members<T>) return axes_in(io_shared_members(null<T>));
  else return 0;
}

/// Whether a message is elements alone.
template <class T>
inline constexpr bool is_elements = std::is_same_v<T, bytes>;
template <class E>
inline constexpr bool is_elements<slice<E>> = true;

/// Whether each message has the size of the struct.
template <class T>
inline constexpr bool is_fixed = !is_elements<T> && !has_tail<T> && list_axes<T>() == 0;

/// The rows of a struct's table: each member, with its unit after it, and the tail or the data of
/// lists.
template <std::size_t Most>
struct rows {
  std::array<ios_member, Most> all{};
  std::size_t count = 0;

  constexpr void add(ios_member row, const char* name, const char* unit) {
    row.name = name;
    all[count++] = row;
    if (unit != nullptr) all[count++] = {unit, nullptr, 0, 0, {0, 0, 0}, IOS_MEMBER_UNIT};
  }
};

template <class T, std::size_t... I>
constexpr auto rows_of(std::index_sequence<I...>) {
  constexpr auto its = io_shared_members(null<T>);
  rows<2 * sizeof...(I) + 2> all;
  (all.add(its.all[I], name_of<T, hash_of(its.all[I].name)>(its.all[I].name),
           io_shared_unit(null<T>, label<hash_of(its.all[I].name)>{})),
   ...);
  if constexpr (has_tail<T>) {
    constexpr const char* name = tail_base<T, int>::io_shared_name;
    const char* unit = io_shared_unit(null<T>, label<hash_of(name)>{});
    const std::size_t end = sizeof(T);
    all.add({name, table_of<tail_element<T>>(), end, 0, {0, 0, 0}, IOS_MEMBER_TAIL},
            name_of<T, hash_of(name)>(name), unit);
  }
  if constexpr (axes_in(its) > 0) {
    constexpr const char* name = io_shared_data(null<T>);
    all.add({name, nullptr, 0, 0, {0, 0, 0}, IOS_MEMBER_DATA}, name, nullptr);
  }
  return all;
}

/// The alignment of a message, which its tail may raise.
template <class T>
constexpr std::size_t alignment() {
  if constexpr (has_tail<T>) {
    using element = tail_element<T>;
    return alignof(T) > alignof(element) ? alignof(T) : alignof(element);
  } else {
    return alignof(T);
  }
}

template <class T>
struct struct_table {
  static constexpr auto its = io_shared_members(null<T>);
  static constexpr auto lines = rows_of<T>(std::make_index_sequence<its.all.size()>());
  static constexpr ios_type table{nullptr, its.name, sizeof(T), alignment<T>(), lines.all.data(),
                                  nullptr, nullptr,  lines.count};
};

/// Why a member cannot be in a message.
enum class fault { none, pointer, owner, character, wide, unknown, flags, empty };

template <class T>
constexpr fault fault_of();

/// Whether a type has a bool or an enum in it, which lists may not have.
template <class T>
constexpr bool has_checks() {
  if constexpr (is_foreign<T>) return false;
  else if constexpr (std::is_same_v<T, bool> || std::is_enum_v<T>) return true;
  else if constexpr (array_of<T>::count > 0) return has_checks<typename array_of<T>::element>();
  else if constexpr (std::is_class_v<T>) return io_shared_checked(null<T>);
  else return false;
}

template <class T>
constexpr fault fault_of() {
  if constexpr (std::is_pointer_v<T> || std::is_reference_v<T> || std::is_member_pointer_v<T>) {
    return fault::pointer;
  } else if constexpr (is_foreign<T> || text_length<T> > 0) {
    return fault::none;
  } else if constexpr (axes_of<T> > 0) {
    return fault_of<typename T::element>() == fault::none && has_checks<typename T::element>()
               ? fault::flags
               : fault_of<typename T::element>();
  } else if constexpr (array_of<T>::count > 0) {
    return fault_of<typename array_of<T>::element>();
  } else if constexpr (std::is_array_v<T>) {
    return fault::empty;
  } else if constexpr (is_character<T>) {
    return fault::character;
  } else if constexpr (std::is_same_v<T, long double>) {
    return fault::wide;
  } else if constexpr (std::is_class_v<T> && !std::is_trivially_copyable_v<T>) {
    return fault::owner;
  } else {
    return kind_of<T>() == kind::none ? fault::unknown : fault::none;
  }
}

/// Whether an enum is stored as a number that messages allow.
template <class T, bool = std::is_enum_v<T>>
inline constexpr bool is_storable = false;
template <class T>
inline constexpr bool is_storable<T, true> =
    is_number<std::underlying_type_t<T>> && sizeof(T) <= 4 &&
    !std::is_same_v<std::underlying_type_t<T>, bool>;

/// How many bytes lie between a member and the one before it in the list.
template <class Members>
constexpr std::size_t gap_before(const Members& members, const char* name) {
  std::size_t end = 0;
  for (const ios_member& one : members.all) {
    if (same_text(one.name, name)) return one.offset - end;
    end = one.offset + one.size;
  }
  return 0;
}

/// How many bytes lie after the last member. The data of lists begins right after the last member,
/// so the padding there belongs to it. More bytes than padding are a member that is not listed.
template <class Members>
constexpr std::size_t gap_at_end(const Members& members, std::size_t size, std::size_t align) {
  const ios_member& last = members.all[members.all.size() - 1];
  const std::size_t gap = size - last.offset - last.size;
  return axes_in(members) > 0 && gap < align ? 0 : gap;
}

template <class Variants>
constexpr bool has_zero(const Variants& variants) {
  for (const ios_variant& one : variants.all) {
    if (one.number == 0) return true;
  }
  return false;
}

/// The schema of a message, as JSON.
template <class T>
struct schema_of {
  static ios_status make(std::string& text) {
    static_assert(kind_of<T>() != kind::none,
                  "io_shared: describe the struct with IO_SHARED_MESSAGE(T, members) next to it");
    char* json = nullptr;
    const ios_status status = ios_schema_of(table_of<T>(), &json);
    const owned_text owner(json);
    if (status == IOS_OK) text = json;
    return status;
  }
};
template <class E>
struct schema_of<slice<E>> {
  static ios_status make(std::string& text) {
    const ios_status status = schema_of<E>::make(text);
    text = "{\"slice\":" + text + "}";
    return status;
  }
};
template <>
struct schema_of<bytes> {
  static ios_status make(std::string& text) {
    text.clear();
    return IOS_OK;
  }
};

}  // namespace detail
}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
