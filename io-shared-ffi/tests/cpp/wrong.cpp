// What does not compile. After `//: ` stands what the compiler says, for tests/cpp_schema.rs.

#include <string>
#include <vector>

#include "io_shared.hpp"

struct Pointer {
  const float* points;
};
//: io_shared: Pointer.points is a pointer or a reference, which means nothing in another process
IO_SHARED_MESSAGE(Pointer, points);

struct Owner {
  std::string name;
  std::vector<float> points;
};
//: io_shared: Owner.name is not trivially copyable, so its bytes are not all of it: use
//: io_shared: Owner.points is not trivially copyable
IO_SHARED_MESSAGE(Owner, name, points);

struct Character {
  char one;
};
//: io_shared: Character.one is a character: use std::uint8_t
IO_SHARED_MESSAGE(Character, one);

struct Wide {
  long double number;
};
//: io_shared: Wide.number is a long double
IO_SHARED_MESSAGE(Wide, number);

struct Unknown {
  float x;
};
enum class Mode : std::uint8_t { Idle };
struct Undescribed {
  Unknown inner;
  Mode mode;
};
//: io_shared: the type of Undescribed.inner is not described: put IO_SHARED_MESSAGE
//: io_shared: the type of Undescribed.mode is not described
IO_SHARED_MESSAGE(Undescribed, inner, mode);

struct Gap {
  std::uint8_t id;
  std::uint32_t at;
};
//: io_shared: there is padding before Gap.at, or a member before it is not listed
IO_SHARED_MESSAGE(Gap, id, at);

struct Order {
  std::uint32_t a, b;
};
//: io_shared: there is padding before Order.b, or a member before it is not listed, or they
IO_SHARED_MESSAGE(Order, b, a);

struct End {
  std::uint32_t at;
  std::uint8_t id;
};
//: io_shared: End ends in padding, or its last member is not listed
IO_SHARED_MESSAGE(End, at, id);

struct Forgotten {
  std::uint32_t a, b;
};
//: io_shared: Forgotten ends in padding, or its last member is not listed
IO_SHARED_MESSAGE(Forgotten, a);

struct Unlisted {
  io_shared::list<float> numbers;
  std::uint64_t frame;
};
//: io_shared: Unlisted ends in padding, or its last member is not listed
IO_SHARED_MESSAGE(Unlisted, numbers);

struct Virtual {
  float x;
  virtual ~Virtual() = default;
};
//: io_shared: Virtual has no standard layout
//: io_shared: Virtual has a destructor
IO_SHARED_MESSAGE(Virtual, x);

enum class NoZero : std::uint8_t { One = 1 };
//: io_shared: no variant of NoZero has the number 0
IO_SHARED_ENUM(NoZero, One);

enum class Large : std::uint64_t { Zero };
//: io_shared: Large is not stored as a number of 8 to 32 bits
IO_SHARED_ENUM(Large, Zero);

enum class Known : std::uint8_t { Zero };
IO_SHARED_ENUM(Known, Zero);
struct Switch {
  bool on;
};
IO_SHARED_MESSAGE(Switch, on);
struct Flags {
  io_shared::list<bool> flags;
  io_shared::list<Known> known;
  io_shared::nd_list<Switch, 2> switches;
};
//: io_shared: the elements of Flags.flags have a bool or an enum: store the number
//: io_shared: the elements of Flags.known have a bool or an enum
//: io_shared: the elements of Flags.switches have a bool or an enum
IO_SHARED_MESSAGE(Flags, flags, known, switches);

struct Narrow {
  std::uint32_t frame;
};
IO_SHARED_MESSAGE(Narrow, frame);
//: io_shared: there is padding before Narrow.points: add a member
IO_SHARED_TAIL(Narrow, points, double);

struct Early {
  std::uint32_t frame;
};
//: io_shared: put IO_SHARED_MESSAGE(Early, ..) before IO_SHARED_TAIL
IO_SHARED_TAIL(Early, points, float);

struct Both {
  io_shared::list<float> numbers;
};
IO_SHARED_MESSAGE(Both, numbers);
//: io_shared: Both has lists: make the tail points a list too
IO_SHARED_TAIL(Both, points, float);

struct Fixed {
  std::uint32_t frame;
};
IO_SHARED_MESSAGE(Fixed, frame);

void calls(io_shared::producer<Fixed>& fixed, io_shared::producer<Both>& lists,
           io_shared::consumer<Fixed>& consumer) {
  //: io_shared: the message has no tail
  static_cast<void>(fixed.loan(3));
  //: io_shared: put(fields, elements) puts a message with a tail, and loan(sizes)
  static_cast<void>(lists.put({}));
  //: io_shared: say how many elements the message has
  static_cast<void>(lists.loan());
  //: io_shared: the message has no tail: IO_SHARED_TAIL adds one
  static_cast<void>(consumer.get().elements());
  //: io_shared: the text is longer than the field
  static_cast<void>(io_shared::text<2>("abc"));
  //: io_shared: describe the struct with IO_SHARED_MESSAGE(T, members) next to it
  static_cast<void>(io_shared::schema<Unknown>());
}
