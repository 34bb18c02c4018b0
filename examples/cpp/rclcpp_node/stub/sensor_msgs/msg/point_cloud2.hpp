// Not ROS: a stand-in for sensor_msgs, with the members of PointCloud2 that node.cpp uses.

#ifndef STUB_POINT_CLOUD2_HPP
#define STUB_POINT_CLOUD2_HPP

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace sensor_msgs::msg {

struct PointField {
  static constexpr std::uint8_t FLOAT32 = 7;
  std::string name;
  std::uint32_t offset;
  std::uint8_t datatype;
  std::uint32_t count;
};

struct Time {
  std::int32_t sec;
  std::uint32_t nanosec;
};

struct Header {
  Time stamp;
  std::string frame_id;
};

struct PointCloud2 {
  using ConstSharedPtr = std::shared_ptr<const PointCloud2>;
  Header header;
  std::uint32_t height, width;
  std::vector<PointField> fields;
  bool is_bigendian;
  std::uint32_t point_step, row_step;
  std::vector<std::uint8_t> data;
  bool is_dense;
};

/// 2 rows of 3 points, whose x is the cloud's number, y the row and z the column. A point has 20
/// bytes, and a row 4 more than its points.
inline PointCloud2 stub_cloud(std::int32_t number) {
  PointCloud2 cloud{{{100 + number, 5}, "lidar"}, 2, 3, {}, false, 20, 64, {}, true};
  std::uint32_t offset = 4;
  for (const char* name : {"x", "y", "z", "intensity"}) {
    cloud.fields.push_back({name, offset, PointField::FLOAT32, 1});
    offset += 4;
  }
  cloud.data.resize(2 * 64);
  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 3; ++column) {
      const float point[] = {static_cast<float>(number), static_cast<float>(row),
                             static_cast<float>(column), 0.25F};
      std::memcpy(&cloud.data[static_cast<std::size_t>(row * 64 + column * 20 + 4)], point, 16);
    }
  }
  return cloud;
}

}  // namespace sensor_msgs::msg

#endif
