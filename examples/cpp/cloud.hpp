// The message that these programs exchange. Rust programs have it in the README, Python programs in
// examples/python/clouds.py.

#ifndef CLOUD_HPP
#define CLOUD_HPP

#include <io_shared.hpp>

struct Point {
  float x, y, z, intensity;
};
IO_SHARED_MESSAGE(Point, x, y, z, intensity);

struct Cloud {  // the fields before the points
  std::uint64_t frame;
  std::uint64_t stamp_ns;
};
IO_SHARED_MESSAGE(Cloud, frame, stamp_ns);
IO_SHARED_TAIL(Cloud, points, Point);
IO_SHARED_UNIT(Cloud, stamp_ns, "ns stamp");

#endif
