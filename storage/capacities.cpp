#include "storage/capacities.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>

namespace matricula::storage {

using namespace identifiers;

namespace {

constexpr std::string_view capacity_prefix{"\0capacity/", 10};
constexpr std::string_view usage_prefix{"\0usage/", 7};
constexpr std::uint8_t version = 1;

std::string capacity_key(std::string_view space) {
  constexpr std::size_t digest_bytes = 16;
  return std::string(capacity_prefix) + sha256(space).substr(0, digest_bytes);
}

result<capacity_estimate> decode_capacity(std::string_view bytes) {
  byte_reader in{bytes};
  const bool known = in.u8() == version;
  capacity_estimate c;
  c.exact = in.u8() != 0;
  c.value = std::bit_cast<double>(in.big64());
  c.standard_error = std::bit_cast<double>(in.big64());
  if (!known || !in.done() || !std::isfinite(c.value) || !std::isfinite(c.standard_error) || c.value < 0)
    return fail(errc::corrupt, "capacity: unknown version, cut short or no number");
  return c;
}

result<type_usage> decode_usage(std::string_view bytes) {
  byte_reader in{bytes};
  const bool known = in.u8() == version;
  const auto warned = in.varint();
  if (!known || !in.ok() || warned > UINT32_MAX) return fail(errc::corrupt, "usage: unknown version or cut short");
  auto history = usage_history::decode(in.rest());
  if (!history) return std::unexpected(history.error());
  return type_usage{std::move(*history), static_cast<std::uint32_t>(warned)};
}

} // namespace

result<std::optional<capacity_estimate>> find_capacity(const view& v, std::string_view space) {
  auto bytes = v.get(column::meta, capacity_key(space));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<capacity_estimate>{};
  auto c = decode_capacity(**bytes);
  if (!c) return std::unexpected(c.error());
  return std::optional(*c);
}

void put_capacity(batch& into, std::string_view space, const capacity_estimate& capacity) {
  byte_writer value;
  value.u8(version).u8(capacity.exact ? 1 : 0).big64(std::bit_cast<std::uint64_t>(capacity.value));
  value.big64(std::bit_cast<std::uint64_t>(capacity.standard_error));
  into.put(column::meta, capacity_key(space), value.str());
}

result<std::optional<type_usage>> find_usage(const view& v, std::string_view type) {
  auto bytes = v.get(column::meta, std::string(usage_prefix) + std::string(type));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<type_usage>{};
  auto usage = decode_usage(**bytes);
  if (!usage) return std::unexpected(usage.error());
  return std::optional(std::move(*usage));
}

void put_usage(batch& into, std::string_view type, const type_usage& usage) {
  byte_writer value;
  value.u8(version).varint(usage.warned).raw(usage.history.encode());
  into.put(column::meta, std::string(usage_prefix) + std::string(type), value.str());
}

bool is_capacity_key(std::string_view key) noexcept {
  return key.starts_with(capacity_prefix) || key.starts_with(usage_prefix);
}

result<std::string> describe_capacity_row(std::string_view key, std::string_view value) {
  if (key.starts_with(capacity_prefix)) {
    const auto c = decode_capacity(value);
    if (!c) return std::unexpected(c.error());
    return fmt::format(R"({{"capacity_of":"{}","value":{:.0f},"standard_error":{:.0f},"exact":{}}})",
                       to_hex(key.substr(capacity_prefix.size())), c->value, c->standard_error, c->exact);
  }
  const auto usage = decode_usage(value);
  if (!usage) return std::unexpected(usage.error());
  std::string type(key.substr(usage_prefix.size()));
  for (const char c : type)
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_') return fail(errc::corrupt, "usage: malformed key");
  return fmt::format(R"({{"usage_of":"{}","warned_percent":{},"history_bytes":{}}})", type, usage->warned,
                     value.size());
}

} // namespace matricula::storage
