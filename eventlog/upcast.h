#pragma once
// Upcasters bring events of an old schema version to the current one when they are read. Stored bytes never
// change.

#include <boost/json/fwd.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace linkledger::eventlog {

/// Turns the stored form of one version into that of the next. `personal` is null where the event has no
/// personal part, or its key was destroyed.
using upcaster = std::function<void(boost::json::object& data, boost::json::object* personal)>;

/// The steps, by event type and the version that each starts from.
class upcaster_table {
public:
    void add(std::string type, int from_version, upcaster step);

    /// Carries out the steps from `from_version` up to `to_version`, one after the other. False when one is
    /// missing, or the version is a newer one; the objects are then half-way and of no use.
    [[nodiscard]] bool apply(std::string_view type, int from_version, int to_version,
                             boost::json::object& data, boost::json::object* personal) const;

private:
    std::map<std::pair<std::string, int>, upcaster, std::less<>> steps_;
};

/// Those of this executable. A new one: a line in upcast.cpp, and a golden sample of the old version stays.
[[nodiscard]] upcaster_table const& current_upcasters();

}  // namespace linkledger::eventlog
