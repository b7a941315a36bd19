#include "bench/report.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace matricula::bench {

namespace {

std::string grouped(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  std::string out(text);
  auto at = out.find('.');
  if (at == std::string::npos) at = out.size();
  for (; at > 3 && out[at - 4] != '-'; at -= 3) out.insert(at - 3, ",");
  return out;
}

std::string padded(std::string_view left, std::string_view value, std::string_view unit, std::string_view rest) {
  char line[256];
  std::snprintf(line, sizeof line, "  %-52.*s %12.*s %-10.*s %.*s", static_cast<int>(left.size()), left.data(),
                static_cast<int>(value.size()), value.data(), static_cast<int>(unit.size()), unit.data(),
                static_cast<int>(rest.size()), rest.data());
  std::string out(line);
  out.erase(out.find_last_not_of(' ') + 1);
  return out + "\n";
}

struct bound_names {
  const char* sign;
  const char* in_json;
};
bound_names names_of(bound b) {
  switch (b) {
  case bound::at_least:
    return {">= ", "at_least"};
  case bound::at_most:
    return {"<= ", "at_most"};
  case bound::below:
    return {"< ", "below"};
  }
  return {"", ""};
}

std::string asked_text(const figure& f) {
  if (!f.asked) return {};
  return names_of(f.asked->is).sign + grouped(f.asked->value, f.decimals) + (f.missed() ? "  MISSED" : "  met");
}

} // namespace

bool figure::missed() const noexcept {
  if (!asked) return false;
  switch (asked->is) {
  case bound::at_least:
    return value < asked->value;
  case bound::at_most:
    return value > asked->value;
  case bound::below:
    return value >= asked->value;
  }
  return true;
}

void report::begin(std::string title) { parts_.push_back({std::move(title), {}, {}}); }
void report::add(const figure& f) { parts_.back().figures.push_back(f); }
void report::note(std::string text) { parts_.back().notes.push_back(std::move(text)); }

std::string report::table() const {
  std::string out = padded("", "measured", "", "asked");
  for (const auto& p : parts_) {
    out.append("\n").append(p.title).append("\n");
    for (const auto& f : p.figures) out += padded(f.name, grouped(f.value, f.decimals), f.unit, asked_text(f));
    for (const auto& n : p.notes) out.append("  ").append(n).append("\n");
  }
  return out;
}

nlohmann::ordered_json report::json() const {
  nlohmann::ordered_json out;
  for (const auto& p : parts_) {
    auto& into = out["parts"][p.title];
    into = nlohmann::ordered_json::object();
    for (const auto& f : p.figures) {
      auto& one = into[f.name];
      one["value"] = f.value;
      one["unit"] = f.unit;
      if (!f.asked) continue;
      one[names_of(f.asked->is).in_json] = f.asked->value;
      one["met"] = !f.missed();
    }
    if (!p.notes.empty()) into["notes"] = p.notes;
  }
  out["missed"] = missed();
  if (!details_.is_null()) out["details"] = details_;
  return out;
}

std::size_t report::missed() const noexcept {
  std::size_t n = 0;
  for (const auto& p : parts_) n += static_cast<std::size_t>(std::ranges::count_if(p.figures, &figure::missed));
  return n;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

} // namespace matricula::bench
