#include "test/e2e/openapi_contract.hpp"

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <stdexcept>

namespace matricula::test {

using nlohmann::json;

namespace {
/// YAML's core schema, as far as the description uses it.
json scalar(const YAML::Node& node) {
  const auto& text = node.Scalar();
  if (node.Tag() == "!") return text; // quoted
  if (text == "true" || text == "false") return text == "true";
  if (text == "null" || text == "~" || text.empty()) return nullptr;
  std::int64_t whole = 0;
  const char* end = text.data() + text.size();
  if (const auto [at, bad] = std::from_chars(text.data(), end, whole); bad == std::errc{} && at == end) return whole;
  double real = 0;
  if (const auto [at, bad] = std::from_chars(text.data(), end, real); bad == std::errc{} && at == end) return real;
  return text;
}

json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    auto out = json::object();
    for (const auto& member : node) {
      const auto name = member.first.as<std::string>();
      if (out.contains(name)) throw std::runtime_error("openapi.yaml has '" + name + "' twice in one map");
      out[name] = to_json(member.second);
    }
    return out;
  }
  if (node.IsSequence()) {
    auto out = json::array();
    for (const auto& item : node) out.push_back(to_json(item));
    return out;
  }
  return node.IsScalar() ? scalar(node) : json(nullptr);
}

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    out.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return out;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

/// How many literal segments fit, or -1 when the path is not of this template.
int fit(std::string_view wanted, bool has_rest, std::string_view path) {
  const auto want = segments_of(wanted);
  const auto have = segments_of(path);
  if (has_rest ? have.size() < want.size() : have.size() != want.size()) return -1;
  const auto extra = have.size() - want.size();
  int literals = 0;
  std::size_t at = 0;
  for (const auto segment : want) {
    if (is_parameter(segment)) {
      // A rest parameter is the last parameter of its template.
      at += 1 + (has_rest ? extra : 0);
      continue;
    }
    if (have[at++] != segment) return -1;
    ++literals;
  }
  return literals;
}

std::string media_type_of(const http_answer& answer) {
  const auto header = answer.header("Content-Type");
  return std::string(header.substr(0, header.find(';')));
}

/// Follows "$ref" of the object itself.
const json& resolved(const json& document, const json& value) {
  if (!value.is_object() || !value.contains("$ref")) return value;
  const auto ref = value.at("$ref").get<std::string>();
  if (!ref.starts_with("#/")) throw std::runtime_error("openapi.yaml refers to " + ref);
  const json::json_pointer to(ref.substr(1));
  if (!document.contains(to)) throw std::runtime_error("openapi.yaml refers to " + ref + ", which is not there");
  return document.at(to);
}

constexpr std::string_view methods[] = {"get", "put", "post", "delete", "patch"};
} // namespace

/// Parsed schemas, by their text.
struct openapi_contract::schemas {
  std::mutex guard;
  std::map<std::string, std::unique_ptr<valijson::Schema>> parsed;
};

openapi_contract::openapi_contract(std::string_view yaml)
    : document_(to_json(YAML::Load(std::string(yaml)))), schemas_(std::make_unique<schemas>()) {
  for (const auto& [path, item] : document_.at("paths").items()) {
    for (const auto method : methods) {
      if (!item.contains(method)) continue;
      operation op;
      op.method = method;
      std::ranges::transform(op.method, op.method.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
      op.path = path;
      op.document = item.at(std::string(method));
      op.scope = op.document.at("x-scope").get<std::string>();
      auto parameters = json::array();
      for (const json* from : {static_cast<const json*>(&item), static_cast<const json*>(&op.document)})
        if (from->contains("parameters"))
          for (const auto& one : from->at("parameters")) parameters.push_back(resolved(document_, one));
      for (const auto& one : parameters) op.has_rest = op.has_rest || one.value("x-rest", false);
      op.document["parameters"] = parameters;
      if (op.document.contains("requestBody"))
        op.document["requestBody"] = resolved(document_, op.document.at("requestBody"));
      for (auto& [status, one] : op.document.at("responses").items()) one = json(resolved(document_, one));
      operations_.push_back(std::move(op));
    }
  }
  if (operations_.empty()) throw std::runtime_error("openapi.yaml has no operation");
}

openapi_contract::~openapi_contract() = default;

const openapi_contract::operation* openapi_contract::find(std::string_view method, std::string_view target) const {
  const auto path = target.substr(0, target.find('?'));
  const operation* best = nullptr;
  int best_fit = -1;
  for (const auto& op : operations_) {
    if (op.method != (method == "HEAD" ? "GET" : method)) continue;
    if (const int now = fit(op.path, op.has_rest, path); now > best_fit) {
      best = &op;
      best_fit = now;
    }
  }
  return best;
}

std::string openapi_contract::breach_of_schema(const json& schema, const json& value) const {
  const valijson::Schema* parsed = nullptr;
  {
    const std::scoped_lock hold(schemas_->guard);
    auto& slot = schemas_->parsed[schema.dump()];
    if (!slot) {
      // References look like "#/components/schemas/..." and are looked up in this document.
      const json whole = {{"allOf", json::array({schema})}, {"components", document_.at("components")}};
      slot = std::make_unique<valijson::Schema>();
      valijson::SchemaParser().populateSchema(valijson::adapters::NlohmannJsonAdapter(whole), *slot);
    }
    parsed = slot.get();
  }
  valijson::Validator validator;
  valijson::ValidationResults results;
  if (validator.validate(*parsed, valijson::adapters::NlohmannJsonAdapter(value), &results)) return {};
  std::string all;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    for (const auto& step : error.context) all += step;
    all += ": " + error.description + "; ";
  }
  return all;
}

std::string openapi_contract::breach_of_problem(const http_answer& answer) const {
  if (answer.header("X-Request-Id").empty()) return "no X-Request-Id";
  if (answer.status < 400 || answer.status == 500) return "the status is no refusal";
  if (media_type_of(answer) != "application/problem+json") return "the Content-Type is not application/problem+json";
  const auto body = json::parse(answer.body, nullptr, false);
  if (body.is_discarded()) return "the body is not JSON";
  if (auto why = breach_of_schema({{"$ref", "#/components/schemas/Problem"}}, body); !why.empty()) return why;
  if (body.at("status") != answer.status) return "the problem's status is not the answer's";
  if (answer.status == 503 && answer.header("Retry-After").empty()) return "503 without Retry-After";
  return {};
}

std::string openapi_contract::breach(std::string_view method, std::string_view target,
                                     const http_answer& answer) const {
  const auto* op = find(method, target);
  if (op == nullptr) {
    if (answer.status != 404 && answer.status != 405) return "an undocumented route was answered";
    return method == "HEAD" ? "" : breach_of_problem(answer);
  }
  if (answer.header("X-Request-Id").empty() || answer.header("traceparent").empty())
    return "no X-Request-Id or traceparent";
  const auto& responses = op->document.at("responses");
  const auto status = std::to_string(answer.status);
  if (!responses.contains(status)) return "the status is not documented for " + op->method + " " + op->path;
  const auto& documented = responses.at(status);
  if (documented.contains("headers"))
    for (const auto& [name, header] : documented.at("headers").items()) {
      const auto value = answer.header(name);
      if (value.empty() && header.value("required", false)) return "the header " + name + " is missing";
      if (value.empty()) continue;
      const auto wanted = header.at("schema").value("type", "");
      const auto shown = wanted == "integer" ? json::parse(value, nullptr, false) : json(std::string(value));
      if (auto why = breach_of_schema(header.at("schema"), shown); !why.empty()) return name + ": " + why;
    }
  if (method == "HEAD") return answer.body.empty() ? "" : "HEAD has a body";
  const auto type = media_type_of(answer);
  if (!documented.contains("content") || !documented.at("content").contains(type))
    return "the media type " + type + " is not documented for this status";
  if (!type.ends_with("json")) return {};
  const auto body = json::parse(answer.body, nullptr, false);
  if (body.is_discarded()) return "the body is not JSON";
  if (type == "application/problem+json") return breach_of_problem(answer);
  return breach_of_schema(documented.at("content").at(type).at("schema"), body);
}

} // namespace matricula::test
