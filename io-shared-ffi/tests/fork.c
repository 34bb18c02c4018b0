// What a forked child may do with handles, loans, values and locks of its parent: be told, and close
// them without harm. Run by fork.rs, with a name for channels, one for a lock, one for a channel of
// the child's own, and how to fork. Status 77: this libc has no such fork.

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/expect.h"
#include "io_shared.h"

// `_Fork` and the system call run no handlers.
static pid_t fork_by(const char *how) {
  if (strcmp(how, "fork") == 0) return fork();
  if (strcmp(how, "clone") == 0) return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  pid_t (*found)(void);
  *(void **)&found = dlsym(NULL, how);
  if (found == NULL) exit(77);
  return found();
}

// The child's own channel works like anybody's.
static void open_own(const char *name) {
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = name;
  options.capacity = 16;
  options.flags = IOS_EPHEMERAL;
  ios_producer *producer;
  EXPECT(ios_producer_open(&options, &producer), IOS_OK);
  ios_consumer *consumer;
  EXPECT(ios_consumer_open(&options, &consumer), IOS_OK);
  EXPECT(ios_producer_put(producer, "own", 3, NULL), IOS_OK);
  ios_value value;
  EXPECT(ios_consumer_get(consumer, 0, &value), IOS_OK);
  if (value.length != 3 || memcmp(value.data, "own", 3) != 0) exit(5);
  ios_guard_drop(value.guard);
  ios_consumer_close(consumer);
  ios_producer_close(producer);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = argv[1];
  options.capacity = 16;
  options.flags = IOS_EPHEMERAL;
  ios_producer *producer;
  EXPECT(ios_producer_open(&options, &producer), IOS_OK);
  ios_consumer *consumer;
  EXPECT(ios_consumer_open(&options, &consumer), IOS_OK);
  ios_observer *observer;
  EXPECT(ios_observer_open(&options, &observer), IOS_OK);
  options.name = argv[2];
  ios_mmap *mmap;
  EXPECT(ios_mmap_open(&options, IOS_MMAP_LOCKED, &mmap), IOS_OK);
  ios_mmap_guard *lock;
  void *bytes;
  EXPECT(ios_mmap_lock(mmap, -1, &lock, &bytes), IOS_OK);
  EXPECT(ios_producer_put(producer, "before", 6, NULL), IOS_OK);
  ios_value held;
  EXPECT(ios_consumer_get(consumer, -1, &held), IOS_OK);
  ios_loan *loan;
  void *data;
  EXPECT(ios_producer_loan(producer, 5, &loan, &data), IOS_OK);

  pid_t child = fork_by(argv[4]);
  if (child == 0) {
    ios_value value;
    ios_mmap_guard *again;
    EXPECT(ios_consumer_get(consumer, 0, &value), IOS_FORKED_HANDLE);
    EXPECT(ios_consumer_get(consumer, -1, &value), IOS_FORKED_HANDLE);
    EXPECT(ios_consumer_latest(consumer, &value), IOS_FORKED_HANDLE);
    EXPECT(ios_observer_copy(observer, &value), IOS_FORKED_HANDLE);
    EXPECT(ios_producer_wait_taken(producer, 0, NULL), IOS_FORKED_HANDLE);
    EXPECT(ios_mmap_lock(mmap, 0, &again, &bytes), IOS_FORKED_HANDLE);
    EXPECT(ios_loan_put(loan, 5, NULL), IOS_FORKED_HANDLE);
    EXPECT(ios_producer_put(producer, "child", 5, NULL), IOS_FORKED_HANDLE);
    ios_guard_drop(held.guard);
    ios_mmap_guard_drop(lock);
    EXPECT(ios_mmap_lock(mmap, 0, &again, &bytes), IOS_FORKED_HANDLE);
    ios_mmap_close(mmap);
    ios_observer_close(observer);
    ios_consumer_close(consumer);
    ios_producer_close(producer);
    // Its own are as good as anybody's; and the lock is still the parent's.
    EXPECT(ios_mmap_open(&options, IOS_MMAP_LOCKED, &mmap), IOS_OK);
    EXPECT(ios_mmap_lock(mmap, 0, &again, &bytes), IOS_WOULD_BLOCK);
    ios_mmap_close(mmap);
    open_own(argv[3]);
    exit(0);
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;

  if (memcmp(held.data, "before", 6) != 0) return 3;
  memcpy(data, "after", 5);
  EXPECT(ios_loan_put(loan, 5, NULL), IOS_OK);
  ios_guard_drop(held.guard);
  EXPECT(ios_consumer_get(consumer, 0, &held), IOS_OK);
  if (held.length != 5 || held.seq != 2 || memcmp(held.data, "after", 5) != 0) return 4;
  ios_guard_drop(held.guard);
  ios_mmap_guard_drop(lock);
  EXPECT(ios_mmap_lock(mmap, 0, &lock, &bytes), IOS_OK);
  ios_mmap_guard_drop(lock);
  ios_mmap_close(mmap);
  ios_observer_close(observer);
  ios_consumer_close(consumer);
  ios_producer_close(producer);
  return 0;
}
