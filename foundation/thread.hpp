/// What a thread tells the operating system about itself.
#pragma once

namespace matricula {

/// Names the calling thread, as `top -H` and a debugger show it. @param name at most 15 characters.
void name_this_thread(const char* name) noexcept;

/// Leaves the processors to every other thread that wants them, as far as the system allows (Linux: SCHED_IDLE). For
/// work that nobody waits for.
void work_behind_all_others() noexcept;

} // namespace matricula
