#include "eventlog/codec.h"

#include "eventlog/json_read_text.h"
#include "eventlog/upcast.h"

#include <array>

namespace linkledger::eventlog {
namespace {

namespace bj = boost::json;

/// The member that is stored apart, sealed.
struct personal_member {
    static constexpr std::string_view name = "personal";
};

template <typename Event>
concept has_personal = requires(Event& event) {
    event.personal;
};

/// What is being read, for the failure's words.
struct stored_part {
    std::string_view type;
    std::string_view name;  ///< `data` or `personal`.
};

failure does_not_fit(stored_part const& part, std::string const& why) {
    return {failure_code::corrupted,
            "stored " + std::string{part.name} + " of " + std::string{part.type} + " does not fit: " + why};
}

failure does_not_fit(stored_part const& part, std::vector<json::read_error> const& errors) {
    return does_not_fit(part, errors.front().path + ' ' + errors.front().message);
}

/// Room for the documents of one event, so that reading one seldom allocates.
class scratch {
public:
    bj::storage_ptr storage() { return &resource_; }

private:
    std::array<unsigned char, 8192> buffer_;
    bj::monotonic_resource resource_{buffer_.data(), buffer_.size()};
};

result<bj::value> parse_object(stored_part const& part, std::string_view text, scratch& memory) {
    std::string error;
    auto value = json::parse(text, error, memory.storage());
    if (!value) return does_not_fit(part, error);
    if (!value->is_object()) return does_not_fit(part, "it is no object");
    return std::move(*value);
}

template <typename Skipped, typename Struct>
result<void> read_object(bj::value const& from, Struct& into, stored_part const& part) {
    std::vector<json::read_error> errors;
    json::detail::place const root{nullptr, part.name};
    json::detail::reader const reader{json::unknown_fields::ignore, errors};
    if (!json::detail::read_object<Skipped>(from, into, root, reader)) return does_not_fit(part, errors);
    return boost::outcome_v2::success();
}

template <typename Struct>
result<Struct> decode_struct(std::string_view what, std::string_view text) {
    if (Struct plain; json::detail::read_own_text<json::detail::nothing>(text, plain)) return plain;
    scratch memory;
    stored_part const part{"an event", what};
    BOOST_OUTCOME_TRY(bj::value const value, parse_object(part, text, memory));
    Struct into;
    BOOST_OUTCOME_TRY(read_object<json::detail::nothing>(value, into, part));
    return into;
}

struct stored_form {
    std::string_view type;
    int schema_version;
    std::string_view data;
    std::optional<std::string_view> personal;
};

result<void> upcast(stored_form const& stored, int to_version, upcaster_table const& upcasters,
                    bj::value& data, std::optional<bj::value>& personal) {
    if (stored.schema_version == to_version) return boost::outcome_v2::success();
    bj::object* const personal_object = personal ? &personal->as_object() : nullptr;
    if (upcasters.apply(stored.type, stored.schema_version, to_version, data.as_object(), personal_object)) {
        return boost::outcome_v2::success();
    }
    return failure{failure_code::corrupted, std::string{stored.type} + " has schema version " +
                                                std::to_string(stored.schema_version) +
                                                ", which this executable cannot read"};
}

/// As it is written nowadays. False: it is of another form or version; then `into` is of no use.
template <typename Event>
bool decode_own(stored_form const& stored, Event& into) {
    if (stored.schema_version != domain::event_traits<Event>::schema_version) return false;
    if (!json::detail::read_own_text<personal_member>(stored.data, into)) return false;
    if constexpr (has_personal<Event>) {
        if (stored.personal)
            return json::detail::read_own_text<json::detail::nothing>(*stored.personal,
                                                                      into.personal.emplace());
        return true;
    } else {
        return !stored.personal;
    }
}

template <typename Event>
result<domain::event> decode_as(stored_form const& stored, upcaster_table const& upcasters) {
    if (Event plain; decode_own(stored, plain)) return domain::event{std::move(plain)};
    scratch memory;
    stored_part const data_part{stored.type, "data"};
    stored_part const personal_part{stored.type, "personal"};
    BOOST_OUTCOME_TRY(bj::value data, parse_object(data_part, stored.data, memory));
    std::optional<bj::value> personal;
    if (stored.personal) {
        BOOST_OUTCOME_TRY(bj::value value, parse_object(personal_part, *stored.personal, memory));
        personal = std::move(value);
    }
    BOOST_OUTCOME_TRY(upcast(stored, domain::event_traits<Event>::schema_version, upcasters, data, personal));

    Event event;
    BOOST_OUTCOME_TRY(read_object<personal_member>(data, event, data_part));
    if constexpr (has_personal<Event>) {
        if (personal) {
            BOOST_OUTCOME_TRY(
                read_object<json::detail::nothing>(*personal, event.personal.emplace(), personal_part));
        }
    }
    return domain::event{std::move(event)};
}

}  // namespace

encoded_event encode(domain::event const& event) {
    return std::visit(
        [](auto const& alternative) {
            using event_type = std::decay_t<decltype(alternative)>;
            encoded_event encoded;
            encoded.type = domain::event_traits<event_type>::type_name;
            encoded.schema_version = domain::event_traits<event_type>::schema_version;
            encoded.data.reserve(512);
            json::detail::write_object<personal_member>(encoded.data, alternative);
            if constexpr (has_personal<event_type>) {
                if (alternative.personal) encoded.personal = json::to_text(*alternative.personal);
            }
            return encoded;
        },
        event);
}

result<domain::event> decode(std::string_view type, int schema_version, std::string_view data,
                             std::optional<std::string_view> personal) {
    return decode(type, schema_version, data, personal, current_upcasters());
}

result<domain::event> decode(std::string_view type, int schema_version, std::string_view data,
                             std::optional<std::string_view> personal, upcaster_table const& upcasters) {
    stored_form const stored{type, schema_version, data, personal};
#define LINKLEDGER_DECODE(TYPE, NAME, VERSION) \
    if (type == NAME) return decode_as<domain::TYPE>(stored, upcasters);
    LINKLEDGER_EVENTS(LINKLEDGER_DECODE)
#undef LINKLEDGER_DECODE
    return failure{failure_code::corrupted, "unknown event type " + std::string{type}};
}

result<domain::event> decode(recorded_event const& event, keyring& keys) {
    BOOST_OUTCOME_TRY(auto const personal,
                      keys.open(event.body.personal, event.body.event_id, sealed_part::personal));
    return decode(event.body.type, event.body.schema_version, event.body.data, personal);
}

std::string encode_metadata(metadata const& value) {
    std::string text;
    text.reserve(256);
    json::append_text(text, value);
    return text;
}

result<metadata> decode_metadata(std::string_view json) {
    return decode_struct<metadata>("metadata", json);
}

std::string encode_context(request_context const& value) {
    return json::to_text(value);
}

result<request_context> decode_context(std::string_view json) {
    return decode_struct<request_context>("context", json);
}

}  // namespace linkledger::eventlog
