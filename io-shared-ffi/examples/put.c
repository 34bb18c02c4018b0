// Puts the pose of a robot that drives straight on, until Ctrl-C. get.c prints it.
//
//   cc put.c $(pkg-config --cflags --libs io-shared) -o put

#define _POSIX_C_SOURCE 199309L

#include <stdio.h>
#include <time.h>

#include "io_shared.h"
#include "pose.h"

int main(void) {
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = "/pose";
  char *schema;
  if (ios_schema_of(&ios_type_Pose, &schema) != IOS_OK) return 1;
  options.schema = schema;

  ios_producer *producer;
  ios_status status = ios_producer_open(&options, &producer);
  for (double x = 1; status == IOS_OK; x += 0.1) {
    Pose pose = {.x = x, .y = 0, .heading = 0};
    status = ios_producer_put(producer, &pose, sizeof pose, NULL); // never waits
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
  }
  fprintf(stderr, "put: %s\n", ios_last_error());
  return 1;
}
