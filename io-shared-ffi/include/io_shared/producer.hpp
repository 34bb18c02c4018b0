// Producers: the one side of a channel that puts.

#ifndef IO_SHARED_PRODUCER_HPP
#define IO_SHARED_PRODUCER_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "loan.hpp"

namespace io_shared {
inline namespace IO_SHARED_STYLE {

/// A living consumer of a channel, as it described itself.
struct holder {
  /// Its slot, counted from 0.
  std::uint32_t slot = 0;
  /// Its process ID in its own PID namespace; 0 if unknown.
  std::uint32_t pid = 0;
  /// The name under which it resumes after a restart; empty if it has none.
  std::string name;
};

/// The one producer of a channel. One thread at a time uses it: a second one gets `in_use_error`.
/// When it ends, the channel and its last value stay.
///
///     io_shared::producer<Cloud> clouds("/clouds");
///     clouds.put({frame, stamp}, points);
template <class T>
class producer {
 public:
#if IO_SHARED_THROWS
  /// Opens a channel to put. It is created if it does not exist, and replaced if it has another
  /// shape and nobody is using it.
  ///
  /// `mismatch_error`: the channel has another type; the text names the fields. `role_taken_error`:
  /// another producer is alive. And the other errors of opening.
  explicit producer(const location& where, const options& how = {}) : producer(open(where, how)) {}
#endif
  /// As the constructor, for programs without exceptions.
  static returned<producer> open(const location& where, const options& how = {}) {
    producer opened;
    const ios_status status =
        detail::open<T>(where, how, !detail::is_fixed<T>, opened.handle_, &ios_producer_open);
    return detail::done(status, opened);
  }
  /// No producer: every call is `null_error`.
  producer() noexcept = default;

  /// Puts a copy of a message of a fixed size, which becomes the newest value, and returns its
  /// number. It never waits for anybody.
  returned<std::uint64_t> put(const T& value) { return put_tagged(value, 0); }
  /// As `put`, with a tag: any number of the caller's. A stage of a pipeline tags its output with
  /// the `seq()` of its input, so that the two can be paired.
  returned<std::uint64_t> put_tagged(const T& value, std::uint64_t tag) {
    static_assert(detail::is_fixed<T>, "io_shared: put(fields, elements) puts a message with a "
                                       "tail, and loan(sizes) lends one with lists");
    return put_bytes(view<const T>(&value, 1), tag);
  }
  /// Puts a copy of the elements of a `slice` or of `bytes`.
  template <class Elements, class Message = T,
            class = std::enable_if_t<detail::is_elements<Message>>>
  returned<std::uint64_t> put(const Elements& elements) {
    return put_tagged(elements, 0);
  }
  /// As `put(elements)`, with a tag.
  template <class Elements, class Message = T,
            class = std::enable_if_t<detail::is_elements<Message>>>
  returned<std::uint64_t> put_tagged(const Elements& elements, std::uint64_t tag) {
    return put_bytes(view<const typename detail::whole<T>::element>(elements), tag);
  }
  /// As `put_tagged`, under this number in place of the next one, with a stamp in nanoseconds of
  /// CLOCK_MONOTONIC (0: none). It is for programs that pass on, or replay, what was numbered
  /// elsewhere. `bad_seq_error`: the number is not greater than the last.
  returned<void> put_numbered(const T& value, std::uint64_t number, std::chrono::nanoseconds stamp,
                              std::uint64_t tag = 0) {
    static_assert(detail::is_fixed<T>, "io_shared: a loan can be numbered too");
    const auto nanoseconds = static_cast<std::uint64_t>(stamp.count());
    return detail::done(ios_producer_put_numbered(handle_.get(), &value, sizeof value, number,
                                                  nanoseconds, tag));
  }
  /// Puts a copy of a message with a tail: its fields, and its elements from a std::vector, an
  /// array or any other view.
  template <class Elements>
  returned<std::uint64_t> put(const T& fields, const Elements& elements) {
    return put_tagged(fields, elements, 0);
  }
  /// As `put(fields, elements)`, with a tag.
  template <class Elements>
  returned<std::uint64_t> put_tagged(const T& fields, const Elements& elements,
                                     std::uint64_t tag) {
    static_assert(detail::has_tail<T>, "io_shared: the message has no tail");
    const view<const typename detail::whole<T>::element> tail(elements);
    ios_puts puts{};
    std::uint64_t seq = 0;
    puts.producer = handle_.get();
    puts.header = &fields;
    puts.header_length = sizeof fields;
    puts.length = tail.size_bytes();
    puts.seq = &seq;
    puts.tag = tag;
    const ios_status status = ios_producer_put_like(&puts, tail.data());
    return detail::done(status, seq);
  }

  /// Lends a message of a fixed size, to be filled in place. `already_loaned_error`: the loan
  /// before is not over.
  returned<io_shared::loan<T>> loan() {
    static_assert(detail::is_fixed<T>, "io_shared: say how many elements the message has");
    return lend(sizeof(T));
  }
  /// Lends a message with this many elements in its tail, to be filled in place.
  returned<io_shared::loan<T>> loan(std::size_t elements) {
    using element = typename detail::whole<T>::element;
    static_assert(!std::is_void_v<element>, "io_shared: the message has no tail");
    const std::size_t most = (SIZE_MAX / 2 - detail::whole<T>::size) / sizeof(element);
    return lend(elements > most ? SIZE_MAX / 2
                                : detail::whole<T>::size + elements * sizeof(element));
  }
  /// Lends a message whose lists have these sizes, to be filled in place.
  template <class Message>
  returned<io_shared::loan<T>> loan(const sizes<Message>& how_many) {
    static_assert(std::is_same_v<Message, T>, "io_shared: these are sizes of another message");
    ios_loan* lent = nullptr;
    void* data = nullptr;
    const auto all = how_many.all();
    const ios_status status =
        ios_producer_loan_lists(handle_.get(), all.data(), all.size(), &lent, &data);
    io_shared::loan<T> loan(lent, data, sizeof(T));
    return detail::done(status, loan);
  }

  /// Waits until every consumer that is connected now has received the last value, and returns how
  /// many have. The text of `timeout_error` names those that have not.
  returned<std::size_t> wait_taken(timeout most = timeout::forever()) {
    return detail::value_of<std::size_t>([&](std::size_t* count) {
      return ios_producer_wait_taken(handle_.get(), most.nanoseconds(), count);
    });
  }
  /// Ends the current `wait_taken`, or else the next one, with `interrupted_error`, within 2 ms.
  /// Any thread may call it, and so may a signal handler.
  void interrupt() const noexcept { ios_producer_interrupt(handle_.get()); }
  /// Writes the last value to the channel's file, and returns when it is stored: it then survives a
  /// power cut. No effect for a channel in memory.
  returned<void> sync() { return detail::done(ios_producer_sync(handle_.get())); }

  /// How many consumers are alive.
  returned<std::size_t> connected() const {
    return detail::value_of<std::size_t>(
        [&](std::size_t* count) { return ios_producer_connected(handle_.get(), count); });
  }
  /// Which consumers are alive.
  returned<std::vector<holder>> holders() const {
    std::vector<ios_holder> raw(8);
    std::size_t count = 0;
    ios_status status = IOS_OK;
    do {
      raw.resize(count > raw.size() ? count : raw.size());
      status = ios_producer_holders(handle_.get(), raw.data(), raw.size(), &count);
    } while (status == IOS_OK && count > raw.size());
    std::vector<holder> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back({raw[i].slot, raw[i].pid, raw[i].name});
    return detail::done(status, all);
  }
  /// The number of the last value, by this producer or one before it; 0 if there is none.
  returned<std::uint64_t> seq() const {
    return detail::value_of<std::uint64_t>(
        [&](std::uint64_t* seq) { return ios_producer_seq(handle_.get(), seq); });
  }
  /// The most bytes that one message may have.
  returned<std::uint64_t> capacity() const {
    return detail::value_of<std::uint64_t>(
        [&](std::uint64_t* bytes) { return ios_producer_capacity(handle_.get(), bytes); });
  }
  /// The channel's name or location.
  returned<std::string> name() const {
    return detail::text_of([&](char** text) { return ios_producer_name(handle_.get(), text); });
  }
  /// The type of the messages, as JSON.
  returned<std::string> schema() const {
    return detail::text_of([&](char** text) { return ios_producer_schema(handle_.get(), text); });
  }
  /// A descriptor to pass to another process, of a channel without a name; otherwise -1. It is
  /// closed with the producer.
  returned<int> fd() const {
    return detail::value_of<int>([&](int* fd) { return ios_producer_fd(handle_.get(), fd); });
  }
  /// Gives the role back before the producer's end. A living loan keeps it.
  void close() noexcept { handle_.reset(); }
  /// The handle of the C library, which stays this producer's.
  ios_producer* get() const noexcept { return handle_.get(); }

 private:
  returned<io_shared::loan<T>> lend(std::size_t length) {
    ios_loan* lent = nullptr;
    void* data = nullptr;
    const ios_status status = ios_producer_loan(handle_.get(), length, &lent, &data);
    io_shared::loan<T> loan(lent, data, length);
    return detail::done(status, loan);
  }
  template <class Whole>
  returned<std::uint64_t> put_bytes(view<Whole> bytes, std::uint64_t tag) {
    std::uint64_t seq = 0;
    const ios_status status = ios_producer_put_tagged(handle_.get(), bytes.data(),
                                                      bytes.size_bytes(), tag, &seq);
    return detail::done(status, seq);
  }

  detail::owned<ios_producer, &ios_producer_close> handle_;
};

}  // namespace IO_SHARED_STYLE
}  // namespace io_shared

#endif
