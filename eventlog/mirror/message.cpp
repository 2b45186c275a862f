// Written and read by hand rather than through a JSON document: a relay encodes and a projector decodes a
// hundred thousand of these a second, and the log's bytes must come out as they went in.

#include "eventlog/mirror/message.h"

#include "eventlog/bytes.h"
#include "eventlog/json_reflect.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

namespace linkledger::eventlog::mirror {
namespace {

using namespace std::string_view_literals;

// ---- Writing ----------------------------------------------------------------------------------------------

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

void put_number(std::string& out, std::int64_t value) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void put_base64(std::string& out, std::string_view bytes) {
    std::size_t const before = out.size();
    // EVP_EncodeBlock ends the text with a NUL, for which there must be room.
    out.resize(before + (bytes.size() + 2) / 3 * 4 + 1);
    int const written =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data() + before),
                        reinterpret_cast<unsigned char const*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(before + static_cast<std::size_t>(written));
}

void put_text(std::string& out, std::string_view text) {
    if (std::all_of(text.begin(), text.end(), [](char c) { return is_plain(c) || c == '.'; })) {
        out.append("\"").append(text).append("\"");
    } else {
        json::append_text(out, std::string{text});
    }
}

void put_id_or_null(std::string& out, uuid const& id) {
    if (id.is_nil())
        out += "null";
    else
        out.append("\"").append(domain::to_string(id)).append("\"");
}

void put_sealed(std::string& out, sealed const& part) {
    if (part.key_id.is_nil() && part.bytes.empty()) {
        out += "null";
        return;
    }
    out.append(R"({"key_id":)");
    put_id_or_null(out, part.key_id);
    out.append(R"(,"sealed":")");
    put_base64(out, part.bytes);
    out.append("\"}");
}

std::string header_text(std::string_view text) {
    std::string clean{text};
    for (char& c : clean)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return clean;
}

/// The value of a text member of compact JSON that we wrote, where it needs no unescaping. A name with its
/// quotes and its colon cannot stand within a value, whose quotes are escaped.
std::string_view text_member(std::string_view json, std::string_view name_and_quote) {
    auto const found = json.find(name_and_quote);
    if (found == std::string_view::npos) return {};
    auto const begin = found + name_and_quote.size();
    auto const end = json.find('"', begin);
    if (end == std::string_view::npos) return {};
    auto const value = json.substr(begin, end - begin);
    return std::all_of(value.begin(), value.end(), is_plain) ? value : std::string_view{};
}

/// Reuses the strings of an earlier message.
class header_list {
public:
    explicit header_list(message& of) : headers_(of.headers) {}
    ~header_list() { headers_.resize(used_); }
    header_list(header_list const&) = delete;
    header_list& operator=(header_list const&) = delete;

    std::string& add(std::string_view name) {
        if (used_ == headers_.size()) headers_.emplace_back();
        auto& [key, value] = headers_[used_++];
        key = name;
        value.clear();
        return value;
    }

private:
    std::vector<std::pair<std::string_view, std::string>>& headers_;
    std::size_t used_ = 0;
};

void put_headers(recorded_event const& event, history const& of, message& into) {
    auto const& body = event.body;
    header_list headers{into};
    headers.add("Linkledger-Log") = to_string(of);
    headers.add("Linkledger-Event-Id") = domain::to_string(body.event_id);
    headers.add("Linkledger-Type") = header_text(body.type);
    put_number(headers.add("Linkledger-Schema-Version"), body.schema_version);
    headers.add("Linkledger-Stream") = header_text(event.stream);
    put_number(headers.add("Linkledger-Version"), event.version);
    auto const correlation = text_member(body.metadata, R"("correlation_id":")");
    if (!correlation.empty()) headers.add("Linkledger-Correlation-Id") = correlation;
    auto const traceparent = text_member(body.metadata, R"("traceparent":")");
    if (!traceparent.empty()) headers.add("traceparent") = traceparent;
}

void put_payload(recorded_event const& event, history const& of, std::string& out) {
    auto const& body = event.body;
    out.append(R"({"log_id":")").append(domain::to_string(of.log_id)).append(R"(","epoch":)");
    put_number(out, of.epoch);
    out.append(R"(,"position":)");
    put_number(out, event.position);
    out.append(R"(,"event_id":)");
    put_id_or_null(out, body.event_id);
    out.append(R"(,"stream":)");
    put_text(out, event.stream);
    out.append(R"(,"version":)");
    put_number(out, event.version);
    out.append(R"(,"type":)");
    put_text(out, body.type);
    out.append(R"(,"schema_version":)");
    put_number(out, body.schema_version);
    out.append(R"(,"workspace_id":)");
    put_id_or_null(out, body.workspace_id);
    out.append(R"(,"occurred_at":")").append(domain::to_rfc3339(body.occurred_at));
    out.append(R"(","recorded_at":")").append(domain::to_rfc3339(event.recorded_at));
    out.append(R"(","salt":")");
    put_base64(out, view_of(body.salt));
    out.append(R"(","leaf_hash":")");
    put_base64(out, view_of(event.leaf_hash));
    out.append(R"(","personal":)");
    put_sealed(out, body.personal);
    out.append(R"(,"context":)");
    put_sealed(out, body.context);
    out.append(R"(,"data_bytes":)");
    put_number(out, static_cast<std::int64_t>(body.data.size()));
    out.append(R"(,"metadata_bytes":)");
    put_number(out, static_cast<std::int64_t>(body.metadata.size()));
    out.append(R"(,"data":)").append(body.data);
    out.append(R"(,"metadata":)").append(body.metadata).append("}");
}

// ---- Reading ----------------------------------------------------------------------------------------------

/// Takes a payload apart from front to back. The first thing that is not as it must be ends it: everything
/// after is refused, and `ok` says so.
class scanner {
public:
    explicit scanner(std::string_view text) : left_(text) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return left_.empty(); }

    void literal(std::string_view expected) {
        if (ok_ && left_.starts_with(expected))
            left_.remove_prefix(expected.size());
        else
            ok_ = false;
    }
    std::int64_t number() {
        std::int64_t value = 0;
        auto const [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
        if (error != std::errc{}) ok_ = false;
        if (ok_) left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
        return value;
    }
    /// Up to the closing quote, which is taken too; as it stands, escapes and all.
    std::string_view quoted() {
        literal("\"");
        auto end = left_.find('"');
        while (end != std::string_view::npos && is_escaped(end)) end = left_.find('"', end + 1);
        if (!ok_ || end == std::string_view::npos) {
            ok_ = false;
            return {};
        }
        auto const text = left_.substr(0, end);
        left_.remove_prefix(end + 1);
        return text;
    }
    std::string text() {
        auto const raw = quoted();
        if (raw.find('\\') == std::string_view::npos) return std::string{raw};
        std::string error;
        auto const parsed = json::parse("\"" + std::string{raw} + "\"", error);
        if (parsed && parsed->is_string()) return std::string{parsed->get_string()};
        ok_ = false;
        return {};
    }
    uuid id_or_null() {
        if (left_.starts_with("null")) {
            left_.remove_prefix(4);
            return {};
        }
        auto const id = domain::parse_uuid(quoted());
        if (!id) ok_ = false;
        return id.value_or(uuid{});
    }
    timestamp time() {
        auto const at = domain::parse_timestamp(quoted());
        if (!at) ok_ = false;
        return at.value_or(timestamp{});
    }
    std::string base64() {
        auto const text = quoted();
        std::string bytes(text.size() / 4 * 3, '\0');
        if (!ok_ || text.size() % 4 != 0) {
            ok_ = false;
            return {};
        }
        if (text.empty()) return bytes;
        int const decoded = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                            reinterpret_cast<unsigned char const*>(text.data()),
                                            static_cast<int>(text.size()));
        if (decoded < 0) ok_ = false;
        std::size_t const padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
        bytes.resize(bytes.size() - padding);
        return bytes;
    }
    template <std::size_t Size>
    void bytes(std::array<std::uint8_t, Size>& into) {
        auto const decoded = base64();
        if (decoded.size() != Size) {
            ok_ = false;
            return;
        }
        std::copy(decoded.begin(), decoded.end(), into.begin());
    }
    sealed sealed_or_null() {
        sealed part;
        if (left_.starts_with("null")) {
            left_.remove_prefix(4);
            return part;
        }
        literal(R"({"key_id":)");
        part.key_id = id_or_null();
        literal(R"(,"sealed":)");
        part.bytes = base64();
        literal("}");
        return part;
    }
    std::string raw(std::int64_t count) {
        if (count < 0 || static_cast<std::uint64_t>(count) > left_.size()) ok_ = false;
        if (!ok_) return {};
        std::string text{left_.substr(0, static_cast<std::size_t>(count))};
        left_.remove_prefix(text.size());
        return text;
    }

private:
    [[nodiscard]] bool is_escaped(std::size_t at) const {
        std::size_t backslashes = 0;
        while (backslashes < at && left_[at - 1 - backslashes] == '\\') ++backslashes;
        return backslashes % 2 == 1;
    }

    std::string_view left_;
    bool ok_ = true;
};

void append_token(std::string& subject, std::string_view text, bool keep_dots) {
    std::size_t const begin = subject.size();
    for (char const c : text) {
        bool const empty_token = c == '.' && (subject.size() == begin || subject.back() == '.');
        subject += is_plain(c) || (keep_dots && c == '.' && !empty_token) ? c : '_';
    }
    if (subject.size() == begin || subject.back() == '.') subject += '_';
}

}  // namespace

std::string to_string(history const& of) {
    return domain::to_string(of.log_id) + "/" + std::to_string(of.epoch);
}

std::string subject_of(event_body const& body) {
    std::string subject{subject_prefix};
    subject += body.workspace_id.is_nil() ? "none" : domain::to_string(body.workspace_id);
    subject += '.';
    append_token(subject, body.type, true);
    return subject;
}

void encode(recorded_event const& event, history const& of, message& into) {
    into.subject = subject_of(event.body);
    put_headers(event, of, into);
    into.payload.clear();
    put_payload(event, of, into.payload);
}

result<mirrored_event> decode(std::string_view payload) {
    mirrored_event read;
    auto& event = read.event;
    auto& body = event.body;
    scanner in{payload};
    in.literal(R"({"log_id":)");
    read.of.log_id = in.id_or_null();
    in.literal(R"(,"epoch":)");
    read.of.epoch = in.number();
    in.literal(R"(,"position":)");
    event.position = in.number();
    in.literal(R"(,"event_id":)");
    body.event_id = in.id_or_null();
    in.literal(R"(,"stream":)");
    event.stream = in.text();
    in.literal(R"(,"version":)");
    event.version = in.number();
    in.literal(R"(,"type":)");
    body.type = in.text();
    in.literal(R"(,"schema_version":)");
    body.schema_version = static_cast<int>(in.number());
    in.literal(R"(,"workspace_id":)");
    body.workspace_id = in.id_or_null();
    in.literal(R"(,"occurred_at":)");
    body.occurred_at = in.time();
    in.literal(R"(,"recorded_at":)");
    event.recorded_at = in.time();
    in.literal(R"(,"salt":)");
    in.bytes(body.salt);
    in.literal(R"(,"leaf_hash":)");
    in.bytes(event.leaf_hash);
    in.literal(R"(,"personal":)");
    body.personal = in.sealed_or_null();
    in.literal(R"(,"context":)");
    body.context = in.sealed_or_null();
    in.literal(R"(,"data_bytes":)");
    auto const data_bytes = in.number();
    in.literal(R"(,"metadata_bytes":)");
    auto const metadata_bytes = in.number();
    in.literal(R"(,"data":)");
    body.data = in.raw(data_bytes);
    in.literal(R"(,"metadata":)");
    body.metadata = in.raw(metadata_bytes);
    in.literal("}");
    if (!in.ok() || !in.at_end())
        return failure{failure_code::corrupted, "a message of the mirror is not in the form of an event"};
    return read;
}

}  // namespace linkledger::eventlog::mirror
