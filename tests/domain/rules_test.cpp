#include "domain/rules.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <boost/url/parse.hpp>

namespace linkledger::domain::rules {
namespace {

std::string kept(checked<std::string> const& value) {
    auto const* text = std::get_if<std::string>(&value);
    return text ? *text : "refused: " + std::get<broken>(value).message;
}
bool refused(checked<std::string> const& value) {
    return std::holds_alternative<broken>(value);
}

}  // namespace

TEST(ShortCode, IsThreeToFiftyOfItsAlphabet) {
    EXPECT_EQ(kept(short_code("a-B_9")), "a-B_9");
    EXPECT_EQ(kept(short_code(std::string(50, 'x'))), std::string(50, 'x'));
    for (std::string const no : {"", "ab", "a b", "a/b", "a.b", "käse", "abc\n"})
        EXPECT_TRUE(refused(short_code(no))) << no;
    EXPECT_TRUE(refused(short_code(std::string(51, 'x'))));
}
TEST(ShortCode, IsNoReservedWordInAnyCase) {
    for (std::string const word : {"api", "API", "Docs", "healthz", "metrics", "admin", "login", "static"}) {
        EXPECT_TRUE(refused(short_code(word))) << word;
    }
}

TEST(Url, IsKeptAsItIsWhenItIsFine) {
    for (std::string const fine :
         {"https://example.com", "http://example.com/", "https://example.com:8443/a/b?c=d&e=f#g",
          "https://[2001:db8::1]:80/x", "http://127.0.0.1:9000/", "https://example.com/%7Euser?q=a%20b",
          "https://a_b.example.com/", "https://example.com?q", "http://localhost/x"}) {
        EXPECT_EQ(kept(url(fine)), fine);
    }
}
TEST(Url, IsPercentEncodedWhereItMustBe) {
    EXPECT_EQ(kept(url("https://example.com/a|b?q=\"x\"&y={z}")),
              "https://example.com/a%7Cb?q=%22x%22&y=%7Bz%7D");
    EXPECT_EQ(kept(url("https://example.com/käse")), "https://example.com/k%C3%A4se");
    EXPECT_EQ(kept(url("https://example.com/100%")), "https://example.com/100%25");
    EXPECT_EQ(kept(url("https://example.com/[x]#a#b")), "https://example.com/%5Bx%5D#a%23b");
    EXPECT_EQ(kept(url("https://bücher.example/")), "https://b%C3%BCcher.example/");
    EXPECT_EQ(kept(url("https://example.com/a\\b")), "https://example.com/a%5Cb");
    EXPECT_EQ(kept(url("HTTPS://Example.com/A")), "https://Example.com/A");
}
TEST(Url, IsRefusedWithAClearMessage) {
    for (std::string const no : {"",
                                 "example.com",
                                 "//example.com",
                                 "/path",
                                 "javascript:alert(1)",
                                 "data:text/html,x",
                                 "ftp://example.com/",
                                 "file:///etc/passwd",
                                 "https://",
                                 "https:///path",
                                 "https://?q",
                                 "http://:80/",
                                 "https://user@example.com/",
                                 "https://user:secret@example.com/",
                                 "https://exa mple.com/",
                                 "https://example.com/a b",
                                 "https://example.com/\n",
                                 "https://example.com:0/",
                                 "https://example.com:65536/",
                                 "https://example.com:x/",
                                 "https://ex\\ample.com/",
                                 "https://[::1",
                                 "https://[zz]/",
                                 "https://[1:2]/",
                                 "https://a..b/",
                                 "https://.a/",
                                 "https://exa%6dple.com/"}) {
        EXPECT_TRUE(refused(url(no))) << no;
    }
    EXPECT_TRUE(refused(url("https://example.com/\xFF")));
    EXPECT_TRUE(refused(url("https://example.com/\x7F")));
    EXPECT_TRUE(refused(url("https://example.com/" + std::string(8'192, 'x'))));
    EXPECT_TRUE(refused(url("https://example.com/" + std::string(4'000, '|'))));
    EXPECT_FALSE(refused(url("https://example.com/" + std::string(8'172, 'x'))));
}
TEST(Url, DoesNotLeadToTheServiceItself) {
    for (std::string const no :
         {"https://ll.example/abc", "http://LL.EXAMPLE:8080/", "https://ll.example./"}) {
        EXPECT_TRUE(refused(url(no, "ll.example"))) << no;
    }
    EXPECT_FALSE(refused(url("https://sub.ll.example/", "ll.example")));
}
TEST(Url, DoesNotLeadToTheServiceItselfInAnotherSpelling) {
    // As a browser maps names (UTS #46): full width, ideographic dots, what cannot be seen.
    for (std::string const no : {"https://ｌｌ.example/", "https://ll。example/", "https://ll．example/",
                                 "https://l\xC2\xADl.example/", "https://l\xE2\x80\x8Bl.example/"}) {
        EXPECT_TRUE(refused(url(no, "ll.example"))) << no;
    }
    EXPECT_TRUE(refused(url("https://xn--bcher-kva.example/", "bücher.example")));
    EXPECT_TRUE(refused(url("https://BÜCHER.example/", "xn--bcher-kva.example")));
    EXPECT_FALSE(refused(url("https://bücher.example/", "ll.example")));
    for (std::string const no :
         {"http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/",
          "http://127.0.0.1./", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"}) {
        EXPECT_TRUE(refused(url(no, "127.0.0.1"))) << no;
    }
    EXPECT_TRUE(refused(url("http://[0:0:0:0:0:0:0:1]/", "[::1]")));
    EXPECT_FALSE(refused(url("http://127.0.0.2/", "127.0.0.1")));
    EXPECT_FALSE(refused(url("http://feed.cafe/", "127.0.0.1")));
}
TEST(Url, HasAHost) {
    EXPECT_EQ(host_of("https://LL.example.:443/x"), "ll.example");
    EXPECT_EQ(host_of("http://[::1]:80"), "[::1]");
    EXPECT_EQ(host_of("nothing"), "");
}

TEST(Email, IsKeptInLowerCase) {
    EXPECT_EQ(kept(email(" Ann.Lee+x@Example.COM ")), "ann.lee+x@example.com");
    EXPECT_EQ(kept(email("ännä@bücher.example")), "ännä@bücher.example");
}
TEST(Email, IsRefusedWhenItIsNone) {
    for (std::string const no : {"", "ann", "@example.com", "ann@", "ann@localhost", "ann@.com",
                                 "a b@example.com", "ann@exa mple.com", "ann@-x.com", ".ann@example.com",
                                 "a..b@example.com", "ann@example.com\nBcc: x", "<ann@example.com>"}) {
        EXPECT_TRUE(refused(email(no))) << no;
    }
    EXPECT_TRUE(refused(email(std::string(65, 'a') + "@example.com")));
}

TEST(Texts, HaveTheirLimitsInCharacters) {
    auto const of = [](std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) text += "ä";
        return text;
    };
    EXPECT_FALSE(refused(title(of(500))));
    EXPECT_TRUE(refused(title(of(501))));
    EXPECT_FALSE(refused(description(of(5'000))));
    EXPECT_TRUE(refused(description(of(5'001))));
    EXPECT_FALSE(refused(tag(of(50))));
    EXPECT_TRUE(refused(tag(of(51))));
    EXPECT_FALSE(refused(utm(of(255))));
    EXPECT_TRUE(refused(utm(of(256))));
    EXPECT_TRUE(refused(name("")));
    EXPECT_TRUE(refused(slug("-a")));
    EXPECT_EQ(kept(slug("a-1")), "a-1");
}
TEST(Texts, HoldNoControlCharacters) {
    EXPECT_TRUE(refused(title(std::string("a\0b", 3))));
    EXPECT_TRUE(refused(title("a\nb")));
    EXPECT_FALSE(refused(description("a\nb\tc")));
    EXPECT_TRUE(refused(description("a\x1B[0m")));
}
TEST(Tags, AreFiftyAtMostAndOnceEach) {
    findings found;
    EXPECT_EQ(found.keep_tags({"a", "b", " a "}), (std::vector<std::string>{"a", "b"}));
    EXPECT_FALSE(found.any());
    static_cast<void>(found.keep_tags(std::vector<std::string>(51, "x")));
    EXPECT_TRUE(found.any());
}

TEST(Utf8, IsCheckedToTheLetter) {
    EXPECT_TRUE(is_utf8("aä€😀"));
    for (std::string const no : {"\x80", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                 "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "a\xFF"}) {
        EXPECT_FALSE(is_utf8(no));
    }
    EXPECT_EQ(count_characters("aä€😀"), 4u);
}

// Whatever stands behind the host: an accepted URL is a valid one in safe ASCII, and accepting it again keeps
// it as it is.
RC_GTEST_PROP(Url, IsSafeInAHeaderOnceAccepted, (std::string const& rest)) {
    auto const value = url("https://example.com/" + rest);
    if (refused(value)) return;
    std::string const& accepted = std::get<std::string>(value);
    for (char c : accepted) RC_ASSERT((c > ' ' && c < '\x7F'));
    RC_ASSERT(boost::urls::parse_uri(accepted).has_value());
    RC_ASSERT(kept(url(accepted)) == accepted);
}

}  // namespace linkledger::domain::rules
