// Prints the schemas of C structs, which c_schema.rs compares with those of Rust's: one for each
// line. With an argument it prints what is wrong with structs that cannot be messages.

#include <stdio.h>

#include "io_shared.h"

typedef struct {
  uint64_t a;
  int64_t b;
  double c;
  uint32_t d;
  int32_t e;
  float f;
  uint16_t g;
  int16_t h;
  uint8_t i;
  int8_t j;
  bool k;
  bool l[5];
} Numbers;
IOS_MESSAGE(Numbers, IOS_FIELD(Numbers, u64, a), IOS_FIELD(Numbers, i64, b),
            IOS_FIELD(Numbers, f64, c), IOS_FIELD(Numbers, u32, d), IOS_FIELD(Numbers, i32, e),
            IOS_FIELD(Numbers, f32, f), IOS_FIELD(Numbers, u16, g), IOS_FIELD(Numbers, i16, h),
            IOS_FIELD(Numbers, u8, i), IOS_FIELD(Numbers, i8, j), IOS_FIELD(Numbers, bool, k),
            IOS_ARRAY(Numbers, bool, l));

#define ROWS 2

typedef struct {
  float x, y;
} Point;
typedef char Name[12];
typedef int16_t Level;
typedef struct {
  Point corners[ROWS];
  double turn[3][4];
  uint8_t cube[ROWS][1][4];
  Name name;
  Name others[1];
  Level level;
  Level levels[3];
} Nested;
IOS_MESSAGE(Point, IOS_FIELD(Point, f32, x), IOS_UNIT("m"), IOS_FIELD(Point, f32, y));
IOS_TEXT(Name, 12);
IOS_ENUM(Level, i16, IOS_VARIANT(Low, -1), IOS_VARIANT(Middle, 0), IOS_VARIANT(High, 300));
IOS_MESSAGE(Nested, IOS_ARRAY(Nested, Point, corners), IOS_ARRAY2(Nested, f64, turn),
            IOS_ARRAY3(Nested, u8, cube), IOS_TEXT_FIELD(Nested, name),
            IOS_ARRAY(Nested, Name, others), IOS_FIELD(Nested, Level, level),
            IOS_ARRAY(Nested, Level, levels));

typedef float Box[4];
typedef struct {
  uint64_t frame;
  Point origin;
  ios_list boxes;
  ios_list names;
  ios_list points;
  IOS_ND_LIST_OF(3) image;
  Level level;
  bool valid;
} Detections;
IOS_ARRAY_TYPE(Box, f32, 4);
IOS_MESSAGE(Detections, IOS_FIELD(Detections, u64, frame), IOS_FIELD(Detections, Point, origin),
            IOS_LIST(Detections, Box, boxes), IOS_LIST(Detections, Name, names),
            IOS_LIST(Detections, Point, points), IOS_ND_LIST(Detections, u8, image),
            IOS_FIELD(Detections, Level, level), IOS_FIELD(Detections, bool, valid),
            IOS_DATA(data));

typedef struct {
  uint16_t a;
  uint16_t b[2];
} Halves;
IOS_MESSAGE(Halves, IOS_FIELD(Halves, f16, a), IOS_ARRAY(Halves, f16, b));

// Names that C cannot have. A macro of the program may have the name of a variant.
typedef uint8_t Sort;
typedef struct {
  uint32_t class_;
  Sort static_;
  uint8_t plain[3];
  ios_list return_;
} Words;
IOS_ENUM(Sort, u8, IOS_VARIANT(default, 0), IOS_VARIANT(ROWS, 1));
IOS_MESSAGE(Words, IOS_FIELD(Words, u32, class_), IOS_NAMED("class"), IOS_UNIT("1"),
            IOS_FIELD(Words, Sort, static_), IOS_NAMED("static"), IOS_ARRAY(Words, u8, plain),
            IOS_LIST(Words, Point, return_), IOS_UNIT("m"), IOS_NAMED("return"), IOS_DATA(data));

#ifndef __cplusplus
typedef struct {
  uint64_t frame;
  Point points[];
} Cloud;
IOS_MESSAGE(Cloud, IOS_FIELD(Cloud, u64, frame), IOS_TAIL(Cloud, Point, points));
#endif

typedef struct {
  uint8_t a;
  uint32_t b;
} Gap;
IOS_MESSAGE(Gap, IOS_FIELD(Gap, u8, a), IOS_FIELD(Gap, u32, b));
typedef struct {
  uint32_t a;
  uint8_t b;
} End;
IOS_MESSAGE(End, IOS_FIELD(End, u32, a), IOS_FIELD(End, u8, b));
typedef struct {
  uint32_t a[2];
} Array;
IOS_MESSAGE(Array, {"a", &ios_type_u32, offsetof(Array, a), sizeof(uint32_t[2]), {0, 0, 0},
                    IOS_MEMBER_FIELD});
IOS_ENUM(NoZero, u8, IOS_VARIANT(One, 1));
typedef struct {
  ios_list flags;
} Flags;
IOS_MESSAGE(Flags, IOS_LIST(Flags, bool, flags), IOS_DATA(data));

typedef struct {
  ios_list numbers;
  uint64_t frame;
} Unlisted;
IOS_MESSAGE(Unlisted, IOS_LIST(Unlisted, u8, numbers), IOS_DATA(data));

typedef struct {
  float x;
} First;
IOS_MESSAGE(First, IOS_UNIT("m"), IOS_FIELD(First, f32, x));

typedef struct {
  float x;
} Unnamed;
IOS_MESSAGE(Unnamed, IOS_NAMED("class"), IOS_FIELD(Unnamed, f32, x));

static void print(const ios_type *type) {
  char *schema;
  if (ios_schema_of(type, &schema) != IOS_OK) {
    printf("%s\n", ios_last_error());
    return;
  }
  printf("%s\n", schema);
  ios_text_free(schema);
}

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1) {
    print(&ios_type_Gap);
    print(&ios_type_End);
    print(&ios_type_Array);
    print(&ios_type_NoZero);
    print(&ios_type_Flags);
    print(&ios_type_Unlisted);
    print(&ios_type_First);
    print(&ios_type_Unnamed);
    print(NULL);
    return 0;
  }
  print(&ios_type_Numbers);
  print(&ios_type_Nested);
  print(&ios_type_Detections);
  print(&ios_type_f32);
  print(&ios_type_Box);
  print(&ios_type_Halves);
  print(&ios_type_Words);
#ifndef __cplusplus
  print(&ios_type_Cloud);
#endif
  return 0;
}
