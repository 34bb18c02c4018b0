// A service: a server says of each point of a cloud whether it is ground, or higher.
//
//   cc segmentation_service.c $(pkg-config --cflags --libs io-shared) -o segmentation_service
//   ./segmentation_service /segment &           # the server
//   ./segmentation_service /segment 0.5 2.0 1   # a client: the heights of the points of its cloud
//
// Programs in Rust have Service::<[f32], [u32]>::named("/segment"), and in Python
// io_shared.Client("/segment", question_tail="f4", answer_tail="u4").
#include <io_shared.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what) {
  fprintf(stderr, "%s: %s\n", what, ios_last_error());
  return 1;
}

static int serve(const ios_options *options) {
  ios_server *server;
  if (ios_server_open(options, &server) != IOS_OK) return failed("server");
  ios_question question;
  while (ios_server_next(server, -1, &question) == IOS_OK) {
    const float *heights = question.value.data;  // where the client has put them
    size_t points = question.value.length / sizeof *heights;
    ios_loan *loan;
    void *labels;  // where the client will read them
    if (ios_reply_loan(question.reply, points * sizeof(uint32_t), &loan, &labels) == IOS_OK) {
      for (size_t i = 0; i < points; i++) ((uint32_t *)labels)[i] = heights[i] > 1.5f;
      if (ios_loan_put(loan, IOS_WHOLE, NULL) != IOS_OK) failed("answer");
    } else {
      failed("answer");
    }
    ios_guard_drop(question.value.guard);
  }
  return failed("question");
}

static int call(const ios_options *options, char **heights, size_t points) {
  ios_client *client;
  if (ios_client_open(options, &client) != IOS_OK) return failed("client");
  float cloud[64];
  if (points > 64) points = 64;
  for (size_t i = 0; i < points; i++) cloud[i] = strtof(heights[i], NULL);
  ios_value answer;  // waits for at most 10 s, also for the server to start
  if (ios_client_call(client, cloud, points * sizeof *cloud, 10000000000, &answer) != IOS_OK)
    return failed("call");
  const uint32_t *labels = answer.data;
  for (size_t i = 0; i < answer.length / sizeof *labels; i++)
    printf("%g: %s\n", (double)cloud[i], labels[i] ? "higher" : "ground");
  ios_guard_drop(answer.guard);
  ios_client_close(client);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "%s NAME [HEIGHT ..]\n", argv[0]), 2;
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = argv[1];
  options.schema = "{\"slice\":\"<f4\"}";
  options.answer_schema = "{\"slice\":\"<u4\"}";
  return argc == 2 ? serve(&options) : call(&options, argv + 2, (size_t)argc - 2);
}
