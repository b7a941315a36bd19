#include "commands/end_process.hpp"

#include "foundation/log.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace matricula::commands {

namespace {
constexpr std::chrono::milliseconds fatal_grace{300};
}

void end_process(std::string_view why) {
  static std::atomic<bool> ending{false};
  if (ending.exchange(true)) return;
  log::error("node.fatal", "The node ends and recovers when it is started again.", {{"why", why}});
  log::flush();
  std::thread([] {
    std::this_thread::sleep_for(fatal_grace);
    std::_Exit(exit_fatal);
  }).detach();
}

} // namespace matricula::commands
