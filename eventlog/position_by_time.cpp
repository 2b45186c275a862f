#include "eventlog/position_by_time.h"

namespace linkledger::eventlog {

result<position> position_before(event_log& log, timestamp time, position last) {
    position low = 0;
    position high = last;
    while (low < high) {
        position const middle = low + (high - low + 1) / 2;
        read_query query;
        query.after = middle - 1;
        query.until = middle;
        query.limit = 1;
        BOOST_OUTCOME_TRY(auto const page, log.read(query));
        if (!page.events.empty() && page.events.front().recorded_at < time)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

}  // namespace linkledger::eventlog
