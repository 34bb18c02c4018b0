// How channels and shared bytes are opened: where they are, with which options, and for how long a
// call waits.

#ifndef IO_SHARED_OPTIONS_HPP
#define IO_SHARED_OPTIONS_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "schema.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// How long a call waits: any std::chrono duration, or `forever()`. A negative duration does not
/// wait, as 0; fractions of a nanosecond are rounded up.
class timeout {
 public:
  /// At most this long.
  template <class Rep, class Period>
  constexpr timeout(std::chrono::duration<Rep, Period> most) noexcept {
    using wide = std::chrono::duration<long double, std::nano>;
    const long double count = std::chrono::duration_cast<wide>(most).count();
    if (count >= 9.2e18L) {
      nanoseconds_ = INT64_MAX;  // 292 years
    } else if (count > 0) {  // false for NaN
      nanoseconds_ = static_cast<std::int64_t>(count);
      if (static_cast<long double>(nanoseconds_) < count) ++nanoseconds_;
    }
  }
  /// Until it succeeds.
  static constexpr timeout forever() noexcept {
    timeout never(std::chrono::nanoseconds(0));
    never.nanoseconds_ = -1;
    return never;
  }
  /// Nanoseconds, as the C library takes them: negative waits for ever.
  constexpr std::int64_t nanoseconds() const noexcept { return nanoseconds_; }

 private:
  std::int64_t nanoseconds_ = 0;
};

/// Where a channel or shared bytes are. A text is a name in shared memory, such as "/clouds".
class location {
 public:
  /// A name in shared memory, such as "/clouds" or "/camera/rgb/image_raw".
  location(const char* name) : kind_(kind::name), text_(name) {}
  /// A name in shared memory.
  location(std::string name) : kind_(kind::name), text_(std::move(name)) {}
  /// A file, which keeps its content.
  static location file(std::string path) { return {kind::file, std::move(path), -1}; }
  /// A descriptor that was inherited or received. It is duplicated, and stays the caller's.
  static location descriptor(int fd) { return {kind::descriptor, {}, fd}; }
  /// Nowhere else: the descriptor (`fd()`) is passed to other processes.
  static location anonymous() { return {kind::anonymous, {}, -1}; }

  /// Writes the place to the options of C, which point into this.
  void write_to(ios_options& raw) const noexcept {
    if (kind_ == kind::name) raw.name = text_.c_str();
    if (kind_ == kind::file) raw.file = text_.c_str();
    if (kind_ == kind::descriptor) raw.fd = fd_;
    if (kind_ == kind::anonymous) raw.flags |= IOS_ANONYMOUS;
  }

 private:
  enum class kind { name, file, descriptor, anonymous };
  location(kind of, std::string text, int fd) : kind_(of), text_(std::move(text)), fd_(fd) {}

  kind kind_;
  std::string text_;
  int fd_ = -1;
};

/// The options that a channel or shared bytes are opened with. An option that is left alone accepts
/// what exists, and has its default when something is created.
///
///     io_shared::producer<Cloud> clouds("/clouds", io_shared::options().capacity("5M"));
class options {
 public:
  /// The most bytes of one message, header fields included; or the bytes of shared bytes. It is not
  /// needed for messages of a fixed size. Without it a channel of any other type grows.
  options& capacity(std::uint64_t bytes) {
    capacity_ = bytes;
    size_.clear();
    return *this;
  }
  /// The same as a text: digits followed by K, M or G (powers of 1024), such as "5M".
  options& capacity(std::string_view size) {
    size_ = size;
    return *this;
  }
  /// Services: room for an answer ahead of time, in bytes, as `capacity` is for a question.
  options& answer_capacity(std::uint64_t bytes) {
    raw_.answer_capacity = bytes;
    return *this;
  }
  /// Whether a put or loan that does not fit gives the channel a larger capacity first, instead of
  /// failing with `too_large_error`. The default is true for a producer of messages that have no
  /// fixed size, if no capacity is given.
  options& growing(bool is) {
    growing_ = is;
    return *this;
  }
  /// For how many consumers buffers are reserved ahead of time, at most 253 (default 1).
  options& consumers(std::uint32_t count) {
    raw_.consumers = count;
    return *this;
  }
  /// How many values this consumer may hold at once, 1 to 8 (default 1).
  options& holds(std::uint32_t count) {
    raw_.holds = count;
    return *this;
  }
  /// How many values before the newest are kept while this handle lives, for `since` and `tagged`
  /// (default 0).
  options& history(std::uint32_t count) {
    raw_.history = count;
    return *this;
  }
  /// A name under which this consumer resumes after a restart.
  options& consumer_name(std::string name) {
    consumer_name_ = std::move(name);
    return *this;
  }
  /// Permission bits at creation (default 0600).
  options& mode(std::uint32_t bits) {
    raw_.mode = bits;
    return *this;
  }
  /// Locks: how many handles may be open at once (default 64).
  options& handles(std::uint32_t count) {
    raw_.handles = count;
    return *this;
  }
  /// How long opening waits for the other side, if this one cannot create it. By default a channel
  /// is waited for without limit, and shared bytes not at all.
  options& open_timeout(timeout most) {
    raw_.open_timeout = most.nanoseconds();
    return *this;
  }
  /// How long opening waits for whoever has the role to leave, for a restart without a gap (default
  /// 0: `role_taken_error` or `no_slot_error`).
  options& wait_for_role(timeout most) {
    raw_.wait_for_role = most.nanoseconds();
    return *this;
  }
  /// Whether puts record the time (default true).
  options& stamps(bool is) { return flag(IOS_NO_STAMPS, !is); }
  /// Whether opening maps all pages, so that the first messages cause no page faults.
  options& prefault(bool is) { return flag(IOS_PREFAULT, is); }
  /// Whether a handle whose channel is removed or replaced opens the channel that has the name next
  /// (default true). Otherwise it is `replaced_error`.
  options& reopen(bool is) { return flag(IOS_NO_REOPEN, !is); }
  /// Whether what this handle creates is removed with its last user.
  options& ephemeral(bool is) { return flag(IOS_EPHEMERAL, is); }
  /// Whether something of another shape that nobody is using is replaced, even if that loses its
  /// content: in a file, or if it is of another kind.
  options& replace(bool is) { return flag(IOS_REPLACE, is); }
  /// Whether a get, or a client's call, ends with `no_producer_error` within 200 ms of the end of
  /// its producer or server, once it has had one.
  options& requires_producer(bool is) { return flag(IOS_REQUIRES_PRODUCER, is); }
  /// Whether an object that is shorter than `capacity` is extended (`unsafe_shared_mmap`).
  options& extend(bool is) { return flag(IOS_EXTEND, is); }

  /// Calls `open` with the options of C for messages of this schema (empty: of any type), which are
  /// valid during the call. `grows` is the default of `growing`.
  template <class Open>
  ios_status with(const location& where, const std::string& schema, bool grows, Open open) const {
    ios_options raw;
    ios_options_init(&raw, sizeof raw);
    raw.flags = raw_.flags;
    raw.consumers = raw_.consumers;
    raw.holds = raw_.holds;
    raw.history = raw_.history;
    raw.mode = raw_.mode;
    raw.handles = raw_.handles;
    if (raw_.open_timeout) raw.open_timeout = *raw_.open_timeout;
    raw.wait_for_role = raw_.wait_for_role;
    raw.answer_capacity = raw_.answer_capacity;
    raw.capacity = capacity_;
    if (!size_.empty()) {
      const ios_status status = ios_size(size_.c_str(), &raw.capacity);
      if (status != IOS_OK) return status;
    }
    if (growing_.value_or(grows && raw.capacity == 0)) raw.flags |= IOS_GROWING;
    if (!consumer_name_.empty()) raw.consumer_name = consumer_name_.c_str();
    if (!schema.empty()) raw.schema = schema.c_str();
    where.write_to(raw);
    return open(&raw);
  }

 private:
  options& flag(std::uint32_t one, bool is) {
    raw_.flags = is ? raw_.flags | one : raw_.flags & ~one;
    return *this;
  }

  struct {
    std::uint32_t flags = 0, consumers = 0, holds = 0, history = 0, mode = 0, handles = 0;
    std::optional<std::int64_t> open_timeout;
    std::int64_t wait_for_role = 0;
    std::uint64_t answer_capacity = 0;
  } raw_;
  std::uint64_t capacity_ = 0;
  std::string size_;
  std::string consumer_name_;
  std::optional<bool> growing_;
};

namespace detail {

/// Opens a handle for messages of type T.
template <class T, class Handle, class Owned>
ios_status open(const location& where, const options& how, bool grows, Owned& opened,
                ios_status (*by)(const ios_options*, Handle**)) {
  std::string schema;
  const ios_status status = schema_of<T>::make(schema);
  if (status != IOS_OK) return status;
  return how.with(where, schema, grows, [&](const ios_options* raw) {
    Handle* handle = nullptr;
    const ios_status done = by(raw, &handle);
    opened.reset(handle);
    return done;
  });
}

}  // namespace detail

/// Removes the channel of that name, as one removes a file. Open handles follow the name to a new
/// channel, which the next put of a producer creates. `not_found_error`: there is none.
inline returned<void> remove(const std::string& name) {
  return detail::done(ios_channel_remove(name.c_str()));
}

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
