// Shared bytes: under one lock, under a reader-writer lock, or without one.

#ifndef IO_SHARED_MMAP_HPP
#define IO_SHARED_MMAP_HPP

#include <cstddef>
#include <exception>
#include <string>

#include "options.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// A lock that was taken, with the bytes under it. Its end releases the lock. It keeps the bytes
/// alive, also after their handle is closed. Any thread may destroy it.
///
/// If an exception ends the guard of a writer, the content counts as half-written: every later lock
/// is `owner_died_error`, as after the death of a writer, until one calls `mark_consistent()`.
template <class Byte>
class lock_guard {
 public:
  /// The bytes, valid while the guard lives.
  view<Byte> as_bytes() const noexcept { return bytes_; }
  /// The bytes as a `T`, valid while the guard lives. They are zeros when they are created.
  /// `out_of_bounds_error`: there are fewer than a `T` has.
  template <class T>
  returned<std::conditional_t<std::is_const_v<Byte>, const T, T>*> as() const {
    static_assert(std::is_trivially_copyable_v<T>, "io_shared: T is not plain bytes");
    static_assert(alignof(T) <= 64, "io_shared: shared bytes are aligned to 64");
    using like = std::conditional_t<std::is_const_v<Byte>, const T, T>;
    if (bytes_.size() < sizeof(T)) {
      return detail::refused<like*>(IOS_OUT_OF_BOUNDS,
                                    "a value of " + std::to_string(sizeof(T)) +
                                        " bytes does not fit into these " +
                                        std::to_string(bytes_.size()) + " bytes");
    }
    auto* value = reinterpret_cast<like*>(bytes_.data());
    return detail::done(IOS_OK, value);
  }
  /// Whether the content may be half-written: an earlier writer died, or gave up, in the middle.
  bool is_dirty() const noexcept {
    bool dirty = false;
    return ios_mmap_is_dirty(owner_.get(), &dirty) == IOS_OK && dirty;
  }
  /// States that the content is whole again. `unsupported_error`: a reader cannot.
  returned<void> mark_consistent() {
    return detail::done(ios_mmap_mark_consistent(owner_.get()));
  }
  /// States that the content may be half-written. `unsupported_error`: a reader cannot.
  returned<void> mark_dirty() { return detail::done(ios_mmap_mark_dirty(owner_.get())); }
  /// Writes the changes to the file, if there is one (msync). `unsupported_error`: a reader cannot.
  returned<void> flush() { return detail::done(ios_mmap_guard_flush(owner_.get())); }
  /// Releases the lock before the guard's end.
  void release() noexcept { *this = lock_guard(); }

  /// A lock of the C library, which this owns from then on.
  lock_guard(ios_mmap_guard* taken, view<Byte> bytes) noexcept
      : owner_(taken), bytes_(bytes), exceptions_(std::uncaught_exceptions()) {}
  /// No lock. Only assignment and destruction are allowed.
  lock_guard() noexcept = default;
  lock_guard(lock_guard&& from) noexcept { *this = std::move(from); }
  lock_guard& operator=(lock_guard&& from) noexcept {
    owner_ = std::move(from.owner_);
    bytes_ = std::exchange(from.bytes_, {});
    exceptions_ = from.exceptions_;
    return *this;
  }
  ~lock_guard() {
    if (!std::is_const_v<Byte> && owner_ && std::uncaught_exceptions() > exceptions_) {
      static_cast<void>(ios_mmap_mark_dirty(owner_.get()));
    }
  }

 private:
  detail::owned<ios_mmap_guard, &ios_mmap_guard_drop> owner_;
  view<Byte> bytes_;
  int exceptions_ = 0;
};

/// The guard of a writer.
using write_guard = lock_guard<std::byte>;
/// The guard of a reader.
using read_guard = lock_guard<const std::byte>;

namespace detail {

/// What all shared bytes can do.
template <ios_mmap_kind Kind>
class any_mmap {
 public:
  /// How many bytes there are. It needs no lock: they never grow or shrink.
  returned<std::size_t> size() const {
    return value_of<std::size_t>(
        [&](std::size_t* size) { return ios_mmap_size(handle_.get(), size); });
  }
  /// The name or location.
  returned<std::string> name() const {
    return text_of([&](char** text) { return ios_mmap_name(handle_.get(), text); });
  }
  /// A descriptor to pass to another process, of bytes without a name; otherwise -1. It is closed
  /// with the bytes.
  returned<int> fd() const {
    return value_of<int>([&](int* fd) { return ios_mmap_fd(handle_.get(), fd); });
  }
  /// Closes the bytes before the handle's end. A living guard keeps them.
  void close() noexcept { handle_.reset(); }
  /// The handle of the C library, which stays this one's.
  ios_mmap* get() const noexcept { return handle_.get(); }
  /// Removes the shared bytes of that name, as one removes a file. `not_found_error`: there are
  /// none.
  static returned<void> remove(const std::string& name) {
    return done(ios_mmap_remove(name.c_str(), Kind));
  }

 protected:
  any_mmap() noexcept = default;
  static ios_status open_as(const location& where, const options& how, any_mmap& opened) {
    return how.with(where, {}, false, [&](const ios_options* raw) {
      ios_mmap* handle = nullptr;
      const ios_status status = ios_mmap_open(raw, Kind, &handle);
      opened.handle_.reset(handle);
      return status;
    });
  }
  /// The lock to write. `dirty` says whether one is given whose content may be half-written.
  returned<write_guard> take(timeout most, bool dirty) {
    ios_mmap_guard* guard = nullptr;
    void* data = nullptr;
    ios_status status = ios_mmap_lock(handle_.get(), most.nanoseconds(), &guard, &data);
    write_guard taken(guard, {static_cast<std::byte*>(data), length()});
    if (status == IOS_OWNER_DIED && dirty) status = IOS_OK;
    return done(status, taken);
  }
  std::size_t length() const noexcept {
    std::size_t size = 0;
    static_cast<void>(ios_mmap_size(handle_.get(), &size));
    return size;
  }

  owned<ios_mmap, &ios_mmap_close> handle_;
};

}  // namespace detail

/// Shared bytes under one lock.
///
///     io_shared::shared_mmap counter("/counter", io_shared::options().capacity(8));
///     ++*counter.lock().as<std::uint64_t>();
class shared_mmap : public detail::any_mmap<IOS_MMAP_LOCKED> {
 public:
#if IO_SHARED_THROWS
  /// Opens shared bytes. With a `capacity` they are created if they do not exist.
  explicit shared_mmap(const location& where, const options& how = {})
      : shared_mmap(open(where, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<shared_mmap> open(const location& where, const options& how = {}) {
    shared_mmap opened;
    return detail::done(open_as(where, how, opened), opened);
  }
  /// No bytes: every call is `null_error`.
  shared_mmap() noexcept = default;

  /// Waits for the lock. A timeout of 0 only tries: `would_block_error`. `owner_died_error`: the
  /// content may be half-written; the lock is free again. `lock_to_repair` takes it.
  returned<write_guard> lock(timeout most = timeout::forever()) { return take(most, false); }
  /// As `lock`, also if the content may be half-written (`guard.is_dirty()`).
  returned<write_guard> lock_to_repair(timeout most = timeout::forever()) {
    return take(most, true);
  }
};

/// Shared bytes under a lock for one writer, or for several readers together.
class rw_shared_mmap : public detail::any_mmap<IOS_MMAP_RW> {
 public:
#if IO_SHARED_THROWS
  /// Opens shared bytes. With a `capacity` they are created if they do not exist.
  explicit rw_shared_mmap(const location& where, const options& how = {})
      : rw_shared_mmap(open(where, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<rw_shared_mmap> open(const location& where, const options& how = {}) {
    rw_shared_mmap opened;
    return detail::done(open_as(where, how, opened), opened);
  }
  /// No bytes: every call is `null_error`.
  rw_shared_mmap() noexcept = default;

  /// Waits for the lock, to write. As `shared_mmap::lock`.
  returned<write_guard> write(timeout most = timeout::forever()) { return take(most, false); }
  /// As `write`, also if the content may be half-written (`guard.is_dirty()`).
  returned<write_guard> write_to_repair(timeout most = timeout::forever()) {
    return take(most, true);
  }
  /// Waits for the lock, to read, together with other readers. `owner_died_error`: the content may
  /// be half-written.
  returned<read_guard> read(timeout most = timeout::forever()) {
    ios_mmap_guard* guard = nullptr;
    const void* data = nullptr;
    const ios_status status = ios_mmap_lock_read(get(), most.nanoseconds(), &guard, &data);
    read_guard taken(guard, {static_cast<const std::byte*>(data), length()});
    return detail::done(status, taken);
  }
};

/// Shared bytes without a lock and without a header: those that any other program maps, under a
/// name that is taken as it is.
class unsafe_shared_mmap : public detail::any_mmap<IOS_MMAP_UNSAFE> {
 public:
#if IO_SHARED_THROWS
  /// Opens shared bytes. With a `capacity` they are created if they do not exist.
  explicit unsafe_shared_mmap(const location& where, const options& how = {})
      : unsafe_shared_mmap(open(where, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<unsafe_shared_mmap> open(const location& where, const options& how = {}) {
    unsafe_shared_mmap opened;
    return detail::done(open_as(where, how, opened), opened);
  }
  /// No bytes: every call is `null_error`.
  unsafe_shared_mmap() noexcept = default;

  /// The bytes, valid until they are closed. Others may write to them at any time.
  view<std::byte> as_bytes() const noexcept {
    void* data = nullptr;
    static_cast<void>(ios_mmap_data(get(), &data));
    return {static_cast<std::byte*>(data), data == nullptr ? 0 : length()};
  }
  /// Writes the changes to the file, if it is one (msync).
  returned<void> flush() { return detail::done(ios_mmap_flush(get())); }
};

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
