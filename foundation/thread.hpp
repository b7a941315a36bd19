/// What a thread tells the operating system about itself.
#pragma once

namespace matricula {

/// Names the calling thread, as `top -H` and a debugger show it. @param name at most 15 characters.
void name_this_thread(const char* name) noexcept;

/// Lets the calling thread be woken without taking the processor from whoever woke it. For threads that many others
/// hand work to: they begin when there is a free processor or their turn, find more work waiting, and do it at once.
/// The share of the processors stays the same (Linux: SCHED_BATCH). Threads that it starts do likewise.
void wake_without_preempting() noexcept;

/// Leaves the processors to every other thread that wants them, as far as the system allows (Linux: SCHED_IDLE). For
/// work that nobody waits for.
void work_behind_all_others() noexcept;

} // namespace matricula
