#pragma once
// A failure: the environment could not do it (the domain did not say no). A value, turned into 503 or 504.

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>

#include <cerrno>
#include <string>
#include <system_error>

namespace linkledger::eventlog {

enum class failure_code {
    unavailable,      ///< The store cannot be reached or is restarting; nothing was written. Retry later.
    unknown_outcome,  ///< The write may or may not have happened. Retry under the same idempotency key.
    timeout,          ///< The deadline passed before an answer; nothing is known to be written.
    queue_full,       ///< More writes wait than may; nothing was written. Retry later.
    shutting_down,    ///< The process is stopping; nothing was written. Retry elsewhere.
    corrupted,        ///< Stored bytes are not what the log wrote. An operator must look.
};

struct failure {
    failure_code code = failure_code::unavailable;
    std::string detail;  ///< For an operator's log; holds no secret and no user's data.
};

/// What errno says of a file.
[[nodiscard]] inline failure system_failure(std::string const& what, std::string const& path) {
    return {failure_code::unavailable, what + ' ' + path + ": " + std::generic_category().message(errno)};
}

template <typename T>
using result = boost::outcome_v2::basic_result<T, failure, boost::outcome_v2::policy::terminate>;

}  // namespace linkledger::eventlog
