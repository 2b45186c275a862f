// ThreadSanitizer of g++ 12 does not know pthread_mutex_clocklock, by which std::timed_mutex waits: it takes
// the mutex for unlocked. It knows pthread_mutex_timedlock, so that build waits by this one.

#ifdef __SANITIZE_THREAD__

#include <pthread.h>

#include <ctime>

extern "C" int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, timespec const* until) {
    constexpr long second = 1'000'000'000;
    timespec now{}, wall{};
    ::clock_gettime(clock, &now);
    ::clock_gettime(CLOCK_REALTIME, &wall);
    wall.tv_sec += until->tv_sec - now.tv_sec;
    wall.tv_nsec += until->tv_nsec - now.tv_nsec;
    if (wall.tv_nsec < 0) {
        wall.tv_nsec += second;
        --wall.tv_sec;
    } else if (wall.tv_nsec >= second) {
        wall.tv_nsec -= second;
        ++wall.tv_sec;
    }
    return ::pthread_mutex_timedlock(mutex, &wall);
}

#endif
