#include "api/resources/import.hpp"

#include "api/import_lines.hpp"
#include "api/json_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace matricula::api {

using namespace identifiers;

namespace {

struct tally {
  std::size_t accepted = 0, duplicates = 0, changed = 0, conflicts = 0, refused = 0;
};

void count(tally& sum, import_verdict verdict) {
  switch (verdict) {
  case import_verdict::accepted:
    ++sum.accepted;
    break;
  case import_verdict::changed:
    ++sum.changed;
    [[fallthrough]];
  case import_verdict::duplicate:
    ++sum.duplicates;
    break;
  case import_verdict::conflict:
    ++sum.conflicts;
    break;
  case import_verdict::in_pool:
  case import_verdict::elsewhere:
    ++sum.refused;
    break;
  }
}

std::optional<import_problem> problem_of(std::size_t line, import_verdict verdict) {
  switch (verdict) {
  case import_verdict::accepted:
  case import_verdict::duplicate:
    break;
  case import_verdict::changed:
    return import_problem{line, "changed",
                          "It was imported before, or by a line above, with another state, expiry or holder, and stays "
                          "as it is."};
  case import_verdict::conflict:
    return import_problem{line, "conflict", "Somebody has it from here, so it stays as it is."};
  case import_verdict::in_pool:
    return import_problem{line, "in_pool",
                          "It was issued here, is available again and has not been found in the pool yet. Import the "
                          "line again: the search goes on."};
  case import_verdict::elsewhere:
    return import_problem{line, "changing_hands",
                          "It is on its way from one issuing shard to another. Import the line again."};
  }
  return std::nullopt;
}

class import_resource {
public:
  explicit import_resource(import_sources sources) : from_(std::move(sources)) {}

  outcome<response> show(const request& r) const {
    const auto* type = from_.door->find(r.param("type"));
    if (!type) return no_such_type();
    json::writer w;
    w.begin_object().member("type", type->name).member("timeline", from_.timeline).end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<response> load(const request& r) const {
    const auto* type = from_.door->find(r.param("type"));
    if (!type) return no_such_type();
    const auto foreign = r.query_value("accept_foreign").value_or("false");
    if (foreign != "true" && foreign != "false")
      return refuse(400, errc::invalid_argument, "accept_foreign is true or false.");
    const auto format = import_format_of(r.header("Content-Type"));
    if (!format || r.body.empty())
      return refuse(400, errc::invalid_argument, "Send identifiers as NDJSON, CSV or plain text, one a line.");
    if (type->rules.of == lifecycle::vid && from_.time->suspect())
      return std::unexpected(refusal(error{
          errc::unavailable,
          "The node's clock jumped and nobody has confirmed it: what expires cannot be imported. See GET /v1/clock.",
          std::chrono::seconds(60)}));
    auto lines = read_import(r.body, *format);
    if (!lines) return std::unexpected(lines.error());
    if (auto ok = audit_without_reason(r, "ids.import", type->name, from_.audit); !ok)
      return std::unexpected(ok.error());

    auto& problems = lines->problems;
    std::vector<import_row> rows;
    std::vector<std::size_t> line_of; ///< of each row
    rows.reserve(lines->entries.size());
    const auto now = from_.time->now();
    for (auto& [line, claim] : lines->entries) {
      auto row = judge(*type, std::move(claim), foreign == "true", now);
      if (!row) {
        problems.push_back({line, row.error().code, std::move(row.error().message)});
        continue;
      }
      rows.push_back(std::move(*row));
      line_of.push_back(line);
    }
    tally sum;
    sum.refused = problems.size();
    const auto verdicts = from_.door->import(*type, rows, {r.who->name, r.who->tenant, r.trace, r.deadline});
    if (!verdicts) return std::unexpected(refusal(verdicts.error()));
    for (std::size_t i = 0; i < verdicts->size(); ++i) {
      count(sum, (*verdicts)[i]);
      if (auto problem = problem_of(line_of[i], (*verdicts)[i])) problems.push_back(std::move(*problem));
    }
    std::ranges::sort(problems, {}, &import_problem::line);
    return response{.body = body_of(*type, sum, problems)};
  }

private:
  static std::unexpected<refusal> no_such_type() {
    return std::unexpected(refusal(
        error{errc::not_found, "There is no identifier type of this name. GET /v1/ids lists those there are.", {}}));
  }

  std::string body_of(const id_type& type, const tally& sum, const std::vector<import_problem>& problems) const {
    const auto shown = std::min(problems.size(), import_errors_max);
    json::writer w(256 + shown * 128);
    w.begin_object().member("type", type.name).member("timeline", from_.timeline);
    w.member("accepted", sum.accepted).member("duplicates", sum.duplicates);
    w.member("changed", sum.changed).member("conflicts", sum.conflicts).member("refused", sum.refused);
    w.key("errors").begin_array();
    for (std::size_t i = 0; i < shown; ++i) {
      const auto& p = problems[i];
      w.begin_object().member("line", p.line).member("code", p.code).member("message", p.message).end_object();
    }
    w.end_array().member("errors_omitted", problems.size() - shown).end_object();
    return std::move(w).str();
  }

  import_sources from_;
};

} // namespace

std::vector<route> import_routes(import_sources sources) {
  const auto load = std::make_shared<const import_resource>(std::move(sources));
  route show{"GET", "/v1/ids/{type}/import", "ids:import", [load](const request& from) { return load->show(from); }};
  route r{"POST", "/v1/ids/{type}/import", "ids:import", [load](const request& from) { return load->load(from); }};
  r.body_bytes_max = import_body_bytes_max;
  r.content_types.clear();
  for (const auto format : {import_format::ndjson, import_format::csv, import_format::plain})
    r.content_types.emplace_back(media_type_of(format));
  r.query = {"accept_foreign"};
  return {std::move(show), std::move(r)};
}

} // namespace matricula::api
