#include "runtime/caf_error.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace matricula::runtime {

namespace {
constexpr auto category = caf::atom("matricula");
// CAF takes code 0 for "no error".
constexpr std::uint8_t code_base = 1;

bool is_crash(const caf::error& what) {
  return what && what == caf::sec::runtime_error && what.context().match_elements<std::string, std::string, bool>();
}
} // namespace

caf::error to_caf(errc code, std::string message) {
  return {static_cast<std::uint8_t>(static_cast<std::uint8_t>(code) + code_base), category,
          caf::make_message(std::move(message))};
}

error from_caf(const caf::error& what) {
  if (!what) return {errc::internal, "no error", std::nullopt};
  if (what.category() == category && what.context().match_elements<std::string>())
    return {static_cast<errc>(what.code() - code_base), what.context().get_as<std::string>(0), std::nullopt};
  if (is_crash(what)) return {errc::unavailable, "The actor failed on this request.", std::nullopt};
  if (what == caf::sec::request_timeout)
    return {errc::deadline_exceeded, "The actor did not answer in time.", std::nullopt};
  if (what == caf::sec::request_receiver_down)
    return {errc::unavailable, "The actor is down.", std::chrono::seconds(1)};
  return {errc::internal, text_of(what), std::nullopt};
}

std::string text_of(const caf::error& what) {
  if (!what) return "ended normally";
  if (is_crash(what) || (what.category() == category && what.context().match_elements<std::string>()))
    return what.context().get_as<std::string>(0);
  return caf::actor_system_config::render(what);
}

caf::error crash_error(std::string what, std::string message_type, bool type_refused) {
  return caf::make_error(caf::sec::runtime_error, std::move(what), std::move(message_type), type_refused);
}

crash_report crash_of(const caf::error& what) {
  if (!is_crash(what)) return {};
  return {what.context().get_as<std::string>(1), what.context().get_as<bool>(2)};
}

} // namespace matricula::runtime
