#include "api/compat/mosip_vid_policy.hpp"

#include "api/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>

namespace matricula::api::compat {

using namespace identifiers;

namespace {

constexpr std::array<std::string_view, 2> entry_members{"vidType", "policy"};
constexpr std::array<std::string_view, 5> policy_members{"validForInMinutes", "transactionsAllowed", "instancesAllowed",
                                                         "autoRestoreAllowed", "restoreOnAction"};

std::unexpected<error> wrong(std::string_view path, std::string_view why) {
  return fail(errc::invalid_argument, fmt::format("{}: {}", path.empty() ? "the file" : path, why));
}

/// A name of the file for a message.
std::string shown(std::string_view name) {
  constexpr std::size_t bytes_max = 40;
  std::string out;
  for (const char c : name.substr(0, bytes_max)) out.push_back(c >= ' ' && c < 0x7f ? c : '?');
  return out;
}

std::string member_path(std::string_view of, std::string_view name) {
  return of.empty() ? std::string(name) : fmt::format("{}.{}", of, name);
}

/// The members of an object that has exactly these.
result<const json::value::object*> members_of(const json::value& v, std::string_view path,
                                              std::span<const std::string_view> names) {
  const auto* object = v.as<json::value::object>();
  if (!object) return wrong(path, "found something else; allowed: an object");
  for (const auto& m : *object)
    if (std::ranges::find(names, m.name) == names.end())
      return wrong(path, fmt::format("found the member '{}', which is not known here", shown(m.name)));
  for (const auto name : names)
    if (std::ranges::find(*object, name, &json::member::name) == object->end())
      return wrong(member_path(path, name), "missing");
  return object;
}

const json::value& member(const json::value::object& of, std::string_view name) {
  return std::ranges::find(of, name, &json::member::name)->held;
}

/// A whole number of 32 bits. A number with a fraction, a negative or a larger one is none.
result<std::uint32_t> whole(const json::value& v, const std::string& path, std::string_view allowed) {
  const auto* n = v.as<std::int64_t>();
  if (!n || *n < 0 || *n > UINT32_MAX) return wrong(path, fmt::format("found something else; allowed: {}", allowed));
  return static_cast<std::uint32_t>(*n);
}

result<std::optional<std::uint32_t>> whole_or_null(const json::value& v, const std::string& path) {
  if (v.as<json::null>()) return std::nullopt;
  const auto n = whole(v, path, "a whole number, or null for no limit");
  if (!n) return std::unexpected(n.error());
  return *n;
}

std::string_view member_of(policy_fault::part part) {
  switch (part) {
  case policy_fault::part::name:
    return "vidType";
  case policy_fault::part::valid_for:
    return "policy.validForInMinutes";
  case policy_fault::part::transactions:
    return "policy.transactionsAllowed";
  case policy_fault::part::instances:
    return "policy.instancesAllowed";
  case policy_fault::part::auto_restore:
    return "policy.autoRestoreAllowed";
  case policy_fault::part::restore_on:
    return "policy.restoreOnAction";
  }
  return "policy";
}

result<vid_policy> read_entry(const json::value& v, const std::string& path) {
  const auto entry = members_of(v, path, entry_members);
  if (!entry) return std::unexpected(entry.error());
  const auto* name = member(**entry, "vidType").as<std::string>();
  if (!name) return wrong(path + ".vidType", "found something else; allowed: a text");
  const auto at = path + ".policy";
  const auto policy = members_of(member(**entry, "policy"), at, policy_members);
  if (!policy) return std::unexpected(policy.error());
  const auto value = [&](std::size_t i) -> const json::value& { return member(**policy, policy_members.at(i)); };
  const auto place = [&](std::size_t i) { return fmt::format("{}.{}", at, policy_members.at(i)); };

  vid_policy out;
  out.name = policy_name_of(*name);
  const auto valid_for = whole_or_null(value(0), place(0));
  if (!valid_for) return std::unexpected(valid_for.error());
  const auto transactions = whole_or_null(value(1), place(1));
  if (!transactions) return std::unexpected(transactions.error());
  const auto instances = whole(value(2), place(2), "a whole number");
  if (!instances) return std::unexpected(instances.error());
  const auto* restores = value(3).as<bool>();
  if (!restores) return wrong(place(3), "found something else; allowed: true or false");
  const auto* word = value(4).as<std::string>();
  const auto action = word ? parse_restore_action(*word) : std::nullopt;
  if (!action) return wrong(place(4), "found something else; allowed: \"REVOKED\", \"USED\" or \"REGENERATE\"");
  out.valid_for_minutes = *valid_for;
  out.transactions_allowed = *transactions;
  out.instances_allowed = *instances;
  out.auto_restore_allowed = *restores;
  out.restore_on_action = *action;
  if (const auto fault = fault_of(out)) return wrong(member_path(path, member_of(fault->of)), fault->why);
  return out;
}

} // namespace

result<std::vector<vid_policy>> parse_mosip_vid_policies(std::string_view text) {
  constexpr std::array<std::string_view, 1> root_members{"vidPolicies"};
  const auto root = json::parse(text);
  if (!root) return wrong("", root.error().cause.message);
  const auto object = members_of(*root, "", root_members);
  if (!object) return std::unexpected(object.error());
  const auto* entries = member(**object, "vidPolicies").as<json::value::array>();
  if (!entries || entries->empty() || entries->size() > vid_policies::policies_max)
    return wrong("vidPolicies",
                 fmt::format("found something else; allowed: a list of 1 to {} policies", vid_policies::policies_max));
  std::vector<vid_policy> out;
  std::set<std::string> names;
  for (std::size_t i = 0; i < entries->size(); ++i) {
    const auto path = fmt::format("vidPolicies[{}]", i);
    auto policy = read_entry((*entries)[i], path);
    if (!policy) return std::unexpected(policy.error());
    if (!names.insert(policy->name).second) return wrong(path + ".vidType", "found a type twice");
    out.push_back(std::move(*policy));
  }
  return out;
}

} // namespace matricula::api::compat
