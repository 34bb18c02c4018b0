// Viewers join a channel while values flow, and leave again. The producer needs no option for it.
//
//   cc many_viewers.c $(pkg-config --cflags --libs io-shared) -pthread -o many_viewers
//
// Here the viewers are threads; in another process they would call the same functions.

#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "io_shared.h"

enum { VIEWERS = 5, LAST = 400 }; // the number of the last frame

// What a viewer saw: its first frame, how many it got, and how many it missed.
typedef struct {
  const ios_options *options;
  unsigned number;
  uint64_t first, got, missed;
} Viewer;

static void check(ios_status status) {
  if (status != IOS_OK) {
    fprintf(stderr, "many_viewers: %s: %s\n", ios_status_name(status), ios_last_error());
    exit(1);
  }
}

static void pause_ms(unsigned ms) {
  nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

static void *watch(void *of) {
  Viewer *viewer = of;
  ios_consumer *frames;
  uint64_t frame = 0;
  pause_ms(50 * viewer->number);
  check(ios_consumer_open(viewer->options, &frames));
  while (frame != LAST) {
    ios_value value;
    check(ios_consumer_get(frames, 10000000000, &value)); // waits for at most 10 s
    frame = *(const uint64_t *)value.data;
    if (viewer->got == 0) {
      viewer->first = frame;
    } else {
      viewer->missed += value.missed;
    }
    viewer->got++;
    ios_guard_drop(value.guard);
  }
  ios_consumer_close(frames);
  return NULL;
}

int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/many_viewers-%d", (int)getpid());
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = name;
  options.schema = "\"<u8\"";

  ios_producer *frames;
  check(ios_producer_open(&options, &frames));
  pthread_t threads[VIEWERS];
  Viewer viewers[VIEWERS];
  for (unsigned i = 0; i < VIEWERS; i++) {
    viewers[i] = (Viewer){.options = &options, .number = i};
    if (pthread_create(&threads[i], NULL, watch, &viewers[i]) != 0) return 1;
  }
  for (uint64_t frame = 1; frame <= LAST; frame++) {
    check(ios_producer_put(frames, &frame, sizeof frame, NULL));
    pause_ms(1);
  }
  for (unsigned i = 0; i < VIEWERS; i++) {
    const Viewer *viewer = &viewers[i];
    pthread_join(threads[i], NULL);
    printf("viewer %u: from frame %" PRIu64 " on, got %" PRIu64 ", missed %" PRIu64 "\n", i,
           viewer->first, viewer->got, viewer->missed);
  }
  ios_producer_close(frames);
  check(ios_channel_remove(name));
  return 0;
}
