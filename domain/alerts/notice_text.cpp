#include "domain/alerts/notice_text.hpp"

#include <fmt/format.h>

#include <chrono>

namespace matricula::alerts {

namespace {

/// "2 d 3 h", "5 min", "12 s": the two greatest units.
std::string in_units(milliseconds span) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  constexpr std::int64_t minute = 60, hour = 60 * minute, day = 24 * hour;
  if (s >= day) return fmt::format("{} d {} h", s / day, s % day / hour);
  if (s >= hour) return fmt::format("{} h {} min", s / hour, s % hour / minute);
  if (s >= minute) return fmt::format("{} min", s / minute);
  return fmt::format("{} s", s < 0 ? 0 : s);
}

std::string name_of(const alert& a) { return a.subject.empty() ? a.rule : fmt::format("{} ({})", a.rule, a.subject); }

std::string what_happens(const notice& n) {
  const auto& a = n.about;
  switch (n.kind) {
  case notice_kind::first:
    return "";
  case notice_kind::repeat:
    return fmt::format(", for {}", in_units(a.told_at - a.since));
  case notice_kind::recovery:
    return a.unheard ? fmt::format(": nobody reports it any more, after {}", in_units(*a.ended_at - a.since))
                     : fmt::format(": over, after {}", in_units(*a.ended_at - a.since));
  }
  return "";
}

std::string quoted(std::string_view text) {
  constexpr std::size_t bytes_max = 4'096; // more than any part of an alert has
  std::string out = "\"";
  for (const char c : one_line(text, bytes_max)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

constexpr std::size_t node_bytes_max = 128;

} // namespace

std::string key_of(const notice& n) {
  // Numbers begin anew with every store: what tells two alerts of one number from each other is when they began.
  const auto story = fmt::format("alert-{}-{}", n.about.id, to_unix_ms(n.about.since));
  if (n.kind == notice_kind::repeat) return fmt::format("{}-repeat-{}", story, n.about.told);
  return fmt::format("{}-{}", story, to_string(n.kind));
}

std::string headline(const notice& n, std::string_view node) {
  const auto& a = n.about;
  const auto word = n.kind == notice_kind::recovery ? std::string_view("recovered") : to_string(a.how);
  const auto where = one_line(node, node_bytes_max);
  return fmt::format("[{}{}{}] {}{}", where, where.empty() ? "" : " ", word, name_of(a), what_happens(n));
}

std::string in_words(const notice& n, std::string_view node) {
  const auto& a = n.about;
  std::string out = headline(n, node) + "\n\n" + a.text + "\n\n";
  out += fmt::format("Alert:     {}\nRule:      {}\n", a.id, a.rule);
  if (!a.subject.empty()) out += fmt::format("Subject:   {}\n", a.subject);
  out += fmt::format("Severity:  {}\nSince:     {}\n", to_string(a.how), to_rfc3339(a.since));
  if (n.kind == notice_kind::recovery) {
    out += fmt::format("Over:      {}\n", to_rfc3339(*a.ended_at));
  } else {
    out += fmt::format("Notice:    {}\nNext:      {}, unless it is over or acknowledged\n", a.told,
                       to_rfc3339(a.next_due));
  }
  if (a.returns > 0) out += fmt::format("Came back: {} times\n", a.returns);
  return out;
}

std::string as_json(const notice& n, std::string_view node) {
  const auto& a = n.about;
  auto out = fmt::format(R"({{"notice":"{}","key":"{}","alert":{},"rule":{},"subject":{},"severity":"{}","text":{},)"
                         R"("since":"{}","notices":{})",
                         to_string(n.kind), key_of(n), a.id, quoted(a.rule), quoted(a.subject), to_string(a.how),
                         quoted(a.text), to_rfc3339(a.since), a.told);
  if (!node.empty()) out += fmt::format(R"(,"node":{})", quoted(one_line(node, node_bytes_max)));
  if (a.ended_at) out += fmt::format(R"(,"ended_at":"{}","unheard":{})", to_rfc3339(*a.ended_at), a.unheard);
  return out + "}";
}

} // namespace matricula::alerts
