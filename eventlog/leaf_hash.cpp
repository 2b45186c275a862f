#include "eventlog/leaf_hash.h"

#include "eventlog/bytes.h"
#include "eventlog/crypto.h"

#include <algorithm>

namespace linkledger::eventlog {
namespace {

constexpr std::string_view body_prefix = "linkledger-event-v1";
constexpr std::size_t kept_capacity_max = 64 * 1024;

void put_integer(std::string& out, std::int64_t value) {
    std::array<char, 8> bytes;
    auto const bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bits >> (8 * (7 - i)));
    out.append(bytes.data(), bytes.size());
}

void put_field(std::string& out, std::string_view bytes) {
    put_integer(out, static_cast<std::int64_t>(bytes.size()));
    out.append(bytes);
}

void put_field(std::string& out, std::int64_t value) {
    put_integer(out, 8);
    put_integer(out, value);
}

void put_field(std::string& out, sealed const& part) {
    put_field(out, view_of(part.key_id.bytes));
    put_field(out, part.bytes);
}

}  // namespace

digest body_hash(std::string_view stream, event_body const& body) {
    // One buffer and one call of the hash: much cheaper than feeding it field by field.
    thread_local std::string canonical;
    canonical.clear();
    canonical.append(view_of(body.salt));
    canonical.append(body_prefix);
    put_field(canonical, stream);
    put_field(canonical, view_of(body.event_id.bytes));
    put_field(canonical, body.type);
    put_field(canonical, std::int64_t{body.schema_version});
    put_field(canonical, view_of(body.workspace_id.bytes));
    put_field(canonical, body.data);
    put_field(canonical, body.personal);
    put_field(canonical, body.context);
    put_field(canonical, body.metadata);
    put_field(canonical, domain::to_unix_us(body.occurred_at));
    digest const hash = sha256(canonical);
    if (canonical.capacity() > kept_capacity_max) std::string{}.swap(canonical);
    return hash;
}

digest commitment(position at, version v, timestamp recorded_at, digest const& body) {
    std::string bytes;
    bytes.reserve(56);
    put_integer(bytes, at);
    put_integer(bytes, v);
    put_integer(bytes, domain::to_unix_us(recorded_at));
    bytes.append(view_of(body));
    return sha256(bytes);
}

digest leaf_hash(digest const& commitment) {
    std::array<std::uint8_t, 1 + std::tuple_size_v<digest>> bytes{};
    std::copy(commitment.begin(), commitment.end(), bytes.begin() + 1);
    return sha256(view_of(bytes));
}

digest leaf_hash_of(recorded_event const& event) {
    return leaf_hash(
        commitment(event.position, event.version, event.recorded_at, body_hash(event.stream, event.body)));
}

}  // namespace linkledger::eventlog
