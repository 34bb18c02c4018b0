// What put.c puts and get.c gets. examples/put.rs has the same struct in Rust, and
// examples/python/put.py in Python.

#ifndef POSE_H
#define POSE_H

#include "io_shared.h"

typedef struct {
  double x, y, heading;
} Pose;

IOS_MESSAGE(Pose, IOS_FIELD(Pose, f64, x), IOS_FIELD(Pose, f64, y), IOS_FIELD(Pose, f64, heading));

#endif
