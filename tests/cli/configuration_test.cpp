// The environment: what is accepted, and what is said of the rest.

#include "cli/configuration.h"

#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <fstream>
#include <map>

namespace linkledger::cli {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

configuration read(std::map<std::string, std::string> const& variables) {
    return read_configuration([&](std::string const& name) -> std::optional<std::string> {
        auto const found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional{found->second};
    });
}

std::string complaint(std::string const& name, std::string const& value) {
    try {
        read({{name, value}});
    } catch (configuration_error const& problem) {
        return problem.what();
    }
    return "accepted";
}

}  // namespace

TEST(Configuration, HasTheEmbeddedShapeByDefault) {
    auto const made = read({});
    EXPECT_FALSE(made.on_postgresql());
    EXPECT_EQ(made.db_path, "./data/linkledger.db");
    EXPECT_EQ(made.listen_host, "127.0.0.1");
    EXPECT_EQ(made.listen_port, 8080);
    EXPECT_EQ(made.master_key_file, "./data/master.key");
    EXPECT_TRUE(made.projections_in_process);
}

TEST(Configuration, TakesAVariableSetToNothingAsNotSet) {
    EXPECT_EQ(read({{"LISTEN", ""}, {"DATABASE_URL", ""}}).listen_port, 8080);
}

TEST(Configuration, KeepsTheMasterKeyBesideTheDatabaseUnlessItIsNamed) {
    EXPECT_EQ(read({{"DB_PATH", "/srv/ll/log.db"}}).master_key_file, "/srv/ll/master.key");
    EXPECT_EQ(read({{"DB_PATH", "log.db"}}).master_key_file, "master.key");
    EXPECT_EQ(read({{"DB_PATH", "/srv/ll/log.db"}, {"MASTER_KEY_FILE", "/etc/key"}}).master_key_file,
              "/etc/key");
}

TEST(Configuration, ReadsEveryFormOfAddress) {
    EXPECT_EQ(read({{"LISTEN", "0.0.0.0:80"}}).listen_host, "0.0.0.0");
    EXPECT_EQ(read({{"LISTEN", ":80"}}).listen_host, "0.0.0.0");
    EXPECT_EQ(read({{"LISTEN", "localhost:0"}}).listen_host, "127.0.0.1");
    EXPECT_EQ(read({{"LISTEN", "[::1]:8080"}}).listen_host, "::1");
    for (auto const* wrong :
         {"8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "example.org:80"})
        EXPECT_THAT(complaint("LISTEN", wrong),
                    AllOf(HasSubstr("LISTEN"), HasSubstr(wrong), HasSubstr("127.0.0.1:8080")));
}

TEST(Configuration, ReadsProxiesAsAddressesAndNetworks) {
    EXPECT_THAT(read({{"TRUSTED_PROXIES", "10.0.0.0/8, ::1,192.0.2.1"}}).trusted_proxies,
                ElementsAre("10.0.0.0/8", "::1", "192.0.2.1"));
    EXPECT_THAT(complaint("TRUSTED_PROXIES", "10.0.0.0/99"), HasSubstr("10.0.0.0/8"));
}

TEST(Configuration, NamesTheVariableTheValueAndWhatIsAccepted) {
    EXPECT_EQ(complaint("KEEP_IP", "some"),
              "KEEP_IP: \"some\" cannot be used. Accepted: one of: none, truncated, full.");
    EXPECT_THAT(complaint("LOG_FORMAT", "xml"), HasSubstr("text, json"));
    EXPECT_THAT(complaint("LOG_LEVEL", "loud"), HasSubstr("trace, debug"));
    EXPECT_THAT(complaint("PROJECTIONS", "off"), HasSubstr("in-process, none"));
    EXPECT_THAT(complaint("CLICK_ACK", "yes"), HasSubstr("committed, queued"));
    EXPECT_THAT(complaint("ALLOW_UNSAFE_DATABASE", "true"), HasSubstr("0, 1"));
    EXPECT_THAT(complaint("HTTP_THREADS", "-1"), HasSubstr("from 1 to 256"));
    EXPECT_THAT(complaint("CONNECTIONS_MAX", "0"), HasSubstr("from 1 to 1000000"));
    EXPECT_THAT(complaint("CONNECTIONS_PER_ADDRESS_MAX", "many"), HasSubstr("from 1 to 1000000"));
    EXPECT_THAT(complaint("IDEMPOTENCY_DAYS", "7 days"), HasSubstr("from 1 to 3650"));
    EXPECT_THAT(complaint("PUBLIC_URL", "ll.example"), HasSubstr("https://ll.example"));
    EXPECT_THAT(complaint("PUBLIC_URL", "https://user:pw@ll.example"), Not(HasSubstr("pw")));
    EXPECT_THAT(complaint("GEOIP_DB", "/nowhere.mmdb"), HasSubstr("exists"));
    EXPECT_THAT(complaint("DATABASE_URL", "mysql://host/db"), HasSubstr("postgresql://"));
}

TEST(Configuration, ShowsNoSecret) {
    EXPECT_THAT(complaint("DATABASE_URL", "mysql://user:hunter2@host/db"), Not(HasSubstr("hunter2")));
    EXPECT_THAT(complaint("LINKLEDGER_ADMIN_KEY", "hunter2"),
                AllOf(HasSubstr("LINKLEDGER_ADMIN_KEY"), Not(HasSubstr("hunter2"))));
}

TEST(Configuration, AcceptsAnAdminKeyLikeItsOwn) {
    EXPECT_EQ(read({{"LINKLEDGER_ADMIN_KEY", "ll_6qFvUQKbKc5CzV1xT9eWpR3n"}}).admin_key,
              "ll_6qFvUQKbKc5CzV1xT9eWpR3n");
}

TEST(Configuration, RemembersWhatThisVersionDoesNotUse) {
    EXPECT_EQ(read({{"REDIS_URL", "redis://:secret@x:6400/1"}}).redis_url, "redis://:secret@x:6400/1");
}

TEST(Configuration, ReadsAFileThatExists) {
    test::temp_folder const folder;
    std::ofstream{folder.file("countries.mmdb")} << "x";
    EXPECT_EQ(read({{"GEOIP_DB", folder.file("countries.mmdb")}}).geoip_db, folder.file("countries.mmdb"));
}

TEST(RedactUrl, HidesPasswordsInEveryForm) {
    EXPECT_EQ(redact_url("postgresql://ll:s3cret@db:5432/ll"), "postgresql://ll:***@db:5432/ll");
    EXPECT_EQ(redact_url("postgresql://ll:p@ss/w@db/ll"), "postgresql://ll:***@db/ll");
    EXPECT_EQ(redact_url("postgresql://ll@db/ll?password=s3cret&x=1"),
              "postgresql://ll@db/ll?password=***&x=1");
    EXPECT_EQ(redact_url("host=db password=s3cret dbname=ll"), "host=db password=*** dbname=ll");
    EXPECT_EQ(redact_url("host=db password = 'a b' dbname=ll"), "host=db password = *** dbname=ll");
    EXPECT_EQ(redact_url("postgresql://db/ll"), "postgresql://db/ll");
}

}  // namespace linkledger::cli
