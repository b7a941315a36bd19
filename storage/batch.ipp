#pragma once
#include "foundation/bytes.hpp"

namespace matricula::storage {

template <class Put, class Erase>
bool batch::decode(std::string_view encoded, Put&& on_put, Erase&& on_erase) {
  byte_reader in{encoded};
  while (in.ok() && !in.rest().empty()) {
    const auto kind = in.u8();
    const auto where = in.u8();
    const auto key = in.text();
    const auto value = kind == 1 ? in.text() : std::string_view{};
    if (!in.ok() || kind < 1 || kind > 2 || where >= column_count) return false;
    if (kind == 1)
      on_put(static_cast<column>(where), key, value);
    else
      on_erase(static_cast<column>(where), key);
  }
  return in.ok();
}

} // namespace matricula::storage
