#include "commands/idempotency.h"

#include "eventlog/bytes.h"
#include "eventlog/crypto.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"

#include <boost/describe/class.hpp>

namespace linkledger::commands {

BOOST_DESCRIBE_STRUCT(remembered_answer, (), (stream, version, events, result))

namespace {

using eventlog::view_of;

/// Texts of any content, told apart without ambiguity: each with its length in front.
std::string join(std::initializer_list<std::string_view> texts) {
    std::string joined;
    for (std::string_view const text : texts) {
        joined += std::to_string(text.size());
        joined += ':';
        joined += text;
    }
    return joined;
}

}  // namespace

idempotent_request::idempotent_request(std::string_view credential, std::string_view key,
                                       std::string_view command, std::string_view canonical_data) {
    using eventlog::hmac_sha256;
    eventlog::digest const root = hmac_sha256(credential, join({"linkledger idempotency v1", key}));
    id_ = hmac_sha256(view_of(root), "id");
    seal_key_ = hmac_sha256(view_of(root), "seal");
    eventlog::digest const fingerprint_key = hmac_sha256(view_of(root), "fingerprint");
    fingerprint_ = hmac_sha256(view_of(fingerprint_key), join({command, canonical_data}));
}

eventlog::idempotency_entry idempotent_request::to_entry(remembered_answer const& answer) const {
    return {id_, fingerprint_, eventlog::seal_bytes(view_of(seal_key_), json::to_text(answer), view_of(id_))};
}

std::optional<command_answer> idempotent_request::to_answer(eventlog::replayed const& stored) const {
    auto const opened = eventlog::open_bytes(view_of(seal_key_), stored.response, view_of(id_));
    if (!opened) return std::nullopt;
    std::string error;
    auto const value = json::parse(*opened, error);
    std::vector<json::read_error> errors;
    remembered_answer known;
    if (!value || !json::read(*value, known, {}, json::unknown_fields::ignore, errors)) return std::nullopt;
    command_answer answer;
    answer.position = stored.last_position;
    answer.stream = std::move(known.stream);
    answer.version = known.version != 0 ? known.version : stored.primary_version;
    answer.events = std::move(known.events);
    answer.result = std::move(known.result);
    answer.replayed = true;
    return answer;
}

}  // namespace linkledger::commands
