#include "eventlog/merkle/note.h"

#include "eventlog/bytes.h"
#include "eventlog/crypto.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace linkledger::eventlog::merkle {
namespace {

constexpr std::string_view signature_mark = "\xe2\x80\x94 ";  // An em dash and a space.
constexpr char ed25519 = 1;                                   // The kind of key, in key ids and texts.
constexpr std::size_t key_id_size = 4;
constexpr std::size_t note_size_max = 1'000'000;

void ensure_sodium() {
    static bool const ready = sodium_init() >= 0;
    if (!ready) throw std::runtime_error("libsodium cannot be initialised");
}

unsigned char const* bytes_of(std::string_view text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

/// Public and secret key as libsodium wants them.
struct key_pair {
    explicit key_pair(std::string const& seed) {
        ensure_sodium();
        if (seed.size() != crypto_sign_SEEDBYTES) throw std::invalid_argument("a signing key has 32 bytes");
        crypto_sign_seed_keypair(bytes_of(public_key), bytes_of(secret), bytes_of(seed));
    }
    ~key_pair() { sodium_memzero(secret.data(), secret.size()); }
    key_pair(key_pair const&) = delete;
    key_pair& operator=(key_pair const&) = delete;

    std::string public_key = std::string(crypto_sign_PUBLICKEYBYTES, '\0');
    std::string secret = std::string(crypto_sign_SECRETKEYBYTES, '\0');
};

bool is_name(std::string_view name) {
    return !name.empty() && name.find_first_of(" +\n\r\t") == std::string_view::npos;
}

/// Takes a line without its newline; none when there is no newline left.
std::optional<std::string_view> take_line(std::string_view& text) {
    auto const end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto const line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

/// A line `— name base64(key id || signature)`.
struct signature_line {
    std::string_view name;
    std::string key_id;
    std::string signature;
};
std::optional<signature_line> parse_signature(std::string_view line) {
    if (!line.starts_with(signature_mark)) return std::nullopt;
    line.remove_prefix(signature_mark.size());
    auto const space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    auto const bytes = from_base64(line.substr(space + 1));
    if (!bytes || bytes->size() <= key_id_size || !is_name(line.substr(0, space))) return std::nullopt;
    return signature_line{line.substr(0, space), bytes->substr(0, key_id_size), bytes->substr(key_id_size)};
}

bool verifies(verifier_key const& key, std::string_view text, std::string const& signature) {
    ensure_sodium();
    return signature.size() == crypto_sign_BYTES &&
           crypto_sign_verify_detached(bytes_of(signature), bytes_of(text), text.size(),
                                       bytes_of(key.public_key)) == 0;
}

}  // namespace

std::string to_base64(std::string_view bytes) {
    std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(text.data(), text.size(), bytes_of(bytes), bytes.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    text.pop_back();  // The terminating zero.
    return text;
}

std::string to_base64(digest const& hash) {
    return to_base64(view_of(hash));
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string bytes(text.size() / 4 * 3 + 3, '\0');
    std::size_t size = 0;
    char const* end = nullptr;
    if (sodium_base642bin(bytes_of(bytes), bytes.size(), text.data(), text.size(), nullptr, &size, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text.data() + text.size())
        return std::nullopt;
    bytes.resize(size);
    return to_base64(bytes) == text ? std::optional{bytes} : std::nullopt;
}

std::optional<digest> digest_from_base64(std::string_view text) {
    auto const bytes = from_base64(text);
    digest hash;
    if (!bytes || bytes->size() != hash.size()) return std::nullopt;
    std::memcpy(hash.data(), bytes->data(), hash.size());
    return hash;
}

std::string verifier_key::id() const {
    digest const hash = sha256(name + '\n' + ed25519 + public_key);
    return std::string{view_of(hash).substr(0, key_id_size)};
}

std::string verifier_key::to_text() const {
    return name + '+' + to_hex(id()) + '+' + to_base64(ed25519 + public_key);
}

std::optional<verifier_key> parse_verifier_key(std::string_view text) {
    auto const first = text.find('+');
    auto const second = first == std::string_view::npos ? first : text.find('+', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    auto const bytes = from_base64(text.substr(second + 1));
    if (!bytes || bytes->size() != 1 + crypto_sign_PUBLICKEYBYTES || bytes->front() != ed25519)
        return std::nullopt;
    verifier_key const key{std::string{text.substr(0, first)}, bytes->substr(1)};
    return is_name(key.name) && key.to_text() == text ? std::optional{key} : std::nullopt;
}

verifier_key signing_key::verifier(std::string name) const {
    return {std::move(name), key_pair{seed}.public_key};
}

std::string signing_key::sign(std::string_view message) const {
    key_pair const keys{seed};
    std::string signature(crypto_sign_BYTES, '\0');
    crypto_sign_detached(bytes_of(signature), nullptr, bytes_of(message), message.size(),
                         bytes_of(keys.secret));
    return signature;
}

signing_key new_signing_key() {
    return {random_bytes(crypto_sign_SEEDBYTES)};
}

std::string sign_note(std::string const& text, std::string const& name, std::span<signing_key const> keys) {
    std::string note = text + '\n';
    for (signing_key const& key : keys) {
        note += signature_mark;
        note += name + ' ' + to_base64(key.verifier(name).id() + key.sign(text)) + '\n';
    }
    return note;
}

std::optional<std::string> open_note(std::string_view note, std::span<verifier_key const> known) {
    auto const split = note.rfind("\n\n");
    if (note.size() > note_size_max || split == std::string_view::npos || !note.ends_with('\n'))
        return std::nullopt;
    auto const text = note.substr(0, split + 1);
    auto lines = note.substr(split + 2);
    bool verified = false;
    while (auto const line = take_line(lines)) {
        auto const given = parse_signature(*line);
        if (!given) return std::nullopt;
        for (verifier_key const& key : known) {
            if (key.name != given->name || key.id() != given->key_id) continue;
            if (!verifies(key, text, given->signature)) return std::nullopt;
            verified = true;
        }
    }
    return verified ? std::optional{std::string{text}} : std::nullopt;
}

std::string to_text(checkpoint const& head) {
    return head.origin + '\n' + std::to_string(head.size) + '\n' + to_base64(head.root) + '\n';
}

std::optional<checkpoint> parse_checkpoint(std::string_view text) {
    auto const origin = take_line(text);
    auto const size = take_line(text);
    auto const root = take_line(text);
    if (!origin || !size || !root || origin->empty()) return std::nullopt;
    checkpoint head{std::string{*origin}, 0, {}};
    auto const [end, error] = std::from_chars(size->data(), size->data() + size->size(), head.size);
    if (error != std::errc{} || head.size < 0 || std::to_string(head.size) != *size) return std::nullopt;
    auto const hash = digest_from_base64(*root);
    if (!hash) return std::nullopt;
    head.root = *hash;
    return head;
}

std::string origin_of(log_head const& log) {
    return "linkledger/" + domain::to_string(log.log_id) + '/' + std::to_string(log.epoch);
}

}  // namespace linkledger::eventlog::merkle
