// Assertions for the C programs of the tests: a failed one prints where, and ends the program.

#ifndef EXPECT_H
#define EXPECT_H

#include <stdio.h>
#include <stdlib.h>

#include "io_shared.h"

#define EXPECT(status, expected)                                                              \
  do {                                                                                        \
    ios_status found = (status);                                                              \
    if (found != (expected)) {                                                                \
      fprintf(stderr, "%s:%d: %s is %s: %s\n", __FILE__, __LINE__, #status,                   \
              ios_status_name(found), ios_last_error());                                      \
      exit(1);                                                                                \
    }                                                                                         \
  } while (0)

#define EXPECT_TRUE(condition)                                                                \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                 \
      exit(1);                                                                                \
    }                                                                                         \
  } while (0)

#endif
