#include "commands/import_progress.hpp"

#include "foundation/digest.hpp"
#include "storage/durable_file.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

namespace matricula::commands {

namespace {
constexpr std::string_view first_line = "matricula-import 1";
constexpr std::size_t bytes_max = 4'096;
constexpr std::size_t digested_bytes = 64 * 1'024;

/// Names and numbers of the file, in its order.
auto numbers_of(auto& p) {
  return std::array{std::pair{"file_bytes", &p.file_bytes},
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

result<import_progress> begin_import(const std::filesystem::path& file, const std::string& type) {
  std::error_code code;
  import_progress p;
  p.type = type;
  p.file_bytes = std::filesystem::file_size(file, code);
  std::ifstream in(file, std::ios::binary);
  if (code || !in) return fail(errc::io, fmt::format("The file {} cannot be read.", file.string()));
  std::string head(digested_bytes, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  if (in.bad()) return fail(errc::io, fmt::format("The file {} cannot be read.", file.string()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  p.file_digest = to_hex(sha256(head));
  return p;
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
  const auto digest = take(rest, "file_digest");
  if (!type || !digest) return bad();
  p.type = *type;
  p.file_digest = *digest;
  for (auto& [name, number] : numbers_of(p)) {
    const auto value = take(rest, name);
    if (!value) return bad();
    const auto* end = value->data() + value->size();
    if (const auto [at, error] = std::from_chars(value->data(), end, *number); error != std::errc{} || at != end)
      return bad();
  }
  if (!rest.empty()) return bad();
  return std::optional(std::move(p));
}

result<void> save_progress(const std::filesystem::path& path, const import_progress& progress) {
  auto text = fmt::format("{}\ntype {}\nfile_digest {}\n", first_line, progress.type, progress.file_digest);
  for (const auto& [name, number] : numbers_of(progress)) text += fmt::format("{} {}\n", name, *number);
  auto file = storage::durable_file::create(path);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->write(text); !written) return written;
  return file->publish();
}

} // namespace matricula::commands
