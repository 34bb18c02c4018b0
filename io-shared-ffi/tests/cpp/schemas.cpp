// Prints the schemas of the messages, one a line, for tests/cpp_schema.rs, which compares them with
// those of Rust's.

#include <cstdio>

#include "messages.hpp"

template <class T>
void print() {
  std::printf("%s\n", io_shared::schema<T>().c_str());
}

int main() {
  print<Numbers>();
  print<robot::Nested>();
  print<robot::Detections>();
  print<robot::Renamed>();
  print<robot::Cloud>();
  print<robot::Wide>();
  print<robot::Times>();
  print<robot::Halves>();
  print<robot::Track>();
  print<robot::Drive>();
  print<robot::Words>();
  print<float>();
  print<robot::Level>();
  print<robot::Box>();
  print<io_shared::text<12>>();
  print<io_shared::slice<robot::Point>>();
  return 0;
}
