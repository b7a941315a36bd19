#include "commands/vid_policies.hpp"

#include "api/compat/mosip_vid_policy.hpp"
#include "storage/durable_file.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace matricula::commands {

using namespace identifiers;

namespace {

constexpr std::size_t file_bytes_max = 65'536;
constexpr std::string_view file_key = "vid_policies.file";

std::string_view key_of(policy_fault::part part) {
  switch (part) {
  case policy_fault::part::valid_for:
    return "valid_for_minutes";
  case policy_fault::part::transactions:
    return "transactions_allowed";
  case policy_fault::part::instances:
    return "instances_allowed";
  case policy_fault::part::auto_restore:
    return "auto_restore_allowed";
  case policy_fault::part::name:
  case policy_fault::part::restore_on:
    break;
  }
  return "restore_on_action";
}

vid_policy policy_of(const std::string& name, const config::policy_settings& s) {
  const auto limit = [](std::uint32_t n) { return n == 0 ? std::nullopt : std::optional(n); };
  const auto action = parse_restore_action(s.restore_on_action);
  require(action.has_value(), "the schema and the domain have the same words");
  return {
      name,   limit(s.valid_for_minutes), limit(s.transactions_allowed), s.instances_allowed, s.auto_restore_allowed,
      *action};
}

using made_policies = std::pair<std::vector<vid_policy>, std::vector<config::problem>>;

made_policies from_file(const config::loaded& from) {
  const auto& path = from.values.vid_policies.file;
  const auto problem = [&](const std::string& why) {
    return made_policies{{}, {{from.origin_of(file_key), std::string(file_key), fmt::format("{}: {}", path, why)}}};
  };
  const auto text = storage::read_small_file(path, file_bytes_max);
  if (!text) return problem(text.error().message);
  auto all = api::compat::parse_mosip_vid_policies(*text);
  if (!all) return problem(all.error().message);
  made_policies out;
  out.first = std::move(*all);
  return out;
}

made_policies from_settings(const config::loaded& from) {
  made_policies out;
  for (const auto& [name, s] : from.values.vid_policies.policies) {
    if (!s.enabled) continue;
    auto policy = policy_of(name, s);
    if (const auto fault = fault_of(policy)) {
      const auto key = fmt::format("vid_policies.{}.{}", name, key_of(fault->of));
      out.second.push_back({from.origin_of(key), key, fault->why});
    } else {
      out.first.push_back(std::move(policy));
    }
  }
  return out;
}

made_policies all_of(const config::loaded& from) {
  auto out = from.values.vid_policies.file.empty() ? from_settings(from) : from_file(from);
  const auto& name = from.values.vid_policies.type;
  const auto& types = from.values.identifiers.types;
  const auto type = types.find(name);
  if (type == types.end() || type->second.lifecycle != "vid")
    out.second.push_back(
        {from.origin_of("vid_policies.type"), "vid_policies.type",
         fmt::format("found {}; allowed: the name of an identifier type of lifecycle vid", config::shown(name))});
  return out;
}

} // namespace

std::vector<config::problem> policy_problems(const config::loaded& from) { return all_of(from).second; }

result<vid_policies> make_policies(const config::loaded& from) {
  auto [policies, problems] = all_of(from);
  if (!problems.empty()) return fail(errc::invalid_argument, to_string(problems.front()));
  return vid_policies(std::move(policies));
}

} // namespace matricula::commands
