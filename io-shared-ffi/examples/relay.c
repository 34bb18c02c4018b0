// Hands detections on, in place on both sides: relay FROM TO COUNT. Each box moves by 1 m, one hop
// is counted, and the first pixel says which hop it was.
//
//   cc relay.c $(pkg-config --cflags --libs io-shared) -o relay

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detections.h"

static void check(ios_status status) {
  if (status != IOS_OK) {
    fprintf(stderr, "relay: %s: %s\n", ios_status_name(status), ios_last_error());
    exit(1);
  }
}

static void hand_on(const ios_value *value, ios_producer *producer) {
  const Detections *seen = value->data;
  const void *boxes, *names, *image;
  size_t box_count, name_count, shape[3];
  check(ios_guard_list(value->guard, offsetof(Detections, boxes), sizeof(Box3), &boxes,
                       &box_count, 1));
  check(ios_guard_list(value->guard, offsetof(Detections, names), 32, &names, &name_count, 1));
  check(ios_guard_list(value->guard, offsetof(Detections, image), 1, &image, shape, 3));

  // A message with as many elements, in shared memory.
  size_t sizes[] = {box_count, name_count, shape[0], shape[1], shape[2]};
  ios_loan *loan;
  void *data, *out_boxes, *out_names, *out_image;
  size_t count, out_shape[3];
  check(ios_producer_loan_lists(producer, sizes, 5, &loan, &data));
  check(ios_loan_list(loan, offsetof(Detections, boxes), sizeof(Box3), &out_boxes, &count, 1));
  check(ios_loan_list(loan, offsetof(Detections, names), 32, &out_names, &count, 1));
  check(ios_loan_list(loan, offsetof(Detections, image), 1, &out_image, out_shape, 3));

  Detections *out = data;
  out->header = seen->header;
  out->hops = seen->hops + 1;
  out->source = seen->source;
  out->valid = seen->valid;
  for (size_t i = 0; i < box_count; i++) {
    Box3 box = ((const Box3 *)boxes)[i];
    box.x += 1;
    ((Box3 *)out_boxes)[i] = box;
  }
  if (name_count > 0) memcpy(out_names, names, name_count * 32);
  size_t bytes = shape[0] * shape[1] * shape[2];
  if (bytes > 0) {
    memcpy(out_image, image, bytes);
    *(uint8_t *)out_image = (uint8_t)out->hops;
  }
  check(ios_loan_tag(loan, value->tag));
  check(ios_loan_put(loan, IOS_WHOLE, NULL));
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: relay FROM TO COUNT\n");
    return 2;
  }
  char *schema;
  check(ios_schema_of(&ios_type_Detections, &schema));
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.schema = schema;
  options.name = argv[1];
  ios_consumer *consumer;
  check(ios_consumer_open(&options, &consumer));
  options.name = argv[2];
  options.flags = IOS_GROWING;
  ios_producer *producer;
  check(ios_producer_open(&options, &producer));
  ios_text_free(schema);
  for (long i = 0; i < atol(argv[3]); i++) {
    ios_value value;
    check(ios_consumer_get(consumer, 10000000000, &value));
    hand_on(&value, producer);
    ios_guard_drop(value.guard);
  }
  ios_producer_close(producer);
  ios_consumer_close(consumer);
  return 0;
}
