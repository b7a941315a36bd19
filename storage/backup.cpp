#include "storage/backup.hpp"

#include "foundation/digest.hpp"
#include "storage/digest_stream.hpp"
#include "storage/durable_file.hpp"
#include "storage/mark_file.hpp"
#include "storage/opening.hpp"
#include "storage/restored_store.hpp"

#include <fmt/format.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <set>
#include <system_error>

namespace matricula::storage {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view first_line = "matricula-backup 1";
constexpr std::size_t manifest_bytes_max = std::size_t{64} << 20;

std::unexpected<error> no_manifest(std::string_view why) {
  return fail(errc::corrupt, fmt::format("the backup's manifest {}: it is no whole backup; use another one", why));
}

/// Undoes a half-made directory unless told that it is whole.
class emptied_on_failure {
public:
  explicit emptied_on_failure(fs::path directory) : directory_(std::move(directory)) {}
  emptied_on_failure(const emptied_on_failure&) = delete;
  emptied_on_failure& operator=(const emptied_on_failure&) = delete;
  ~emptied_on_failure() {
    if (whole_) return;
    // The mark of an unfinished restore goes last: a kill in between leaves nothing that looks like a store.
    std::error_code code;
    for (fs::directory_iterator i{directory_, code}, end; !code && i != end; i.increment(code)) {
      std::error_code ignored;
      if (i->path().filename() != restoring_name) fs::remove_all(i->path(), ignored);
    }
    fs::remove(directory_ / restoring_name, code);
  }
  void keep() noexcept { whole_ = true; }

private:
  fs::path directory_;
  bool whole_ = false;
};

/// Copies, syncs and digests a file.
result<backup_file> copy_and_digest(const fs::path& from, const fs::path& to) {
  auto out = durable_file::create(to);
  if (!out) return std::unexpected(out.error());
  backup_file copied{from.filename().string(), 0, {}};
  digest_stream digest;
  const auto read = read_file(from, [&](std::string_view piece) {
    copied.bytes += piece.size();
    digest.add(piece);
    return out->write(piece);
  });
  if (!read) return std::unexpected(read.error());
  if (auto published = out->publish(); !published) return std::unexpected(published.error());
  copied.sha256_hex = to_hex(digest.finish());
  return copied;
}

result<backup_file> digest_file(const fs::path& path) {
  backup_file found{path.filename().string(), 0, {}};
  digest_stream digest;
  const auto read = read_file(path, [&](std::string_view piece) -> result<void> {
    found.bytes += piece.size();
    digest.add(piece);
    return {};
  });
  if (!read) return std::unexpected(read.error());
  found.sha256_hex = to_hex(digest.finish());
  return found;
}

result<std::vector<std::string>> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator i{directory, code}, end; !code && i != end; i.increment(code))
    names.push_back(i->path().filename().string());
  if (code) return fail(errc::io, fmt::format("cannot list {}: {}", directory.string(), code.message()));
  std::ranges::sort(names);
  return names;
}

/// Cuts the next field off at `separator`.
std::string_view cut(std::string_view& text, char separator) {
  const auto at = text.find(separator);
  const auto field = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return field;
}

template <class T>
bool number(std::string_view text, T& out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc{} && end == text.data() + text.size();
}

bool plain_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name != "." && name != "..";
}

bool take_line(backup_manifest& m, std::string_view line) {
  const auto what = cut(line, ' ');
  if (what == "store-format") return number(line, m.store_format);
  if (what == "node") return m.node_id = line, !line.empty();
  if (what == "group") return number(line, m.last.number);
  if (what == "chain") {
    const auto chain = from_hex(line);
    return chain && chain->size() == group_record::chain_bytes && (m.last.chain = *chain, true);
  }
  if (what == "group-time" || what == "made") {
    const auto at = parse_rfc3339(line);
    return at && ((what == "made" ? m.made_at : m.last.at) = *at, true);
  }
  if (what == "file") {
    backup_file f;
    if (!number(cut(line, ' '), f.bytes)) return false;
    f.sha256_hex = cut(line, ' ');
    f.name = line;
    if (f.sha256_hex.size() != 64 || !plain_name(f.name)) return false;
    m.files.push_back(std::move(f));
    return true;
  }
  return false;
}

result<backup_manifest> read_manifest(const std::string& directory) {
  const auto path = fs::path(directory) / backup_manifest::file_name;
  const auto text = read_small_file(path, manifest_bytes_max);
  if (!text && text.error().code == errc::not_found) return no_manifest("is missing");
  if (!text) return std::unexpected(text.error());
  auto m = decode_manifest(*text);
  if (m && m->store_format > current_format)
    return fail(errc::unsupported,
                fmt::format("the backup has store format {} and this build reads up to {}: use a newer "
                            "build",
                            m->store_format, current_format));
  return m;
}

/// Copies the files of a checkpoint; the caller removes what is left on failure.
result<std::vector<backup_file>> copy_all(const fs::path& from, const fs::path& to) {
  auto names = names_in(from);
  if (!names) return std::unexpected(names.error());
  std::vector<backup_file> files;
  for (const auto& name : *names) {
    auto copied = copy_and_digest(from / name, to / name);
    if (!copied) return std::unexpected(copied.error());
    files.push_back(std::move(*copied));
  }
  return files;
}

result<void> same(const backup_file& expected, const backup_file& found) {
  if (found == expected) return {};
  return fail(errc::corrupt, fmt::format("the backup's file {} is not what was saved ({} bytes instead of {}, or other "
                                         "contents): use another backup",
                                         expected.name, found.bytes, expected.bytes));
}

} // namespace

std::string encode(const backup_manifest& m) {
  std::string out = fmt::format("{}\nstore-format {}\nnode {}\ngroup {}\nchain {}\ngroup-time {}\nmade {}\n",
                                first_line, m.store_format, m.node_id, m.last.number, to_hex(m.last.chain),
                                to_rfc3339(m.last.at), to_rfc3339(m.made_at));
  for (const auto& f : m.files) out += fmt::format("file {} {} {}\n", f.bytes, f.sha256_hex, f.name);
  return out + fmt::format("end {}\n", to_hex(sha256(out)));
}

result<backup_manifest> decode_manifest(std::string_view text) {
  if (text.starts_with("matricula-backup ") && !text.starts_with(std::string(first_line) + "\n"))
    return fail(errc::unsupported, "the backup was made by a newer build: use that one");
  const auto end = text.rfind("end ");
  if (end == std::string_view::npos || text.substr(end) != fmt::format("end {}\n", to_hex(sha256(text.substr(0, end)))))
    return no_manifest("is cut off or was changed");
  auto body = text.substr(0, end);
  if (cut(body, '\n') != first_line) return no_manifest("is of another kind");
  backup_manifest m;
  while (!body.empty())
    if (!take_line(m, cut(body, '\n'))) return no_manifest("holds a line that is none");
  if (m.store_format == 0 || m.node_id.empty() || m.files.empty()) return no_manifest("says too little");
  return m;
}

result<backup_manifest> make_backup(const store& of, const std::string& directory, timestamp now) {
  static std::mutex one_at_a_time;
  const std::unique_lock running{one_at_a_time, std::try_to_lock};
  if (!running) return fail(errc::conflict, "a backup is already running: wait for it");
  const fs::path target{directory};
  if (auto empty = make_empty_directory(target); !empty) return std::unexpected(empty.error());
  emptied_on_failure half{target};

  // The checkpoint is made beside the files, where linking is free, and copied from there.
  const auto checkpoint = fs::path(of.directory()) / checkpoint_name;
  std::error_code ignored;
  fs::remove_all(checkpoint, ignored);
  if (auto made = of.checkpoint(checkpoint.string()); !made) return std::unexpected(made.error());
  struct removed_at_the_end {
    const fs::path& path;
    ~removed_at_the_end() {
      std::error_code code;
      fs::remove_all(path, code);
    }
  } const cleanup{checkpoint};

  store_options there;
  there.directory = checkpoint.string();
  const auto found = look(there);
  if (!found) return std::unexpected(found.error());
  if (auto data = make_empty_directory(target / "data"); !data) return std::unexpected(data.error());
  auto files = copy_all(checkpoint, target / "data");
  if (!files) return std::unexpected(files.error());

  backup_manifest m{found->format.value_or(of.format()), found->node_id, found->last, now, std::move(*files)};
  auto out = durable_file::create(target / backup_manifest::file_name);
  if (!out) return std::unexpected(out.error());
  if (auto written = out->write(encode(m)); !written) return std::unexpected(written.error());
  if (auto published = out->publish(); !published) return std::unexpected(published.error());
  half.keep();
  return m;
}

result<backup_manifest> check_backup(const std::string& directory) {
  auto m = read_manifest(directory);
  if (!m) return m;
  const auto data = fs::path(directory) / "data";
  auto names = names_in(data);
  if (!names) return std::unexpected(names.error());
  std::set<std::string> unknown{names->begin(), names->end()};
  for (const auto& expected : m->files) {
    if (unknown.erase(expected.name) == 0)
      return fail(errc::corrupt, fmt::format("the backup's file {} is missing: use another backup", expected.name));
    const auto found = digest_file(data / expected.name);
    if (!found) return std::unexpected(found.error());
    if (auto equal = same(expected, *found); !equal) return std::unexpected(equal.error());
  }
  if (!unknown.empty())
    return fail(errc::corrupt,
                fmt::format("the backup holds a file that its manifest does not name: {}. Somebody changed "
                            "it; use another backup",
                            *unknown.begin()));
  return m;
}

result<backup_manifest> restore_backup(const std::string& directory, const std::string& target) {
  auto m = check_backup(directory);
  if (!m) return m;
  const fs::path to{target};
  if (auto empty = make_empty_directory(to); !empty) return std::unexpected(empty.error());
  emptied_on_failure half{to};
  {
    auto marker = durable_file::create(to / restoring_name);
    if (!marker) return std::unexpected(marker.error());
    if (auto published = marker->publish(); !published) return std::unexpected(published.error());
  }
  for (const auto& expected : m->files) {
    const auto copied = copy_and_digest(fs::path(directory) / "data" / expected.name, to / expected.name);
    if (!copied) return std::unexpected(copied.error());
    if (auto equal = same(expected, *copied); !equal) return std::unexpected(equal.error());
  }
  if (auto marked = mark_restored(target, m->last); !marked) return std::unexpected(marked.error());
  auto marks = mark_file::open(*rocksdb::Env::Default(), target);
  if (!marks) return std::unexpected(marks.error());
  if (auto written = (*marks)->write({m->last.number, m->last.chain}); !written)
    return std::unexpected(written.error());
  if (auto synced = (*marks)->sync(); !synced) return std::unexpected(synced.error());
  std::error_code code;
  fs::remove(to / restoring_name, code);
  if (code) return fail(errc::io, fmt::format("cannot end the restore in {}: {}", target, code.message()));
  if (auto synced = sync_directory(to); !synced) return std::unexpected(synced.error());
  half.keep();
  return m;
}

} // namespace matricula::storage
