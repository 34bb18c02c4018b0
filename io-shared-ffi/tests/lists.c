// Puts and gets messages with lists in one process: lists NAME. Run by memory.rs under the address
// sanitizer and under valgrind.

#include <string.h>

#include "common/expect.h"
#include "io_shared.h"

typedef struct {
  float x, y, w, h;
} Box;
typedef struct {
  uint64_t frame;
  ios_list boxes;
  ios_list names;
  IOS_ND_LIST_OF(3) image;
  bool valid;
} Seen;
IOS_TEXT(Name, 16);
IOS_MESSAGE(Box, IOS_FIELD(Box, f32, x), IOS_FIELD(Box, f32, y), IOS_FIELD(Box, f32, w),
            IOS_FIELD(Box, f32, h));
IOS_MESSAGE(Seen, IOS_FIELD(Seen, u64, frame), IOS_LIST(Seen, Box, boxes),
            IOS_LIST(Seen, Name, names), IOS_ND_LIST(Seen, u8, image),
            IOS_FIELD(Seen, bool, valid), IOS_DATA(data));

static uint64_t fill(ios_producer *producer, uint64_t frame) {
  size_t sizes[] = {frame % 5, 2, frame, 4, 3};
  ios_loan *loan;
  void *data, *boxes, *names, *image;
  size_t count, shape[3];
  EXPECT(ios_producer_loan_lists(producer, sizes, 5, &loan, &data), IOS_OK);
  Seen *seen = data;
  seen->frame = frame;
  seen->valid = frame % 2;
  EXPECT(ios_loan_list(loan, offsetof(Seen, boxes), sizeof(Box), &boxes, &count, 1), IOS_OK);
  EXPECT_TRUE(count == frame % 5 && (count > 0 || boxes == NULL));
  for (size_t i = 0; i < count; i++) ((Box *)boxes)[i] = (Box){(float)i, (float)frame, 1, 2};
  EXPECT(ios_loan_list(loan, offsetof(Seen, names), 16, &names, &count, 1), IOS_OK);
  EXPECT_TRUE(count == 2);
  memset(names, 0, 32);
  strcpy(names, "car");
  strcpy((char *)names + 16, "a_bicycle_rider");
  EXPECT(ios_loan_list(loan, offsetof(Seen, image), 1, &image, shape, 3), IOS_OK);
  EXPECT_TRUE(shape[0] == frame && shape[1] == 4 && shape[2] == 3);
  if (shape[0] > 0) memset(image, (int)frame, shape[0] * 12);
  EXPECT(ios_loan_list(loan, offsetof(Seen, image), 1, &image, shape, 1), IOS_BAD_OPTION);
  uint64_t seq;
  EXPECT(ios_loan_put(loan, IOS_WHOLE, &seq), IOS_OK);
  return seq;
}

static void read_back(const ios_value *value, uint64_t frame) {
  const Seen *seen = value->data;
  const void *boxes, *names, *image;
  size_t count, shape[3];
  EXPECT_TRUE(seen->frame == frame && seen->valid == frame % 2);
  EXPECT(ios_guard_list(value->guard, offsetof(Seen, boxes), sizeof(Box), &boxes, &count, 1),
         IOS_OK);
  EXPECT_TRUE(count == frame % 5);
  for (size_t i = 0; i < count; i++) {
    const Box *box = (const Box *)boxes + i;
    EXPECT_TRUE(box->x == (float)i && box->y == (float)frame && box->h == 2);
  }
  EXPECT(ios_guard_list(value->guard, offsetof(Seen, names), 16, &names, &count, 1), IOS_OK);
  EXPECT_TRUE(count == 2 && strcmp((const char *)names + 16, "a_bicycle_rider") == 0);
  EXPECT(ios_guard_list(value->guard, offsetof(Seen, image), 1, &image, shape, 3), IOS_OK);
  EXPECT_TRUE(shape[0] == frame);
  for (size_t i = 0; i < shape[0] * 12; i++) {
    EXPECT_TRUE(((const uint8_t *)image)[i] == (uint8_t)frame);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  char *schema;
  EXPECT(ios_schema_of(&ios_type_Seen, &schema), IOS_OK);
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = argv[1];
  options.schema = schema;
  options.flags = IOS_GROWING;
  ios_producer *producer;
  ios_consumer *consumer;
  ios_observer *observer;
  EXPECT(ios_producer_open(&options, &producer), IOS_OK);
  options.flags = 0;
  EXPECT(ios_consumer_open(&options, &consumer), IOS_OK);
  EXPECT(ios_observer_open(&options, &observer), IOS_OK);
  char *declared;
  EXPECT(ios_schema_to_c(schema, &declared), IOS_OK);
  EXPECT_TRUE(strstr(declared, "ios_list boxes;") != NULL);
  ios_text_free(declared);
  ios_text_free(schema);
  for (uint64_t frame = 0; frame < 600; frame += 1 + frame / 4) {
    ios_value held, copy, late;
    uint64_t seq = fill(producer, frame);
    EXPECT(ios_consumer_get(consumer, 5000000000, &held), IOS_OK);
    // After a growth, the last value of the old region may come first.
    while (held.seq < seq) {
      ios_guard_drop(held.guard);
      EXPECT(ios_consumer_get(consumer, 5000000000, &held), IOS_OK);
    }
    read_back(&held, frame);
    EXPECT(ios_observer_copy(observer, &copy), IOS_OK);
    EXPECT(ios_consumer_tagged(consumer, 0, 0, &late), IOS_OK);
    fill(producer, frame + 1);
    read_back(&held, frame);
    read_back(&copy, frame);
    read_back(&late, frame);
    // Bytes that name a list which is not there are not put.
    uint64_t bytes[12] = {frame, 4096, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    EXPECT(ios_producer_put(producer, bytes, sizeof bytes, NULL), IOS_BAD_VALUE);
    ios_guard_drop(held.guard);
    ios_guard_drop(copy.guard);
    ios_guard_drop(late.guard);
  }
  ios_observer_close(observer);
  ios_consumer_close(consumer);
  ios_producer_close(producer);
  EXPECT(ios_channel_remove(argv[1]), IOS_OK);
  return 0;
}
