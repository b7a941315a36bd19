#include "foundation/thread.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace matricula {

void name_this_thread(const char* name) noexcept { (void)::pthread_setname_np(::pthread_self(), name); }

void wake_without_preempting() noexcept {
  // Only how fast it goes depends on it: where a sandbox forbids the call, the thread goes on as it was.
  const sched_param none{};
  (void)::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &none);
}

void work_behind_all_others() noexcept {
  constexpr int lowest = 19;
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), lowest);
}

} // namespace matricula
