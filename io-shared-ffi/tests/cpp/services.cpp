// Services and states from C++, with exceptions: services PREFIX, where names begin with PREFIX.

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "expect.hpp"
#include "messages.hpp"

using namespace std::chrono_literals;
using io_shared::options;
using io_shared::slice;
using robot::Cloud;
using robot::Detections;
using robot::Point;
using robot::Times;

using labels = io_shared::client<slice<float>, slice<std::uint32_t>>;
using labeller = io_shared::server<slice<float>, slice<std::uint32_t>>;

static std::string prefix;

// A state: a pose, and how often it was written.
struct Robot {
  double x, y;
  std::uint64_t writes;
};
IO_SHARED_MESSAGE(Robot, x, y, writes);

static void a_call_returns_the_answer_to_its_own_question() {
  const std::string name = prefix + "labels";
  labels client(name, options().capacity("4K").answer_capacity(4096));
  EXPECT(client.name() == name && client.number() == 1 && !client.server());
  const std::vector<float> heights{1.0F, 2.0F};
  SAYS(ERROR_OF(io_shared::no_producer_error, client.call(heights, 1ms)), "there is no server");
  labeller server(name);
  EXPECT(server.name() == name && server.clients() == 1);
  SAYS(ERROR_OF(io_shared::role_taken_error, labeller(name)), name);
  {
    auto question = server.next(10s);  // it has waited
    EXPECT(question.seq() == 1 && question.client_number() == 1 && question.client()->pid > 0);
    auto out = question.loan(question.elements().size());
    SAYS(ERROR_OF(io_shared::unsupported_error, out.tag(7)), "a service numbers and tags");
    for (std::size_t i = 0; i < 2; ++i) out.elements()[i] = question.elements()[i] > 1.5F;
    out.put();
  }
  auto found = client.answer(10s);
  EXPECT(found.tag() == 1 && found.elements().size() == 2);
  EXPECT(found.elements()[0] == 0 && found.elements()[1] == 1);
  found.release();

  std::thread answers([&] {
    auto question = server.next(10s);
    question.answer(std::vector<std::uint32_t>(1000, 7));
  });
  auto many = client.call(std::array<float, 3>{}, 10s);
  EXPECT(many.elements().size() == 1000 && many.elements()[999] == 7);
  answers.join();
  EXPECT(!server.try_next() && !server.try_next(1ms));
  EXPECT(client.server()->pid > 0);
}

static void a_question_without_an_answer_is_left_to_the_next_server() {
  const std::string name = prefix + "left";
  labels client(name);
  client.ask(std::array<float, 1>{3.0F});
  {
    labeller first(name);
    auto question = first.next(10s);
    EXPECT(ERROR_OF(io_shared::already_held_error, first.next(1ms)).status() == IOS_ALREADY_HELD);
  }
  labeller second(name, options().wait_for_role(10s));
  second.next(10s).answer(std::array<std::uint32_t, 1>{4});
  EXPECT(client.answer(10s).elements()[0] == 4);
  client.ask(std::array<float, 0>{});
  SAYS(ERROR_OF(io_shared::timeout_error, client.answer(1ms)), "the answer to question 2");
  EXPECT(ERROR_OF(io_shared::empty_error, client.answer(0s)).status() == IOS_EMPTY);
  client.interrupt();
  EXPECT(ERROR_OF(io_shared::interrupted_error, client.answer()).status() == IOS_INTERRUPTED);
  second.interrupt();
  auto next = second.try_next();  // it does not wait, so nothing ends
  EXPECT(next && next->elements().empty());
}

static void structs_tails_and_lists_are_asked_and_answered() {
  const std::string name = prefix + "structs";
  io_shared::client<Times, Cloud> fixed(name + "-fixed");
  io_shared::server<Times, Cloud> clouds(name + "-fixed");
  Times asked;
  asked.exposure = 5ns;
  fixed.ask(asked);
  {
    auto question = clouds.next(10s);
    auto cloud = question.loan(2);
    cloud->frame = question->exposure.nanoseconds;
    cloud.points()[1] = {1.0F, 2.0F};
    cloud.put();
  }
  auto cloud = fixed.answer(10s);
  EXPECT(cloud->frame == 5 && cloud.points().size() == 2 && cloud.points()[1].y == 2.0F);
  SAYS(ERROR_OF(io_shared::mismatch_error, io_shared::client<Cloud, Times>(name + "-fixed")),
       "question");

  io_shared::client<Detections, Detections> lists(name + "-lists");
  io_shared::server<Detections, Detections> passes(name + "-lists");
  const auto most = io_shared::sizes<Detections>().of(&Detections::boxes, 2);
  auto question = lists.loan(most);
  question->frame = 9;
  question.list(&Detections::boxes)[1][3] = 4.0F;
  question.put();
  {
    auto taken = passes.next(10s);
    auto answer = taken.loan(most);
    answer->frame = taken->frame + 1;
    answer.list(&Detections::boxes)[0][0] = taken.list(&Detections::boxes)[1][3];
    answer.put();
  }
  auto answer = lists.answer(10s);
  EXPECT(answer->frame == 10 && answer.list(&Detections::boxes)[0][0] == 4.0F);
}

static void what_is_converted_to_a_message_lives_until_it_is_sent() {
  const std::string name = prefix + "numbers";
  io_shared::client<double, double> client(name);
  io_shared::server<double, double> server(name);
  client.ask(3);  // an int
  {
    auto question = server.next(10s);
    EXPECT(*question == 3.0);
    question.answer(4.5F);
  }
  EXPECT(*client.answer(10s) == 4.5);
  std::thread answers([&] { server.next(10s).answer(0); });
  EXPECT(*client.call(std::uint8_t{7}, 10s) == 0.0);
  answers.join();
}

static void a_state_is_changed_by_all_and_waited_for() {
  const std::string name = prefix + "robot";
  io_shared::state<Robot> robot(name, Robot{0.5, 2.0, 0});
  io_shared::state<Robot> display(name, Robot{9.0, 9.0, 9});
  EXPECT(robot.created() && !display.created() && display.name() == name);
  EXPECT(display.get().x == 0.5 && !display.changed());
  EXPECT(ERROR_OF(io_shared::timeout_error, display.wait_changed(1ms)).status() == IOS_TIMEOUT);
  std::thread drives([&] {
    auto guard = robot.lock();
    guard->x += 1.0;
    ++guard->writes;
  });
  display.wait_changed(10s);
  drives.join();
  EXPECT(display.get(1s).x == 1.5 && display.get().writes == 1);
  display.set({3.0, 4.0, 5});
  EXPECT(robot.changed());
  EXPECT((*robot.lock()).y == 4.0);
  EXPECT(!robot.changed());
  auto held = robot.lock();
  EXPECT(ERROR_OF(io_shared::would_block_error, display.get(0s)).status() == IOS_WOULD_BLOCK);
  held.release();
  try {
    auto guard = robot.lock();
    guard->x = 7.0;
    throw std::runtime_error("half of it is written");
  } catch (const std::runtime_error&) {
  }
  EXPECT(ERROR_OF(io_shared::owner_died_error, display.get()).status() == IOS_OWNER_DIED);
  {
    auto guard = display.lock_to_repair();
    EXPECT(guard.is_dirty() && guard->x == 7.0);
    guard.mark_consistent();
  }
  EXPECT(display.get().x == 7.0);
  io_shared::state<double> number(name + "-number");
  EXPECT(number.get() == 0.0);
  io_shared::state<double>::remove(name + "-number");
  io_shared::state<Robot>::remove(name);
}

int main(int count, char** arguments) {
  EXPECT(count == 2);
  prefix = arguments[1];
  a_call_returns_the_answer_to_its_own_question();
  a_question_without_an_answer_is_left_to_the_next_server();
  structs_tails_and_lists_are_asked_and_answered();
  what_is_converted_to_a_message_lives_until_it_is_sent();
  a_state_is_changed_by_all_and_waited_for();
  std::puts("all of it holds");
  return 0;
}
