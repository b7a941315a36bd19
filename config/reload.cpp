#include "config/reload.hpp"

#include "config/family.hpp"
#include "config/schema.hpp"

#include <fmt/format.h>

namespace matricula::config {
namespace {

std::string text_of(const setting& row, const value& v) {
  return row.secret && v != value{std::string{}} ? "(not shown)" : to_toml(v);
}

void compare(const setting& row, const settings& before, const settings& after, const std::string& type,
             reload_plan& plan) {
  const auto old_value = row.read(before, type), new_value = row.read(after, type);
  if (old_value == new_value) return;
  (row.reloadable ? plan.now : plan.restart)
      .push_back({with_type(row.key, type), text_of(row, old_value), text_of(row, new_value)});
}

} // namespace

reload_plan diff_reload(const settings& before, const settings& after) {
  reload_plan plan;
  for (const auto& row : schema())
    if (!row.named()) compare(row, before, after, {}, plan);
  for (const auto& of : families()) {
    for (const auto& name : of.names(before)) {
      if (!of.has(after, name)) {
        plan.restart.push_back({fmt::format("{}.{}", of.table, name), "there", ""});
        continue;
      }
      for (const auto& row : schema())
        if (family_of_row(row.key) == &of) compare(row, before, after, name, plan);
    }
    for (const auto& name : of.names(after))
      if (!of.has(before, name)) plan.restart.push_back({fmt::format("{}.{}", of.table, name), "", "there"});
  }
  return plan;
}

loaded after_reload(const loaded& running, const loaded& fresh) {
  auto result = running;
  const auto take_over = [&](const setting& row, const std::string& type) {
    row.write(result.values, type, row.read(fresh.values, type));
    const auto key = with_type(row.key, type);
    if (const auto from = fresh.origins.find(key); from != fresh.origins.end())
      result.origins.insert_or_assign(key, from->second);
    else
      result.origins.erase(key);
  };
  for (const auto& row : schema()) {
    if (!row.reloadable) continue;
    const auto* of = family_of_row(row.key);
    if (!of) {
      take_over(row, {});
      continue;
    }
    for (const auto& name : of->names(running.values))
      if (of->has(fresh.values, name)) take_over(row, name);
  }
  return result;
}

} // namespace matricula::config
