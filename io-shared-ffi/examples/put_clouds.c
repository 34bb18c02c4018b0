// Puts clouds that it fills in place, in shared memory: put_clouds NAME CLOUDS POINTS
//
//   cc put_clouds.c $(pkg-config --cflags --libs io-shared) -o put_clouds

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cloud.h"
#include "io_shared.h"

static void check(ios_status status) {
  if (status != IOS_OK) {
    fprintf(stderr, "put_clouds: %s: %s\n", ios_status_name(status), ios_last_error());
    exit(1);
  }
}

static uint64_t number(const char *what, const char *text) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0) {
    fprintf(stderr, "put_clouds: %s is a whole number, and not `%s`\n", what, text);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: put_clouds NAME CLOUDS POINTS\n");
    return 2;
  }
  uint64_t clouds = number("CLOUDS", argv[2]);
  size_t points = number("POINTS", argv[3]);

  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = argv[1];
  options.schema = CLOUD_SCHEMA;
  check(ios_size("5M", &options.capacity));

  ios_producer *producer;
  check(ios_producer_open(&options, &producer));
  for (uint64_t frame = 0; frame < clouds; frame++) {
    ios_loan *loan;
    void *data;
    size_t length = offsetof(Cloud, points) + points * sizeof(Point);
    check(ios_producer_loan(producer, length, &loan, &data));
    Cloud *cloud = data;
    cloud->frame = frame;
    cloud->stamp_ns = 1000 * frame;
    for (size_t i = 0; i < points; i++) {
      cloud->points[i] = (Point){(float)i, (float)frame, 0.5f, 1.0f};
    }
    uint64_t seq;
    check(ios_loan_put(loan, length, &seq));
    // Keeps in step with the consumer, which would otherwise get only the newest cloud. The last
    // cloud stays for consumers that come later, and is not waited for: its consumer may be gone
    // before it is counted.
    size_t received = 0;
    while (received == 0 && frame + 1 < clouds) {
      check(ios_producer_wait_taken(producer, 10000000000, &received));
    }
    printf("put %" PRIu64 " as value %" PRIu64 "\n", frame, seq);
  }
  ios_producer_close(producer);
  return 0;
}
