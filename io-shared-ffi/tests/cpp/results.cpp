// Channels and locks from C++ without exceptions: results PREFIX, where names begin with PREFIX.

#include <string>
#include <vector>

#include "expect.hpp"
#include "messages.hpp"

using namespace std::chrono_literals;
using io_shared::consumer;
using io_shared::options;
using io_shared::producer;
using io_shared::result;
using robot::Cloud;
using robot::Detections;

static std::string prefix;

static void channels() {
  const std::string name = prefix + "clouds";
  result<producer<Cloud>> opened = producer<Cloud>::open(name);
  EXPECT(opened && opened.has_value());
  producer<Cloud> put = std::move(*opened);
  const result<producer<Cloud>> refused = producer<Cloud>::open(name);
  EXPECT(!refused && refused.error().status() == IOS_ROLE_TAKEN);
  SAYS(refused.error(), name);
  EXPECT(*put.put({7, 8}, std::vector<robot::Point>(3)) == 1);
  {
    auto lost = put.loan(5);
    EXPECT(lost && lost->points().size() == 5);
    EXPECT(put.loan(1).error().status() == IOS_ALREADY_LOANED);
  }
  auto loan = std::move(put.loan(5)).value();
  loan->frame = 9;
  EXPECT(loan.tag(3) && loan.put().value() == 2);

  auto viewer = consumer<Cloud>::open(name);
  EXPECT(viewer);
  auto cloud = viewer->get(10s);
  EXPECT(cloud && (*cloud)->frame == 9 && cloud->tag() == 3 && cloud->points().size() == 5);
  EXPECT(viewer->get(1ms).error().status() == IOS_TIMEOUT);
  EXPECT(viewer->get(0ms).error().status() == IOS_EMPTY);
  const auto none = viewer->try_get();
  EXPECT(none && !*none);  // no error, and no value
  EXPECT(!*viewer->try_get(1ms) && *viewer->has_producer());
  EXPECT(!(*io_shared::wait_any({&*viewer}, 0s))[0]);
  const auto wrong = consumer<double>::open(name, options().open_timeout(0s));
  EXPECT(!wrong && wrong.error().status() == IOS_MISMATCH);
  EXPECT(io_shared::remove(name) && !io_shared::remove(name).has_value());
}

static void lists() {
  const std::string name = prefix + "lists";
  auto put = producer<Detections>::open(name);
  EXPECT(put);
  const auto how_many = io_shared::sizes<Detections>().of(&Detections::boxes, 2);
  EXPECT(how_many.capacity().value() > sizeof(Detections));
  auto loan = put->loan(how_many);
  EXPECT(loan);
  auto boxes = loan->list(&Detections::boxes);
  EXPECT(boxes && boxes->size() == 2);
  (*boxes)[1][0] = 5;
  EXPECT(loan->put());
  auto look = io_shared::observer<Detections>::open(name);
  const auto copy = look->copy();
  EXPECT(copy && *copy && (**copy).list(&Detections::boxes)->back()[0] == 5);
  EXPECT(look->field("frame")->value().number == 0);
  EXPECT(io_shared::remove(name));
}

static void locks() {
  const std::string name = prefix + "locked";
  auto bytes = io_shared::shared_mmap::open(name, options().capacity(8));
  EXPECT(bytes && *bytes->size() == 8);
  {
    auto guard = bytes->lock();
    EXPECT(guard && guard->as<std::uint64_t>());
    ++**guard->as<std::uint64_t>();
    EXPECT(guard->as<Cloud>().error().status() == IOS_OUT_OF_BOUNDS);
    EXPECT(guard->mark_dirty());
  }
  EXPECT(bytes->lock(1s).error().status() == IOS_OWNER_DIED);
  EXPECT(bytes->lock_to_repair(1s)->mark_consistent());
  EXPECT(bytes->lock(1s));
  EXPECT(io_shared::shared_mmap::remove(name));
}

int main(int count, char** arguments) {
  EXPECT(count == 2);
  prefix = arguments[1];
  static_assert(!IO_SHARED_THROWS, "results were asked for");
  channels();
  lists();
  locks();
  EXPECT(io_shared::schema<Cloud>()->find("frame:lidar") != std::string::npos);
  std::puts("all of it holds");
  return 0;
}
