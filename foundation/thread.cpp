#include "foundation/thread.hpp"

#include <pthread.h>
#include <sched.h>

namespace matricula {

void name_this_thread(const char* name) noexcept { (void)::pthread_setname_np(::pthread_self(), name); }

void wake_without_preempting() noexcept {
  // Only how fast it goes depends on it: where a sandbox forbids the call, the thread goes on as it was.
  const sched_param none{};
  (void)::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &none);
}

void work_behind_all_others() noexcept {
  // Not a mere niceness: that would still take its share.
  const sched_param none{};
  (void)::sched_setscheduler(0, SCHED_IDLE, &none);
}

} // namespace matricula
