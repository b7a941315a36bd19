#include "api/resources/unconfirmed.hpp"

#include "api/issuer_cursor.hpp"
#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "api/page_size.hpp"
#include "storage/unconfirmed.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace matricula::api {

using namespace identifiers;
namespace unconfirmed = storage::unconfirmed;

namespace {

constexpr std::int64_t minutes_max = 60LL * 24 * 36'525; // a hundred years
constexpr std::size_t reclaim_max = 1'000;

std::string to_text(const unconfirmed::cursor& c) {
  return fmt::format("{}.{}.{}.{}", to_unix_ms(c.where.issued_at), c.where.journal_seq, c.where.part, c.counter);
}

std::optional<unconfirmed::cursor> cursor_in(std::string_view text) {
  std::uint64_t numbers[4] = {};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), numbers[i]);
    if (bad != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (i == 3) break;
    if (!text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
  }
  if (!text.empty() || numbers[0] > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return unconfirmed::cursor{{from_unix_ms(numbers[0]), numbers[1], numbers[2]}, numbers[3]};
}

class unconfirmed_resource {
public:
  explicit unconfirmed_resource(unconfirmed_sources sources) : from_(sources) {}

  outcome<response> list(const request& r) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    const auto limit = page_size(r);
    if (!limit) return std::unexpected(limit.error());
    std::int64_t minutes = 0;
    if (const auto text = r.query_value("older_than_minutes")) {
      const auto [end, bad] = std::from_chars(text->data(), text->data() + text->size(), minutes);
      if (bad != std::errc{} || end != text->data() + text->size() || minutes < 0 || minutes > minutes_max)
        return refuse(400, errc::invalid_argument,
                      fmt::format("older_than_minutes must be a whole number from 0 to {}.", minutes_max));
    }
    const auto parts = from_.door->parts(**type);
    const auto place =
        read_issuer_cursor(r.query_value("cursor").value_or(parts.size() == 1 ? "" : "0/"), parts.size());
    const auto after = place && !place->rest.empty() ? cursor_in(place->rest) : std::nullopt;
    if (!place || (r.query_value("cursor") && !after && (parts.size() == 1 || !place->rest.empty())))
      return refuse(400, errc::invalid_argument, "cursor is the next_cursor of an earlier page.");
    const auto rows = from_.door->rows(**type, place->issuer);
    if (!rows) return std::unexpected(refusal(rows.error()));
    const auto page = unconfirmed::list(**rows, parts[place->issuer], after, issued_before(minutes), *limit);
    if (!page) return std::unexpected(refusal(page.error()));
    json::writer w(256 + page->items.size() * 160);
    w.begin_object().member("type", (*type)->name).key("items").begin_array();
    for (const auto& item : page->items) write(w, item.record);
    w.end_array();
    const auto rest = page->next ? std::optional(to_text(*page->next)) : std::nullopt;
    if (const auto next = next_issuer_cursor(place->issuer, parts.size(), rest)) w.member("next_cursor", *next);
    w.end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<response> reclaim(const request& r) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    json::fields body(r.body);
    const auto minutes = body.optional_whole("older_than_minutes", {.least = 1, .most = minutes_max});
    const auto limit = body.optional_whole("limit", {.least = 1, .most = static_cast<std::int64_t>(reclaim_max)});
    const auto* listed = body.any("ids");
    std::vector<std::string_view> ids;
    if (listed) {
      const auto* all = listed->as<json::value::array>();
      if (!all || all->empty() || all->size() > reclaim_max)
        body.refuse_field("ids", fmt::format("must be a list of 1 to {} identifiers.", reclaim_max));
      else
        for (const auto& one : *all)
          if (const auto* text = one.as<std::string>())
            ids.push_back(*text);
          else
            body.refuse_field("ids", "must be a list of texts.");
    }
    if (listed && limit) body.refuse_field("limit", "is for older_than_minutes without ids.");
    if (!listed && !minutes) body.refuse_field("older_than_minutes", "is missing: say how old, or which ids, or both.");
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    const auto before = issued_before(minutes.value_or(0));
    if (listed) return reclaim_named(r, **type, ids, before);
    return reclaim_oldest(r, **type, before, static_cast<std::size_t>(limit.value_or(reclaim_max)));
  }

private:
  outcome<const id_type*> type_of(const request& r) const {
    const auto* type = from_.door->find(r.param("type"));
    if (!type) {
      std::vector<std::string_view> known;
      for (const auto* t : from_.door->types()) known.push_back(t->name);
      return std::unexpected(refusal(
          error{errc::not_found,
                fmt::format("There is no identifier type of this name. Configured: {}.", fmt::join(known, ", ")),
                {}}));
    }
    if (type->rules.of != lifecycle::uin)
      return refuse(409, errc::conflict,
                    fmt::format("Only types of lifecycle uin are confirmed; '{}' is of lifecycle {}.", type->name,
                                to_string(type->rules.of)));
    return type;
  }

  /// Of this very moment are those that are being issued: with 0 minutes they belong to the list.
  [[nodiscard]] timestamp issued_before(std::int64_t minutes) const {
    return from_.time->now() - std::chrono::minutes(minutes) + milliseconds{minutes == 0 ? 1 : 0};
  }

  static void write(json::writer& w, const id_record& record) {
    w.begin_object().member("id", record.id).member("assignment", record.assignment);
    if (const auto at = record.issued_at()) w.member("issued_at", to_rfc3339(*at));
    if (!record.holder.empty()) w.member("holder", record.holder);
    for (auto e = record.history.rbegin(); e != record.history.rend(); ++e)
      if (e->from == id_state::available) {
        w.member("by", e->by);
        break;
      }
    w.end_object();
  }

  outcome<response> reclaim_named(const request& r, const id_type& type, const std::vector<std::string_view>& ids,
                                  timestamp before) const {
    std::vector<std::vector<due_entry>> which(from_.door->parts(type).size());
    for (const auto id : ids) {
      const auto place = from_.door->locate(type, id);
      if (!place) return std::unexpected(refusal(place.error()));
      if (!*place)
        return std::unexpected(refusal(error{
            errc::not_found,
            fmt::format("One of the identifiers does not look like one of type '{}'; nothing was done.", type.name),
            {}}));
      const auto& record = (*place)->record;
      // What is not ISSUED is left out below; the answer names what was taken back.
      if (record && record->state == id_state::issued)
        which[(*place)->issuer].push_back({(*place)->counter, record->assignment});
    }
    taken back;
    for (std::uint32_t issuer = 0; issuer < which.size(); ++issuer)
      if (auto done = take_back(r, type, issuer, which[issuer], before, back); !done)
        return std::unexpected(done.error());
    return answer(type, back, false);
  }

  outcome<response> reclaim_oldest(const request& r, const id_type& type, timestamp before, std::size_t limit) const {
    const auto parts = from_.door->parts(type);
    taken back;
    bool more = false;
    for (std::uint32_t issuer = 0; issuer < parts.size(); ++issuer) {
      if (back.ids.size() >= limit) return answer(type, back, true);
      const auto rows = from_.door->rows(type, issuer);
      if (!rows) return std::unexpected(refusal(rows.error()));
      const auto page = unconfirmed::list(**rows, parts[issuer], std::nullopt, before, limit - back.ids.size());
      if (!page) return std::unexpected(refusal(page.error()));
      std::vector<due_entry> which;
      for (const auto& item : page->items) which.push_back({item.counter, item.record.assignment});
      if (auto done = take_back(r, type, issuer, which, before, back); !done) return std::unexpected(done.error());
      more = more || page->next.has_value();
    }
    return answer(type, back, more);
  }

  struct taken {
    std::vector<std::string> ids;
    std::vector<std::uint32_t> assignments;
  };

  outcome<void> take_back(const request& r, const id_type& type, std::uint32_t issuer,
                          const std::vector<due_entry>& which, timestamp before, taken& back) const {
    for (std::size_t i = 0; i < which.size(); i += actors::id_door::reclaims_max) {
      const auto end = std::min(which.size(), i + actors::id_door::reclaims_max);
      const std::vector<due_entry> step(which.begin() + static_cast<std::ptrdiff_t>(i),
                                        which.begin() + static_cast<std::ptrdiff_t>(end));
      auto done = from_.door->reclaim(type, issuer, step, before, {r.who->name, r.who->tenant, r.trace, r.deadline});
      if (!done) {
        // What was taken back is durable and must be told; asked again, the request goes on with the rest.
        if (!back.ids.empty()) return {};
        return std::unexpected(refusal(done.error()));
      }
      std::ranges::move(done->ids, std::back_inserter(back.ids));
      std::ranges::copy(done->assignments, std::back_inserter(back.assignments));
    }
    return {};
  }

  static response answer(const id_type& type, const taken& back, bool more) {
    json::writer w(128 + back.ids.size() * 40);
    w.begin_object().member("type", type.name).key("reclaimed").begin_array();
    for (std::size_t i = 0; i < back.ids.size(); ++i)
      w.begin_object().member("id", back.ids[i]).member("assignment", back.assignments[i]).end_object();
    w.end_array().member("more", more).end_object();
    return response{.body = std::move(w).str()};
  }

  unconfirmed_sources from_;
};

} // namespace

std::vector<route> unconfirmed_routes(unconfirmed_sources sources) {
  const auto ids = std::make_shared<const unconfirmed_resource>(sources);
  route list{"GET", "/v1/ids/{type}/unconfirmed", "ids:reclaim", [ids](const request& r) { return ids->list(r); }};
  list.query = {"older_than_minutes", "cursor", "limit"};
  return {std::move(list),
          {"POST", "/v1/ids/{type}/reclaim", "ids:reclaim", [ids](const request& r) { return ids->reclaim(r); }}};
}

} // namespace matricula::api
