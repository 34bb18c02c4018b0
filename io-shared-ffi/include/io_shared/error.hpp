// Errors: a code and a text that says what happened, on which name, and what to do next. They are
// exceptions, or results where there are no exceptions.
//
// Every function of these headers returns `returned<T>`. That is `T`, and a failure is an exception
// derived from `error`; or it is `result<T>`, a value or an `error`. Results are chosen by
// -fno-exceptions, or by defining IO_SHARED_RESULTS before the first of these headers is included.

#ifndef IO_SHARED_ERROR_HPP
#define IO_SHARED_ERROR_HPP

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "../io_shared.h"

#if defined(__cpp_exceptions) && !defined(IO_SHARED_RESULTS)
#define IO_SHARED_THROWS 1
#define IO_SHARED_STYLE throwing
#else
#define IO_SHARED_THROWS 0
#define IO_SHARED_STYLE returning
#endif

namespace io_shared {
// Parts of a program that were compiled with exceptions and without can be linked together.
inline namespace IO_SHARED_STYLE {

/// Why a call failed. `what()` is the text, for people; `status()` the code, for programs.
class error : public std::runtime_error {
 public:
  /// An error with this code, errno (0 for none) and text.
  error(ios_status status, int number, const std::string& text)
      : std::runtime_error(text), status_(status), number_(number) {}

  /// The code. A program should expect codes that it does not know.
  ios_status status() const noexcept { return status_; }

  /// The name of the code, such as "IOS_TIMEOUT".
  const char* name() const noexcept { return ios_status_name(status_); }

  /// The errno of the system call that failed, if `status()` is IOS_SYSTEM; otherwise 0.
  int system_error() const noexcept { return number_; }

 private:
  ios_status status_;
  int number_;
};

/// The exception for one code, to catch it alone. The names below stand for them.
template <ios_status Status>
class error_of final : public error {
 public:
  /// The same error, with its code in its type.
  explicit error_of(const error& from) : error(from) {}
};

/// The name is not valid.
using bad_name_error = error_of<IOS_BAD_NAME>;
/// The text is not a size, as in `options().capacity("5M")`.
using bad_size_error = error_of<IOS_BAD_SIZE>;
/// An option is out of range, is missing, or is not for this call.
using bad_option_error = error_of<IOS_BAD_OPTION>;
/// Nothing of that name exists.
using not_found_error = error_of<IOS_NOT_FOUND>;
/// Something else has that name.
using not_a_region_error = error_of<IOS_NOT_A_REGION>;
/// The channel's type, size or layout version differs; the text lists every field that does.
using mismatch_error = error_of<IOS_MISMATCH>;
/// Another handle has the role: a producer, or a consumer of that name, is alive.
using role_taken_error = error_of<IOS_ROLE_TAKEN>;
/// Every consumer slot, or every slot of the lock, is taken.
using no_slot_error = error_of<IOS_NO_SLOT>;
/// Another producer took over.
using role_lost_error = error_of<IOS_ROLE_LOST>;
/// The channel was removed or replaced (`options().reopen(false)`).
using replaced_error = error_of<IOS_REPLACED>;
/// The timeout passed.
using timeout_error = error_of<IOS_TIMEOUT>;
/// Another process kept changing what was being read: try again.
using busy_error = error_of<IOS_BUSY>;
/// Every hold of this consumer is in use: let go of a guard, or open it with more `holds`.
using already_held_error = error_of<IOS_ALREADY_HELD>;
/// The handle was opened before a fork, and belongs to the parent process.
using forked_handle_error = error_of<IOS_FORKED_HANDLE>;
/// Another handle has the lock, and the timeout was 0.
using would_block_error = error_of<IOS_WOULD_BLOCK>;
/// This handle has the lock already.
using would_deadlock_error = error_of<IOS_WOULD_DEADLOCK>;
/// A writer died while it was writing: the content may be half-written.
using owner_died_error = error_of<IOS_OWNER_DIED>;
/// The range is not within the memory.
using out_of_bounds_error = error_of<IOS_OUT_OF_BOUNDS>;
/// The object is smaller than requested.
using too_short_error = error_of<IOS_TOO_SHORT>;
/// The message is larger than the channel's capacity.
using too_large_error = error_of<IOS_TOO_LARGE>;
/// The channel has used up its sequence numbers.
using sequence_exhausted_error = error_of<IOS_SEQUENCE_EXHAUSTED>;
/// The channel contains something that no correct program writes.
using corrupt_error = error_of<IOS_CORRUPT>;
/// There is not enough memory or disk space.
using no_space_error = error_of<IOS_NO_SPACE>;
/// The process's file size limit is below the size needed.
using file_size_limit_error = error_of<IOS_FILE_SIZE_LIMIT>;
/// Only the owner may remove or replace it.
using not_owner_error = error_of<IOS_NOT_OWNER>;
/// This machine, file system or handle does not support it.
using unsupported_error = error_of<IOS_UNSUPPORTED>;
/// A system call failed; `error::system_error` returns its errno.
using system_call_error = error_of<IOS_SYSTEM>;
/// The channel's type has no messages of that length.
using bad_length_error = error_of<IOS_BAD_LENGTH>;
/// This process has no address space for buffers that consumers added. The next call tries again.
using no_memory_error = error_of<IOS_NO_MEMORY>;
/// The number is not greater than that of the last value, or greater than 2^52 - 1.
using bad_seq_error = error_of<IOS_BAD_SEQ>;
/// A bool or an enum of a message has a number that its type does not have.
using bad_value_error = error_of<IOS_BAD_VALUE>;
/// `interrupt()` ended the wait. Nothing was taken: call again to go on waiting.
using interrupted_error = error_of<IOS_INTERRUPTED>;
/// The channel has lost its producer (`options().requires_producer(true)`).
using no_producer_error = error_of<IOS_NO_PRODUCER>;
/// A semaphore of the original package was not given back in time.
using legacy_lock_stuck_error = error_of<IOS_LEGACY_LOCK_STUCK>;
/// There is no value that was not seen before, and the timeout was 0.
using empty_error = error_of<IOS_EMPTY>;
/// The producer's buffer is on loan: put that loan or let go of it first.
using already_loaned_error = error_of<IOS_ALREADY_LOANED>;
/// Another thread is using this handle.
using in_use_error = error_of<IOS_IN_USE>;
/// The handle is empty: it was moved from or closed.
using null_error = error_of<IOS_NULL>;
/// The struct is not a valid message; the text says what to change.
using bad_schema_error = error_of<IOS_BAD_SCHEMA>;
/// A bug in the library: please report it.
using panic_error = error_of<IOS_PANIC>;
/// An error for which this version has no code; the text says which.
using other_error = error_of<IOS_OTHER>;

namespace detail {

/// The calling thread's last failure.
inline error failed(ios_status status) {
  if (status == IOS_EMPTY) return {status, 0, "there is no value that was not seen before"};
  return {status, ios_last_errno(), ios_last_error_in(IOS_WORDS_CPP)};
}

#if IO_SHARED_THROWS
template <ios_status... Statuses>
[[noreturn]] void raise_one(const error& failure) {
  ((failure.status() == Statuses ? throw error_of<Statuses>(failure) : void()), ...);
  throw failure;
}

[[noreturn]] inline void raise(const error& failure) {
  raise_one<IOS_BAD_NAME, IOS_BAD_SIZE, IOS_BAD_OPTION, IOS_NOT_FOUND, IOS_NOT_A_REGION,
            IOS_MISMATCH, IOS_ROLE_TAKEN, IOS_NO_SLOT, IOS_ROLE_LOST, IOS_REPLACED, IOS_TIMEOUT,
            IOS_BUSY, IOS_ALREADY_HELD, IOS_FORKED_HANDLE, IOS_WOULD_BLOCK, IOS_WOULD_DEADLOCK,
            IOS_OWNER_DIED, IOS_OUT_OF_BOUNDS, IOS_TOO_SHORT, IOS_TOO_LARGE,
            IOS_SEQUENCE_EXHAUSTED, IOS_CORRUPT, IOS_NO_SPACE, IOS_FILE_SIZE_LIMIT, IOS_NOT_OWNER,
            IOS_UNSUPPORTED, IOS_SYSTEM, IOS_BAD_LENGTH, IOS_NO_MEMORY, IOS_BAD_SEQ, IOS_BAD_VALUE,
            IOS_INTERRUPTED, IOS_NO_PRODUCER, IOS_LEGACY_LOCK_STUCK, IOS_EMPTY, IOS_ALREADY_LOANED,
            IOS_IN_USE, IOS_NULL, IOS_BAD_SCHEMA, IOS_PANIC, IOS_OTHER>(failure);
}
#endif

/// Ends the program, since a value was asked for where there is an error.
[[noreturn]] inline void no_value(const error& failure) {
#if defined(__cpp_exceptions)
  throw failure;
#else
  std::fprintf(stderr, "io_shared: %s: %s\n", failure.name(), failure.what());
  std::abort();
#endif
}

}  // namespace detail

/// A value or an error, for programs without exceptions: look before taking the value.
///
///     auto cloud = viewer.get(100ms);
///     if (!cloud) return cloud.error().status();
///     use(**cloud);
template <class T>
class [[nodiscard]] result {
 public:
  /// A value.
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  /// An error.
  result(io_shared::error failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  /// Whether there is a value.
  bool has_value() const noexcept { return state_.index() == 0; }
  /// Whether there is a value.
  explicit operator bool() const noexcept { return has_value(); }

  /// The value. Without one it throws the error, or prints it and aborts without exceptions.
  T& value() & {
    if (!has_value()) detail::no_value(error());
    return *std::get_if<0>(&state_);
  }
  /// The value, moved out.
  T&& value() && { return std::move(value()); }
  /// The value, of which there is one.
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  /// The value, of which there is one.
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  /// The value, of which there is one, moved out.
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  /// The value, of which there is one.
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  /// The value, of which there is one.
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// The error, if there is no value.
  const io_shared::error& error() const noexcept { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, io_shared::error> state_;
};

/// Success or an error.
template <>
class [[nodiscard]] result<void> {
 public:
  /// Success.
  result() = default;
  /// An error.
  result(io_shared::error failure) : failure_(std::move(failure)) {}

  /// Whether it succeeded.
  bool has_value() const noexcept { return !failure_; }
  /// Whether it succeeded.
  explicit operator bool() const noexcept { return has_value(); }
  /// Nothing. After a failure it throws the error, or prints it and aborts without exceptions.
  void value() const {
    if (failure_) detail::no_value(*failure_);
  }
  /// The error, if it failed.
  const io_shared::error& error() const noexcept { return *failure_; }

 private:
  std::optional<io_shared::error> failure_;
};

#if IO_SHARED_THROWS
/// What a function returns that may fail: `T`, and throws an `error`.
template <class T>
using returned = T;
#else
/// What a function returns that may fail: `result<T>`.
template <class T>
using returned = result<T>;
#endif

namespace detail {

/// Ends a function whose calls into the library ended with `status`.
template <class T>
returned<T> done(ios_status status, T& value) {
  if (status == IOS_OK) return std::move(value);
#if IO_SHARED_THROWS
  raise(failed(status));
#else
  return failed(status);
#endif
}

inline returned<void> done(ios_status status) {
#if IO_SHARED_THROWS
  if (status != IOS_OK) raise(failed(status));
#else
  if (status != IOS_OK) return failed(status);
  return {};
#endif
}

/// Ends a function with an error of these headers.
template <class T>
returned<T> refused(ios_status status, const std::string& text) {
#if IO_SHARED_THROWS
  raise({status, 0, text});
#else
  return error(status, 0, text);
#endif
}

/// Closes a handle by a function of the library.
template <auto Close>
struct closer {
  template <class Handle>
  void operator()(Handle* handle) const noexcept {
    Close(handle);
  }
};

/// A handle of the library, which is closed with its owner.
template <class Handle, auto Close>
using owned = std::unique_ptr<Handle, closer<Close>>;

using owned_text = owned<char, &ios_text_free>;

/// A text that `ask` makes.
template <class Ask>
returned<std::string> text_of(Ask ask) {
  char* text = nullptr;
  const ios_status status = ask(&text);
  const owned_text owner(text);
  std::string copy(status == IOS_OK ? text : "");
  return done(status, copy);
}

/// A number or a struct that `ask` fills in.
template <class T, class Ask>
returned<T> value_of(Ask ask) {
  T value{};
  const ios_status status = ask(&value);
  return done(status, value);
}

}  // namespace detail
}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
