// Prints the poses that put.c puts, until Ctrl-C.
//
//   cc get.c $(pkg-config --cflags --libs io-shared) -o get

#include <inttypes.h>
#include <stdio.h>

#include "io_shared.h"
#include "pose.h"

int main(void) {
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = "/pose";
  char *schema;
  if (ios_schema_of(&ios_type_Pose, &schema) != IOS_OK) return 1;
  options.schema = schema;

  ios_consumer *consumer;
  ios_value value;
  ios_status status = ios_consumer_open(&options, &consumer);
  // Waits for a pose that this program has not seen yet.
  while (status == IOS_OK && (status = ios_consumer_get(consumer, -1, &value)) == IOS_OK) {
    const Pose *pose = value.data;
    printf("%" PRIu64 ": x %.2f m, y %.2f m, heading %.1f rad, ", value.seq, pose->x, pose->y,
           pose->heading);
    printf("missed %" PRIu64 "\n", value.missed);
    fflush(stdout);
    ios_guard_drop(value.guard); // the producer may use its buffer again
  }
  fprintf(stderr, "get: %s\n", ios_last_error());
  return 1;
}
