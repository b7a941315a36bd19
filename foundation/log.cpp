#include "foundation/log.hpp"

#include "foundation/clock.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>

namespace matricula::log {

namespace {

std::atomic<format> g_format{format::text};

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("matricula", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(level l) {
  switch (l) {
  case level::debug:
    return spdlog::level::debug;
  case level::info:
    return spdlog::level::info;
  case level::warning:
    return spdlog::level::warn;
  case level::error:
    return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view name(level l) {
  switch (l) {
  case level::debug:
    return "debug";
  case level::info:
    return "info";
  case level::warning:
    return "warning";
  case level::error:
    return "error";
  }
  return "error";
}

void append_json_string(std::string& out, std::string_view s) {
  out.push_back('"');
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (u < 0x20 || u >= 0x7f) {
      // Bytes outside printable ASCII as Latin-1 escapes: a log line stays valid JSON whatever a client sent.
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", u);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_text_value(std::string& out, std::string_view s) {
  const bool plain = !s.empty() && s.find_first_of(" \"=\\") == std::string_view::npos &&
                     std::ranges::all_of(s, [](char c) { return c > 0x20 && c < 0x7f; });
  if (plain)
    out.append(s);
  else
    append_json_string(out, s);
}

template <class Text>
void append_value(std::string& out, const field& f, Text&& text) {
  std::visit(
      [&](const auto& v) {
        using kind = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<kind, std::string_view>)
          text(out, v);
        else if constexpr (std::is_same_v<kind, double>)
          fmt::format_to(std::back_inserter(out), "{:.6g}", v);
        else
          fmt::format_to(std::back_inserter(out), "{}", v);
      },
      f.value);
}

std::string as_json(level l, std::string_view event, std::string_view message, std::initializer_list<field> fields,
                    const trace_context* trace) {
  std::string out = fmt::format(R"({{"time":"{}","level":"{}","event":)", to_rfc3339(system_clock{}.wall()), name(l));
  append_json_string(out, event);
  out += ",\"message\":";
  append_json_string(out, message);
  for (const auto& f : fields) {
    out.push_back(',');
    append_json_string(out, f.name);
    out.push_back(':');
    append_value(out, f, append_json_string);
  }
  if (trace) {
    out += ",\"request_id\":";
    append_json_string(out, trace->request_id);
    if (!trace->traceparent.empty()) {
      out += ",\"traceparent\":";
      append_json_string(out, trace->traceparent);
    }
  }
  out.push_back('}');
  return out;
}

std::string as_text(level l, std::string_view event, std::string_view message, std::initializer_list<field> fields,
                    const trace_context* trace) {
  std::string out = fmt::format("{} {:<7} {:<24} {}", to_rfc3339(system_clock{}.wall()), name(l), event, message);
  for (const auto& f : fields) {
    out.push_back(' ');
    out.append(f.name);
    out.push_back('=');
    append_value(out, f, append_text_value);
  }
  if (trace) {
    out += " request_id=";
    append_text_value(out, trace->request_id);
  }
  return out;
}

} // namespace

void configure(level minimum, format how) {
  g_format = how;
  set_level(minimum);
}
void set_level(level minimum) { logger().set_level(to_spdlog(minimum)); }
bool enabled(level l) noexcept { return logger().should_log(to_spdlog(l)); }

void write(level l, std::string_view event, std::string_view message, std::initializer_list<field> fields,
           const trace_context* trace) {
  if (!enabled(l)) return;
  const auto line = g_format.load(std::memory_order_relaxed) == format::json
                        ? as_json(l, event, message, fields, trace)
                        : as_text(l, event, message, fields, trace);
  logger().log(to_spdlog(l), "{}", line);
}

void flush() { logger().flush(); }

} // namespace matricula::log
