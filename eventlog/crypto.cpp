#include "eventlog/crypto.h"

#include "eventlog/bytes.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

namespace linkledger::eventlog {
namespace {

constexpr std::string_view base58_alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// libsodium must be initialised before its first use; repeating it is harmless and nearly free.
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

void require_key(std::string_view key) {
    if (key.size() != crypto_aead_xchacha20poly1305_ietf_KEYBYTES) {
        throw std::invalid_argument("a sealing key has 32 bytes");
    }
}

/// OpenSSL 3 looks an algorithm up by name at every use unless it was fetched beforehand, which costs more
/// than hashing an event.
EVP_MD const* fetched_sha256() {
    static EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    if (md == nullptr) throw std::runtime_error("OpenSSL has no SHA-256");
    return md;
}

/// A thread's digest context, set up once and reset for each hash.
class digest_context {
public:
    digest_context() : context_(EVP_MD_CTX_new()) {
        if (context_ == nullptr) throw std::bad_alloc();
        if (EVP_DigestInit_ex2(context_, fetched_sha256(), nullptr) != 1) fail();
    }
    ~digest_context() { EVP_MD_CTX_free(context_); }
    digest_context(digest_context const&) = delete;
    digest_context& operator=(digest_context const&) = delete;

    digest hash(std::string_view bytes) {
        digest out;
        unsigned int size = 0;
        if (EVP_DigestInit_ex2(context_, nullptr, nullptr) != 1 ||
            EVP_DigestUpdate(context_, bytes.data(), bytes.size()) != 1 ||
            EVP_DigestFinal_ex(context_, out.data(), &size) != 1 || size != out.size()) {
            fail();
        }
        return out;
    }

private:
    [[noreturn]] static void fail() { throw std::runtime_error("SHA-256 failed in OpenSSL"); }

    EVP_MD_CTX* context_;
};

/// A thread's supply of random bytes, a page at a time: a click takes four small helpings, and as many system
/// calls would cost more than the rest of its event. Each page is ChaCha20's under a seed of its own from the
/// kernel, because drawn from there whole it takes a call per 256 bytes. What was handed out is wiped.
class random_supply {
public:
    void fill(void* to, std::size_t count) {
        if (count > bytes_.size()) return randombytes_buf(to, count);
        if (count > bytes_.size() - used_) {
            refill();
        }
        std::memcpy(to, bytes_.data() + used_, count);
        sodium_memzero(bytes_.data() + used_, count);
        used_ += count;
    }

private:
    void refill() {
        std::array<unsigned char, randombytes_SEEDBYTES> seed;
        randombytes_buf(seed.data(), seed.size());
        randombytes_buf_deterministic(bytes_.data(), bytes_.size(), seed.data());
        sodium_memzero(seed.data(), seed.size());
        used_ = 0;
    }

    std::array<unsigned char, 4096> bytes_{};
    std::size_t used_ = bytes_.size();
};

/// For nonces, salts and ids. Keys come from the kernel directly.
void fill_random(void* to, std::size_t count) {
    ensure_sodium();
    thread_local random_supply supply;
    supply.fill(to, count);
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

digest sha256(std::string_view bytes) {
    thread_local digest_context context;
    return context.hash(bytes);
}

std::string to_hex(std::string_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (char const c : bytes) {
        auto const byte = static_cast<unsigned char>(c);
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string to_hex(digest const& bytes) {
    return to_hex(view_of(bytes));
}

std::optional<std::string> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int const high = hex_value(text[i]);
        int const low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes += static_cast<char>(high * 16 + low);
    }
    return bytes;
}

digest hmac_sha256(std::string_view key, std::string_view message) {
    ensure_sodium();
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, bytes_of(key), key.size());
    crypto_auth_hmacsha256_update(&state, bytes_of(message), message.size());
    digest out;
    static_assert(std::tuple_size_v<digest> == crypto_auth_hmacsha256_BYTES);
    crypto_auth_hmacsha256_final(&state, out.data());
    sodium_memzero(&state, sizeof state);
    return out;
}

digest keyed_hash(std::string_view key, std::string_view message) {
    ensure_sodium();
    require_key(key);
    digest out;
    crypto_generichash(out.data(), out.size(), bytes_of(message), message.size(), bytes_of(key), key.size());
    return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    ensure_sodium();
    return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

std::string random_bytes(std::size_t count) {
    ensure_sodium();
    std::string bytes(count, '\0');
    randombytes_buf(bytes.data(), bytes.size());
    return bytes;
}

std::string random_base58(std::size_t count) {
    ensure_sodium();
    std::string text(count, '\0');
    for (char& c : text) {
        c = base58_alphabet[randombytes_uniform(static_cast<std::uint32_t>(base58_alphabet.size()))];
    }
    return text;
}

uuid new_uuid_v7() {
    std::array<std::uint8_t, 10> random;
    fill_random(random.data(), random.size());
    return domain::make_uuid_v7(domain::to_unix_us(now()) / 1'000, random);
}

salt new_salt() {
    salt fresh;
    fill_random(fresh.data(), fresh.size());
    return fresh;
}

timestamp now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::string seal_bytes(std::string_view key, std::string_view plain, std::string_view associated) {
    ensure_sodium();
    require_key(key);
    constexpr std::size_t nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
    constexpr std::size_t tag_size = crypto_aead_xchacha20poly1305_ietf_ABYTES;
    std::string out(nonce_size + plain.size() + tag_size, '\0');
    fill_random(out.data(), nonce_size);
    crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(out) + nonce_size, nullptr, bytes_of(plain),
                                               plain.size(), bytes_of(associated), associated.size(), nullptr,
                                               bytes_of(out), bytes_of(key));
    return out;
}

std::optional<std::string> open_bytes(std::string_view key, std::string_view sealed,
                                      std::string_view associated) {
    ensure_sodium();
    require_key(key);
    constexpr std::size_t nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
    constexpr std::size_t tag_size = crypto_aead_xchacha20poly1305_ietf_ABYTES;
    if (sealed.size() < nonce_size + tag_size) return std::nullopt;
    std::string plain(sealed.size() - nonce_size - tag_size, '\0');
    int const failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        bytes_of(plain), nullptr, nullptr, bytes_of(sealed) + nonce_size, sealed.size() - nonce_size,
        bytes_of(associated), associated.size(), bytes_of(sealed), bytes_of(key));
    if (failed != 0) return std::nullopt;
    return plain;
}

std::string hash_password(std::string_view password) {
    ensure_sodium();
    std::array<char, crypto_pwhash_STRBYTES> phc{};
    if (crypto_pwhash_str_alg(phc.data(), password.data(), password.size(),
                              crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                              crypto_pwhash_ALG_ARGON2ID13) != 0) {
        throw std::bad_alloc();
    }
    return phc.data();
}

bool verify_password(std::string_view phc, std::string_view password) {
    ensure_sodium();
    std::string const terminated{phc};
    return terminated.size() < crypto_pwhash_STRBYTES &&
           crypto_pwhash_str_verify(terminated.c_str(), password.data(), password.size()) == 0;
}

}  // namespace linkledger::eventlog
