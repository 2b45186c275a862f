#pragma once
// One connection: reads a request, has it answered, writes the answer, again. Lives on one worker's thread.

#include "api/http.h"
#include "api/request_parser.h"
#include "api/server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <list>
#include <memory>
#include <string>

namespace linkledger::api {

class session;

/// What the sessions of a thread share. Deadlines are coarse: a sweep per interval over the thread's sessions
/// is cheaper than a timer per read and write.
struct worker {
    worker(server_options const& o, request_handler& h) : options(o), handler(h) {}

    server_options const& options;
    request_handler& handler;
    std::list<session*> sessions;
    std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();  ///< Of the last sweep.
    std::string date_header;  ///< `Date: …\r\n`, as of the last sweep.
    bool draining = false;
    std::atomic<std::uint64_t> requests{0};
    std::function<void(std::string const& address)> ended;  ///< A session's last word.
    boost::asio::io_context context{1};  // The last member: its end destroys sessions, which use the rest.
};

class session : public std::enable_shared_from_this<session>, private body_writer {
public:
    using socket_type =
        boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

    session(worker& on, socket_type socket, std::string remote);
    ~session() override;

    /// Serves until the connection ends.
    static awaitable<void> run(std::shared_ptr<session> self);

    /// Ends what has waited beyond its deadline.
    void sweep();
    /// Closes now when idle; otherwise after the request in flight.
    void drain();
    /// Closes now.
    void cut();

private:
    enum class phase { idle, header, body, handling, writing, lingering };

    awaitable<bool> read_request();
    awaitable<void> respond();
    awaitable<bool> write_all(std::string_view bytes);
    awaitable<void> linger();
    awaitable<void> stream_body();
    void format_head(std::size_t content_length);
    void enter(phase next);
    [[nodiscard]] bool make_room();

    awaitable<bool> write(std::string_view chunk) override;
    [[nodiscard]] bool stopping() const override;

    worker& on_;
    socket_type socket_;
    std::string remote_;
    request_parser parser_;
    response response_;
    std::string in_;
    std::size_t in_begin_ = 0, in_end_ = 0;
    std::string out_;
    phase phase_ = phase::idle;
    std::chrono::steady_clock::time_point deadline_;
    bool timed_out_ = false, gone_ = false, keep_alive_ = true;
    std::list<session*>::iterator place_;
};

}  // namespace linkledger::api
