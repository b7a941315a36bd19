/// Reading durable state. A view shows one moment; it holds the store open and costs a snapshot: keep it briefly.
#pragma once
#include "foundation/error.hpp"
#include "storage/column.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::storage {

class view {
public:
  virtual ~view() = default;
  /// The value, or nothing when there is no such row. Errors: corrupt, io.
  [[nodiscard]] virtual result<std::optional<std::string>> get(column where, std::string_view key) const = 0;
  /// Rows with lower <= key < upper in key order until `visit` returns false. `upper` empty = to the end.
  [[nodiscard]] virtual result<void>
  walk(column where, std::string_view lower, std::string_view upper,
       const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
  /// The same rows from the last to the first.
  [[nodiscard]] virtual result<void>
  walk_back(column where, std::string_view lower, std::string_view upper,
            const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
};

} // namespace matricula::storage
