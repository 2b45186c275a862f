// libFuzzer's way in. One executable for all targets: FUZZ_TARGET names the one to run.

#include "tests/fuzz/targets.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

void (*run)(std::string_view) = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    char const* const wanted = std::getenv("FUZZ_TARGET");
    for (auto const& each : linkledger::fuzz::targets())
        if (wanted != nullptr && each.name == wanted) run = each.run;
    if (run != nullptr) return 0;
    std::fprintf(stderr, "FUZZ_TARGET is one of:");
    for (auto const& each : linkledger::fuzz::targets())
        std::fprintf(stderr, " %s", std::string{each.name}.c_str());
    std::fprintf(stderr, "\n");
    std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    run({reinterpret_cast<char const*>(data), size});
    return 0;
}
