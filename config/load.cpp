#include "config/load.hpp"

#include "config/consistency.hpp"
#include "config/family.hpp"
#include "config/nearest.hpp"
#include "config/toml_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

namespace matricula::config {
namespace {

constexpr std::string_view variable_prefix = "MATRICULA_";

/// Whether some key lies in the table `path`; a name stands for its family's placeholder.
bool is_section(std::string_view path) {
  const auto holds = [path](std::string_view table) {
    return table.starts_with(path) && (table.size() == path.size() || table[path.size()] == '.');
  };
  if (std::ranges::any_of(families(), [&](const family& f) { return holds(f.table); })) return true;
  std::string pattern(path);
  if (const auto [of, name] = member_in(path); of != nullptr)
    pattern.replace(of->table.size() + 1, name.size(), of->placeholder);
  return std::ranges::any_of(sections(), [&](const section& s) { return s.name == pattern; });
}

class loader {
public:
  explicit loader(const outside_checks& checks) : checks_(checks) { now_.values = defaults(); }

  void read_file(const file_text& file) {
    auto entries = parse_toml(file.text, file.name);
    if (!entries) {
      problems_.add(std::move(entries.error().at), {}, std::move(entries.error().message));
      return;
    }
    std::vector<std::string> refused;
    for (const auto& entry : *entries) {
      const auto inside = [&](const std::string& table) {
        return entry.key.size() > table.size() && entry.key.starts_with(table) && entry.key[table.size()] == '.';
      };
      // What is in a table that is unknown needs no second message.
      if (std::ranges::any_of(refused, inside)) continue;
      if (!read_entry({source::file, file.name, entry.line, entry.column}, entry) && entry.table &&
          problems_.has_room())
        refused.push_back(entry.key);
    }
  }

  void read_environment(const std::vector<std::pair<std::string, std::string>>& environment) {
    for (const auto& [name, text] : environment)
      if (name.starts_with(variable_prefix)) read_variable(name, text);
  }

  void read_sets(const std::vector<std::string>& sets) {
    for (const auto& set : sets) {
      const auto equals = set.find('=');
      if (equals == std::string::npos || equals == 0) {
        problems_.add({source::command_line, shown(set), 0, 0}, {},
                      fmt::format("found no {}; allowed: section.key=value", equals == 0 ? "key" : "'='"));
        continue;
      }
      const auto key = set.substr(0, equals);
      read_override({source::command_line, printable(key), 0, 0}, printable(key), set.substr(equals + 1), false);
    }
  }

  load_result finish() && {
    check_new_members();
    // Rules between settings would repeat what is already wrong with one of them.
    if (problems_.empty()) check_consistency(now_, problems_);
    if (!problems_.empty()) return std::unexpected(std::move(problems_).take());
    return std::move(now_);
  }

private:
  /// False when the entry was refused.
  bool read_entry(const origin& at, const toml_entry& entry) {
    if (const auto known = find_setting(entry.key)) {
      said_.insert(entry.key);
      if (!accept_member(at, *known, entry.key)) return false;
      if (entry.table) return refuse(at, entry.key, "a table", allowed(*known->row));
      if (known->row->secret)
        return refuse(at, entry.key, "a value in a file",
                      fmt::format("only the environment variable {}", environment_name(entry.key)));
      if (std::holds_alternative<std::monostate>(entry.found))
        return refuse(at, entry.key, entry.description, allowed(*known->row));
      return write(at, entry.key, *known, entry.found);
    }
    if (is_section(entry.key)) {
      if (!entry.table) return refuse(at, entry.key, entry.description, fmt::format("a table [{}]", entry.key));
      return accept_member(at, member_in(entry.key));
    }
    return refuse_unknown(at, entry.key, false);
  }

  void read_variable(const std::string& name, const std::string& text) {
    const origin at{source::environment, printable(name), 0, 0};
    const auto rest = std::string_view(name).substr(variable_prefix.size());
    if (rest.find("__") == std::string_view::npos) {
      // Service managers set variables such as MATRICULA_PORT of their own; only a mistyped setting is a mistake.
      for (const auto& row : schema())
        if (!row.named() && single_underscores(environment_name(row.key)) == name)
          problems_.add(at, std::string(row.key),
                        fmt::format("found one underscore after the section; allowed: {}", environment_name(row.key)));
      return;
    }
    auto capitals = name;
    for (char& c : capitals)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (capitals != name) {
      problems_.add(at, {}, fmt::format("found small letters; allowed: {}", printable(capitals)));
      return;
    }
    read_override(at, key_of_variable(rest), text, true);
  }

  /// A key for a variable's name without its prefix. Names of types may hold underscores, so the end of a type's key is
  /// looked for first.
  static std::string key_of_variable(std::string_view rest) {
    for (const auto& of : families()) {
      const auto table = environment_name(of.table).substr(variable_prefix.size()) + "__";
      if (!rest.starts_with(table)) continue;
      const setting* best = nullptr;
      std::string best_end;
      for (const auto& row : schema()) {
        if (family_of_row(row.key) != &of) continue;
        auto end = environment_name(row.key.substr(row.key.find('>') + 1)).substr(variable_prefix.size());
        if (rest.ends_with(end) && rest.size() > table.size() + end.size() && end.size() > best_end.size()) {
          best = &row;
          best_end = std::move(end);
        }
      }
      if (best) {
        const auto name = rest.substr(table.size(), rest.size() - table.size() - best_end.size());
        return with_type(best->key, lower(name));
      }
    }
    std::string key;
    for (std::size_t at = 0; at < rest.size(); ++at) {
      if (rest.substr(at, 2) == "__") {
        key += '.';
        ++at;
      } else {
        key += rest[at];
      }
    }
    return printable(lower(key));
  }

  static std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
  }

  static std::string printable(const std::string& text) {
    const bool plain = text.size() <= 256 && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    return plain ? text : shown(text);
  }

  static std::string single_underscores(const std::string& name) {
    auto out = name;
    for (auto at = out.find("__"); at != std::string::npos; at = out.find("__", at)) out.erase(at, 1);
    return out;
  }

  void read_override(const origin& at, const std::string& key, const std::string& text, bool environment) {
    const auto known = find_setting(key);
    if (!known) {
      refuse_unknown(at, key, environment);
      return;
    }
    said_.insert(key);
    if (!accept_member(at, *known, key)) return;
    const auto& row = *known->row;
    if (row.secret && !environment) {
      refuse(at, key, "a value on the command line, where others can read it",
             fmt::format("only the environment variable {}", environment_name(key)));
      return;
    }
    if (text.size() > override_bytes_max) {
      refuse(at, key, fmt::format("{} bytes", text.size()), fmt::format("at most {} bytes", override_bytes_max));
      return;
    }
    const auto v = from_text(row, text);
    if (std::holds_alternative<std::monostate>(v))
      refuse(at, key, describe(text), allowed(row));
    else
      write(at, key, *known, v);
  }

  /// The value that `text` means for this row, or nothing.
  static value from_text(const setting& row, const std::string& text) {
    switch (row.what) {
    case kind::boolean:
      if (text == "true") return true;
      if (text == "false") return false;
      return {};
    case kind::integer: {
      std::int64_t number = 0;
      const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) return {};
      return number;
    }
    case kind::route_list:
    case kind::text_list:
    case kind::role_list:
    case kind::key_list:
    case kind::symbol_list:
      return list_from(text);
    default:
      return text;
    }
  }

  /// A TOML list, or items between commas; an empty text is an empty list.
  static value list_from(const std::string& text) {
    if (text.starts_with('[')) {
      auto parsed = parse_toml("list = " + text, "list");
      if (!parsed || parsed->size() != 1 || !std::holds_alternative<std::vector<std::string>>(parsed->front().found))
        return {};
      return std::move(parsed->front().found);
    }
    std::vector<std::string> items;
    if (text.empty()) return items;
    for (std::size_t at = 0; at <= text.size();) {
      const auto end = std::min(text.find(',', at), text.size());
      auto item = std::string_view(text).substr(at, end - at);
      while (item.starts_with(' ')) item.remove_prefix(1);
      while (item.ends_with(' ')) item.remove_suffix(1);
      items.emplace_back(item);
      at = end + 1;
    }
    return items;
  }

  bool write(const origin& at, const std::string& key, const known_key& known, const value& v) {
    const auto& row = *known.row;
    if (const auto why = refusal(row, v, checks_)) {
      const auto found = row.secret ? std::string("something else (not shown)") : describe(v);
      return refuse(at, key, found, why->empty() ? allowed(row) : fmt::format("{} ({})", allowed(row), *why));
    }
    row.write(now_.values, known.type, v);
    now_.origins.insert_or_assign(key, at);
    return true;
  }

  bool accept_member(const origin& at, const known_key& known, std::string_view key) {
    return known.type.empty() || accept_member(at, member_in(key));
  }

  /// Makes room for a type or policy that is named for the first time. True for keys of none.
  bool accept_member(const origin& at, const family_member& member) {
    const auto [of, name] = member;
    if (of == nullptr || of->has(now_.values, name)) return true;
    const auto key = fmt::format("{}.{}", of->table, name);
    if (!of->may_be_named(name)) return refuse(at, key, "the name " + shown(name), of->names_are);
    if (of->names(now_.values).size() >= of->members_max)
      return refuse(at, key, fmt::format("more than {} {}", of->members_max, of->members),
                    fmt::format("at most {}, the shipped ones included", of->members_max));
    of->add(now_.values, name);
    new_members_[of].emplace(std::string(name), at);
    return true;
  }

  void check_new_members() {
    for (const auto& [of, members] : new_members_)
      for (const auto& [name, at] : members)
        for (const auto& row : schema()) {
          const auto key = with_type(row.key, name);
          if (!row.required || family_of_row(row.key) != of || said_.contains(key)) continue;
          auto others = of->names(now_.values);
          std::erase_if(others, [&](const std::string& other) { return members.contains(other); });
          const auto meant = nearest_key(name, others);
          problems_.add(at, key,
                        fmt::format("missing; allowed: {}, which a new {} must say{}", allowed(row), of->member,
                                    meant ? fmt::format(" (did you mean the {} {}?)", of->member, *meant) : ""));
        }
  }

  bool refuse(const origin& at, const std::string& key, std::string_view found, std::string_view what_is_allowed) {
    problems_.add(at, key, fmt::format("found {}; allowed: {}", found, what_is_allowed));
    return false;
  }

  bool refuse_unknown(const origin& at, const std::string& key, bool environment) {
    if (!problems_.has_room()) {
      problems_.add(at, {}, {});
      return false;
    }
    std::vector<std::string> known;
    const auto written = member_in(key);
    const auto with_name = [&](std::string_view pattern) {
      const auto* of = family_of_row(pattern);
      if (of == nullptr) return std::string(pattern);
      return with_type(pattern, of == written.of && of->may_be_named(written.name) ? written.name : of->example);
    };
    for (const auto& row : schema()) known.push_back(with_name(row.key));
    for (const auto& s : sections()) known.push_back(with_name(s.name));
    const auto meant = nearest_key(key, known);
    problems_.add(at, key,
                  fmt::format("unknown key{}",
                              meant
                                  ? fmt::format("; did you mean {}?",
                                                environment && find_setting(*meant) ? environment_name(*meant) : *meant)
                                  : "; `matricula config show` lists all"));
    return false;
  }

  const outside_checks& checks_;
  loaded now_;
  problem_list problems_;
  std::set<std::string> said_; ///< keys that some source names, well or badly
  std::map<const family*, std::map<std::string, origin, std::less<>>> new_members_;
};

} // namespace

origin loaded::origin_of(std::string_view key) const {
  const auto found = origins.find(key);
  return found == origins.end() ? origin{} : found->second;
}

load_result load(const sources& from, const outside_checks& checks) {
  loader l(checks);
  if (from.file) l.read_file(*from.file);
  l.read_environment(from.environment);
  l.read_sets(from.sets);
  return std::move(l).finish();
}

load_result load(const options& from, const outside_checks& checks) {
  sources all{{}, from.environment, from.sets};
  if (from.file) {
    auto file = read_file(*from.file);
    if (!file) {
      // What the other sources have to say is still worth knowing at once.
      std::vector<problem> problems{std::move(file.error())};
      if (auto rest = load(all, checks); !rest)
        problems.insert(problems.end(), std::make_move_iterator(rest.error().begin()),
                        std::make_move_iterator(rest.error().end()));
      return std::unexpected(std::move(problems));
    }
    all.file = std::move(*file);
  }
  return load(all, checks);
}

std::expected<file_text, problem> read_file(const std::string& path) {
  const auto failed = [&](std::string message) {
    return std::unexpected(problem{{source::file, path, 0, 0}, {}, std::move(message)});
  };
  std::error_code unused;
  if (std::filesystem::is_directory(path, unused)) return failed("found a folder; allowed: a settings file");
  std::ifstream in(path, std::ios::binary);
  if (!in) return failed("cannot be opened; allowed: a settings file that this user may read");
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return failed("cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max)
    return failed(fmt::format("found more than {} bytes; allowed: at most that many", file_bytes_max));
  return file_text{path, std::move(text)};
}

std::vector<std::pair<std::string, std::string>> environment_of(const char* const* environ_block) {
  std::vector<std::pair<std::string, std::string>> out;
  for (; environ_block && *environ_block; ++environ_block) {
    const std::string_view line(*environ_block);
    const auto equals = line.find('=');
    if (equals != std::string_view::npos && equals > 0)
      out.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  return out;
}

} // namespace matricula::config
