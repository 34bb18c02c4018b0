// Gets clouds and reads them in place: get_clouds NAME CLOUDS

#include <cstdio>
#include <cstdlib>

#include "cloud.hpp"

int main(int count, char** arguments) try {
  if (count != 3) return std::fprintf(stderr, "usage: get_clouds NAME CLOUDS\n"), 2;
  io_shared::consumer<Cloud> viewer(arguments[1]);
  for (auto left = std::strtoull(arguments[2], nullptr, 10); left > 0; --left) {
    const auto cloud = viewer.get(std::chrono::seconds(10));
    double sum = 0;
    for (const Point& point : cloud.points()) sum += point.x + point.y;
    std::printf("cloud %lu: %zu points, sum %g, missed %lu\n", cloud->frame,
                cloud.points().size(), sum, cloud.missed());
  }
} catch (const io_shared::error& error) {
  return std::fprintf(stderr, "get_clouds: %s: %s\n", error.name(), error.what()), 1;
}
