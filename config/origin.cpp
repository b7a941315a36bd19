#include "config/origin.hpp"

#include "foundation/error.hpp"

#include <fmt/format.h>

namespace matricula::config {

std::string to_string(const origin& o) {
  switch (o.from) {
  case source::built_in:
    return "default";
  case source::file:
    return o.line == 0 ? o.name : fmt::format("{}:{}", o.name, o.line);
  case source::environment:
    return fmt::format("environment {}", o.name);
  case source::command_line:
    return fmt::format("--set {}", o.name);
  case source::config_server:
    return "configuration server";
  }
  return {};
}

std::string to_string(const problem& p) {
  auto out = to_string(p.at);
  if (p.at.column > 0) out += fmt::format(":{}", p.at.column);
  if (!p.key.empty()) out += fmt::format(": {}", p.key);
  return fmt::format("{}: {}", out, p.message);
}

void problem_list::add(origin at, std::string key, std::string message) {
  if (has_room())
    kept_.push_back({std::move(at), std::move(key), std::move(message)});
  else
    ++dropped_;
}

std::vector<problem> problem_list::take() && {
  if (dropped_ > 0) {
    require(!kept_.empty(), "problems are dropped only when some are kept");
    kept_.push_back({kept_.back().at, {}, fmt::format("and {} more problems", dropped_)});
    kept_.back().at.column = 0;
  }
  return std::move(kept_);
}

} // namespace matricula::config
