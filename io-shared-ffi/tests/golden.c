// Reads committed regions as every version must: golden ARRAY CLOUD DETECTIONS, three files that
// it also writes to. Run by golden.rs; tests/golden.rs and python/tests/test_golden.py expect the
// same of the same regions.

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

typedef struct {
  uint64_t frame;
  uint64_t stamp_ns;
  uint8_t source;
  bool valid;
  uint8_t _pad[6];
  ios_list boxes;
  ios_list names;
  IOS_ND_LIST_OF(3) image;
} Detections;
IOS_ENUM(Camera, u8, IOS_VARIANT(Unknown, 0), IOS_VARIANT(Front, 1), IOS_VARIANT(Rear, 7));
IOS_ARRAY_TYPE(Box, f32, 4);
IOS_TEXT(Name, 16);
IOS_MESSAGE(Detections, IOS_FIELD(Detections, u64, frame), IOS_FIELD(Detections, u64, stamp_ns),
            IOS_FIELD(Detections, Camera, source), IOS_FIELD(Detections, bool, valid),
            IOS_ARRAY(Detections, u8, _pad), IOS_LIST(Detections, Box, boxes),
            IOS_LIST(Detections, Name, names), IOS_ND_LIST(Detections, u8, image),
            IOS_DATA(data));

static void the_golden_detections_are_read(const char *path) {
  static const float expected[2][4] = {{0.5f, 1.5f, 2.5f, 3.5f}, {-10.0f, -9.0f, -8.0f, -7.0f}};
  char *schema;
  EXPECT(ios_schema_of(&ios_type_Detections, &schema), IOS_OK);
  ios_consumer *consumer = open_file(path, schema);
  ios_text_free(schema);
  ios_value value;
  EXPECT(ios_consumer_get(consumer, 5000000000, &value), IOS_OK);
  const Detections *found = value.data;
  EXPECT_TRUE(found->frame == 7 && found->stamp_ns == (uint64_t)1 << 40 && value.seq == 2);
  EXPECT_TRUE(found->source == 7 && found->valid);
  const void *elements;
  size_t shape[3];
  EXPECT(ios_guard_list(value.guard, offsetof(Detections, boxes), 16, &elements, shape, 1), IOS_OK);
  EXPECT_TRUE(shape[0] == 2 && memcmp(elements, expected, sizeof expected) == 0);
  EXPECT(ios_guard_list(value.guard, offsetof(Detections, names), 16, &elements, shape, 1), IOS_OK);
  EXPECT_TRUE(shape[0] == 2 && strcmp(elements, "car") == 0);
  EXPECT_TRUE(strcmp((const char *)elements + 16, "tram") == 0);
  EXPECT(ios_guard_list(value.guard, offsetof(Detections, image), 1, &elements, shape, 3), IOS_OK);
  EXPECT_TRUE(shape[0] == 2 && shape[1] == 3 && shape[2] == 3);
  for (int i = 0; i < 18; i++) EXPECT_TRUE(((const uint8_t *)elements)[i] == i);
  ios_guard_drop(value.guard);
  ios_consumer_close(consumer);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  the_golden_array_is_read(argv[1]);
  the_golden_cloud_is_read(argv[2]);
  the_golden_detections_are_read(argv[3]);
  return 0;
}
