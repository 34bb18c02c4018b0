// Prints a part of a channel's newest value as JSON: field CHANNEL PATH
//
// The tests of the bridges to ROS read what came from there with it.

#include <stdio.h>

#include "io_shared.h"

static int failed(ios_status status) {
  fprintf(stderr, "field: %s: %s\n", ios_status_name(status), ios_last_error());
  return 1;
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: field CHANNEL PATH\n");
    return 2;
  }
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = arguments[1];
  ios_observer *observer;
  ios_status status = ios_observer_open(&options, &observer);
  if (status != IOS_OK) {
    return failed(status);
  }
  ios_field field;
  status = ios_observer_field(observer, arguments[2], &field);
  if (status != IOS_OK) {
    return failed(status);
  }
  printf("%s\n", field.json);
  ios_text_free(field.json);
  ios_observer_close(observer);
  return 0;
}
