// Known answers for the cryptographic calls, from the standards that define them.
#include "eventlog/crypto.h"

#include <gtest/gtest.h>

#include <set>

namespace linkledger::eventlog {
namespace {

std::string bytes_from(std::string_view hex) {
    return from_hex(hex).value();
}

TEST(Sha256, GivesTheAnswersOfFips180) {
    EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(to_hex(sha256(std::string(1'000'000, 'a'))),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(HmacSha256, GivesTheAnswersOfRfc4231) {
    EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'),
                                 "Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hex, ReadsWhatItWrites) {
    std::string const bytes{"\x00\x7f\x80\xff", 4};
    EXPECT_EQ(to_hex(bytes), "007f80ff");
    EXPECT_EQ(from_hex("007F80ff"), bytes);
    EXPECT_EQ(from_hex("0"), std::nullopt);
    EXPECT_EQ(from_hex("0g"), std::nullopt);
}

TEST(Seal, OpensTheExampleOfTheXChaChaDraft) {
    std::string const key = bytes_from("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    std::string const sealed = bytes_from(
        "404142434445464748494a4b4c4d4e4f5051525354555657"
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
        "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
    EXPECT_EQ(open_bytes(key, sealed, bytes_from("50515253c0c1c2c3c4c5c6c7")),
              "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
              "sunscreen would be it.");
}

TEST(Seal, OpensOnlyUnderTheSameKeyAndAssociatedDataUnaltered) {
    std::string const key = random_bytes(32);
    std::string const sealed = seal_bytes(key, "secret", "here");
    EXPECT_EQ(open_bytes(key, sealed, "here"), "secret");
    EXPECT_EQ(open_bytes(key, seal_bytes(key, "", "here"), "here"), "");
    EXPECT_EQ(open_bytes(key, sealed, "there"), std::nullopt);
    EXPECT_EQ(open_bytes(random_bytes(32), sealed, "here"), std::nullopt);
    EXPECT_EQ(open_bytes(key, "short", "here"), std::nullopt);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        std::string altered = sealed;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        EXPECT_EQ(open_bytes(key, altered, "here"), std::nullopt) << "byte " << i;
    }
}

TEST(Seal, NeverGivesTheSameBytesTwice) {
    std::string const key = random_bytes(32);
    EXPECT_NE(seal_bytes(key, "secret", ""), seal_bytes(key, "secret", ""));
}

TEST(Passwords, AreArgon2idAndVerifyOnlyThemselves) {
    std::string const phc = hash_password("correct horse");
    EXPECT_TRUE(phc.starts_with("$argon2id$v=19$m=65536,t=2,p=1$")) << phc;
    EXPECT_TRUE(verify_password(phc, "correct horse"));
    EXPECT_FALSE(verify_password(phc, "correct horsf"));
    EXPECT_FALSE(verify_password("not a hash", "correct horse"));
    EXPECT_FALSE(verify_password(std::string(1'000, '$'), "correct horse"));
}

TEST(ConstantTimeCompare, SaysWhetherBytesAreEqual) {
    EXPECT_TRUE(equal_in_constant_time("", ""));
    EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
}

TEST(RandomBase58, UsesTheWholeAlphabetAndNothingElse) {
    std::string const text = random_base58(10'000);
    ASSERT_EQ(text.size(), 10'000u);
    EXPECT_EQ(text.find_first_of("0OIl+/"), std::string::npos);
    EXPECT_EQ((std::set<char>{text.begin(), text.end()}.size()), 58u);
}

TEST(NewUuid, IsVersion7OfNow) {
    std::int64_t const before = domain::to_unix_us(now()) / 1'000;
    uuid const id = new_uuid_v7();
    std::int64_t const after = domain::to_unix_us(now()) / 1'000;
    std::int64_t unix_ms = 0;
    for (std::size_t i = 0; i < 6; ++i) unix_ms = unix_ms * 256 + id.bytes[i];
    EXPECT_LE(before, unix_ms);
    EXPECT_GE(after, unix_ms);
    EXPECT_EQ(id.bytes[6] >> 4, 7);
    EXPECT_EQ(id.bytes[8] >> 6, 2);
    EXPECT_NE(id, new_uuid_v7());
}

}  // namespace
}  // namespace linkledger::eventlog
