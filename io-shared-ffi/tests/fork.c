// What a forked child may do with handles, loans, values and locks of its parent: be told, and close
// them without harm. Run by fork.rs, with a name for channels and one for a lock.

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/expect.h"
#include "io_shared.h"

int main(int argc, char **argv) {
  if (argc != 3) return 2;
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

  pid_t child = fork();
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
