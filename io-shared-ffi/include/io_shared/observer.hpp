// Observers: they read a channel without taking part in it.

#ifndef IO_SHARED_OBSERVER_HPP
#define IO_SHARED_OBSERVER_HPP

#include <cstdint>
#include <optional>
#include <string>

#include "consumer.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// A part of a value.
struct field {
  /// The part as JSON: `1.5`, `"front"`, `[1,2]`. A number that JSON does not have is `null`.
  std::string json;
  /// The part as a number: a bool is 0 or 1, an enum the variant's number. NaN if it is none.
  double number = 0;
  /// The number of the value.
  std::uint64_t seq = 0;
  /// CLOCK_MONOTONIC at the put; 0 if the value was not stamped by this clock.
  std::chrono::nanoseconds stamp{0};
  /// The tag of the value; 0 if it has none.
  std::uint64_t tag = 0;
};

/// Reads a channel without taking part in it: it takes no slot, wakes nobody, and needs permission
/// to read only. Its guards own copies, which hold no buffer. One thread at a time uses it.
template <class T>
class observer {
 public:
#if IO_SHARED_THROWS
  /// Opens a channel to observe, and waits for it to exist. `mismatch_error`: the channel has
  /// another type; the text names the fields. And the other errors of opening.
  explicit observer(const location& where, const options& how = {}) : observer(open(where, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<observer> open(const location& where, const options& how = {}) {
    observer opened;
    const ios_status status =
        detail::open<T>(where, how, false, opened.handle_, &ios_observer_open);
    return detail::done(status, opened);
  }
  /// No observer: every call is `null_error`.
  observer() noexcept = default;

  /// A copy of the newest value, complete and checked; nothing if none was ever put.
  returned<std::optional<guard<T>>> copy() {
    return detail::got_or_none<T>(
        [&](ios_value* value) { return ios_observer_copy(handle_.get(), value); });
  }
  /// Waits for a value that this observer has not copied yet, and copies it. It looks when the next
  /// is due (10 ms apart at most); values that come in shorter intervals may be missed.
  /// `timeout_error` (`empty_error` if the timeout is 0).
  returned<guard<T>> wait(timeout most = timeout::forever()) {
    return detail::got<T>([&](ios_value* value) {
      return ios_observer_wait(handle_.get(), most.nanoseconds(), value);
    });
  }
  /// As `wait`, but returns nothing if no value comes in time.
  returned<std::optional<guard<T>>> try_wait(timeout most) {
    return detail::got_or_none<T>([&](ios_value* value) {
      return ios_observer_wait(handle_.get(), most.nanoseconds(), value);
    });
  }
  /// A copy of the oldest value after number `seq` that is still there whole; nothing if there is
  /// none. Called with the number of the value before, it goes through them all, oldest first.
  returned<std::optional<guard<T>>> since(std::uint64_t seq) {
    return detail::got_or_none<T>(
        [&](ios_value* value) { return ios_observer_since(handle_.get(), seq, value); });
  }
  /// A copy of the newest value with this tag that is still there whole; nothing if there is none.
  returned<std::optional<guard<T>>> tagged(std::uint64_t tag) {
    return detail::got_or_none<T>(
        [&](ios_value* value) { return ios_observer_tagged(handle_.get(), tag, value); });
  }
  /// The part of the newest value that a path leads to, such as `frame`, `points[3].x` or
  /// `points[0:5]`, without a copy of the rest; nothing if no value was ever put.
  /// `bad_option_error`: it is no path, or leads nowhere.
  returned<std::optional<io_shared::field>> field(const std::string& path) {
    ios_field raw{};
    ios_status status = ios_observer_field(handle_.get(), path.c_str(), &raw);
    const detail::owned_text json(raw.json);
    std::optional<io_shared::field> found;
    if (status == IOS_OK) {
      const std::chrono::nanoseconds stamp(static_cast<std::int64_t>(raw.stamp));
      found = io_shared::field{raw.json, raw.number, raw.seq, stamp, raw.tag};
    }
    if (status == IOS_EMPTY) status = IOS_OK;
    return detail::done(status, found);
  }

  /// The number of the newest value, without a copy of it; 0 if none was ever put.
  returned<std::uint64_t> seq() {
    return detail::value_of<std::uint64_t>(
        [&](std::uint64_t* seq) { return ios_observer_seq(handle_.get(), seq); });
  }
  /// Who the living producer is; nothing if there is none.
  returned<std::optional<process>> producer() const {
    return detail::producer_of(
        [&](ios_process* raw) { return ios_observer_producer(handle_.get(), raw); });
  }
  /// The channel's name or location.
  returned<std::string> name() const {
    return detail::text_of([&](char** text) { return ios_observer_name(handle_.get(), text); });
  }
  /// The type of the messages, as JSON.
  returned<std::string> schema() const {
    return detail::text_of([&](char** text) { return ios_observer_schema(handle_.get(), text); });
  }
  /// Closes it before its end. Its copies stay.
  void close() noexcept { handle_.reset(); }
  /// The handle of the C library, which stays this observer's.
  ios_observer* get() const noexcept { return handle_.get(); }

 private:
  detail::owned<ios_observer, &ios_observer_close> handle_;
};

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
