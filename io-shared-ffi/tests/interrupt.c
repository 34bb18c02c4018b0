// Waits for a value until a signal has come COUNT times: interrupt NAME COUNT

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "io_shared.h"

static ios_consumer *consumer;
static volatile sig_atomic_t came;

static void on_signal(int number) {
  (void)number;
  came = 1;
  ios_interrupt(consumer);
}

static void check(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "%s: %s\n", what, ios_last_error());
    exit(1);
  }
}

int main(int argc, char **argv) {
  check(argc == 3, "usage: interrupt NAME COUNT");
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = argv[1];
  options.schema = "\"<u8\"";
  options.capacity = 8;
  check(ios_consumer_open(&options, &consumer) == IOS_OK, "open");
  struct sigaction action = {0};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  check(sigaction(SIGINT, &action, NULL) == 0, "sigaction");
  for (int i = atoi(argv[2]); i > 0; i--) {
    ios_value value;
    ios_status status = ios_consumer_get(consumer, -1, &value);
    check(status == IOS_INTERRUPTED, ios_status_name(status));
    check(came, "the handler has run");
    came = 0;
    puts("interrupted");
    fflush(stdout);
  }
  ios_consumer_close(consumer);
  ios_interrupt(NULL);
  return 0;
}
