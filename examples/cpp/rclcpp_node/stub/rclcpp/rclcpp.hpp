// Not ROS: a stand-in for rclcpp, with the declarations that node.cpp uses, so that the tests of
// io-shared compile and run it without ROS. spin() delivers three clouds that it makes.

#ifndef STUB_RCLCPP_HPP
#define STUB_RCLCPP_HPP

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "../sensor_msgs/msg/point_cloud2.hpp"

namespace rclcpp {

struct SensorDataQoS {};
struct Logger {};
inline void init(int, char**) {}
inline void shutdown() {}

template <class Message>
struct Subscription {
  using SharedPtr = std::shared_ptr<Subscription>;
  std::function<void(const std::shared_ptr<const Message>&)> callback;
};

class Node {
 public:
  explicit Node(std::string) {}
  virtual ~Node() = default;
  Logger get_logger() const { return {}; }

  template <class Message, class Callback>
  typename Subscription<Message>::SharedPtr create_subscription(const std::string&, SensorDataQoS,
                                                                Callback callback) {
    auto subscription = std::make_shared<Subscription<Message>>();
    subscription->callback = std::move(callback);
    clouds = subscription->callback;
    return subscription;
  }

  std::function<void(const std::shared_ptr<const sensor_msgs::msg::PointCloud2>&)> clouds;
};

/// Delivers three clouds of 2 rows of 3 points, and one that says it is longer than it is.
inline void spin(const std::shared_ptr<Node>& node) {
  for (std::int32_t i = 0; i < 4; ++i) {
    auto cloud = std::make_shared<sensor_msgs::msg::PointCloud2>(sensor_msgs::msg::stub_cloud(i));
    if (i == 3) cloud->data.resize(cloud->data.size() - 1);
    node->clouds(cloud);
  }
}

}  // namespace rclcpp

#define RCLCPP_ERROR(logger, text) (static_cast<void>(logger), std::fprintf(stderr, "%s\n", text))

#endif
