#include "api/router.hpp"

#include "api/target.hpp"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace matricula::api {

namespace {
struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

/// `{name}` and `{name...}`; anything else is a literal.
struct template_segment {
  enum class kind : std::uint8_t { literal, one, rest } what = kind::literal;
  std::string_view name;
};

result<template_segment> parse_segment(std::string_view text) {
  const bool braces = text.starts_with('{') && text.ends_with('}');
  if (!braces) {
    if (text.find_first_of("{}%") != text.npos) return fail(errc::invalid_argument, "bad segment " + std::string(text));
    return template_segment{template_segment::kind::literal, text};
  }
  auto name = text.substr(1, text.size() - 2);
  const bool rest = name.ends_with("...");
  if (rest) name.remove_suffix(3);
  if (name.empty() || name.find_first_of("{}.") != name.npos)
    return fail(errc::invalid_argument, "bad parameter " + std::string(text));
  return template_segment{rest ? template_segment::kind::rest : template_segment::kind::one, name};
}
} // namespace

struct router::node {
  struct target {
    std::string method;
    std::size_t index;
    std::vector<std::string> names; ///< of the parameters, in order
  };
  std::unordered_map<std::string, std::unique_ptr<node>, text_hash, std::equal_to<>> literals;
  std::unique_ptr<node> one;
  std::unique_ptr<node> rest; ///< its literals are what may follow
  std::vector<target> targets;
};

struct router::search {
  std::string_view method;
  std::span<const std::string_view> segments;
  struct capture {
    std::size_t first, count;
  };
  std::vector<capture> captured;
  std::vector<std::string_view> allowed;
  const node::target* found = nullptr;

  bool try_targets(const node& at) {
    const auto has = [&](std::string_view wanted) {
      const auto it = std::ranges::find(at.targets, wanted, &node::target::method);
      if (it != at.targets.end()) found = &*it;
      return found != nullptr;
    };
    if (has(method) || (method == "HEAD" && has("GET"))) return true;
    for (const auto& target : at.targets) allowed.push_back(target.method);
    return false;
  }
};

router::router() : root_(std::make_unique<node>()) {}
router::~router() = default;

result<void> router::add(std::string_view method, std::string_view path, std::size_t index) {
  const auto segments = path_segments(path);
  if (!segments) return fail(errc::invalid_argument, "bad template " + std::string(path));
  std::vector<std::string> names;
  node* at = root_.get();
  std::size_t after_rest = 0; // segments from the rest parameter on, that one included
  for (const auto text : *segments) {
    const auto segment = parse_segment(text);
    if (!segment) return std::unexpected(segment.error());
    const bool literal = segment->what == template_segment::kind::literal;
    if (after_rest > 0) ++after_rest;
    if (after_rest > 0 && (!literal || after_rest > 2))
      return fail(errc::invalid_argument, "only one literal may follow the rest parameter of " + std::string(path));
    if (segment->what == template_segment::kind::rest) after_rest = 1;
    auto& next = literal                                        ? at->literals[std::string(text)]
                 : segment->what == template_segment::kind::one ? at->one
                                                                : at->rest;
    if (!next) next = std::make_unique<node>();
    at = next.get();
    if (!literal) {
      if (std::ranges::find(names, segment->name) != names.end())
        return fail(errc::invalid_argument, "two parameters of one name in " + std::string(path));
      names.emplace_back(segment->name);
    }
  }
  if (std::ranges::find(at->targets, method, &node::target::method) != at->targets.end())
    return fail(errc::conflict, "two routes for " + std::string(method) + " " + std::string(path));
  at->targets.push_back({std::string(method), index, std::move(names)});
  return {};
}

void router::walk(const node& at, search& what, std::size_t position) {
  const auto& segments = what.segments;
  if (position == segments.size()) {
    what.try_targets(at);
    return;
  }
  if (const auto next = at.literals.find(segments[position]); next != at.literals.end()) {
    walk(*next->second, what, position + 1);
    if (what.found) return;
  }
  if (at.one) {
    what.captured.push_back({position, 1});
    walk(*at.one, what, position + 1);
    if (what.found) return;
    what.captured.pop_back();
  }
  if (!at.rest) return;
  const auto left = segments.size() - position;
  if (const auto last = at.rest->literals.find(segments.back()); left > 1 && last != at.rest->literals.end()) {
    what.captured.push_back({position, left - 1});
    if (what.try_targets(*last->second)) return;
    what.captured.pop_back();
  }
  what.captured.push_back({position, left});
  if (what.try_targets(*at.rest)) return;
  what.captured.pop_back();
}

outcome<router::match> router::find(std::string_view method, std::string_view path) const {
  const auto segments = path_segments(path);
  if (!segments) return std::unexpected(segments.error());
  search what{method, *segments, {}, {}, nullptr};
  walk(*root_, what, 0);
  if (!what.found) {
    if (what.allowed.empty())
      return refuse(404, errc::not_found, "No such route. GET /openapi.yaml lists what is served.");
    if (std::ranges::find(what.allowed, "GET") != what.allowed.end()) what.allowed.emplace_back("HEAD");
    std::ranges::sort(what.allowed);
    const auto [first, last] = std::ranges::unique(what.allowed);
    what.allowed.erase(first, last);
    std::string allow;
    for (const auto one : what.allowed) allow.append(allow.empty() ? "" : ", ").append(one);
    return std::unexpected(refusal(405, errc::unsupported, "This route serves " + allow + ".", {{"Allow", allow}}));
  }
  match result{what.found->index, {}};
  result.params.reserve(what.captured.size());
  for (std::size_t i = 0; i < what.captured.size(); ++i) {
    std::string value;
    const auto [first, count] = what.captured[i];
    for (std::size_t k = first; k < first + count; ++k) {
      auto decoded = percent_decode((*segments)[k]);
      if (!decoded) return std::unexpected(std::move(decoded.error()));
      if (k > first) value.push_back('/');
      value += *decoded;
    }
    result.params.emplace_back(what.found->names[i], std::move(value));
  }
  return result;
}

} // namespace matricula::api
