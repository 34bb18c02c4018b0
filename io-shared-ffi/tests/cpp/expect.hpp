// Assertions for the programs of the tests: one that fails prints where, and ends the program.

#ifndef EXPECT_HPP
#define EXPECT_HPP

#include <cstdio>
#include <cstdlib>

#define EXPECT(condition)                                                                     \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);            \
      std::exit(1);                                                                           \
    }                                                                                         \
  } while (false)

// The error of that class which an expression throws.
#define ERROR_OF(type, ...)                                                                   \
  [&]() -> type {                                                                             \
    try {                                                                                     \
      static_cast<void>(__VA_ARGS__);                                                         \
    } catch (const type& error) {                                                             \
      return error;                                                                           \
    } catch (const io_shared::error& error) {                                                 \
      std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, error.name(), error.what()); \
      std::exit(1);                                                                           \
    }                                                                                         \
    std::fprintf(stderr, "%s:%d: no error: %s\n", __FILE__, __LINE__, #__VA_ARGS__);          \
    std::exit(1);                                                                             \
  }()

#define SAYS(error, text) EXPECT(std::string((error).what()).find(text) != std::string::npos)

#endif
