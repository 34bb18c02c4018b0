// Consumers: they get the newest value of a channel, each value once.

#ifndef IO_SHARED_CONSUMER_HPP
#define IO_SHARED_CONSUMER_HPP

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "guard.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// The process that has a role of a channel, as it described itself.
struct process {
  /// Its process ID in its own PID namespace; 0 if unknown.
  std::uint32_t pid = 0;
  /// The start of its program's name, at most 15 bytes; empty if unknown.
  std::string command;
  /// When it took the role; the start of 1970 if unknown.
  std::chrono::system_clock::time_point since;
};

namespace detail {

/// The producer that `ask` finds.
template <class Ask>
returned<std::optional<process>> producer_of(Ask ask) {
  ios_process raw{};
  ios_status status = ask(&raw);
  std::optional<process> found;
  if (status == IOS_OK) {
    const std::chrono::nanoseconds since(static_cast<std::int64_t>(raw.since));
    using clock = std::chrono::system_clock;
    found = process{raw.pid, raw.command,
                    clock::time_point(std::chrono::duration_cast<clock::duration>(since))};
  }
  if (status == IOS_EMPTY) status = IOS_OK;
  return done(status, found);
}

}  // namespace detail

/// What all consumers can do, whatever their messages: for `wait_any`.
class any_consumer {
 public:
  /// Ends the current wait with `interrupted_error`, or else the next one: a `get` or `wait_any`.
  /// No value is lost. Any thread may call it, also while another waits, and so may a signal
  /// handler.
  void interrupt() const noexcept { ios_interrupt(handle_.get()); }
  /// A descriptor that is readable while there is something to get, for poll, epoll, Qt and libuv.
  /// Then call `try_get()`, and never read from it. It may be readable once too often. It is closed
  /// with the consumer.
  returned<int> ready_fd() {
    return detail::value_of<int>([&](int* fd) { return ios_consumer_ready_fd(handle_.get(), fd); });
  }
  /// The number of the last value that this consumer has seen; 0 if there is none. A consumer with
  /// a name remembers it across restarts.
  returned<std::uint64_t> last_seen() const {
    return detail::value_of<std::uint64_t>(
        [&](std::uint64_t* seq) { return ios_consumer_last_seen(handle_.get(), seq); });
  }
  /// Whether a producer is alive.
  returned<bool> has_producer() const {
    return detail::value_of<bool>(
        [&](bool* has) { return ios_consumer_has_producer(handle_.get(), has); });
  }
  /// Who the living producer is; nothing if there is none.
  returned<std::optional<process>> producer() const {
    return detail::producer_of(
        [&](ios_process* raw) { return ios_consumer_producer(handle_.get(), raw); });
  }
  /// The most bytes that one message may have.
  returned<std::uint64_t> capacity() const {
    return detail::value_of<std::uint64_t>(
        [&](std::uint64_t* bytes) { return ios_consumer_capacity(handle_.get(), bytes); });
  }
  /// The channel's name or location.
  returned<std::string> name() const {
    return detail::text_of([&](char** text) { return ios_consumer_name(handle_.get(), text); });
  }
  /// The type of the messages, as JSON.
  returned<std::string> schema() const {
    return detail::text_of([&](char** text) { return ios_consumer_schema(handle_.get(), text); });
  }
  /// A descriptor to pass to another process, of a channel without a name; otherwise -1. It is
  /// closed with the consumer.
  returned<int> fd() const {
    return detail::value_of<int>([&](int* fd) { return ios_consumer_fd(handle_.get(), fd); });
  }
  /// Leaves the channel before the consumer's end. Guards stay, and keep its slot.
  void close() noexcept { handle_.reset(); }
  /// The handle of the C library, which stays this consumer's.
  ios_consumer* get_handle() const noexcept { return handle_.get(); }

 protected:
  any_consumer() noexcept = default;
  detail::owned<ios_consumer, &ios_consumer_close> handle_;
};

/// A consumer of a channel, in a slot of its own. One thread at a time uses it: a second one gets
/// `in_use_error`.
///
///     io_shared::consumer<Cloud> viewer("/clouds");
///     auto cloud = viewer.get();  // waits for a value not seen yet, and reads it in place
template <class T>
class consumer : public any_consumer {
 public:
#if IO_SHARED_THROWS
  /// Joins a channel, at any time, and waits for it to exist unless the size is known (a message of
  /// a fixed size, or a capacity): then it is created.
  ///
  /// `mismatch_error`: the channel has another type; the text names the fields. `no_slot_error`,
  /// `no_space_error`: all slots are taken, or there is no memory for another buffer. And the other
  /// errors of opening.
  explicit consumer(const location& where, const options& how = {}) : consumer(open(where, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<consumer> open(const location& where, const options& how = {}) {
    consumer opened;
    const ios_status status =
        detail::open<T>(where, how, false, opened.handle_, &ios_consumer_open);
    return detail::done(status, opened);
  }
  /// No consumer: every call is `null_error`.
  consumer() noexcept = default;

  /// Waits for a value that this consumer has not seen yet, and holds it in place. A consumer holds
  /// as many values at once as its `holds` option says, one by default: one more is
  /// `already_held_error`.
  ///
  /// `timeout_error` (`empty_error` if the timeout is 0), `interrupted_error`, `no_producer_error`;
  /// `bad_value_error` if a bool or an enum has no such value; and others.
  returned<guard<T>> get(timeout most = timeout::forever()) {
    return detail::got<T>([&](ios_value* value) {
      return ios_consumer_get(handle_.get(), most.nanoseconds(), value);
    });
  }
  /// As `get`, but returns nothing if no value comes in time. Without a timeout it does not wait.
  returned<std::optional<guard<T>>> try_get(timeout most = std::chrono::nanoseconds(0)) {
    return detail::got_or_none<T>([&](ios_value* value) {
      return ios_consumer_get(handle_.get(), most.nanoseconds(), value);
    });
  }
  /// The newest value, seen before or not; nothing if none was ever put. It counts as seen.
  returned<std::optional<guard<T>>> latest() {
    return detail::got_or_none<T>(
        [&](ios_value* value) { return ios_consumer_latest(handle_.get(), value); });
  }
  /// A copy of the oldest value after number `seq` that is still there whole; nothing if there is
  /// none. Called with the number of the value before, it goes through them all, oldest first. The
  /// option `history` has more kept than the newest. It does not count as seen.
  returned<std::optional<guard<T>>> since(std::uint64_t seq) {
    return detail::got_or_none<T>(
        [&](ios_value* value) { return ios_consumer_since(handle_.get(), seq, value); });
  }
  /// A copy of the value with this tag: the newest that is still there, or one that comes in time;
  /// otherwise nothing. Values that come meanwhile count as seen.
  returned<std::optional<guard<T>>> tagged(std::uint64_t tag,
                                           timeout most = std::chrono::nanoseconds(0)) {
    return detail::got_or_none<T>([&](ios_value* value) {
      return ios_consumer_tagged(handle_.get(), tag, most.nanoseconds(), value);
    });
  }
};

/// Waits until at least one of the consumers has something to get, and says of each whether it has.
/// It takes no value. None has after the timeout. A consumer whose channel was replaced is ready
/// too, and so is one that has lost the producer that it requires: its get says what happened.
/// `interrupted_error`: one of them was interrupted.
inline returned<std::vector<bool>> wait_any(const std::vector<const any_consumer*>& consumers,
                                            timeout most = timeout::forever()) {
  std::vector<const ios_consumer*> handles;
  for (const any_consumer* one : consumers) {
    handles.push_back(one == nullptr ? nullptr : one->get_handle());
  }
  const std::unique_ptr<bool[]> ready(new bool[handles.size()]());
  ios_status status =
      ios_wait_any(handles.data(), handles.size(), most.nanoseconds(), ready.get());
  std::vector<bool> all(handles.size());
  if (status == IOS_OK) all.assign(ready.get(), ready.get() + handles.size());
  if (status == IOS_EMPTY || status == IOS_TIMEOUT) status = IOS_OK;
  return detail::done(status, all);
}

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
