#pragma once
// How often what is done many times is done.

namespace linkledger::test {

/// An eighth under a sanitizer, which makes everything several times slower; at least once.
constexpr int repetitions(int wanted) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return wanted < 8 ? 1 : wanted / 8;
#else
    return wanted;
#endif
}

}  // namespace linkledger::test
