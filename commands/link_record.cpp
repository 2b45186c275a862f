#include "commands/link_table.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

namespace linkledger::commands {

namespace {

constexpr std::size_t utm_count = 3;

std::array<std::optional<std::string> const*, utm_count> utm_texts(link_settings const& from) {
    return {&from.utm_source, &from.utm_medium, &from.utm_campaign};
}

template <typename T>
T read_number(char const* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

char* write_bytes(char* to, void const* from, std::size_t size) {
    if (size != 0) std::memcpy(to, from, size);
    return to + size;
}

/// A text's length as it is stored: 0 for none, otherwise the length and one. Texts were checked at the edge.
std::uint16_t stored_size(std::optional<std::string> const& text) {
    if (!text) return 0;
    return static_cast<std::uint16_t>(std::min<std::size_t>(text->size(), 0xFFFE) + 1);
}

template <typename T>
void take(T& field, std::optional<T> const& change) {
    if (change) field = *change;
}

struct fold {
    link_settings& into;

    void operator()(domain::link::created const& e) const {
        into.link_id = e.link_id;
        into.workspace_id = e.workspace_id;
        into.short_code = e.short_code;
        into.url = e.url;
        into.has_password = e.has_password;
        into.expires_at = e.expires_at;
        into.max_clicks = e.max_clicks;
        into.utm_source = e.utm_source;
        into.utm_medium = e.utm_medium;
        into.utm_campaign = e.utm_campaign;
    }
    void operator()(domain::link::updated const& e) const {
        take(into.url, e.after.url);
        take(into.short_code, e.after.short_code);
        take(into.has_password, e.after.has_password);
        take(into.expires_at, e.after.expires_at);
        take(into.max_clicks, e.after.max_clicks);
        take(into.utm_source, e.after.utm_source);
        take(into.utm_medium, e.after.utm_medium);
        take(into.utm_campaign, e.after.utm_campaign);
    }
    void operator()(domain::link::disabled const&) const { into.disabled = true; }
    void operator()(domain::link::enabled const&) const { into.disabled = false; }
    void operator()(domain::link::deleted const&) const { into.deleted = true; }
    void operator()(domain::link::restored const&) const { into.deleted = false; }
    template <typename Other>
    void operator()(Other const&) const {}
};

}  // namespace

void evolve(link_settings& settings, domain::event const& event) {
    std::visit(fold{settings}, event);
}

link_ref link_record::make(link_settings const& from) {
    assert(from.short_code.size() <= std::numeric_limits<std::uint8_t>::max());
    assert(from.url.size() <= std::numeric_limits<std::uint16_t>::max());
    auto const texts = utm_texts(from);
    std::uint8_t flags = 0;
    if (from.disabled) flags |= flag_disabled;
    if (from.deleted) flags |= flag_deleted;
    if (from.has_password) flags |= flag_password;
    if (from.expires_at) flags |= flag_expires;
    if (from.max_clicks) flags |= flag_capped;
    bool const has_utm = std::any_of(texts.begin(), texts.end(), [](auto text) { return text->has_value(); });
    if (has_utm) flags |= flag_utm;

    std::size_t size = sizeof(link_record) + from.short_code.size() + from.url.size();
    if (from.expires_at) size += sizeof(std::int64_t);
    if (from.max_clicks) size += sizeof(std::int64_t);
    if (has_utm) {
        for (auto const* text : texts)
            size += sizeof(std::uint16_t) + (text->has_value() ? (*text)->size() : 0);
    }

    auto* made = new (::operator new(size)) link_record();
    made->link_id_ = from.link_id;
    made->workspace_id_ = from.workspace_id;
    made->version_ = static_cast<std::uint32_t>(from.version);
    made->code_size_ = static_cast<std::uint8_t>(from.short_code.size());
    made->url_size_ = static_cast<std::uint16_t>(from.url.size());
    made->flags_ = flags;
    char* to = made->tail();
    if (from.expires_at) {
        std::int64_t const us = domain::to_unix_us(*from.expires_at);
        to = write_bytes(to, &us, sizeof us);
    }
    if (from.max_clicks) to = write_bytes(to, &*from.max_clicks, sizeof(std::int64_t));
    if (has_utm) {
        for (auto const* text : texts) {
            auto const stored = stored_size(*text);
            to = write_bytes(to, &stored, sizeof stored);
        }
    }
    to = write_bytes(to, from.short_code.data(), from.short_code.size());
    to = write_bytes(to, from.url.data(), from.url.size());
    if (has_utm) {
        for (auto const* text : texts) {
            if (*text) to = write_bytes(to, (*text)->data(), stored_size(*text) - 1U);
        }
    }
    return link_ref(made);
}

void intrusive_ptr_release(link_record const* record) {
    if (record->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    auto* gone = const_cast<link_record*>(record);
    gone->~link_record();
    ::operator delete(gone);
}

std::optional<domain::timestamp> link_record::expires_at() const {
    if ((flags_ & flag_expires) == 0) return std::nullopt;
    return domain::from_unix_us(read_number<std::int64_t>(tail()));
}

std::optional<std::int64_t> link_record::max_clicks() const {
    if ((flags_ & flag_capped) == 0) return std::nullopt;
    return read_number<std::int64_t>(tail() + ((flags_ & flag_expires) != 0 ? sizeof(std::int64_t) : 0));
}

std::size_t link_record::numbers_size() const {
    std::size_t size = 0;
    if ((flags_ & flag_expires) != 0) size += sizeof(std::int64_t);
    if ((flags_ & flag_capped) != 0) size += sizeof(std::int64_t);
    if ((flags_ & flag_utm) != 0) size += utm_count * sizeof(std::uint16_t);
    return size;
}

std::string_view link_record::short_code() const {
    return {tail() + numbers_size(), code_size_};
}

std::string_view link_record::url() const {
    return {tail() + numbers_size() + code_size_, url_size_};
}

std::optional<std::string_view> link_record::utm(int which) const {
    if ((flags_ & flag_utm) == 0) return std::nullopt;
    char const* sizes = tail() + numbers_size() - utm_count * sizeof(std::uint16_t);
    char const* text = tail() + numbers_size() + code_size_ + url_size_;
    for (int i = 0;; ++i, sizes += sizeof(std::uint16_t)) {
        auto const stored = read_number<std::uint16_t>(sizes);
        if (i == which) {
            if (stored == 0) return std::nullopt;
            return std::string_view(text, stored - 1U);
        }
        if (stored != 0) text += stored - 1U;
    }
}

link_settings link_record::settings() const {
    auto const text = [](std::optional<std::string_view> view) {
        return view ? std::optional<std::string>(*view) : std::nullopt;
    };
    link_settings all;
    all.link_id = link_id_;
    all.workspace_id = workspace_id_;
    all.version = version_;
    all.short_code = short_code();
    all.url = url();
    all.disabled = disabled();
    all.deleted = deleted();
    all.has_password = has_password();
    all.expires_at = expires_at();
    all.max_clicks = max_clicks();
    all.utm_source = text(utm_source());
    all.utm_medium = text(utm_medium());
    all.utm_campaign = text(utm_campaign());
    return all;
}

}  // namespace linkledger::commands
