// Reads committed regions as every version must: golden ARRAY CLOUD, two files that it also writes
// to. Run by golden.rs; tests/golden.rs and python/tests/test_golden.py expect the same of the same
// regions.

#include <string.h>

#include "../examples/cloud.h"
#include "common/expect.h"
#include "io_shared.h"

// The length of a header in version 1.0 of .npy, for an array of few dimensions.
#define HEADER 128

static ios_consumer *open_file(const char *path, const char *schema) {
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.file = path;
  options.schema = schema;
  options.open_timeout = 0;
  ios_consumer *consumer;
  EXPECT(ios_consumer_open(&options, &consumer), IOS_OK);
  return consumer;
}

static void the_golden_array_is_read(const char *path) {
  static const char text[] = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }";
  static const int16_t columns[] = {0, 3, 1, 4, 2, 5};
  ios_consumer *consumer = open_file(path, NULL);
  char *schema;
  EXPECT(ios_consumer_schema(consumer, &schema), IOS_OK);
  static const char expected[] = "{\"struct\":\"Array\",\"size\":0,\"align\":64,\"fields\":["
                                 "{\"name\":\"npy\",\"offset\":0,\"type\":{\"slice\":\"|u1\"}}]}";
  EXPECT_TRUE(strcmp(schema, expected) == 0);
  ios_text_free(schema);
  ios_value array;
  EXPECT(ios_consumer_get(consumer, 5000000000, &array), IOS_OK);
  const char *npy = array.data;
  EXPECT_TRUE(array.length == HEADER + sizeof columns && array.seq == 2);
  EXPECT_TRUE(memcmp(npy, "\x93NUMPY\1\0\x76\0", 10) == 0);
  EXPECT_TRUE(memcmp(npy + 10, text, sizeof text - 1) == 0);
  EXPECT_TRUE((uintptr_t)(npy + HEADER) % 64 == 0);
  EXPECT_TRUE(memcmp(npy + HEADER, columns, sizeof columns) == 0);
  ios_guard_drop(array.guard);
  ios_consumer_close(consumer);
}

static void the_golden_cloud_is_read(const char *path) {
  static const Point points[] = {{0.5f, 1.5f, 2.5f, 3.5f}, {-10.0f, -9.0f, -8.0f, -7.0f}};
  ios_consumer *consumer = open_file(path, CLOUD_SCHEMA);
  ios_value value;
  EXPECT(ios_consumer_get(consumer, 5000000000, &value), IOS_OK);
  const Cloud *cloud = value.data;
  EXPECT_TRUE(value.length == offsetof(Cloud, points) + sizeof points);
  EXPECT_TRUE(cloud->frame == 7 && cloud->stamp_ns == (uint64_t)1 << 40);
  EXPECT_TRUE(memcmp(cloud->points, points, sizeof points) == 0);
  ios_guard_drop(value.guard);
  ios_consumer_close(consumer);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  the_golden_array_is_read(argv[1]);
  the_golden_cloud_is_read(argv[2]);
  return 0;
}
