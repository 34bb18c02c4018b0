// The messages of the tests in C++. tests/cpp_schema.rs has the same in Rust, but for the enums of
// more variants.

#ifndef MESSAGES_HPP
#define MESSAGES_HPP

#include <array>
#include <cstdint>

#include "io_shared.hpp"

struct Numbers {
  std::uint64_t a;
  std::int64_t b;
  double c;
  std::uint32_t d;
  std::int32_t e;
  float f;
  std::uint16_t g;
  std::int16_t h;
  std::uint8_t i;
  std::int8_t j;
  bool k;
  bool l[5];
};
IO_SHARED_MESSAGE(Numbers, a, b, c, d, e, f, g, h, i, j, k, l);

namespace robot {

struct Point {
  float x, y;
};
IO_SHARED_MESSAGE(Point, x, y);
IO_SHARED_UNIT(Point, x, "m");

enum class Level : std::int16_t { Low = -1, Middle, High = 300 };
IO_SHARED_ENUM(Level, Low, Middle, High);

enum Gear : std::uint8_t { Neutral, Forward, Reverse = 7 };
IO_SHARED_ENUM(Gear, Neutral, Forward, Reverse);

struct Nested {
  Point corners[2];
  std::array<std::array<double, 4>, 3> turn;
  std::uint8_t cube[2][1][4];
  io_shared::text<12> name;
  char others[1][12];
  Level level;
  std::array<Level, 3> levels;
};
IO_SHARED_MESSAGE(Nested, corners, turn, cube, name, others, level, levels);

using Box = std::array<float, 4>;
struct Detections {
  std::uint64_t frame;
  Point origin;
  io_shared::list<Box> boxes;
  io_shared::list<io_shared::text<12>> names;
  io_shared::list<Point> points;
  io_shared::nd_list<std::uint8_t, 3> image;
  Level level;
  bool valid;
};
IO_SHARED_MESSAGE(Detections, frame, origin, boxes, names, points, image, level, valid);

struct Renamed {
  io_shared::list<float> values;
};
IO_SHARED_MESSAGE(Renamed, values);
IO_SHARED_DATA(Renamed, rest);

// Names that C++ cannot have.
enum class Sort : std::uint8_t { default_, new_ };
IO_SHARED_ENUM(Sort, default_, new_);
IO_SHARED_NAME(Sort, default_, "default");
IO_SHARED_NAME(Sort, new_, "new");

struct Words {
  std::uint32_t class_;
  Sort delete_;
  std::uint8_t plain[3];
};
IO_SHARED_MESSAGE(Words, class_, delete_, plain);
IO_SHARED_TAIL(Words, this_, Point);
IO_SHARED_NAME(Words, class_, "class");
IO_SHARED_UNIT(Words, class_, "1");
IO_SHARED_NAME(Words, delete_, "delete");
IO_SHARED_NAME(Words, this_, "this");

struct Cloud {
  std::uint64_t frame;
  std::uint64_t stamp_ns;
};
IO_SHARED_MESSAGE(Cloud, frame, stamp_ns);
IO_SHARED_TAIL(Cloud, points, Point);
IO_SHARED_UNIT(Cloud, stamp_ns, "ns stamp");
IO_SHARED_UNIT(Cloud, points, "frame:lidar");

// The tail is aligned more than the fields.
struct Wide {
  std::uint32_t a, b;
};
IO_SHARED_MESSAGE(Wide, a, b);
IO_SHARED_TAIL(Wide, numbers, std::array<double, 2>);

struct Times {
  io_shared::duration_ns exposure;
  io_shared::system_time_ns stamp;
};
IO_SHARED_MESSAGE(Times, exposure, stamp);
IO_SHARED_UNIT(Times, exposure, "ns");
IO_SHARED_UNIT(Times, stamp, "ns stamp");

struct Halves {
  io_shared::f16 a;
  io_shared::f16 b[2];
};
IO_SHARED_MESSAGE(Halves, a, b);

// As a library has it, whose copies are not trivial.
struct Vector3 {
  float xyz[3];
  Vector3() : xyz{} {}
  Vector3(const Vector3& other) : xyz{other.xyz[0], other.xyz[1], other.xyz[2]} {}
  Vector3& operator=(const Vector3&) = default;
};

struct Drive {
  float speed;
  Gear gear;
  bool brakes[3];
};
IO_SHARED_MESSAGE(Drive, speed, gear, brakes);

}  // namespace robot

template <>
struct io_shared::foreign<robot::Vector3> {
  using type = std::array<float, 3>;
};

namespace robot {

struct Track {
  Vector3 position;
  Vector3 path[2];
};
IO_SHARED_MESSAGE(Track, position, path);

}  // namespace robot

#endif
