#include "connectors/postgres/payload.hpp"

#include <simdjson.h>

#include <charconv>

namespace matricula::connectors::postgres {

namespace {

constexpr std::size_t payload_bytes_max = 64 * 1024;

std::optional<std::int64_t> positive(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size() || n < 1) return std::nullopt;
  return n;
}

std::unexpected<std::string> wrong(const char* what) { return std::unexpected(std::string(what)); }

} // namespace

std::expected<std::int64_t, std::string> registrant_of_payload(std::optional<std::string_view> payload) {
  if (!payload || *payload == "null")
    return wrong("The task has no worker_payload; expected {\"registrant_id\": 123}.");
  if (payload->size() > payload_bytes_max) return wrong("worker_payload is longer than 65536 bytes.");
  simdjson::dom::parser parser;
  simdjson::dom::element whole;
  if (parser.parse(payload->data(), payload->size(), true).get(whole) != simdjson::SUCCESS)
    return wrong("worker_payload is no valid JSON; expected {\"registrant_id\": 123}.");
  simdjson::dom::object object;
  if (whole.get(object) != simdjson::SUCCESS)
    return wrong("worker_payload is no JSON object; expected {\"registrant_id\": 123}.");
  simdjson::dom::element id;
  if (object["registrant_id"].get(id) != simdjson::SUCCESS)
    return wrong("worker_payload has no registrant_id; expected {\"registrant_id\": 123}.");
  std::int64_t number = 0;
  if (id.get(number) == simdjson::SUCCESS && number > 0) return number;
  std::string_view text;
  if (id.get(text) == simdjson::SUCCESS)
    if (const auto n = positive(text)) return *n;
  return wrong("registrant_id in worker_payload is no positive whole number.");
}

std::expected<std::int64_t, std::string> registrant_of_text(std::optional<std::string_view> text) {
  if (!text || text->empty()) return wrong("The row has no registrant_id.");
  if (const auto n = positive(*text)) return *n;
  return wrong("registrant_id is no positive whole number.");
}

} // namespace matricula::connectors::postgres
