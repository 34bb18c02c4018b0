// A ROS 2 node that puts the clouds of a topic into a channel, straight from its callback. Whatever
// reads the channel, in C++, Rust or Python, needs no ROS, and the cloud takes no way through the
// middleware a second time.
//
//   ros2 run io_shared_node node --ros-args --remap points:=/velodyne_points
//
// In a workspace with rclcpp and sensor_msgs, CMakeLists.txt builds it with colcon. stub/ is not
// ROS: it stands in for it where the tests of io-shared compile this file.

#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "../cloud.hpp"
#include "rclcpp/rclcpp.hpp"
#include "sensor_msgs/msg/point_cloud2.hpp"

using sensor_msgs::msg::PointCloud2;
using sensor_msgs::msg::PointField;

class CloudNode : public rclcpp::Node {
 public:
  explicit CloudNode(const std::string& channel) : Node("io_shared_node"), clouds_(channel) {
    subscription_ = create_subscription<PointCloud2>(
        "points", rclcpp::SensorDataQoS(),
        [this](const PointCloud2::ConstSharedPtr& message) { put(*message); });
  }

 private:
  void put(const PointCloud2& message) {
    const auto x = offset_of(message, "x"), y = offset_of(message, "y"),
               z = offset_of(message, "z"), intensity = offset_of(message, "intensity");
    const std::size_t rows = std::size_t{message.height} * message.row_step;
    if (!x || !y || !z || message.is_bigendian || message.data.size() < rows ||
        message.row_step < std::size_t{message.width} * message.point_step) {
      RCLCPP_ERROR(get_logger(), "a cloud without float x, y and z, or shorter than it says");
      return;
    }
    auto cloud = clouds_.loan(std::size_t{message.width} * message.height);
    const auto& stamp = message.header.stamp;
    *cloud = {frame_++, std::uint64_t(stamp.sec) * 1'000'000'000 + stamp.nanosec};
    Point* to = cloud.points().data();
    for (std::uint32_t row = 0; row < message.height; ++row) {
      const std::uint8_t* from = message.data.data() + std::size_t{row} * message.row_step;
      for (std::uint32_t i = 0; i < message.width; ++i, ++to, from += message.point_step) {
        *to = {number(from + *x), number(from + *y), number(from + *z),
               intensity ? number(from + *intensity) : 0.0F};
      }
    }
    cloud.put();
  }

  /// Where a float of that name lies in each point.
  static std::optional<std::size_t> offset_of(const PointCloud2& message, const char* name) {
    for (const PointField& field : message.fields) {
      const bool fits = std::size_t{field.offset} + sizeof(float) <= message.point_step;
      if (field.name == name && field.datatype == PointField::FLOAT32 && fits) return field.offset;
    }
    return std::nullopt;
  }

  static float number(const std::uint8_t* from) {
    float number;
    std::memcpy(&number, from, sizeof number);
    return number;
  }

  io_shared::producer<Cloud> clouds_;
  std::uint64_t frame_ = 0;
  rclcpp::Subscription<PointCloud2>::SharedPtr subscription_;
};

int main(int count, char** arguments) {
  rclcpp::init(count, arguments);
  const std::string channel = count > 1 && arguments[1][0] == '/' ? arguments[1] : "/clouds";
  rclcpp::spin(std::make_shared<CloudNode>(channel));
  rclcpp::shutdown();
  return 0;
}
