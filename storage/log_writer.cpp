#include "storage/log_writer.hpp"

#include "foundation/thread.hpp"

namespace matricula::storage {

namespace {
constexpr milliseconds idle_tick{1'000};
}

log_writer::log_writer(local_log& driven)
    : log_(driven), thread_([this] {
        name_this_thread("log-writer");
        // Almost every request hands it a batch: a group that begins a little later holds more of them.
        wake_without_preempting();
        for (;;) {
          switch (log_.wait_for_work(idle_tick)) {
          case local_log::work::ready:
            (void)log_.write_group();
            break;
          case local_log::work::none:
            log_.check_disk();
            break;
          case local_log::work::stopped:
            return;
          }
        }
      }) {}

log_writer::~log_writer() {
  log_.stop();
  thread_.join();
}

} // namespace matricula::storage
