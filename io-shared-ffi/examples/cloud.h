// Made by ios_schema_to_c from cloud.json; tests/examples.rs writes it again.

#ifndef CLOUD_H
#define CLOUD_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Point {
  float x; // [m]
  float y; // [m]
  float z; // [m]
  // Strength of the return, 0 to 1.
  float intensity;
} Point;
static_assert(offsetof(Point, x) == 0, "Point.x");
static_assert(offsetof(Point, y) == 4, "Point.y");
static_assert(offsetof(Point, z) == 8, "Point.z");
static_assert(offsetof(Point, intensity) == 12, "Point.intensity");
static_assert(sizeof(Point) == 16, "Point");

// One turn of the lidar.
typedef struct Cloud {
  // Number of the turn, from 0.
  uint64_t frame;
  uint64_t stamp_ns; // [ns]
  Point points[];
} Cloud;
static_assert(offsetof(Cloud, frame) == 0, "Cloud.frame");
static_assert(offsetof(Cloud, stamp_ns) == 8, "Cloud.stamp_ns");
static_assert(offsetof(Cloud, points) == 16, "Cloud.points");

#define CLOUD_SCHEMA \
  "{\"struct\":\"Cloud\",\"doc\":\"One turn of the lidar.\",\"size\":16,\"align\":8," \
  "\"fields\":[{\"name\":\"frame\",\"offset\":0,\"type\":\"<u8\"," \
  "\"doc\":\"Number of the turn, from 0.\"},{\"name\":\"stamp_ns\",\"offset\":8," \
  "\"type\":\"<u8\",\"unit\":\"ns\"},{\"name\":\"points\",\"offset\":16," \
  "\"type\":{\"slice\":{\"struct\":\"Point\",\"size\":16,\"align\":4," \
  "\"fields\":[{\"name\":\"x\",\"offset\":0,\"type\":\"<f4\",\"unit\":\"m\"},{\"name\":\"y\"," \
  "\"offset\":4,\"type\":\"<f4\",\"unit\":\"m\"},{\"name\":\"z\",\"offset\":8," \
  "\"type\":\"<f4\",\"unit\":\"m\"},{\"name\":\"intensity\",\"offset\":12,\"type\":\"<f4\"," \
  "\"doc\":\"Strength of the return, 0 to 1.\"}]}}}]}"

#endif
