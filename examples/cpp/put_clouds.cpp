// Puts clouds that it fills in place, in shared memory, ten a second: put_clouds NAME CLOUDS

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cloud.hpp"

int main(int count, char** arguments) try {
  if (count != 3) return std::fprintf(stderr, "usage: put_clouds NAME CLOUDS\n"), 2;
  io_shared::producer<Cloud> clouds(arguments[1]);
  for (std::uint64_t frame = 0; frame < std::strtoull(arguments[2], nullptr, 10); ++frame) {
    auto cloud = clouds.loan(1000 + frame);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    *cloud = {frame, static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count())};
    for (Point& point : cloud.points()) point = {1.0F, 2.0F, static_cast<float>(frame), 0.5F};
    std::printf("put %lu\n", cloud.put());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
} catch (const io_shared::error& error) {
  return std::fprintf(stderr, "put_clouds: %s: %s\n", error.name(), error.what()), 1;
}
