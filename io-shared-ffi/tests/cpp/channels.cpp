// Channels from C++, with exceptions: channels PREFIX, where names begin with PREFIX.

#include <poll.h>

#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "expect.hpp"
#include "messages.hpp"

#if __cplusplus >= 202002L
#include <numeric>
#include <span>
#endif

using namespace std::chrono_literals;
using io_shared::consumer;
using io_shared::options;
using io_shared::producer;
using robot::Cloud;
using robot::Detections;
using robot::Drive;
using robot::Point;

static std::string prefix;

// A name of this program, which is removed at the end of its block.
struct name : std::string {
  explicit name(const char* what) : std::string(prefix + what) {}
  ~name() { static_cast<void>(ios_channel_remove(c_str())); }
};

static void two_lines_a_side() {
  const name clouds("clouds");
  const std::vector<Point> points = {{1, 2}, {3, 4}};
  producer<Cloud> put(clouds);
  EXPECT(put.put({7, 70}, points) == 1);

  consumer<Cloud> get(clouds);
  const auto cloud = get.get();
  EXPECT(cloud->frame == 7 && (*cloud).stamp_ns == 70 && cloud.seq() == 1 && cloud.missed() == 0);
  EXPECT(cloud.points().size() == 2 && cloud.points()[1].y == 4);
  EXPECT(cloud.points().data() == cloud.elements().data());
  EXPECT(cloud.as_bytes().size() == sizeof(Cloud) + 2 * sizeof(Point));
  EXPECT(cloud.age() && *cloud.age() < 60s && cloud.stamp() > 0ns);
  EXPECT(get.last_seen() == 1 && get.has_producer() && get.producer()->pid != 0);
  EXPECT(put.connected() == 1 && put.holders().at(0).slot == 0 && put.seq() == 1);
  EXPECT(put.wait_taken(1s) == 1 && put.name() == clouds && get.name() == clouds);
  EXPECT(get.schema() == io_shared::schema<Cloud>() && put.schema() == get.schema());
  EXPECT(put.fd() == -1 && get.fd() == -1 && get.capacity() == put.capacity());
}

static void loans_are_filled_in_place_and_grow() {
  const name clouds("loans");
  producer<Cloud> put(clouds);
  consumer<Cloud> get(clouds, options().holds(2));
  for (const std::size_t count : {10U, 100'000U}) {
    auto cloud = put.loan(count);
    EXPECT(cloud.points().size() == count);
    *cloud = {count, 1};
    for (Point& point : cloud.points()) point = {1, 2};
    cloud.points().back().y = 9;
    cloud.tag(count);
    const std::uint64_t seq = cloud.put();
    const auto got = get.get(10s);
    EXPECT(got.seq() == seq && got.tag() == count && got->frame == count);
    EXPECT(got.points().size() == count && got.points()[count - 1].y == 9);
  }
  auto cloud = put.loan(100);
  cloud->frame = 1;
  io_shared::copy(cloud.points(), std::vector<Point>(100, {3, 4}));
  cloud.truncate(200);
  cloud.truncate(5);
  EXPECT(cloud.points().size() == 5);
  cloud.number(50, 123ns);
  EXPECT(cloud.put() == 50 && cloud.points().empty());
  const auto got = get.get(10s);
  EXPECT(got.points().size() == 5 && got.missed() == 47 && got.stamp() == 123ns);
  EXPECT(got.points().front().x == 3);
}

// A message that does not travel in the line that announces it, so that a guard holds a buffer.
struct Large {
  std::uint64_t numbers[100];
};
IO_SHARED_MESSAGE(Large, numbers);

static void exceptions_give_back_loans_and_guards() {
  const name large("raii");
  producer<Large> put(large);
  consumer<Large> get(large);
  put.put({{1}});
  for (int i = 0; i < 100; ++i) {
    try {
      auto loan = put.loan();
      auto guard = get.latest();
      loan->numbers[0] = 99;
      EXPECT(ERROR_OF(io_shared::already_loaned_error, put.loan()).status() == IOS_ALREADY_LOANED);
      SAYS(ERROR_OF(io_shared::already_held_error, get.latest()), ".holds(");
      throw std::runtime_error("the detector failed");
    } catch (const std::runtime_error& error) {
      EXPECT(std::string(error.what()) == "the detector failed");
    }
  }
  EXPECT(get.latest()->seq() == 1);  // nothing was put
  EXPECT((*get.latest())->numbers[0] == 1);
  // Guards outlive their consumer, and moved-from handles are errors.
  auto kept = get.latest();
  consumer<Large> moved = std::move(get);
  moved.close();
  EXPECT((*kept)->numbers[0] == 1);
  EXPECT(ERROR_OF(io_shared::null_error, moved.get(1s)).status() == IOS_NULL);
  auto loan = put.loan();
  put.close();
  EXPECT(ERROR_OF(io_shared::role_taken_error, producer<Large>(large)).status() == IOS_ROLE_TAKEN);
  loan.release();
  EXPECT(producer<Large>(large).put({{2}}) == 2);
}

static void errors_have_classes_codes_and_texts() {
  const name drives("errors");
  producer<Drive> put(drives);
  consumer<Drive> get(drives);
  EXPECT(!get.try_get() && !get.try_get(1ms) && !get.latest());
  SAYS(ERROR_OF(io_shared::timeout_error, get.get(1ms)), drives);
  EXPECT(ERROR_OF(io_shared::empty_error, get.get(-5s)).what()[0] != '\0');
  EXPECT(std::string(ERROR_OF(io_shared::timeout_error, get.get(1ms)).name()) == "IOS_TIMEOUT");
  SAYS(ERROR_OF(io_shared::role_taken_error, producer<Drive>(drives)), "(old.close())");
  SAYS(ERROR_OF(io_shared::bad_name_error, producer<Drive>("")), "name");
  SAYS(ERROR_OF(io_shared::not_found_error, io_shared::remove(drives + "no")), drives + "no");
  SAYS(ERROR_OF(io_shared::bad_size_error, producer<Drive>(drives, options().capacity("5MB"))),
       "5MB");
  EXPECT(ERROR_OF(io_shared::bad_seq_error, put.put_numbered({}, 0, 0ns)).system_error() == 0);

  const name small("small");
  producer<Cloud> tight(small, options().capacity(32));
  EXPECT(tight.put({1, 2}, std::vector<Point>(2)) == 1);
  SAYS(ERROR_OF(io_shared::too_large_error, tight.put({1, 2}, std::vector<Point>(3))),
       ".capacity(40)");
  EXPECT(ERROR_OF(io_shared::too_large_error, tight.loan(SIZE_MAX)).status() == IOS_TOO_LARGE);

  // What no program in C++ writes: a bool of 2, an enum's number without a variant.
  const name raw("bad-value");
  const unsigned char bad[] = {0, 0, 0, 0, 2, 0, 0, 0};
  producer<Drive> strict(raw);
  EXPECT(ios_producer_put(strict.get(), bad, sizeof bad, nullptr) == IOS_BAD_VALUE);
}

struct Before {
  double x, y;
};
IO_SHARED_MESSAGE(Before, x, y);
struct After {
  double x, y, heading;
};
IO_SHARED_MESSAGE(After, x, y, heading);
struct Wrong {
  double x;
  std::uint64_t y;
};
IO_SHARED_MESSAGE(Wrong, x, y);

static void structs_that_differ_are_told_by_field_and_new_fields_are_no_difference() {
  const name poses("poses");
  consumer<Before> viewer(poses);
  producer<After> put(poses);
  put.put({1, 2, 0.5});
  EXPECT(viewer.get(10s)->y == 2);
  const options at_once = options().open_timeout(0s);  // for a channel of another type, too
  SAYS(ERROR_OF(io_shared::mismatch_error, io_shared::observer<Wrong>(poses, at_once)),
       "field `y`: channel has <f8 at 8, this program <u8 at 8");
  SAYS(ERROR_OF(io_shared::mismatch_error, consumer<Wrong>(poses, at_once)), "field `y`");
}

static void lists_are_filled_and_read_in_place() {
  const name found("lists");
  const auto how_many = io_shared::sizes<Detections>()
                            .of(&Detections::boxes, 2)
                            .of(&Detections::names, 1)
                            .of(&Detections::image, {4, 3, 2});
  EXPECT(how_many.capacity() >= sizeof(Detections) + 2 * 16 + 12 + 24);
  producer<Detections> put(found, options().capacity(how_many.capacity()));
  consumer<Detections> get(found);
  auto loan = put.loan(how_many);
  loan->frame = 7;
  loan->level = robot::Level::High;
  loan->valid = true;
  loan.list(&Detections::boxes)[1] = {1, 2, 3, 4};
  loan.list(&Detections::names)[0] = "pedestrian";
  const auto image = loan.list(&Detections::image);
  for (std::uint8_t& byte : image.flat()) byte = 1;
  image(3, 2, 1) = 9;
  EXPECT(loan.list(&Detections::points).empty());
  loan.put();

  const auto got = get.get(10s);
  EXPECT(got->frame == 7 && got->level == robot::Level::High && got->valid);
  EXPECT(got.list(&Detections::boxes).size() == 2 && got.list(&Detections::boxes)[1][3] == 4);
  EXPECT(got.list(&Detections::names)[0] == "pedestrian");
  EXPECT(got.list(&Detections::points).empty());
  const auto seen = got.list(&Detections::image);
  EXPECT((seen.shape() == std::array<std::size_t, 3>{4, 3, 2}) && seen.size() == 24);
  EXPECT(seen(3, 2, 1) == 9 && seen(0, 0, 0) == 1 && seen.data() == seen.flat().data());
  const Detections copy = *got;  // its lists stay where they are
  EXPECT(copy.frame == 7);
  static_assert(!std::is_copy_assignable_v<Detections>, "nobody moves the lists of a loan");
}

static void elements_alone_and_bytes_are_messages_too() {
  const name numbers("elements");
  producer<io_shared::slice<float>> put(numbers);
  consumer<io_shared::slice<float>> get(numbers);
  const float values[] = {1, 2, 3};
  put.put(values);
  EXPECT(get.get(10s).elements()[2] == 3);
  auto loan = put.loan(4);
  loan.elements()[3] = 5;
  loan.put();
  consumer<io_shared::bytes> any(numbers);
  EXPECT(any.get(10s).elements().size() == 16 && any.schema() == "{\"slice\":\"<f4\"}");

  const name raw("bytes");
  producer<io_shared::bytes> bytes(raw);
  bytes.put_tagged(std::vector<std::byte>(3, std::byte{7}), 9);
  io_shared::observer<io_shared::bytes> look(raw);
  EXPECT(look.copy()->elements()[2] == std::byte{7} && look.copy()->tag() == 9);

  const name number("number");
  producer<double> speed(number);
  consumer<double> meter(number);
  speed.put(1.5);
  EXPECT(*meter.get(10s) == 1.5);
}

static void earlier_values_and_tags_are_found() {
  const name drives("history");
  producer<Drive> put(drives, options().history(4));
  consumer<Drive> get(drives);
  io_shared::observer<Drive> look(drives);
  EXPECT(!look.copy() && !look.try_wait(1ms) && look.seq() == 0 && !look.field("speed"));
  EXPECT(ERROR_OF(io_shared::timeout_error, look.wait(1ms)).status() == IOS_TIMEOUT);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    put.put_tagged({static_cast<float>(i), robot::Reverse, {}}, 10 * i);
  }
  put.put_numbered({4, robot::Forward, {true, false, true}}, 9, 5ns, 40);
  std::map<std::uint64_t, float> all;
  for (auto one = get.since(0); one; one = get.since(one->seq())) all[one->seq()] = (*one)->speed;
  EXPECT((all == std::map<std::uint64_t, float>{{1, 1}, {2, 2}, {3, 3}, {9, 4}}));
  EXPECT(get.get(10s).seq() == 9);
  EXPECT(get.latest()->seq() == 9);
  EXPECT((*get.tagged(20))->speed == 2 && !get.tagged(21) && !get.tagged(21, 1ms));
  EXPECT((*look.tagged(30))->gear == robot::Reverse && look.since(3)->missed() == 5);
  EXPECT(look.wait(10s)->brakes[2] && look.seq() == 9 && look.producer()->pid != 0);
  const auto gear = look.field("gear");
  EXPECT(gear->json == "\"Forward\"" && gear->number == 1 && gear->seq == 9 && gear->tag == 40);
  EXPECT(std::isnan(look.field("brakes")->number) && look.name() == drives);
  SAYS(ERROR_OF(io_shared::bad_option_error, look.field("no")), "no");
}

static void waits_are_ended_and_shared() {
  const name one("one"), two("two");
  consumer<float> first(one);
  consumer<Drive> second(two);
  const auto none = io_shared::wait_any({&first, &second}, 0s);
  EXPECT(!none[0] && !none[1] && !io_shared::wait_any({&first, &second}, 1ms)[1]);
  std::thread putter([&] {
    std::this_thread::sleep_for(20ms);
    producer<Drive>(two).put({});
  });
  const auto ready = io_shared::wait_any({&first, &second}, 10s);
  putter.join();
  EXPECT(!ready[0] && ready[1] && second.try_get());

  std::thread interrupter([&] { first.interrupt(); });
  EXPECT(ERROR_OF(io_shared::interrupted_error, first.get(10s)).status() == IOS_INTERRUPTED);
  interrupter.join();
  first.interrupt();
  EXPECT(ERROR_OF(io_shared::interrupted_error, io_shared::wait_any({&first}, 10s)).name()[4] ==
         'I');
  producer<float> put(one);
  put.interrupt();
  put.put(1);
  EXPECT(ERROR_OF(io_shared::interrupted_error, put.wait_taken(10s)).status() == IOS_INTERRUPTED);

  pollfd look = {first.ready_fd(), POLLIN, 0};
  EXPECT(poll(&look, 1, 10'000) == 1 && *first.try_get().value() == 1);
  EXPECT(!first.try_get() && poll(&look, 1, 0) == 0);
  consumer<float> lost(one, options().requires_producer(true));
  lost.get(1s);
  put.close();
  EXPECT(ERROR_OF(io_shared::no_producer_error, lost.get(10s)).status() == IOS_NO_PRODUCER);
}

static void locations_are_names_files_and_descriptors() {
  const std::string path = "/tmp/" + prefix.substr(1) + "file";
  const auto file = io_shared::location::file(path);
  producer<float>(file).put(2.5F);
  producer<float> again(file);
  again.sync();
  EXPECT(**consumer<float>(file).latest() == 2.5F);
  EXPECT(std::remove(path.c_str()) == 0);
  producer<float> hidden(io_shared::location::anonymous());
  hidden.put(3);
  consumer<float> passed(io_shared::location::descriptor(hidden.fd()));
  EXPECT(*passed.get(10s) == 3);
}

static void options_are_those_of_c() {
  options how;
  how.consumers(3).holds(4).history(5).consumer_name("viewer").mode(0640).handles(6);
  how.open_timeout(7ms).wait_for_role(io_shared::timeout::forever()).stamps(false).prefault(true);
  how.reopen(false).ephemeral(true).replace(true).requires_producer(true).extend(true);
  how.capacity("2K").growing(true);
  const auto look = [&](const ios_options* raw) {
    EXPECT(raw->consumers == 3 && raw->holds == 4 && raw->history == 5 && raw->handles == 6);
    EXPECT(raw->consumer_name == std::string("viewer") && raw->mode == 0640);
    EXPECT(raw->open_timeout == 7'000'000 && raw->wait_for_role == -1 && raw->capacity == 2048);
    EXPECT(raw->flags == (IOS_NO_STAMPS | IOS_PREFAULT | IOS_NO_REOPEN | IOS_EPHEMERAL |
                          IOS_REPLACE | IOS_REQUIRES_PRODUCER | IOS_EXTEND | IOS_GROWING));
    EXPECT(raw->name == std::string("/x") && raw->schema == std::string("s") && raw->fd == -1);
    return IOS_OK;
  };
  EXPECT(how.with("/x", "s", false, look) == IOS_OK);
  const auto plain = [](const ios_options* raw) {
    EXPECT(raw->flags == 0 && raw->open_timeout == -1 && raw->capacity == 9 && !raw->schema);
    EXPECT(!raw->name && raw->file == std::string("/f"));
    return IOS_OK;
  };
  const auto file = io_shared::location::file("/f");
  EXPECT(options().capacity(9).with(file, "", true, plain) == IOS_OK);

  using io_shared::timeout;
  const auto of = [](timeout most) { return most.nanoseconds(); };
  EXPECT(of(-1s) == 0 && of(0s) == 0 && of(1ms) == 1'000'000 && of(timeout::forever()) == -1);
  EXPECT(of(std::chrono::hours::max()) == INT64_MAX && of(std::chrono::hours::min()) == 0);
  EXPECT(of(std::chrono::duration<double>(NAN)) == 0);
  EXPECT(of(std::chrono::duration<double>(HUGE_VAL)) == INT64_MAX);
  EXPECT(of(std::chrono::duration<double, std::nano>(0.1)) == 1);
}

static void values_convert() {
  io_shared::text<4> text = "abcd";
  EXPECT(text == "abcd" && text.str().size() == 4 && text != "abc");
  text = "x";
  EXPECT(text == "x" && !io_shared::text<4>::from("abcde") && io_shared::text<4>::from("ab"));
  EXPECT(!io_shared::text<4>::from(std::string_view("a\0b", 3)));
  EXPECT(io_shared::text<3>::truncated("Gr\u00f6\u00dfe") == "Gr");
  EXPECT(io_shared::text<4>::truncated("Gr\u00f6\u00dfe") == "Gr\u00f6");
  const char field[4] = {'a', 'b', '\0', 'c'};
  EXPECT(io_shared::text_in(field) == "ab");

  using io_shared::f16;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = f16::from_bits(static_cast<std::uint16_t>(bits));
    const float number = half;
    if (std::isnan(number)) {
      EXPECT((bits & 0x7fff) > 0x7c00 && std::isnan(static_cast<float>(f16(number))));
      continue;
    }
    EXPECT(f16(number).bits == bits);
    if ((bits & 0x7fff) >= 0x7bff || (bits & 0x8000) != 0) continue;
    // Half way to the next number it is the even one, and else the nearer.
    const float next = f16::from_bits(static_cast<std::uint16_t>(bits + 1));
    const float middle = number + (next - number) / 2;
    EXPECT(f16(middle).bits == (bits % 2 == 0 ? bits : bits + 1));
    EXPECT(f16(std::nextafter(middle, 0.0F)).bits == bits);
    EXPECT(f16(std::nextafter(middle, 1e9F)).bits == bits + 1);
  }
  EXPECT(std::isinf(f16(65520.0F)) && f16(65519.0F) == 65504.0F && f16(1.5F) == 1.5F);
  EXPECT(f16(-HUGE_VALF).bits == 0xfc00 && f16(1e-10F).bits == 0);

  const io_shared::duration_ns exposure = 8ms;
  EXPECT(exposure.nanoseconds == 8'000'000 && std::chrono::nanoseconds(exposure) == 8ms);
  EXPECT(io_shared::duration_ns(-1ns).nanoseconds == 0);
  const auto now = std::chrono::time_point_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now());
  const io_shared::system_time_ns stamp = now;
  EXPECT(std::chrono::system_clock::time_point(stamp) == now && stamp.nanoseconds > 0);
}

static void views_are_those_of_containers_and_spans() {
  std::vector<int> numbers = {1, 2, 3};
  const io_shared::view<const int> all = numbers;
  EXPECT(all.size() == 3 && all.front() == 1 && all.back() == 3 && all.size_bytes() == 12);
  EXPECT(all.subview(1).size() == 2 && all.subview(1, 1)[0] == 2 && all.subview(9).empty());
  io_shared::view writable(numbers);
  writable[0] = 5;
  EXPECT(numbers[0] == 5);
#if __cplusplus >= 202002L
  const std::span<const int> span = all;
  EXPECT(span.size() == 3 && span.data() == all.data());
  EXPECT(io_shared::view<const int>(span).size() == 3);
  const std::span<const int> returned = all.subview(1);  // of a temporary view
  EXPECT(returned[0] == 2 && std::accumulate(returned.begin(), returned.end(), 0) == 5);
#endif
}

int main(int count, char** arguments) {
  EXPECT(count == 2);
  prefix = arguments[1];
  two_lines_a_side();
  loans_are_filled_in_place_and_grow();
  exceptions_give_back_loans_and_guards();
  errors_have_classes_codes_and_texts();
  structs_that_differ_are_told_by_field_and_new_fields_are_no_difference();
  lists_are_filled_and_read_in_place();
  elements_alone_and_bytes_are_messages_too();
  earlier_values_and_tags_are_found();
  waits_are_ended_and_shared();
  locations_are_names_files_and_descriptors();
  options_are_those_of_c();
  values_convert();
  views_are_those_of_containers_and_spans();
  std::puts("all of it holds");
  return 0;
}
