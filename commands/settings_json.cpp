#include "commands/settings_json.hpp"

#include "api/json_writer.hpp"
#include "config/effective.hpp"

namespace matricula::commands {

std::string settings_json(const config::loaded& now) {
  api::json::writer w(16'384);
  w.begin_object();
  for (const auto& s : config::effective(now)) {
    w.key(s.key).begin_object().key("value");
    std::visit(
        [&](const auto& v) {
          using kind = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<kind, std::monostate>) {
            w.null();
          } else if constexpr (std::is_same_v<kind, std::vector<std::string>>) {
            w.begin_array();
            for (const auto& item : v) w.value(item);
            w.end_array();
          } else {
            w.value(v);
          }
        },
        s.current);
    if (!s.unit.empty()) w.member("unit", s.unit);
    w.member("origin", s.origin).member("reloadable", s.reloadable).end_object();
  }
  w.end_object();
  return std::move(w).str();
}

} // namespace matricula::commands
