// Puts a robot's pose ten times a second, until Ctrl-C. get.c prints them.
//
//   cc put.c $(pkg-config --cflags --libs io-shared) -lm -o put

#include <math.h>
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
  for (double heading = 0; status == IOS_OK; heading += 0.1) {
    Pose pose = {cos(heading), sin(heading), heading};
    status = ios_producer_put(producer, &pose, sizeof pose, NULL); // never waits
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
  }
  fprintf(stderr, "put: %s\n", ios_last_error());
  return 1;
}
