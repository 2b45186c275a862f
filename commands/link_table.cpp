#include "commands/link_table.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

namespace linkledger::commands {

namespace {

constexpr std::size_t shard_bits = 6;
constexpr std::size_t shard_count = std::size_t{1} << shard_bits;
/// Unknown codes remembered per shard and generation: 131,072 in all, of 50 bytes at most.
constexpr std::size_t absent_codes_max = 1'024;
/// More counters than shards, so that a busy tail seldom spoils an unrelated load.
constexpr std::size_t generation_count = 4'096;

/// Spreads a hash whose upper bits may be poor.
std::size_t mix(std::size_t hash) {
    auto spread = static_cast<std::uint64_t>(hash) * 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(spread ^ (spread >> 32));
}
std::size_t hash_of(std::string_view code) {
    return mix(std::hash<std::string_view>{}(code));
}
std::size_t hash_of(domain::link_id const& id) {
    return mix(std::hash<domain::link_id>{}(id));
}
std::size_t shard_of(std::size_t hash) {
    return (hash >> 16) % shard_count;
}
std::size_t generation_of(std::size_t hash) {
    return (hash >> 20) % generation_count;
}

/// Sets of records that are searched by a part of the record, without a copy of that part.
struct code_key {
    using is_transparent = void;
    using is_avalanching = void;
    static std::string_view of(link_record const* record) { return record->short_code(); }
    static std::string_view of(std::string_view code) { return code; }
};
struct id_key {
    using is_transparent = void;
    using is_avalanching = void;
    static domain::link_id const& of(link_record const* record) { return record->link_id(); }
    static domain::link_id const& of(domain::link_id const& id) { return id; }
};
template <typename Key>
struct hash_by : Key {
    template <typename T>
    std::size_t operator()(T const& value) const {
        return hash_of(Key::of(value));
    }
};
template <typename Key>
struct equal_by : Key {
    template <typename A, typename B>
    bool operator()(A const& a, B const& b) const {
        return Key::of(a) == Key::of(b);
    }
};
template <typename Key>
using record_set = boost::unordered_flat_set<link_record const*, hash_by<Key>, equal_by<Key>>;

struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return hash_of(text); }
};
using absence_map = boost::unordered_flat_map<std::string, absence, text_hash, std::equal_to<>>;

/// The texts and the link that an event is about; codes of the default domain only.
struct subject {
    domain::link_id link_id{};
    std::array<std::string_view, 2> codes{};
    bool is_link = false;
    bool other_domain = false;

    void note_code(std::optional<domain::domain_id> const& domain, std::string_view code) {
        if (domain) {
            other_domain = true;
            return;
        }
        codes[codes[0].empty() ? 0 : 1] = code;
    }
};

struct subject_of {
    subject operator()(domain::link::created const& e) const {
        subject about{.link_id = e.link_id, .is_link = true};
        about.note_code(e.domain_id, e.short_code);
        return about;
    }
    subject operator()(domain::link::updated const& e) const {
        subject about{.link_id = e.link_id, .is_link = true};
        if (e.before.short_code) about.note_code(e.domain_id, *e.before.short_code);
        if (e.after.short_code) about.note_code(e.domain_id, *e.after.short_code);
        return about;
    }
    subject operator()(domain::link::deleted const& e) const {
        subject about{.link_id = e.link_id, .is_link = true};
        about.note_code(e.domain_id, e.short_code);
        return about;
    }
    subject operator()(domain::link::restored const& e) const {
        subject about{.link_id = e.link_id, .is_link = true};
        about.note_code(e.domain_id, e.short_code);
        return about;
    }
    subject operator()(domain::link::disabled const& e) const {
        return {.link_id = e.link_id, .is_link = true};
    }
    subject operator()(domain::link::enabled const& e) const {
        return {.link_id = e.link_id, .is_link = true};
    }
    template <typename Other>
    subject operator()(Other const&) const {
        return {};
    }
};

}  // namespace

struct link_table::state {
    struct code_shard {
        mutable std::shared_mutex mutex;
        record_set<code_key> records;
        absence_map absent_young, absent_old;  ///< The old go when the young are many.
    };
    struct id_shard {
        mutable std::shared_mutex mutex;
        record_set<id_key> records;
    };

    explicit state(std::size_t max) : links_max(std::max<std::size_t>(1, max)) {}
    ~state() { clear(); }

    // Readers take one shard's lock. Writers take `writing` first, then one shard at a time: readers may see
    // a change by code and by id at slightly different moments, never a record that is gone.
    std::size_t links_max;
    std::array<code_shard, shard_count> by_code;
    std::array<id_shard, shard_count> by_id;
    std::array<std::atomic<std::uint32_t>, generation_count> code_generations{};
    std::array<std::atomic<std::uint32_t>, generation_count> link_generations{};

    std::mutex writing;
    std::deque<link_ref> ring;  ///< Holds the records; the indices only point at them.
    std::size_t hand = 0;
    std::atomic<std::size_t> size{0};
    std::atomic<std::uint64_t> evicted{0};

    code_shard& code_shard_of(std::string_view code) { return by_code[shard_of(hash_of(code))]; }
    id_shard& id_shard_of(domain::link_id const& id) { return by_id[shard_of(hash_of(id))]; }

    link_ref find(domain::link_id const& id) {
        auto& in = id_shard_of(id);
        std::shared_lock const lock(in.mutex);
        auto const found = in.records.find(id);
        return found == in.records.end() ? link_ref() : link_ref(*found);
    }

    // What follows needs `writing`.
    void insert(link_ref const& record);
    void replace(link_ref const& old, link_ref const& record);
    void remove(link_ref const& record);
    void make_room();
    void index_by_id(link_ref const& record);
    void index_by_code(link_ref const& record);
    void unindex_code(link_record const* record);
    void forget_absence(std::string_view code);
    void forget_deleted(std::string_view code, domain::link_id const& other_than);
    void advance(link_ref const& known, eventlog::recorded_event const& stored, domain::event const& event);
    void clear();
};

void link_table::state::index_by_id(link_ref const& record) {
    auto& in = id_shard_of(record->link_id());
    std::unique_lock const lock(in.mutex);
    in.records.erase(record.get());
    in.records.insert(record.get());
}

/// A deleted link has no right to its code: it answers for it until another link takes it.
void link_table::state::index_by_code(link_ref const& record) {
    auto& in = code_shard_of(record->short_code());
    std::unique_lock const lock(in.mutex);
    if (auto const holder = in.records.find(record.get()); holder != in.records.end()) {
        bool const is_own = (*holder)->link_id() == record->link_id();
        if (record->deleted() && !is_own && !(*holder)->deleted()) return;
        in.records.erase(holder);
    }
    in.records.insert(record.get());
}

void link_table::state::unindex_code(link_record const* record) {
    auto& in = code_shard_of(record->short_code());
    std::unique_lock const lock(in.mutex);
    auto const found = in.records.find(record);
    if (found != in.records.end() && *found == record) in.records.erase(found);
}

void link_table::state::insert(link_ref const& record) {
    if (ring.size() >= links_max) make_room();
    record->ring_index_ = static_cast<std::uint32_t>(ring.size());
    ring.push_back(record);
    size.store(ring.size(), std::memory_order_relaxed);
    index_by_id(record);
    index_by_code(record);
}

void link_table::state::replace(link_ref const& old, link_ref const& record) {
    record->ring_index_ = old->ring_index_;
    record->used_.store(old->used_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    index_by_id(record);
    if (old->short_code() != record->short_code()) unindex_code(old.get());
    index_by_code(record);
    ring[record->ring_index_] = record;
}

void link_table::state::remove(link_ref const& record) {
    {
        auto& in = id_shard_of(record->link_id());
        std::unique_lock const lock(in.mutex);
        in.records.erase(record.get());
    }
    unindex_code(record.get());
    std::size_t const place = record->ring_index_;
    ring[place] = ring.back();
    ring[place]->ring_index_ = static_cast<std::uint32_t>(place);
    ring.pop_back();
    size.store(ring.size(), std::memory_order_relaxed);
}

/// The clock: what was used since the hand came by is spared once.
void link_table::state::make_room() {
    if (hand >= ring.size()) hand = 0;
    while (ring[hand]->used_.exchange(false, std::memory_order_relaxed)) hand = (hand + 1) % ring.size();
    link_ref const gone = ring[hand];
    remove(gone);
    ++hand;
    evicted.fetch_add(1, std::memory_order_relaxed);
}

void link_table::state::forget_absence(std::string_view code) {
    auto& in = code_shard_of(code);
    std::unique_lock const lock(in.mutex);
    if (auto const found = in.absent_young.find(code); found != in.absent_young.end())
        in.absent_young.erase(found);
    if (auto const found = in.absent_old.find(code); found != in.absent_old.end()) in.absent_old.erase(found);
}

/// Another link takes the code, maybe one that is not here: a load finds it.
void link_table::state::forget_deleted(std::string_view code, domain::link_id const& other_than) {
    link_ref found;
    {
        auto& in = code_shard_of(code);
        std::shared_lock const lock(in.mutex);
        if (auto const at = in.records.find(code); at != in.records.end()) found = link_ref(*at);
    }
    if (found && found->deleted() && found->link_id() != other_than) remove(found);
}

void link_table::state::advance(link_ref const& known, eventlog::recorded_event const& stored,
                                domain::event const& event) {
    if (stored.version <= known->version()) return;
    link_settings settings = known->settings();
    auto const max_clicks_before = settings.max_clicks;
    evolve(settings, event);
    // With another cap it is not known whether the link is full: a load finds out.
    if (stored.version != known->version() + 1 || settings.max_clicks != max_clicks_before) {
        remove(known);
        return;
    }
    settings.version = stored.version;
    auto const made = link_record::make(settings);
    if (known->full()) made->mark_full();
    replace(known, made);
}

void link_table::state::clear() {
    for (auto& in : by_code) {
        std::unique_lock const lock(in.mutex);
        in.records.clear();
        in.absent_young.clear();
        in.absent_old.clear();
    }
    for (auto& in : by_id) {
        std::unique_lock const lock(in.mutex);
        in.records.clear();
    }
    ring.clear();
    size.store(0, std::memory_order_relaxed);
    for (auto& generation : code_generations) ++generation;
    for (auto& generation : link_generations) ++generation;
}

link_table::link_table(std::size_t links_max) : state_(std::make_unique<state>(links_max)) {}
link_table::~link_table() = default;

link_ref link_table::find(std::string_view short_code) const {
    auto const& in = state_->code_shard_of(short_code);
    std::shared_lock const lock(in.mutex);
    auto const found = in.records.find(short_code);
    if (found == in.records.end()) return {};
    link_record const* record = *found;
    if (!record->used_.load(std::memory_order_relaxed)) record->used_.store(true, std::memory_order_relaxed);
    return link_ref(record);
}

link_ref link_table::find(domain::link_id const& id) const {
    auto found = state_->find(id);
    if (found) found->used_.store(true, std::memory_order_relaxed);
    return found;
}

absence link_table::known_absent(std::string_view short_code) const {
    auto const& in = state_->code_shard_of(short_code);
    std::shared_lock const lock(in.mutex);
    for (auto const* codes : {&in.absent_young, &in.absent_old}) {
        if (auto const found = codes->find(short_code); found != codes->end()) return found->second;
    }
    return absence::no;
}

link_table::ticket link_table::begin_load(std::string_view short_code) const {
    return {.code_generation = state_->code_generations[generation_of(hash_of(short_code))].load(),
            .link_generation = 0};
}

link_table::ticket link_table::begin_load(domain::link_id const& id) const {
    return {.code_generation = 0,
            .link_generation = state_->link_generations[generation_of(hash_of(id))].load()};
}

void link_table::put(link_ref const& loaded, ticket const& before) {
    std::lock_guard const lock(state_->writing);
    if (begin_load(loaded->link_id()).link_generation != before.link_generation) return;
    auto const known = state_->find(loaded->link_id());
    if (!known) {
        state_->insert(loaded);
    } else if (known->version() < loaded->version()) {
        state_->replace(known, loaded);
    }
}

void link_table::put_absent(std::string_view short_code, absence why, ticket const& before) {
    std::lock_guard const writing(state_->writing);
    if (begin_load(short_code).code_generation != before.code_generation) return;
    auto& in = state_->code_shard_of(short_code);
    std::unique_lock const lock(in.mutex);
    if (in.absent_young.size() >= absent_codes_max) {
        in.absent_old = std::move(in.absent_young);
        in.absent_young = {};
    }
    in.absent_young.emplace(short_code, why);
}

void link_table::apply(eventlog::recorded_event const& stored, domain::event const& event) {
    if (auto const* click = std::get_if<domain::click::clicked>(&event)) {
        if (!stored.stream.starts_with("clicks-")) return;
        auto const known = state_->find(click->link_id);
        if (!known) return;
        auto const cap = known->max_clicks();
        if (cap && stored.version >= *cap) known->mark_full();
        return;
    }
    subject const about = std::visit(subject_of{}, event);
    if (!about.is_link || about.other_domain) return;

    std::lock_guard const lock(state_->writing);
    ++state_->link_generations[generation_of(hash_of(about.link_id))];
    for (auto const code : about.codes) {
        if (code.empty()) continue;
        ++state_->code_generations[generation_of(hash_of(code))];
        state_->forget_absence(code);
        if (!std::holds_alternative<domain::link::created>(event))
            state_->forget_deleted(code, about.link_id);
    }
    if (auto const known = state_->find(about.link_id)) {
        state_->advance(known, stored, event);
    } else if (std::holds_alternative<domain::link::created>(event) && stored.version == 1) {
        link_settings settings;
        evolve(settings, event);
        settings.version = 1;
        state_->insert(link_record::make(settings));
    }
}

void link_table::for_each(std::function<void(link_record const&)> const& each) const {
    constexpr std::size_t at_once = 1'000;
    for (std::size_t next = 0;;) {
        std::vector<link_ref> some;
        {
            std::lock_guard const lock(state_->writing);
            auto const end = std::min(next + at_once, state_->ring.size());
            for (; next < end; ++next) some.push_back(state_->ring[next]);
        }
        if (some.empty()) return;
        for (auto const& record : some) each(*record);
    }
}

void link_table::put_remembered(link_settings const& from) {
    std::lock_guard const lock(state_->writing);
    if (!state_->find(from.link_id)) state_->insert(link_record::make(from));
}

void link_table::drop(domain::link_id const& id) {
    std::lock_guard const lock(state_->writing);
    ++state_->link_generations[generation_of(hash_of(id))];
    if (auto const known = state_->find(id)) state_->remove(known);
}

void link_table::clear() {
    std::lock_guard const lock(state_->writing);
    state_->clear();
}

link_table_stats link_table::stats() const {
    link_table_stats now;
    now.links = state_->size.load(std::memory_order_relaxed);
    now.evicted = state_->evicted.load(std::memory_order_relaxed);
    for (auto const& in : state_->by_code) {
        std::shared_lock const lock(in.mutex);
        now.absent_codes += in.absent_young.size() + in.absent_old.size();
    }
    return now;
}

}  // namespace linkledger::commands
