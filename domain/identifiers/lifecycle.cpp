#include "domain/identifiers/lifecycle.hpp"

#include <array>

namespace matricula::identifiers {

namespace {
struct step {
  lifecycle of;
  id_state from;
  id_event event;
  id_state to;
};
constexpr std::array steps{
    step{lifecycle::uin, id_state::available, id_event::issue, id_state::issued},
    step{lifecycle::uin, id_state::issued, id_event::confirm, id_state::assigned},
    step{lifecycle::uin, id_state::issued, id_event::give_back, id_state::available},
    step{lifecycle::uin, id_state::issued, id_event::reclaim, id_state::available},
    step{lifecycle::vid, id_state::available, id_event::issue, id_state::assigned},
    step{lifecycle::vid, id_state::assigned, id_event::revoke, id_state::expired},
    step{lifecycle::vid, id_state::assigned, id_event::expire, id_state::expired},
    step{lifecycle::vid, id_state::expired, id_event::release, id_state::available},
    step{lifecycle::vid, id_state::expired, id_event::retire, id_state::retired},
    step{lifecycle::pool, id_state::available, id_event::issue, id_state::taken},
};
} // namespace

std::string_view to_string(lifecycle l) noexcept {
  switch (l) {
  case lifecycle::uin:
    return "uin";
  case lifecycle::vid:
    return "vid";
  case lifecycle::pool:
    return "pool";
  }
  return "unknown";
}

std::string_view to_string(id_state s) noexcept {
  switch (s) {
  case id_state::available:
    return "AVAILABLE";
  case id_state::issued:
    return "ISSUED";
  case id_state::assigned:
    return "ASSIGNED";
  case id_state::expired:
    return "EXPIRED";
  case id_state::retired:
    return "RETIRED";
  case id_state::taken:
    return "TAKEN";
  case id_state::granted:
    return "GRANTED";
  }
  return "UNKNOWN";
}

std::string_view to_string(id_event e) noexcept {
  switch (e) {
  case id_event::issue:
    return "issue";
  case id_event::confirm:
    return "confirm";
  case id_event::give_back:
    return "return";
  case id_event::revoke:
    return "revoke";
  case id_event::expire:
    return "expire";
  case id_event::release:
    return "release";
  case id_event::retire:
    return "retire";
  case id_event::reclaim:
    return "reclaim";
  }
  return "unknown";
}

std::optional<lifecycle> parse_lifecycle(std::string_view text) noexcept {
  for (const auto l : {lifecycle::uin, lifecycle::vid, lifecycle::pool})
    if (to_string(l) == text) return l;
  return std::nullopt;
}

std::optional<id_state> next_state(lifecycle l, id_state from, id_event event) noexcept {
  for (const auto& s : steps)
    if (s.of == l && s.from == from && s.event == event) return s.to;
  return std::nullopt;
}

bool already_done(lifecycle l, id_state state, id_event event) noexcept {
  if (event == id_event::issue) return false;
  for (const auto& s : steps)
    if (s.of == l && s.event == event && s.to == state) return true;
  return false;
}

} // namespace matricula::identifiers
