// Gets clouds and reads them in place: get_clouds NAME CLOUDS
//
//   cc get_clouds.c $(pkg-config --cflags --libs io-shared) -o get_clouds

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cloud.h"
#include "io_shared.h"

static void check(ios_status status) {
  if (status != IOS_OK) {
    fprintf(stderr, "get_clouds: %s: %s\n", ios_status_name(status), ios_last_error());
    exit(1);
  }
}

static uint64_t number(const char *what, const char *text) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0) {
    fprintf(stderr, "get_clouds: %s is a whole number, and not `%s`\n", what, text);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: get_clouds NAME CLOUDS\n");
    return 2;
  }
  uint64_t clouds = number("CLOUDS", argv[2]);

  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = argv[1];
  options.schema = CLOUD_SCHEMA; // if the channel's type differs, opening says which fields

  ios_consumer *consumer;
  check(ios_consumer_open(&options, &consumer)); // waits for the producer
  for (uint64_t i = 0; i < clouds; i++) {
    ios_value value;
    check(ios_consumer_get(consumer, 10000000000, &value)); // waits at most 10 s
    const Cloud *cloud = value.data;
    size_t points = (value.length - offsetof(Cloud, points)) / sizeof(Point);
    double sum = 0;
    for (size_t p = 0; p < points; p++) {
      sum += cloud->points[p].x + cloud->points[p].y;
    }
    printf("cloud %" PRIu64 " of %" PRIu64 " ns: %zu points, sum %g, ", cloud->frame,
           cloud->stamp_ns, points, sum);
    printf("value %" PRIu64 ", missed %" PRIu64 "\n", value.seq, value.missed);
    ios_guard_drop(value.guard); // the producer may use its buffer again
  }
  ios_consumer_close(consumer);
  return 0;
}
