// What the programs of this example hand on: detections of a camera, with their names and the
// image. examples/relay.rs has the same struct in Rust, examples/python/relay.py in Python.

#ifndef DETECTIONS_H
#define DETECTIONS_H

#include "io_shared.h"

typedef uint8_t Camera;
enum { Camera_Front = 0, Camera_Rear = 1, Camera_Left = 4 };

typedef struct {
  uint64_t stamp_ns;
  char frame_id[24];
} Header;

typedef struct {
  float x, y, z, score;
} Box3;

typedef struct {
  Header header;
  ios_list boxes;
  ios_list names;
  IOS_ND_LIST_OF(3) image;
  uint32_t hops;
  Camera source;
  bool valid;
} Detections;

IOS_ENUM(Camera, u8, IOS_VARIANT(Front, 0), IOS_VARIANT(Rear, 1), IOS_VARIANT(Left, 4));
IOS_TEXT(Name, 32);
IOS_MESSAGE(Header, IOS_FIELD(Header, u64, stamp_ns), IOS_TEXT_FIELD(Header, frame_id));
IOS_MESSAGE(Box3, IOS_FIELD(Box3, f32, x), IOS_FIELD(Box3, f32, y), IOS_FIELD(Box3, f32, z),
            IOS_FIELD(Box3, f32, score));
IOS_MESSAGE(Detections, IOS_FIELD(Detections, Header, header), IOS_LIST(Detections, Box3, boxes),
            IOS_LIST(Detections, Name, names), IOS_ND_LIST(Detections, u8, image),
            IOS_FIELD(Detections, u32, hops), IOS_FIELD(Detections, Camera, source),
            IOS_FIELD(Detections, bool, valid), IOS_DATA(data));

#endif
