// Lending and taking back of reading connections.

#include "projections/reader_pool.h"

namespace linkledger::projections {
namespace {

constexpr std::chrono::seconds connection_wait_max{5};

}  // namespace

class reader_pool::loan {
public:
    explicit loan(reader_pool& from) : from_(from), connection_(from.take()) {}
    ~loan() { from_.give_back(std::move(connection_)); }
    loan(loan const&) = delete;
    loan& operator=(loan const&) = delete;
    [[nodiscard]] sql::connection& connection() { return *connection_; }

private:
    reader_pool& from_;
    std::unique_ptr<sql::connection> connection_;
};

void reader_pool::read(std::function<void(sql::connection&)> const& work) {
    for (bool first_try = true;; first_try = false) {
        loan lent{*this};
        auto& connection = lent.connection();
        try {
            connection.begin(sql::connection::access::read);
        } catch (sql::error const&) {
            if (!first_try || connection.usable()) throw;
            // The database was restarted, most likely; the others that waited meanwhile are broken as well.
            forget_idle();
            continue;
        }
        try {
            work(connection);
        } catch (...) {
            connection.rollback();
            throw;
        }
        connection.rollback();
        return;
    }
}

std::unique_ptr<sql::connection> reader_pool::take() {
    std::unique_lock lock{mutex_};
    if (!freed_.wait_for(lock, connection_wait_max, [&] { return lent_ < connections_max_; }))
        throw sql::error{sql::error::kind::timeout, "all reading connections are in use"};
    ++lent_;
    if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
    }
    lock.unlock();
    try {
        return open_();
    } catch (...) {
        give_back(nullptr);
        throw;
    }
}

void reader_pool::give_back(std::unique_ptr<sql::connection> connection) noexcept {
    {
        std::lock_guard const lock{mutex_};
        --lent_;
        if (connection && connection->usable()) idle_.push_back(std::move(connection));
    }
    freed_.notify_one();
}

void reader_pool::forget_idle() {
    std::vector<std::unique_ptr<sql::connection>> forgotten;
    std::lock_guard const lock{mutex_};
    forgotten.swap(idle_);
}

}  // namespace linkledger::projections
