// Services: questions and their answers.

#ifndef IO_SHARED_SERVICE_HPP
#define IO_SHARED_SERVICE_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consumer.hpp"
#include "loan.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {
namespace detail {

/// Calls `send(data, length)` with a message of a fixed size, or with elements. What is converted
/// to the message, such as an int to a double, lives until `send` returns.
template <class T, class Value, class Send>
ios_status send_message(const Value& value, Send send) {
  if constexpr (is_elements<T>) {
    const view<const typename whole<T>::element> elements(value);
    return send(elements.data(), elements.size_bytes());
  } else {
    static_assert(is_fixed<T>, "io_shared: loan(..) lends a message with a tail or with lists");
    const T& message = value;
    return send(&message, sizeof message);
  }
}

/// A loan of a message of which the tail has this many elements; by `lend(length, &loan, &data)`.
template <class T, class Lend>
returned<io_shared::loan<T>> lent(std::size_t elements, Lend lend) {
  static_assert(list_axes<T>() == 0, "io_shared: say how many elements each list has");
  using element = typename whole<T>::element;
  std::size_t length = whole<T>::size;
  if constexpr (!std::is_void_v<element>) {
    const std::size_t most = (SIZE_MAX / 2 - whole<T>::size) / sizeof(element);
    length = elements > most ? SIZE_MAX / 2 : whole<T>::size + elements * sizeof(element);
  }
  ios_loan* raw = nullptr;
  void* data = nullptr;
  const ios_status status = lend(length, &raw, &data);
  io_shared::loan<T> loan(raw, data, length);
  return done(status, loan);
}

/// Opens a client or a server, which has two types.
template <class Q, class A, class Handle, class Owned>
ios_status open_service(const location& where, const options& how, Owned& opened,
                        ios_status (*by)(const ios_options*, Handle**)) {
  std::string questions, answers;
  ios_status status = schema_of<Q>::make(questions);
  if (status == IOS_OK) status = schema_of<A>::make(answers);
  if (status != IOS_OK) return status;
  return how.with(where, questions, false, [&](const ios_options* raw) {
    ios_options both = *raw;
    if (!answers.empty()) both.answer_schema = answers.c_str();
    Handle* handle = nullptr;
    const ios_status done = by(&both, &handle);
    opened.reset(handle);
    return done;
  });
}

}  // namespace detail

/// A client of a service: each call returns the answer to exactly its own question, whoever is
/// restarted or killed meanwhile. It asks one question at a time. One thread at a time uses it.
///
///     io_shared::client<slice<float>, slice<std::uint32_t>> client("/segment");
///     auto labels = client.call(heights, 1s);  // guard: labels.elements()
template <class Q, class A>
class client {
 public:
#if IO_SHARED_THROWS
  /// Opens a service to ask. It does not wait for a server. `mismatch_error`: the server has other
  /// types; the text names the fields.
  explicit client(const location& where, const options& how = {}) : client(open(where, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<client> open(const location& where, const options& how = {}) {
    client opened;
    const ios_status status =
        detail::open_service<Q, A>(where, how, opened.handle_, &ios_client_open);
    return detail::done(status, opened);
  }
  /// No client: every call is `null_error`.
  client() noexcept = default;

  /// Asks a question of a fixed size, or the elements of a `slice` or of `bytes`, and waits for its
  /// answer, which is read in place; its `tag()` is the question's number. If there is no server,
  /// or it is killed meanwhile, it waits for one. `timeout_error`: there is a server, and it has
  /// not answered. `no_producer_error`: there is none.
  template <class Question>
  returned<guard<A>> call(const Question& question, timeout most = timeout::forever()) {
    return detail::got<A>([&](ios_value* value) {
      return detail::send_message<Q>(question, [&](const void* data, std::size_t length) {
        return ios_client_call(handle_.get(), data, length, most.nanoseconds(), value);
      });
    });
  }
  /// Asks, and does not wait: `answer` does. Returns the question's number. A question that waits
  /// for its answer is given up for this one.
  template <class Question>
  returned<std::uint64_t> ask(const Question& question) {
    return detail::value_of<std::uint64_t>([&](std::uint64_t* number) {
      return detail::send_message<Q>(question, [&](const void* data, std::size_t length) {
        return ios_client_ask(handle_.get(), data, length, number);
      });
    });
  }
  /// Waits for the answer to the last question, as `call` does. After an error it may be called
  /// again. A timeout of 0 only looks: `empty_error`.
  returned<guard<A>> answer(timeout most = timeout::forever()) {
    return detail::got<A>([&](ios_value* value) {
      return ios_client_answer(handle_.get(), most.nanoseconds(), value);
    });
  }
  /// Lends a question, to be filled in place, with this many elements in its tail. Its `put()`
  /// asks; `answer` waits.
  returned<io_shared::loan<Q>> loan(std::size_t elements = 0) {
    return detail::lent<Q>(elements, [&](std::size_t length, ios_loan** lent, void** data) {
      return ios_client_loan(handle_.get(), length, lent, data);
    });
  }
  /// Lends a question whose lists have these sizes, to be filled in place.
  template <class Message>
  returned<io_shared::loan<Q>> loan(const sizes<Message>& how_many) {
    static_assert(std::is_same_v<Message, Q>, "io_shared: these are sizes of another message");
    ios_loan* lent = nullptr;
    void* data = nullptr;
    const auto all = how_many.all();
    const ios_status status =
        ios_client_loan_lists(handle_.get(), all.data(), all.size(), &lent, &data);
    io_shared::loan<Q> loan(lent, data, sizeof(Q));
    return detail::done(status, loan);
  }

  /// Who serves this client now; nothing if there is no server, or if it has yet to find it.
  returned<std::optional<process>> server() const {
    return detail::producer_of(
        [&](ios_process* raw) { return ios_client_server(handle_.get(), raw); });
  }
  /// The number of this client's pair of channels, as in "/segment/1/question".
  returned<std::uint32_t> number() const {
    return detail::value_of<std::uint32_t>(
        [&](std::uint32_t* number) { return ios_client_number(handle_.get(), number); });
  }
  /// The service's name.
  returned<std::string> name() const {
    return detail::text_of([&](char** text) { return ios_client_name(handle_.get(), text); });
  }
  /// Ends the current wait with `interrupted_error`, or else the next one. Any thread may call it,
  /// and so may a signal handler.
  void interrupt() const noexcept { ios_client_interrupt(handle_.get()); }
  /// Closes the client before its end.
  void close() noexcept { handle_.reset(); }
  /// The handle of the C library, which stays this client's.
  ios_client* get() const noexcept { return handle_.get(); }

 private:
  detail::owned<ios_client, &ios_client_close> handle_;
};

/// A question that a server took: a guard, which is read in place, and the reply to it. One that
/// ends without an answer is left to the server that is started next.
template <class Q, class A>
class question : public guard<Q> {
 public:
  /// Answers with a copy of a message of a fixed size, or of the elements of a `slice` or of
  /// `bytes`. The reply is over, also if this fails. The question is valid while this lives.
  template <class Answer>
  returned<void> answer(const Answer& answer) {
    return detail::done(
        detail::send_message<A>(answer, [&](const void* data, std::size_t length) {
          return ios_reply_answer(reply_.release(), data, length);
        }));
  }
  /// Lends an answer, to be filled in place while the question is read, with this many elements in
  /// its tail. Its `put()` answers. The reply is over, also if this fails.
  returned<io_shared::loan<A>> loan(std::size_t elements = 0) {
    return detail::lent<A>(elements, [&](std::size_t length, ios_loan** lent, void** data) {
      return ios_reply_loan(reply_.release(), length, lent, data);
    });
  }
  /// Lends an answer whose lists have these sizes, to be filled in place.
  template <class Message>
  returned<io_shared::loan<A>> loan(const sizes<Message>& how_many) {
    static_assert(std::is_same_v<Message, A>, "io_shared: these are sizes of another message");
    ios_loan* lent = nullptr;
    void* data = nullptr;
    const auto all = how_many.all();
    const ios_status status =
        ios_reply_loan_lists(reply_.release(), all.data(), all.size(), &lent, &data);
    io_shared::loan<A> loan(lent, data, sizeof(A));
    return detail::done(status, loan);
  }
  /// Who asks, until the question is answered; nothing if the client is gone.
  returned<std::optional<process>> client() const {
    return detail::producer_of(
        [&](ios_process* raw) { return ios_reply_client(reply_.get(), raw); });
  }
  /// The number of the client's pair of channels, as in "/segment/1/question".
  std::uint32_t client_number() const noexcept { return client_; }

  /// A question of the C library, which this owns from then on.
  explicit question(const ios_question& taken) noexcept
      : guard<Q>(taken.value), reply_(taken.reply), client_(taken.client) {}
  /// No question. Only assignment and destruction are allowed.
  question() noexcept = default;

 private:
  detail::owned<ios_reply, &ios_reply_drop> reply_;
  std::uint32_t client_ = 0;
};

/// The one server of a service. One thread at a time uses it.
///
///     io_shared::server<slice<float>, slice<std::uint32_t>> server("/segment");
///     for (;;) {
///       auto heights = server.next();
///       auto labels = heights.loan(heights.elements().size());
///       label(heights.elements(), labels.elements());
///       labels.put();
///     }
template <class Q, class A>
class server {
 public:
#if IO_SHARED_THROWS
  /// Opens a service to answer. `role_taken_error`: another server is running; with the option
  /// `wait_for_role` this waits for its end.
  explicit server(const location& where, const options& how = {}) : server(open(where, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<server> open(const location& where, const options& how = {}) {
    server opened;
    const ios_status status =
        detail::open_service<Q, A>(where, how, opened.handle_, &ios_server_open);
    return detail::done(status, opened);
  }
  /// No server: every call is `null_error`.
  server() noexcept = default;

  /// Waits for a question of any client. A server has one at a time: `already_held_error` while the
  /// question before lives or its answer is not put.
  returned<question<Q, A>> next(timeout most = timeout::forever()) {
    ios_question raw{};
    const ios_status status = ios_server_next(handle_.get(), most.nanoseconds(), &raw);
    question<Q, A> taken;
    if (status == IOS_OK) taken = question<Q, A>(raw);
    return detail::done(status, taken);
  }
  /// As `next`, but returns nothing if no question comes in time. Without a timeout it does not
  /// wait.
  returned<std::optional<question<Q, A>>> try_next(timeout most = std::chrono::nanoseconds(0)) {
    ios_question raw{};
    ios_status status = ios_server_next(handle_.get(), most.nanoseconds(), &raw);
    std::optional<question<Q, A>> taken;
    if (status == IOS_OK) taken.emplace(raw);
    if (status == IOS_EMPTY || status == IOS_TIMEOUT) status = IOS_OK;
    return detail::done(status, taken);
  }
  /// How many clients the server has found that are alive.
  returned<std::size_t> clients() const {
    return detail::value_of<std::size_t>([&](std::size_t* count) {
      return ios_server_clients(handle_.get(), nullptr, 0, count);
    });
  }
  /// The service's name.
  returned<std::string> name() const {
    return detail::text_of([&](char** text) { return ios_server_name(handle_.get(), text); });
  }
  /// Ends the current wait with `interrupted_error`, or else the next one. Any thread may call it,
  /// and so may a signal handler.
  void interrupt() const noexcept { ios_server_interrupt(handle_.get()); }
  /// Gives the role back before the server's end.
  void close() noexcept { handle_.reset(); }
  /// The handle of the C library, which stays this server's.
  ios_server* get() const noexcept { return handle_.get(); }

 private:
  detail::owned<ios_server, &ios_server_close> handle_;
};

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
