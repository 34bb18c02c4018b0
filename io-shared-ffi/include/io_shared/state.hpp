// Typed state: one value that several programs read and change under a lock, and wait for.

#ifndef IO_SHARED_STATE_HPP
#define IO_SHARED_STATE_HPP

#include <cstddef>
#include <cstring>
#include <string>

#include "mmap.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// A state that was locked, to change it. Its end releases the lock, and tells those that wait for
/// a change. It is otherwise as a `write_guard`.
template <class T>
class state_guard {
 public:
  /// The value, valid while the guard lives.
  T* operator->() const noexcept { return value(); }
  /// The value, valid while the guard lives.
  T& operator*() const noexcept { return *value(); }
  /// Whether the value may be half-written: an earlier writer died, or gave up, in the middle.
  bool is_dirty() const noexcept { return guard_.is_dirty(); }
  /// States that the value is whole again.
  returned<void> mark_consistent() { return guard_.mark_consistent(); }
  /// Releases the lock before the guard's end.
  void release() noexcept { guard_.release(); }

  /// A lock on bytes that are a `T`.
  explicit state_guard(write_guard guard) noexcept : guard_(std::move(guard)) {}
  /// No lock. Only assignment and destruction are allowed.
  state_guard() noexcept = default;

 private:
  T* value() const noexcept { return reinterpret_cast<T*>(guard_.as_bytes().data()); }

  write_guard guard_;
};

/// One value of a fixed size that several programs read and change. The first to open it creates
/// it. In Rust it is `Shared<T>`, in Python `io_shared.State`. If it is removed or replaced, its
/// handles go on in the one that has the name.
///
///     io_shared::state<Robot> robot("/robot", Robot{0.5, 2.0});
///     robot.lock()->x += 0.5;
///
///     io_shared::state<Robot> display("/robot");  // another program
///     for (;;) {
///       display.wait_changed();
///       show(display.get());
///     }
template <class T>
class state : public detail::any_mmap<IOS_MMAP_STATE> {
  static_assert(detail::is_fixed<T>, "io_shared: a state has a fixed size, and no lists");

 public:
#if IO_SHARED_THROWS
  /// Opens a state. It is zeros if this creates it.
  explicit state(const location& where, const options& how = {}) : state(open(where, how)) {}
  /// Opens a state, which has this value if this creates it. Nobody sees it without.
  state(const location& where, const T& initial, const options& how = {})
      : state(open(where, initial, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<state> open(const location& where, const options& how = {}) {
    return open_with(where, nullptr, how);
  }
  /// As the constructor, for programs without exceptions.
  static returned<state> open(const location& where, const T& initial, const options& how = {}) {
    return open_with(where, &initial, how);
  }
  /// No state: every call is `null_error`.
  state() noexcept = default;

  /// Whether this handle created the state, when it opened it or when it went on.
  returned<bool> created() const {
    return detail::value_of<bool>(
        [&](bool* created) { return ios_mmap_created(handle_.get(), created); });
  }
  /// A copy of the value. It waits while a writer has the lock; a timeout of 0 only tries:
  /// `would_block_error`. `owner_died_error`: a writer died in the middle; `set` mends it.
  returned<T> get(timeout most = timeout::forever()) {
    ios_mmap_guard* guard = nullptr;
    const void* data = nullptr;
    const ios_status status =
        ios_mmap_lock_read(handle_.get(), most.nanoseconds(), &guard, &data);
    const detail::owned<ios_mmap_guard, &ios_mmap_guard_drop> owner(guard);
    T copy{};
    if (status == IOS_OK) std::memcpy(static_cast<void*>(&copy), data, sizeof copy);
    return detail::done(status, copy);
  }
  /// Writes a whole value without looking at what there is. It mends what a writer left
  /// half-written.
  returned<void> set(const T& value, timeout most = timeout::forever()) {
    return detail::done(
        ios_mmap_set(handle_.get(), &value, sizeof value, most.nanoseconds()));
  }
  /// Waits for the lock, to change the value. As `shared_mmap::lock`.
  returned<state_guard<T>> lock(timeout most = timeout::forever()) { return locked(most, false); }
  /// As `lock`, also if the value may be half-written (`guard.is_dirty()`).
  returned<state_guard<T>> lock_to_repair(timeout most = timeout::forever()) {
    return locked(most, true);
  }

  /// Whether another handle has finished a write since this handle's last `get` or `lock`. To one
  /// that has read nothing yet, whatever was written before is a change.
  returned<bool> changed() {
    return detail::value_of<bool>(
        [&](bool* changed) { return ios_mmap_changed(handle_.get(), changed); });
  }
  /// Sleeps until `changed()` is true. `timeout_error`. If a writer is killed in the middle, it
  /// returns within 100 ms, and the next `get` is `owner_died_error`.
  returned<void> wait_changed(timeout most = timeout::forever()) {
    return detail::done(ios_mmap_wait_changed(handle_.get(), most.nanoseconds()));
  }

 private:
  static returned<state> open_with(const location& where, const T* initial, const options& how) {
    state opened;
    std::string schema;
    ios_status status = detail::schema_of<T>::make(schema);
    if (status == IOS_OK) {
      status = how.with(where, schema, false, [&](const ios_options* raw) {
        ios_options all = *raw;
        all.initial = initial;
        all.initial_length = initial == nullptr ? 0 : sizeof *initial;
        ios_mmap* handle = nullptr;
        const ios_status done = ios_mmap_open(&all, IOS_MMAP_STATE, &handle);
        opened.handle_.reset(handle);
        return done;
      });
    }
    return detail::done(status, opened);
  }
  returned<state_guard<T>> locked(timeout most, bool dirty) {
    ios_mmap_guard* guard = nullptr;
    void* data = nullptr;
    ios_status status = ios_mmap_lock(handle_.get(), most.nanoseconds(), &guard, &data);
    state_guard<T> taken(write_guard(guard, {static_cast<std::byte*>(data), sizeof(T)}));
    if (status == IOS_OWNER_DIED && dirty) status = IOS_OK;
    return detail::done(status, taken);
  }
};

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
