// What a forked child can do with the handles, loans, values and locks of its parent: it gets an
// error, and closes them without harm. Run by fork.rs with four arguments: a name for channels, one
// for a lock, one for the child's own channel, and how to fork. Status 77: this libc has no such
// fork.

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/expect.h"
#include "io_shared.h"

// `_Fork` and the system call run no fork handlers.
static pid_t fork_by(const char *how) {
  if (strcmp(how, "fork") == 0) return fork();
  if (strcmp(how, "clone") == 0) return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  pid_t (*found)(void);
  *(void **)&found = dlsym(NULL, how);
  if (found == NULL) exit(77);
  return found();
}

// The child's own channel works like any other.
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

// What the parent opened before it forked.
typedef struct {
  ios_options options;
  ios_producer *producer;
  ios_consumer *consumer;
  ios_observer *observer;
  ios_mmap *mmap;
  ios_mmap_guard *lock;
  ios_value held;
  ios_loan *loan;
  void *data;
} opened;

static void open_all(opened *o, const char *channel, const char *lock) {
  ios_options_init(&o->options, sizeof o->options);
  o->options.name = channel;
  o->options.capacity = 16;
  o->options.flags = IOS_EPHEMERAL;
  EXPECT(ios_producer_open(&o->options, &o->producer), IOS_OK);
  EXPECT(ios_consumer_open(&o->options, &o->consumer), IOS_OK);
  EXPECT(ios_observer_open(&o->options, &o->observer), IOS_OK);
  o->options.name = lock;
  EXPECT(ios_mmap_open(&o->options, IOS_MMAP_LOCKED, &o->mmap), IOS_OK);
  void *bytes;
  EXPECT(ios_mmap_lock(o->mmap, -1, &o->lock, &bytes), IOS_OK);
  EXPECT(ios_producer_put(o->producer, "before", 6, NULL), IOS_OK);
  EXPECT(ios_consumer_get(o->consumer, -1, &o->held), IOS_OK);
  EXPECT(ios_producer_loan(o->producer, 5, &o->loan, &o->data), IOS_OK);
}

static void close_all(opened *o) {
  ios_mmap_close(o->mmap);
  ios_observer_close(o->observer);
  ios_consumer_close(o->consumer);
  ios_producer_close(o->producer);
}

static void be_the_child(opened *o, const char *own) {
  ios_value value;
  ios_mmap_guard *again;
  void *bytes;
  EXPECT(ios_consumer_get(o->consumer, 0, &value), IOS_FORKED_HANDLE);
  EXPECT(ios_consumer_get(o->consumer, -1, &value), IOS_FORKED_HANDLE);
  EXPECT(ios_consumer_latest(o->consumer, &value), IOS_FORKED_HANDLE);
  EXPECT(ios_observer_copy(o->observer, &value), IOS_FORKED_HANDLE);
  EXPECT(ios_producer_wait_taken(o->producer, 0, NULL), IOS_FORKED_HANDLE);
  EXPECT(ios_mmap_lock(o->mmap, 0, &again, &bytes), IOS_FORKED_HANDLE);
  EXPECT(ios_loan_put(o->loan, 5, NULL), IOS_FORKED_HANDLE);
  EXPECT(ios_producer_put(o->producer, "child", 5, NULL), IOS_FORKED_HANDLE);
  ios_guard_drop(o->held.guard);
  ios_mmap_guard_drop(o->lock);
  EXPECT(ios_mmap_lock(o->mmap, 0, &again, &bytes), IOS_FORKED_HANDLE);
  close_all(o);
  // New handles of the child work like any others; and the lock is still the parent's.
  ios_mmap *mmap;
  EXPECT(ios_mmap_open(&o->options, IOS_MMAP_LOCKED, &mmap), IOS_OK);
  EXPECT(ios_mmap_lock(mmap, 0, &again, &bytes), IOS_WOULD_BLOCK);
  ios_mmap_close(mmap);
  open_own(own);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  opened o;
  open_all(&o, argv[1], argv[2]);
  pid_t child = fork_by(argv[4]);
  if (child == 0) {
    be_the_child(&o, argv[3]);
    exit(0);
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;

  if (memcmp(o.held.data, "before", 6) != 0) return 3;
  memcpy(o.data, "after", 5);
  EXPECT(ios_loan_put(o.loan, 5, NULL), IOS_OK);
  ios_guard_drop(o.held.guard);
  EXPECT(ios_consumer_get(o.consumer, 0, &o.held), IOS_OK);
  if (o.held.length != 5 || o.held.seq != 2 || memcmp(o.held.data, "after", 5) != 0) return 4;
  ios_guard_drop(o.held.guard);
  ios_mmap_guard_drop(o.lock);
  void *bytes;
  EXPECT(ios_mmap_lock(o.mmap, 0, &o.lock, &bytes), IOS_OK);
  ios_mmap_guard_drop(o.lock);
  close_all(&o);
  return 0;
}
