// The C program of tests/languages.rs: `clouds put` puts a cloud and its labels for each line
// "NUMBER STAMP" on the standard input; `clouds get` gets one cloud and prints it.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io_shared.h"

typedef struct {
  float x, y, z, intensity;
} Points;

typedef struct {
  uint64_t frame, stamp_ns;
  Points points[3];
} Cloud;

#define CLOUD                                                                     \
  "{\"struct\":\"Cloud\",\"size\":16,\"align\":8,\"fields\":["                    \
  "{\"name\":\"frame\",\"offset\":0,\"type\":\"<u8\"},"                           \
  "{\"name\":\"stamp_ns\",\"offset\":8,\"type\":\"<u8\"},"                        \
  "{\"name\":\"points\",\"offset\":16,\"type\":{\"slice\":"                       \
  "{\"struct\":\"Points\",\"size\":16,\"align\":4,\"fields\":["                   \
  "{\"name\":\"x\",\"offset\":0,\"type\":\"<f4\"},"                               \
  "{\"name\":\"y\",\"offset\":4,\"type\":\"<f4\"},"                               \
  "{\"name\":\"z\",\"offset\":8,\"type\":\"<f4\"},"                               \
  "{\"name\":\"intensity\",\"offset\":12,\"type\":\"<f4\"}]}}}]}"

static void check(ios_status status) {
  if (status != IOS_OK) {
    fprintf(stderr, "clouds: %s: %s\n", ios_status_name(status), ios_last_error());
    exit(1);
  }
}

static ios_options options_of(const char *name, const char *schema) {
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = name;
  options.schema = schema;
  options.capacity = 65536;
  return options;
}

static void put(void) {
  ios_options options = options_of("/camera/rgb/image_raw", CLOUD);
  ios_producer *clouds, *labels;
  check(ios_producer_open(&options, &clouds));
  options = options_of("/camera/rgb/labels", "{\"slice\":\"<u4\"}");
  check(ios_producer_open(&options, &labels));
  puts(">> there");
  fflush(stdout);
  uint64_t number, stamp;
  while (scanf("%" SCNu64 " %" SCNu64, &number, &stamp) == 2) {
    Cloud cloud = {.frame = number, .stamp_ns = 1000 * number};
    uint32_t label[3];
    for (int i = 0; i < 3; i++) {
      cloud.points[i] = (Points){(float)i, (float)(i * i), 0.5f * (float)i, 1.0f};
      label[i] = (uint32_t)i;
    }
    check(ios_producer_put_numbered(clouds, &cloud, sizeof cloud, number, stamp, 0));
    // The labels of a cloud come 20 ms later, by their stamps.
    check(ios_producer_put_numbered(labels, label, sizeof label, number, stamp + 20000000, number));
    puts(">> put");
    fflush(stdout);
  }
  ios_producer_close(labels);
  ios_producer_close(clouds);
}

static void get(void) {
  ios_options options = options_of("/camera/rgb/image_raw", CLOUD);
  options.capacity = 0;
  ios_consumer *consumer;
  check(ios_consumer_open(&options, &consumer));
  ios_value value;
  check(ios_consumer_get(consumer, 60000000000, &value));
  const Cloud *cloud = value.data;
  printf(">> value %" PRIu64 " tag %" PRIu64 ": frame %" PRIu64 " stamp %" PRIu64, value.seq,
         value.tag, cloud->frame, cloud->stamp_ns);
  size_t points = (value.length - offsetof(Cloud, points)) / sizeof(Points);
  for (size_t i = 0; i < points; i++) {
    const Points *point = &cloud->points[i];
    printf(" (%g %g %g %g)", point->x, point->y, point->z, point->intensity);
  }
  puts("");
  ios_guard_drop(value.guard);
  ios_consumer_close(consumer);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "put") == 0) {
    put();
  } else if (argc == 2 && strcmp(argv[1], "get") == 0) {
    get();
  } else {
    fputs("usage: clouds put|get\n", stderr);
    return 2;
  }
  return 0;
}
