/// MOSIP's properties of its identifier pools, as limits of ours.
/// Source: kernel-default.properties of mosip-config and the defaults of kernel-idgenerator-service and
/// kernel-pridgenerator-service.
#pragma once
#include "connectors/spring_document.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace matricula::connectors {

/// What is said of one type; nothing = as the settings have it.
struct type_limits {
  std::optional<std::uint32_t> pool_min;
  std::optional<std::uint32_t> pool_target; ///< never below pool_min, when both are said
  std::optional<std::uint32_t> cool_off_seconds;
  bool operator==(const type_limits&) const = default;
};
/// By our type names: uin, vid, prid.
using limits_of_types = std::map<std::string, type_limits, std::less<>>;

/// Remembers the last good value of each property.
class mosip_limits {
public:
  /// The numbers, by property, that were good last: what is kept over a restart.
  using good_values = std::map<std::string, std::uint32_t, std::less<>>;
  explicit mosip_limits(good_values remembered = {}) : good_(std::move(remembered)) {}

  /// Takes over what is new. A value that is no whole number, or out of range, is refused by itself and its last good
  /// one stays; a property that is not there any more means nothing again.
  /// @return one sentence for each refused value, without the value when it is long.
  std::vector<std::string> take(const properties& all);

  [[nodiscard]] const good_values& good() const noexcept { return good_; }
  [[nodiscard]] limits_of_types limits() const;

private:
  good_values good_;
};

/// One line a value, and when they were taken; and back. Errors: corrupt.
[[nodiscard]] std::string to_text(const mosip_limits::good_values& values, std::int64_t taken_at_ms);
struct kept_values {
  mosip_limits::good_values values;
  std::int64_t taken_at_ms = 0;
};
[[nodiscard]] result<kept_values> kept_values_from(std::string_view text);

} // namespace matricula::connectors
