// What is shipped: identifier types, VID policies, worker types, kinds of registrants and sinks of alerts.
#include "config/schema.hpp"

#include <string>
#include <vector>

namespace matricula::config {

std::span<const shipped_type> shipped_types() {
  const auto type = [](std::string_view name, std::string_view help, std::int64_t length, const char* profile,
                       const char* lifecycle, std::int64_t pool_min, std::int64_t pool_target,
                       const char* alphabet = nullptr) {
    shipped_type out{name, help, {}};
    out.says.emplace_back("length", length);
    if (alphabet != nullptr) out.says.emplace_back("alphabet", std::string(alphabet));
    out.says.emplace_back("profile", std::string(profile));
    out.says.emplace_back("lifecycle", std::string(lifecycle));
    out.says.emplace_back("pool_min", pool_min);
    out.says.emplace_back("pool_target", pool_target);
    return out;
  };
  static const std::vector<shipped_type> all{
      type("uin", "Unique identification numbers.", 10, "mosip-uin", "uin", 20'000, 100'000),
      type("vid", "Virtual identifiers.", 16, "mosip-vid", "vid", 10'000, 50'000),
      type("prid", "Pre-registration numbers.", 14, "mosip-prid", "pool", 5000, 20'000),
      type("social_id", "Unique social identifiers of persons.", 12, "mosip-uin", "uin", 5000, 20'000),
      type("family_id", "Unique identifiers of families.", 12, "mosip-uin", "uin", 5000, 20'000),
      type("farmer", "Farmer registry.", 12, "openg2p", "pool", 5000, 20'000),
      type("household", "Household registry.", 10, "openg2p", "pool", 5000, 20'000),
      type("tracking_id", "What a person follows a registration by.", 7, "strict", "pool", 5000, 20'000,
           "letters_and_digits"),
      type("registration_number", "Numbers of registered events.", 12, "strict", "pool", 5000, 20'000),
  };
  return all;
}

std::span<const shipped_type> shipped_policies() {
  const auto policy = [](std::string_view name, std::string_view help, std::int64_t minutes, std::int64_t transactions,
                         std::int64_t instances, bool restores, const char* on) {
    return shipped_type{name,
                        help,
                        {{"enabled", true},
                         {"valid_for_minutes", minutes},
                         {"transactions_allowed", transactions},
                         {"instances_allowed", instances},
                         {"auto_restore_allowed", restores},
                         {"restore_on_action", std::string(on)}}};
  };
  constexpr std::int64_t day = 24 * 60;
  static const std::vector<shipped_type> all{
      policy("perpetual", "Valid until it is revoked, and then replaced.", 0, 0, 1, true, "REVOKED"),
      policy("temporary", "For half an hour and two transactions.", 30, 2, 5, false, "REGENERATE"),
      policy("one_time_use", "For one transaction, whenever that is.", 0, 1, 5, false, "REGENERATE"),
      policy("transactional", "For one transaction within a day; using it brings the next one.", day, 1, 1, true,
             "USED"),
      policy("long_term", "For a year, replaced when it is revoked.", 365 * day, 0, 1, true, "REVOKED"),
      policy("short_term", "For a day.", day, 0, 5, false, "REGENERATE"),
  };
  return all;
}

std::span<const shipped_type> shipped_worker_types() {
  constexpr std::int64_t workers = 2;
  static const std::vector<shipped_type> all{
      {"example", "A type for trying out remote workers.", {{"enabled", true}}},
      {"id_generation_request_worker", "Gets a unique ID for a registrant.", {{"workers", workers}}},
      {"id_generation_update_worker", "Says that a registrant's unique ID is in use.", {{"workers", workers}}},
      {"webhook", "Delivers to an address of [webhooks.NAME].", {{"workers", std::int64_t{8}}}},
  };
  return all;
}

std::span<const shipped_type> shipped_registrant_kinds() {
  static const std::vector<shipped_type> all{
      {"individual", "A person.", {{"id_type", std::string("uin")}}},
      {"household", "A family or household.", {{"id_type", std::string("family_id")}}},
  };
  return all;
}

std::span<const shipped_type> shipped_alert_sinks() {
  static const std::vector<shipped_type> all{{"log", "Alerts in the node's own log.", {{"kind", std::string("log")}}}};
  return all;
}

} // namespace matricula::config
