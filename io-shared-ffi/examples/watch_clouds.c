// Watches many channels of clouds in one epoll loop, without a thread for each:
// watch_clouds CLOUDS NAME...
//
//   cc watch_clouds.c $(pkg-config --cflags --libs io-shared) -o watch_clouds
//
// It ends when it has got CLOUDS clouds, or at Ctrl-C.

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "cloud.h"
#include "io_shared.h"

static volatile sig_atomic_t stopped;

static void stop(int number) {
  (void)number;
  stopped = 1; // epoll_wait returns EINTR
}

static void check(ios_status status) {
  if (status != IOS_OK) {
    fprintf(stderr, "watch_clouds: %s: %s\n", ios_status_name(status), ios_last_error());
    exit(1);
  }
}

static void check_call(int result, const char *call) {
  if (result < 0) {
    fprintf(stderr, "watch_clouds: %s: %s\n", call, strerror(errno));
    exit(1);
  }
}

static ios_consumer *watch(int loop, const char *name, uint32_t number) {
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = name;
  options.schema = CLOUD_SCHEMA;

  ios_consumer *consumer;
  check(ios_consumer_open(&options, &consumer)); // waits for the producer
  int fd;
  check(ios_consumer_ready_fd(consumer, &fd));
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
  check_call(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  return consumer;
}

// Whether there was a cloud. The descriptor may be readable once too often, so none is no error.
static int get(ios_consumer *consumer, const char *name) {
  ios_value value;
  ios_status status = ios_consumer_get(consumer, 0, &value); // never waits
  if (status == IOS_EMPTY) {
    return 0;
  }
  check(status);
  const Cloud *cloud = value.data;
  size_t points = (value.length - offsetof(Cloud, points)) / sizeof(Point);
  printf("%s: cloud %" PRIu64 ", %zu points, missed %" PRIu64 "\n", name, cloud->frame, points,
         value.missed);
  fflush(stdout);
  ios_guard_drop(value.guard);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: watch_clouds CLOUDS NAME...\n");
    return 2;
  }
  long clouds = strtol(argv[1], NULL, 10);
  char **names = argv + 2;
  uint32_t count = (uint32_t)argc - 2;
  ios_consumer **consumers = calloc(count, sizeof *consumers);
  int loop = epoll_create1(EPOLL_CLOEXEC);
  check_call(consumers == NULL ? -1 : loop, "epoll_create1");
  for (uint32_t i = 0; i < count; i++) {
    consumers[i] = watch(loop, names[i], i);
  }
  struct sigaction action = {.sa_handler = stop};
  check_call(sigaction(SIGINT, &action, NULL), "sigaction");

  while (clouds > 0 && !stopped) {
    struct epoll_event events[16];
    int ready = epoll_wait(loop, events, 16, -1);
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    check_call(ready, "epoll_wait");
    for (int i = 0; i < ready; i++) {
      uint32_t number = events[i].data.u32;
      clouds -= get(consumers[number], names[number]);
    }
  }
  for (uint32_t i = 0; i < count; i++) {
    ios_consumer_close(consumers[i]); // its descriptor goes, and leaves the loop
  }
  free(consumers);
  return 0;
}
