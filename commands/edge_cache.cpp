// Redis as a cache of links: JSON entries, one script to write them, and the rule when one is believed.

#include "commands/edge_cache.h"

#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"
#include "eventlog/position_by_time.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace linkledger::commands {
namespace {

using eventlog::position;
using namespace std::chrono_literals;
namespace bj = boost::json;

constexpr auto pause_before_learning_again = 500ms;
constexpr std::size_t written_at_once = 200;
/// Clocks of several machines differ, and an entry may have waited before it was written.
constexpr std::chrono::seconds clock_margin{60};

/// KEYS: the entry's. ARGV: the entry, its position, its history, its lifetime in milliseconds.
constexpr char const* put_newer = R"(
local old = redis.call('GET', KEYS[1])
if old then
    local ok, known = pcall(cjson.decode, old)
    if ok and type(known) == 'table' and known.log == ARGV[3] and tonumber(known.position or 0) >= tonumber(ARGV[2]) then
        return 0
    end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
return 1
)";

std::size_t slot_of(std::string_view text, std::size_t slots) {
    return std::hash<std::string_view>{}(text) % slots;
}
std::size_t slot_of(domain::link_id const& id, std::size_t slots) {
    return std::hash<domain::link_id>{}(id) % slots;
}

std::string entry_key(std::string_view code) {
    return "link:" + std::string{code};
}

template <typename T>
bj::value value_or_null(std::optional<T> const& from) {
    return from ? bj::value(*from) : bj::value(nullptr);
}

/// `rules` is for conditions of where a link leads, which there are none of yet.
bj::object to_json(link_settings const& from, position as_of, std::string const& history) {
    return {{"url", from.url},
            {"rules", bj::array{}},
            {"is_active", !from.disabled},
            {"position", as_of},
            {"log", history},
            {"link_id", domain::to_string(from.link_id)},
            {"workspace_id", domain::to_string(from.workspace_id)},
            {"version", from.version},
            {"has_password", from.has_password},
            {"expires_at",
             from.expires_at ? bj::value(domain::to_rfc3339(*from.expires_at)) : bj::value(nullptr)},
            {"utm_source", value_or_null(from.utm_source)},
            {"utm_medium", value_or_null(from.utm_medium)},
            {"utm_campaign", value_or_null(from.utm_campaign)}};
}

/// The members of an entry, by the type that they must have. A wrong one makes all of it unusable.
class entry_reader {
public:
    explicit entry_reader(bj::object const& from) : from_(from) {}
    [[nodiscard]] bool whole() const { return whole_; }

    std::string text(std::string_view name) {
        auto found = text_or_none(name);
        if (!found) whole_ = false;
        return found.value_or("");
    }
    std::optional<std::string> text_or_none(std::string_view name) {
        auto const* const member = from_.if_contains(name);
        if (member == nullptr || member->is_null()) return std::nullopt;
        auto const* const text = member->if_string();
        if (text == nullptr) whole_ = false;
        return text == nullptr ? std::nullopt : std::optional<std::string>{std::string{*text}};
    }
    std::int64_t number(std::string_view name) {
        auto const* const member = from_.if_contains(name);
        auto const* const number = member == nullptr ? nullptr : member->if_int64();
        if (number == nullptr) whole_ = false;
        return number == nullptr ? 0 : *number;
    }
    bool boolean(std::string_view name) {
        auto const* const member = from_.if_contains(name);
        auto const* const flag = member == nullptr ? nullptr : member->if_bool();
        if (flag == nullptr) whole_ = false;
        return flag != nullptr && *flag;
    }
    domain::uuid id(std::string_view name) {
        auto const id = domain::parse_uuid(text(name));
        if (!id) whole_ = false;
        return id.value_or(domain::uuid{});
    }

private:
    bj::object const& from_;
    bool whole_ = true;
};

std::optional<link_settings> read_settings(bj::object const& from, std::string_view code) {
    entry_reader members{from};
    link_settings made;
    made.link_id = domain::link_id{members.id("link_id")};
    made.workspace_id = domain::workspace_id{members.id("workspace_id")};
    made.version = members.number("version");
    made.short_code = std::string{code};
    made.url = members.text("url");
    made.disabled = !members.boolean("is_active");
    made.has_password = members.boolean("has_password");
    made.utm_source = members.text_or_none("utm_source");
    made.utm_medium = members.text_or_none("utm_medium");
    made.utm_campaign = members.text_or_none("utm_campaign");
    if (auto const expires = members.text_or_none("expires_at")) {
        made.expires_at = domain::parse_timestamp(*expires);
        if (!made.expires_at) return std::nullopt;
    }
    if (!members.whole() || made.version < 1 || made.url.empty()) return std::nullopt;
    return made;
}

/// The link and the codes that an event is about; other events are about none.
struct change {
    std::optional<domain::link_id> link;
    std::array<std::optional<std::string_view>, 2> codes;
};
struct change_of {
    change operator()(domain::link::created const& e) const { return {e.link_id, {e.short_code, {}}}; }
    change operator()(domain::link::updated const& e) const {
        return {e.link_id, {e.before.short_code, e.after.short_code}};
    }
    change operator()(domain::link::disabled const& e) const { return {e.link_id, {}}; }
    change operator()(domain::link::enabled const& e) const { return {e.link_id, {}}; }
    change operator()(domain::link::deleted const& e) const { return {e.link_id, {e.short_code, {}}}; }
    change operator()(domain::link::restored const& e) const { return {e.link_id, {e.short_code, {}}}; }
    template <typename Other>
    change operator()(Other const&) const {
        return {};
    }
};

}  // namespace

std::optional<domain::link_id> changed_link(domain::event const& event) {
    return std::visit(change_of{}, event).link;
}

edge_cache::edge_cache(redis::client& redis, eventlog::event_log& log, edge_cache_options const& how)
    : redis_(redis), log_(log), options_(how) {}

edge_cache::~edge_cache() {
    stop();
}

void edge_cache::start(std::function<position()> tail_position) {
    tail_position_ = std::move(tail_position);
    thread_ = std::thread{[this] { run(); }};
}

void edge_cache::stop() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void edge_cache::note(eventlog::recorded_event const& stored, domain::event const& event) {
    auto const about = std::visit(change_of{}, event);
    if (!about.link) return;
    raise(slot_of(*about.link, slots), stored.position);
    for (auto const& code : about.codes)
        if (code) raise(slot_of(*code, slots), stored.position);
}

void edge_cache::forget() {
    std::lock_guard const lock{mutex_};
    ready_ = false;
    ++generation_;
    waiting_.clear();
    changed_.notify_all();
}

std::optional<edge_cache::entry> edge_cache::find(std::string_view short_code) {
    if (!ready_ || !redis_.up()) return std::nullopt;
    redis::reply answer;
    try {
        redis_.run([&](redis::connection& on) { answer = on.call({"GET", entry_key(short_code)}); });
        if (answer.is_null()) {
            ++missed_;
            return std::nullopt;
        }
        boost::system::error_code error;
        auto const parsed = bj::parse(answer.text(), error);
        auto const* const object = error ? nullptr : parsed.if_object();
        if (object == nullptr) return std::nullopt;
        entry_reader members{*object};
        auto const as_of = members.number("position");
        auto const history = members.text("log");
        auto const* const tombstone = object->if_contains("deleted");
        entry made;
        if (tombstone != nullptr)
            made.deleted = true;
        else
            made.link = read_settings(*object, short_code);
        bool const is_usable = members.whole() && (made.deleted || made.link);
        made.as_of = as_of;
        if (!is_usable || history != history_text() || !is_believed(short_code, made)) {
            ++refused_;
            return std::nullopt;
        }
        ++found_;
        return made;
    } catch (redis::error const&) {
        return std::nullopt;
    }
}

bool edge_cache::is_believed(std::string_view code, entry const& what) const {
    if (!ready_ || what.as_of < known_from_.load()) return false;
    if (what.as_of < changed_at_[slot_of(code, slots)].load()) return false;
    return !what.link || what.as_of >= changed_at_[slot_of(what.link->link_id, slots)].load();
}

void edge_cache::put(link_settings const& settings, position as_of) {
    if (settings.deleted || settings.max_clicks || !ready_) return;
    enqueue(settings.short_code, bj::serialize(to_json(settings, as_of, history_text())), as_of);
}

void edge_cache::put_deleted(std::string_view short_code, position as_of) {
    if (!ready_) return;
    bj::object const tombstone{{"deleted", true}, {"position", as_of}, {"log", history_text()}};
    enqueue(short_code, bj::serialize(tombstone), as_of);
}

edge_cache_stats edge_cache::stats() const {
    return {ready_, found_, missed_, refused_, written_, dropped_};
}

void edge_cache::enqueue(std::string_view code, std::string json, position as_of) {
    if (!redis_.up()) return;
    {
        std::lock_guard const lock{mutex_};
        if (waiting_.size() >= options_.waiting_max) {
            ++dropped_;
            return;
        }
        waiting_.push_back({std::string{code}, std::move(json), as_of});
    }
    changed_.notify_one();
}

void edge_cache::raise(std::size_t slot, position to) {
    auto& at = changed_at_[slot];
    for (auto known = at.load(); known < to && !at.compare_exchange_weak(known, to);) continue;
}

std::string edge_cache::history_text() const {
    std::lock_guard const lock{mutex_};
    return history_;
}

// ---- Its thread -------------------------------------------------------------------------------------------

void edge_cache::run() {
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        if (!ready_) {
            lock.unlock();
            bool const learnt = learn();
            lock.lock();
            if (!learnt) changed_.wait_for(lock, pause_before_learning_again, [this] { return stopping_; });
            continue;
        }
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty() || !ready_; });
        if (stopping_ || waiting_.empty()) continue;
        auto those = std::exchange(waiting_, {});
        lock.unlock();
        flush(std::move(those));
        lock.lock();
    }
}

/// Which links changed while the entries that may be there were written. The tail tells of later changes;
/// what both tell changes nothing.
bool edge_cache::learn() {
    std::uint64_t generation = 0;
    {
        std::lock_guard const lock{mutex_};
        generation = generation_;
    }
    auto const head = log_.head();
    if (!head) return false;
    auto const now = head.assume_value();
    auto const since = eventlog::now() - options_.lifetime - clock_margin;
    auto const from = eventlog::position_before(log_, since, now.last);
    if (!from) return false;
    eventlog::read_query query;
    query.after = from.assume_value();
    query.until = now.last;
    query.excluded_types = {std::string{domain::event_traits<domain::click::clicked>::type_name}};
    while (query.after < query.until) {
        auto const page = log_.read(query);
        if (!page) return false;
        for (auto const& stored : page.assume_value().events) {
            auto const event = eventlog::decode(stored.body.type, stored.body.schema_version,
                                                stored.body.data, std::nullopt);
            if (event) note(stored, event.assume_value());
        }
        if (page.assume_value().scanned_to <= query.after) break;
        query.after = page.assume_value().scanned_to;
        std::lock_guard const lock{mutex_};
        if (stopping_ || generation != generation_) return false;
    }
    std::lock_guard const lock{mutex_};
    if (generation != generation_) return false;
    history_ = domain::to_string(now.log_id) + "/" + std::to_string(now.epoch);
    known_from_ = from.assume_value();
    ready_ = true;
    return true;
}

void edge_cache::flush(std::deque<written> those) {
    auto const history = history_text();
    auto const lifetime = std::to_string(std::chrono::milliseconds{options_.lifetime}.count());
    while (!those.empty()) {
        std::vector<redis::words> commands;
        while (!those.empty() && commands.size() < written_at_once) {
            auto const& next = those.front();
            commands.push_back({"EVAL", put_newer, "1", entry_key(next.code), next.json,
                                std::to_string(next.as_of), history, lifetime});
            those.pop_front();
        }
        try {
            redis_.run([&](redis::connection& on) { on.pipeline(commands); });
            written_ += commands.size();
        } catch (redis::error const&) {
            dropped_ += commands.size() + those.size();
            return;  // Entries that are missing or old harm nobody.
        }
    }
}

}  // namespace linkledger::commands
