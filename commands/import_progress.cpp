#include "commands/import_progress.hpp"

#include "foundation/digest.hpp"
#include "storage/digest_stream.hpp"
#include "storage/durable_file.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace matricula::commands {

namespace {
constexpr std::string_view first_line = "matricula-import 2";
constexpr std::size_t bytes_max = 4'096;
constexpr std::string_view yes = "yes", no = "no";

/// Names and numbers of the file, in its order.
auto numbers_of(auto& p) {
  return std::array{std::pair{"file_bytes", &p.of.file_bytes},
                    std::pair{"offset", &p.offset},
                    std::pair{"line", &p.line},
                    std::pair{"accepted", &p.accepted},
                    std::pair{"duplicates", &p.duplicates},
                    std::pair{"changed", &p.changed},
                    std::pair{"conflicts", &p.conflicts},
                    std::pair{"refused", &p.refused},
                    std::pair{"refused_bytes", &p.refused_bytes},
                    std::pair{"reasons_bytes", &p.reasons_bytes}};
}

/// The value of the next line, which is "name value".
std::optional<std::string_view> take(std::string_view& text, std::string_view name) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') return std::nullopt;
  return line.substr(name.size() + 1);
}
} // namespace

result<import_job> look_at_file(const std::filesystem::path& file) {
  import_job job;
  storage::digest_stream digest;
  const auto read = storage::read_file(file, [&](std::string_view piece) -> result<void> {
    digest.add(piece);
    job.file_bytes += piece.size();
    return {};
  });
  if (!read) return std::unexpected(read.error());
  job.file_digest = to_hex(digest.finish());
  return job;
}

std::string difference(const import_job& before, const import_job& now) {
  if (before == now) return "";
  if (before.type != now.type) return fmt::format("of type '{}', not '{}'", before.type, now.type);
  if (before.file_digest != now.file_digest || before.file_bytes != now.file_bytes)
    return "of another file, or of this one before it was changed";
  if (before.timeline != now.timeline)
    return "into another store: the node was restored from a backup since then, or it is another node";
  if (before.accept_foreign != now.accept_foreign)
    return before.accept_foreign ? "with --accept-foreign" : "without --accept-foreign";
  return fmt::format("of the file as {}, not {}", before.format, now.format);
}

result<std::optional<import_progress>> load_progress(const std::filesystem::path& path) {
  const auto text = storage::read_small_file(path, bytes_max);
  if (!text && text.error().code == errc::not_found) return std::optional<import_progress>{};
  if (!text) return std::unexpected(text.error());
  const auto bad = [&] {
    return fail(
        errc::corrupt,
        fmt::format("{} is not what an import writes. Delete it to begin anew: that is harmless.", path.string()));
  };
  std::string_view rest = *text;
  if (!rest.starts_with(first_line) || rest.size() <= first_line.size()) return bad();
  rest.remove_prefix(first_line.size() + 1);
  import_progress p;
  const auto type = take(rest, "type");
  const auto timeline = take(rest, "timeline");
  const auto format = take(rest, "format");
  const auto foreign = take(rest, "accept_foreign");
  const auto digest = take(rest, "file_digest");
  if (!type || !timeline || !format || (foreign != yes && foreign != no) || !digest) return bad();
  p.of.type = *type;
  p.of.timeline = *timeline;
  p.of.format = *format;
  p.of.accept_foreign = *foreign == yes;
  p.of.file_digest = *digest;
  for (auto& [name, number] : numbers_of(p)) {
    const auto value = take(rest, name);
    if (!value) return bad();
    const auto* begin = value->data();
    const auto* end = begin + value->size();
    if (const auto [at, error] = std::from_chars(begin, end, *number); error != std::errc{} || at != end) return bad();
  }
  if (!rest.empty()) return bad();
  return std::optional(std::move(p));
}

result<void> save_progress(const std::filesystem::path& path, const import_progress& progress) {
  const auto& of = progress.of;
  auto text = fmt::format("{}\ntype {}\ntimeline {}\nformat {}\naccept_foreign {}\nfile_digest {}\n", first_line,
                          of.type, of.timeline, of.format, of.accept_foreign ? yes : no, of.file_digest);
  for (const auto& [name, number] : numbers_of(progress)) text += fmt::format("{} {}\n", name, *number);
  auto file = storage::durable_file::create(path);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->write(text); !written) return written;
  return file->publish();
}

} // namespace matricula::commands
