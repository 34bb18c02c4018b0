// The C program at the other end. It returns arrays as they came and then puts one of its own,
// answers clouds with labels, opens many consumers, or is the server or a client of a service. Run
// by between.rs and by the tests of python/tests. The Rust program with the same commands is
// python/tests/peer.
//
//   peer arrays|clouds THERE BACK COUNT
//   peer join THERE COUNT
//   peer label NAME
//   peer ask NAME COUNT

#include <inttypes.h>
#include <string.h>

#include "../examples/cloud.h"
#include "common/expect.h"
#include "io_shared.h"

#define ARRAY_SCHEMA \
  "{\"struct\":\"Array\",\"size\":0,\"align\":64,\"fields\":[" \
  "{\"name\":\"npy\",\"offset\":0,\"type\":{\"slice\":\"|u1\"}}]}"
#define LABELS_SCHEMA \
  "{\"struct\":\"Labels\",\"size\":16,\"align\":8,\"fields\":[" \
  "{\"name\":\"frame\",\"offset\":0,\"type\":\"<u8\"}," \
  "{\"name\":\"cloud_seq\",\"offset\":8,\"type\":\"<u8\"}," \
  "{\"name\":\"labels\",\"offset\":16,\"type\":{\"slice\":\"<u4\"}}]}"

typedef struct Labels {
  uint64_t frame;
  uint64_t cloud_seq;
  uint32_t labels[];
} Labels;

static ios_options channel(const char *name, const char *schema, const char *capacity) {
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = name;
  options.schema = schema;
  EXPECT(ios_size(capacity, &options.capacity), IOS_OK);
  return options;
}

static ios_consumer *consumer(const char *name, const char *schema) {
  ios_options options = channel(name, schema, "5M");
  ios_consumer *consumer;
  EXPECT(ios_consumer_open(&options, &consumer), IOS_OK);
  return consumer;
}

static ios_producer *producer(const char *name, const char *schema, const char *capacity) {
  ios_options options = channel(name, schema, capacity);
  ios_producer *producer;
  EXPECT(ios_producer_open(&options, &producer), IOS_OK);
  return producer;
}

static void arrays(const char *there, const char *back, uint64_t count) {
  ios_consumer *get = consumer(there, ARRAY_SCHEMA);
  ios_producer *put = producer(back, ARRAY_SCHEMA, "5M");
  ios_value array;
  for (uint64_t i = 0; i < count; i++) {
    EXPECT(ios_consumer_get(get, -1, &array), IOS_OK);
    EXPECT_TRUE(array.length > 10 && memcmp(array.data, "\x93NUMPY", 6) == 0);
    EXPECT(ios_producer_put_tagged(put, array.data, array.length, array.tag, NULL), IOS_OK);
    ios_guard_drop(array.guard);
  }
  // The next array shows that the last one was seen. It is answered by one that NumPy did not make.
  EXPECT(ios_consumer_get(get, -1, &array), IOS_OK);
  ios_guard_drop(array.guard);
  static const char text[] = "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }";
  char npy[128 + 6 * sizeof(uint16_t)];
  memset(npy, ' ', 128);
  memcpy(npy, "\x93NUMPY\1\0\x76\0", 10);
  memcpy(npy + 10, text, sizeof text - 1);
  npy[127] = '\n';
  const uint16_t elements[] = {1, 2, 3, 4, 5, 60000};
  memcpy(npy + 128, elements, sizeof elements);
  EXPECT(ios_producer_put(put, npy, sizeof npy, NULL), IOS_OK);
  ios_consumer_close(get);
  ios_producer_close(put);
}

static void clouds(const char *there, const char *back, uint64_t count) {
  ios_consumer *get = consumer(there, CLOUD_SCHEMA);
  ios_producer *put = producer(back, LABELS_SCHEMA, "1M");
  for (uint64_t i = 0; i < count; i++) {
    ios_value value;
    EXPECT(ios_consumer_get(get, -1, &value), IOS_OK);
    const Cloud *cloud = value.data;
    size_t points = (value.length - offsetof(Cloud, points)) / sizeof(Point);
    size_t length = offsetof(Labels, labels) + points * sizeof(uint32_t);
    ios_loan *loan;
    void *data;
    EXPECT(ios_producer_loan(put, length, &loan, &data), IOS_OK);
    Labels *labels = data;
    labels->frame = cloud->frame;
    labels->cloud_seq = value.seq;
    for (size_t p = 0; p < points; p++) labels->labels[p] = cloud->points[p].z > 1;
    EXPECT(ios_loan_tag(loan, value.seq), IOS_OK);
    ios_guard_drop(value.guard);
    EXPECT(ios_loan_put(loan, length, NULL), IOS_OK);
  }
  ios_consumer_close(get);
  ios_producer_close(put);
}

// Opens `count` consumers of arrays of one number, and gets by each in turn until it has a value
// with a tag. The elements of each value are the same, and the numbers grow.
static void join(const char *there, uint64_t count) {
  enum { MOST = 64, HEADER = 128 };
  ios_consumer *consumers[MOST];
  ios_value seen[MOST] = {0};
  EXPECT_TRUE(count <= MOST);
  ios_options options = channel(there, NULL, "0");
  for (uint64_t i = 0; i < count; i++) {
    EXPECT(ios_consumer_open(&options, &consumers[i]), IOS_OK);
  }
  for (uint64_t left = count; left > 0;) {
    for (uint64_t i = 0; i < count; i++) {
      if (seen[i].tag != 0) continue;
      uint64_t before = seen[i].seq;
      EXPECT(ios_consumer_get(consumers[i], 60000000000, &seen[i]), IOS_OK);
      EXPECT_TRUE(seen[i].seq > before);
      const char *elements = (const char *)seen[i].data + HEADER;
      size_t length = seen[i].length - HEADER;
      EXPECT_TRUE(memcmp(elements, elements + 8, length - 8) == 0);
      if (seen[i].tag != 0) left--;
      ios_guard_drop(seen[i].guard);
    }
  }
  for (uint64_t i = 0; i < count; i++) ios_consumer_close(consumers[i]);
}

static ios_options service(const char *name) {
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = name;
  options.schema = "{\"slice\":\"<f4\"}";
  options.answer_schema = "{\"slice\":\"<u4\"}";
  return options;
}

// Says of each number of a question whether it is above 1.5, until it is killed.
static void label(const char *name) {
  ios_options options = service(name);
  ios_server *server;
  EXPECT(ios_server_open(&options, &server), IOS_OK);
  for (;;) {
    ios_question question;
    EXPECT(ios_server_next(server, -1, &question), IOS_OK);
    const float *heights = question.value.data;
    ios_loan *loan;
    void *labels;
    EXPECT(ios_reply_loan(question.reply, question.value.length, &loan, &labels), IOS_OK);
    for (size_t i = 0; i < question.value.length / sizeof *heights; i++)
      ((uint32_t *)labels)[i] = heights[i] > 1.5f;
    EXPECT(ios_loan_put(loan, IOS_WHOLE, NULL), IOS_OK);
    ios_guard_drop(question.value.guard);
  }
}

// Asks about 0; then about 0 and 1; and so on.
static void ask(const char *name, uint64_t count) {
  ios_options options = service(name);
  ios_client *client;
  EXPECT(ios_client_open(&options, &client), IOS_OK);
  for (uint64_t number = 1; number <= count; number++) {
    ios_loan *loan;
    void *heights;
    EXPECT(ios_client_loan(client, number * sizeof(float), &loan, &heights), IOS_OK);
    for (uint64_t i = 0; i < number; i++) ((float *)heights)[i] = (float)i;
    EXPECT(ios_loan_put(loan, IOS_WHOLE, NULL), IOS_OK);
    ios_value answer;
    EXPECT(ios_client_answer(client, 60000000000, &answer), IOS_OK);
    EXPECT_TRUE(answer.length == number * sizeof(uint32_t));
    for (uint64_t i = 0; i < number; i++)
      EXPECT_TRUE(((const uint32_t *)answer.data)[i] == (i > 1));
    ios_guard_drop(answer.guard);
  }
  ios_client_close(client);
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "arrays") == 0) {
    arrays(argv[2], argv[3], strtoull(argv[4], NULL, 10));
  } else if (argc == 5 && strcmp(argv[1], "clouds") == 0) {
    clouds(argv[2], argv[3], strtoull(argv[4], NULL, 10));
  } else if (argc == 4 && strcmp(argv[1], "join") == 0) {
    join(argv[2], strtoull(argv[3], NULL, 10));
  } else if (argc == 3 && strcmp(argv[1], "label") == 0) {
    label(argv[2]);
  } else if (argc == 4 && strcmp(argv[1], "ask") == 0) {
    ask(argv[2], strtoull(argv[3], NULL, 10));
  } else {
    fprintf(stderr, "usage: peer arrays|clouds THERE BACK COUNT | join THERE COUNT | label NAME"
                    " | ask NAME COUNT\n");
    return 2;
  }
  return 0;
}
