#include "runtime/services.hpp"

#include "foundation/log.hpp"

namespace matricula::runtime {

void services::raise(const operator_alarm& what) const {
  log::warning("runtime.alarm", what.message, {{"kind", what.kind}, {"actor", what.path}});
  if (on_alarm) on_alarm(what);
}

void services::fatal(std::string_view why) const {
  log::error("runtime.fatal", why);
  log::flush();
  if (on_fatal) on_fatal(why);
}

} // namespace matricula::runtime
