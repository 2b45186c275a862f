#pragma once
// What stands between a runner and a real projection or source, and passes on what a test does not change.

#include "projections/event_source.h"
#include "projections/projection.h"
#include "projections/registry.h"

#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace linkledger::test {

/// The newest version of one of the product's.
[[nodiscard]] inline std::unique_ptr<projections::projection> create_projection(std::string_view name) {
    for (auto& each : projections::create_all())
        if (each->name() == name) return std::move(each);
    throw std::invalid_argument{"there is no such projection"};
}

class projection_in_between : public projections::projection {
public:
    explicit projection_in_between(std::unique_ptr<projections::projection> real) : real_(std::move(real)) {}
    [[nodiscard]] std::string_view name() const override { return real_->name(); }
    [[nodiscard]] int version() const override { return real_->version(); }
    [[nodiscard]] std::span<std::string_view const> event_types() const override {
        return real_->event_types();
    }
    [[nodiscard]] bool reads_cause() const override { return real_->reads_cause(); }
    [[nodiscard]] std::span<std::string_view const> tables() const override { return real_->tables(); }
    void apply(projections::event_batch batch, sql::connection& transaction) override {
        real_->apply(batch, transaction);
    }

private:
    std::unique_ptr<projections::projection> real_;
};

/// `behind` must outlive it.
class source_in_between : public projections::event_source {
public:
    explicit source_in_between(projections::event_source& behind) : behind_(behind) {}
    eventlog::result<eventlog::log_head> head() override { return behind_.head(); }
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        return behind_.read(query);
    }
    bool wait_beyond(eventlog::position after, std::chrono::milliseconds deadline) override {
        return behind_.wait_beyond(after, deadline);
    }

private:
    projections::event_source& behind_;
};

}  // namespace linkledger::test
