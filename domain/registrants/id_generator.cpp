#include "domain/registrants/id_generator.hpp"

namespace matricula::registrants {

std::string_view to_string(call_outcome o) noexcept {
  switch (o) {
  case call_outcome::done:
    return "done";
  case call_outcome::none_available:
    return "none_available";
  case call_outcome::refused:
    return "refused";
  case call_outcome::failed:
    return "failed";
  case call_outcome::unknown:
    return "unknown";
  }
  return "invalid";
}

} // namespace matricula::registrants
