// `linkledger migrate`: the schema of the log and the read models, up and down.

#include "migrations/migrator.h"

#include "cli/composition.h"
#include "cli/configuration.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <filesystem>

namespace linkledger::cli {

namespace {

migrations::target target_of_environment() {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    make_data_folder(from);
    return migration_target(from);
}

int up() {
    auto const print = [](migrations::migration const& done) { fmt::print("up    {}\n", describe(done)); };
    auto const done = migrations::up(target_of_environment(), print);
    if (done.empty()) fmt::print("nothing to do\n");
    return succeeded;
}

int down(int steps) {
    for (auto const& undone : migrations::down(target_of_environment(), steps)) {
        fmt::print("down  {}\n", describe(undone));
    }
    return succeeded;
}

int status(bool as_json) {
    auto const lines = migrations::status(target_of_environment());
    if (as_json) {
        boost::json::array all;
        for (auto const& line : lines) {
            boost::json::object entry{{"number", line.number},
                                      {"name", line.name},
                                      {"database", line.database},
                                      {"applied", line.applied},
                                      {"dirty", line.dirty}};
            entry["applied_at"] = nullptr;
            if (line.applied_at) entry["applied_at"] = domain::to_rfc3339(*line.applied_at);
            all.push_back(std::move(entry));
        }
        fmt::print("{}\n", boost::json::serialize(all));
        return succeeded;
    }
    std::vector<std::vector<std::string>> rows;
    for (auto const& line : lines) {
        std::string const state = line.dirty ? "dirty" : line.applied ? "applied" : "missing";
        rows.push_back({fmt::format("{:06}", line.number), line.name, line.database, state,
                        line.applied_at ? domain::to_rfc3339(*line.applied_at) : "-"});
    }
    fmt::print("{}", table({"number", "name", "database", "state", "applied at"}, rows));
    return succeeded;
}

int force(std::int64_t number) {
    migrations::force(target_of_environment(), number);
    fmt::print("{:06} is recorded as the last migration; nothing was run\n", number);
    return succeeded;
}

int create(std::string const& folder, std::string const& name) {
    for (auto const& path : migrations::create(folder, name)) fmt::print("{}\n", path);
    return succeeded;
}

}  // namespace

void add_migrate(subcommand& to) {
    auto migrate = to.add_subcommand("migrate", "Bring the database's schema up or down");
    migrate.require_subcommand();
    migrate.footer("DATABASE_URL or DB_PATH says which database. `serve` brings it up by itself.");

    migrate.add_subcommand("up", "Apply what is missing").runs(up);

    auto back = migrate.add_subcommand("down", "Undo the last migrations");
    auto const steps = std::make_shared<int>(1);
    back.add_option("STEPS", *steps, "How many (1)").within(1, 1000);
    back.runs([steps] { return down(*steps); });

    auto show = migrate.add_subcommand("status", "List every migration and whether it is applied");
    auto const as_json = std::make_shared<bool>(false);
    show.add_flag("--json", *as_json, "As a JSON array");
    show.runs([as_json] { return status(*as_json); });

    auto set = migrate.add_subcommand("force", "Record a migration as the last one, running nothing");
    auto const number = std::make_shared<std::int64_t>(0);
    set.add_option("NUMBER", *number, "0 for none").required().not_negative();
    set.runs([number] { return force(*number); });

    auto add = migrate.add_subcommand("create", "Write the empty files of a new migration (for developers)");
    auto const name = std::make_shared<std::string>();
    auto const folder = std::make_shared<std::string>("migrations");
    add.add_option("NAME", *name, "As in add_link_colors").required();
    add.add_option("--folder", *folder, "Where (migrations)").existing_folder();
    add.runs([name, folder] { return create(*folder, *name); });
}

}  // namespace linkledger::cli
