// Shared bytes from C++, with exceptions: locks PREFIX, where names begin with PREFIX.

#include <stdexcept>
#include <string>
#include <thread>

#include "expect.hpp"
#include "io_shared.hpp"

using namespace std::chrono_literals;
using io_shared::options;
using io_shared::rw_shared_mmap;
using io_shared::shared_mmap;
using io_shared::unsafe_shared_mmap;

static std::string prefix;

static void one_lock() {
  const std::string name = prefix + "counter";
  shared_mmap counter(name, options().capacity(8));
  shared_mmap other(name);
  EXPECT(counter.size() == 8 && other.name() == name && counter.fd() == -1);
  std::thread thread([&] {
    for (int i = 0; i < 1000; ++i) ++*other.lock().as<std::uint64_t>();
  });
  for (int i = 0; i < 1000; ++i) ++*counter.lock().as<std::uint64_t>();
  thread.join();
  auto guard = counter.lock();
  EXPECT(*guard.as<std::uint64_t>() == 2000 && guard.as_bytes().size() == 8);
  SAYS(ERROR_OF(io_shared::out_of_bounds_error, guard.as<std::array<char, 9>>()), "8 bytes");
  EXPECT(ERROR_OF(io_shared::would_block_error, other.lock(0s)).status() == IOS_WOULD_BLOCK);
  EXPECT(ERROR_OF(io_shared::timeout_error, other.lock(1ms)).status() == IOS_TIMEOUT);
  EXPECT(ERROR_OF(io_shared::would_deadlock_error, counter.lock(1ms)).what()[0] == '/');
  auto moved = std::move(guard);
  guard.release();
  EXPECT(ERROR_OF(io_shared::would_block_error, other.lock(0s)).status() == IOS_WOULD_BLOCK);
  moved.release();
  EXPECT(*other.lock(1s).as<std::uint64_t>() == 2000);
  shared_mmap::remove(name);
  EXPECT(ERROR_OF(io_shared::not_found_error, shared_mmap::remove(name)).system_error() == 0);
}

static void exceptions_leave_the_content_dirty() {
  const std::string name = prefix + "state";
  rw_shared_mmap state(name, options().capacity(16));
  rw_shared_mmap other(name);
  try {
    auto guard = state.write();
    guard.as_bytes()[0] = std::byte{1};
    throw std::runtime_error("half of it is written");
  } catch (const std::runtime_error&) {
  }
  SAYS(ERROR_OF(io_shared::owner_died_error, other.write()), "write_to_repair()");
  EXPECT(ERROR_OF(io_shared::owner_died_error, other.read(1s)).status() == IOS_OWNER_DIED);
  {
    auto guard = other.write_to_repair(1s);
    EXPECT(guard.is_dirty() && guard.as_bytes()[0] == std::byte{1});
    guard.mark_consistent();
    EXPECT(!guard.is_dirty());
    guard.flush();
  }
  {
    const auto one = state.read();
    const auto two = other.read();
    EXPECT(!one.is_dirty() && *two.as<std::uint8_t>() == 1);
    EXPECT(ERROR_OF(io_shared::would_block_error, rw_shared_mmap(name).write(0s)).name()[0] == 'I');
  }
  try {
    const auto reader = state.read();
    throw std::runtime_error("a reader leaves nothing half-written");
  } catch (const std::runtime_error&) {
  }
  EXPECT(!state.read().is_dirty());
  auto guard = state.write();
  guard.mark_dirty();
  guard.release();
  EXPECT(state.write_to_repair().is_dirty());
  // A guard of a destructor that runs while an exception passes finishes its own work.
  struct saves {
    rw_shared_mmap& at;
    ~saves() { at.write_to_repair().mark_consistent(); }
  };
  try {
    const saves last{state};
    throw std::runtime_error("another fault");
  } catch (const std::runtime_error&) {
  }
  EXPECT(!state.read().is_dirty());
  rw_shared_mmap::remove(name);
}

static void without_a_lock() {
  const std::string name = prefix + "plain";
  unsafe_shared_mmap plain(name, options().capacity(4));
  unsafe_shared_mmap other(name);
  plain.as_bytes()[3] = std::byte{7};
  EXPECT(other.as_bytes().size() == 4 && other.as_bytes()[3] == std::byte{7});
  plain.flush();
  other.close();
  EXPECT(other.as_bytes().empty());
  EXPECT(ERROR_OF(io_shared::null_error, other.size()).status() == IOS_NULL);
  unsafe_shared_mmap::remove(name);
}

int main(int count, char** arguments) {
  EXPECT(count == 2);
  prefix = arguments[1];
  one_lock();
  exceptions_leave_the_content_dirty();
  without_a_lock();
  std::puts("all of it holds");
  return 0;
}
