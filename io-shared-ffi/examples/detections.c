// What was found in an image goes into one message, with the image: boxes, names and pixels.
//
//   cc detections.c $(pkg-config --cflags --libs io-shared) -o detections
//
// Both ends are in this program; in two programs they would look the same. detections.h has the
// struct, and relay.c hands such messages on.

#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "detections.h"

static void check(ios_status status) {
  if (status != IOS_OK) {
    fprintf(stderr, "detections: %s: %s\n", ios_status_name(status), ios_last_error());
    exit(1);
  }
}

static void detect(ios_producer *detector) {
  size_t sizes[] = {2, 2, 480, 640, 3}; // boxes, names, and rows, columns, colours
  ios_loan *loan;
  void *data, *boxes, *names, *image; // in shared memory, zeros
  size_t count, shape[3];
  check(ios_producer_loan_lists(detector, sizes, 5, &loan, &data));
  check(ios_loan_list(loan, offsetof(Detections, boxes), sizeof(Box3), &boxes, &count, 1));
  check(ios_loan_list(loan, offsetof(Detections, names), 32, &names, &count, 1));
  check(ios_loan_list(loan, offsetof(Detections, image), 1, &image, shape, 3));

  Detections *out = data;
  out->header = (Header){.stamp_ns = 7000000, .frame_id = "front"};
  out->source = Camera_Front;
  out->valid = true;
  ((Box3 *)boxes)[0] = (Box3){.x = 10, .y = 2, .z = 0, .score = 0.75f};
  ((Box3 *)boxes)[1] = (Box3){.x = 30, .y = -4, .z = 0, .score = 0.5f};
  strcpy(names, "pedestrian");
  strcpy((char *)names + 32, "car");
  memset(image, 128, shape[0] * shape[1] * shape[2]);
  check(ios_loan_put(loan, IOS_WHOLE, NULL));
}

static void show(ios_consumer *viewer) {
  ios_value value;
  const void *boxes, *names, *image;
  size_t count, shape[3];
  check(ios_consumer_get(viewer, 10000000000, &value)); // waits for at most 10 s
  ios_guard *guard = value.guard;                        // read where it lies
  check(ios_guard_list(guard, offsetof(Detections, names), 32, &names, &count, 1));
  check(ios_guard_list(guard, offsetof(Detections, boxes), sizeof(Box3), &boxes, &count, 1));
  check(ios_guard_list(guard, offsetof(Detections, image), 1, &image, shape, 3));

  const Detections *found = value.data;
  printf("%s at %" PRIu64 " ns, an image of %zu x %zu x %zu\n", found->header.frame_id,
         found->header.stamp_ns, shape[0], shape[1], shape[2]);
  for (size_t i = 0; i < count; i++) {
    const Box3 *box = (const Box3 *)boxes + i;
    printf("%s at (%g, %g, %g) m, score %g\n", (const char *)names + 32 * i, box->x, box->y,
           box->z, box->score);
  }
  ios_guard_drop(guard);
}

int main(void) {
  char name[64], *schema;
  snprintf(name, sizeof name, "/detections-%d", (int)getpid());
  check(ios_schema_of(&ios_type_Detections, &schema));
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = name;
  options.schema = schema;
  options.flags = IOS_GROWING; // the first put makes room for the image

  ios_producer *detector;
  ios_consumer *viewer;
  check(ios_producer_open(&options, &detector));
  check(ios_consumer_open(&options, &viewer));
  detect(detector);
  show(viewer);

  ios_consumer_close(viewer);
  ios_producer_close(detector);
  ios_text_free(schema);
  check(ios_channel_remove(name));
  return 0;
}
