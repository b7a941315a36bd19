#include "storage/shard_transfer.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "storage/durable_file.hpp"
#include "storage/keys.hpp"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <utility>

namespace matricula::storage {

namespace {

// A file is a run of blocks: length (4 bytes), payload, check (16 bytes of SHA-256 over the check before and the
// payload). The first payload is the header, the last one the number of rows; a cut or swapped block breaks the checks.
constexpr std::string_view magic = "MTRSHRD1";
constexpr std::size_t check_bytes = 16;
constexpr std::size_t block_bytes = std::size_t{256} * 1024;
constexpr std::size_t payload_bytes_max = std::size_t{4} << 20;

enum class block_kind : std::uint8_t { header = 1, rows = 2, end = 3 };

std::filesystem::path file_of(const std::string& directory, shard_id shard) {
  return std::filesystem::path(directory) / fmt::format("shard-{:02}.rows", shard.value);
}

std::string next_check(std::string_view before, std::string_view payload) {
  return sha256(std::string(before) + std::string(payload)).substr(0, check_bytes);
}

class block_writer {
public:
  explicit block_writer(durable_file& to) : to_(to) {}
  result<void> write(const std::string& payload) {
    check_ = next_check(check_, payload);
    byte_writer out;
    out.big32(static_cast<std::uint32_t>(payload.size())).raw(payload).raw(check_);
    return to_.write(out.str());
  }

private:
  durable_file& to_;
  std::string check_;
};

using row_visitor = std::function<result<void>(column, std::string_view key, std::string_view value)>;

/// Takes the file apart as it is read, piece by piece, and passes on its rows.
class block_reader {
public:
  block_reader(shard_id shard, std::string name, const row_visitor& visit)
      : shard_(shard), name_(std::move(name)), visit_(visit) {}

  result<void> take(std::string_view piece) {
    pending_.append(piece);
    for (;;) {
      byte_reader in{pending_};
      const auto length = in.big32();
      if (in.ok() && length > payload_bytes_max) return damaged("a block is too long");
      const auto payload = in.raw(length);
      const auto check = in.raw(check_bytes);
      if (!in.ok()) return {}; // the rest comes with the next piece
      check_ = next_check(check_, payload);
      if (check != check_) return damaged("a checksum does not match");
      if (auto taken = take_block(payload); !taken) return taken;
      pending_.erase(0, pending_.size() - in.rest().size());
    }
  }
  result<void> finish() const {
    if (!ended_ || !pending_.empty()) return damaged("it is cut off");
    return {};
  }

private:
  std::unexpected<error> damaged(std::string_view why) const {
    return fail(errc::corrupt, fmt::format("{} is damaged: {}. Export the shard again", name_, why));
  }
  result<void> take_block(std::string_view payload) {
    byte_reader in{payload};
    const auto kind = static_cast<block_kind>(in.u8());
    if (ended_ || (kind == block_kind::header) == begun_) return damaged("its blocks are out of order");
    switch (kind) {
    case block_kind::header:
      return take_header(in);
    case block_kind::rows:
      return take_rows(in);
    case block_kind::end:
      if (in.varint() != rows_ || !in.done()) return damaged("rows are missing");
      ended_ = true;
      return {};
    }
    return damaged("it holds an unknown kind of block");
  }
  result<void> take_header(byte_reader& in) {
    const auto found = in.raw(magic.size());
    const auto shard = in.u8();
    (void)in.varint(); // the group up to which it was exported
    if (found != magic || !in.done()) return damaged("it is not an exported shard");
    if (shard != shard_.value)
      return fail(errc::conflict, fmt::format("{} holds shard {}, not shard {}", name_, shard, shard_.value));
    begun_ = true;
    return {};
  }
  result<void> take_rows(byte_reader& in) {
    while (in.ok() && !in.rest().empty()) {
      const auto where = in.u8();
      const auto key = in.text();
      const auto value = in.text();
      if (!in.ok() || where >= column_count || key.empty() || static_cast<std::uint8_t>(key.front()) != shard_.value)
        return damaged("a row does not decode");
      ++rows_;
      if (auto visited = visit_(static_cast<column>(where), key, value); !visited) return visited;
    }
    return {};
  }

  shard_id shard_;
  std::string name_;
  const row_visitor& visit_;
  std::string pending_;
  std::string check_;
  std::uint64_t rows_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

result<void> read_rows(const std::string& directory, shard_id shard, const row_visitor& visit) {
  const auto path = file_of(directory, shard);
  block_reader reader{shard, path.string(), visit};
  if (auto read = read_file(path, [&](std::string_view piece) { return reader.take(piece); }); !read) return read;
  return reader.finish();
}

/// Collects operations into batches that keep the limits, and commits them one by one.
class batch_stream {
public:
  batch_stream(store& into, shard_id shard, timestamp at) : into_(into), shard_(shard), at_(at), now_(shard) {}
  result<void> put(column where, std::string_view key, std::string_view value) {
    if (auto room = make_room(key.size() + value.size()); !room) return room;
    now_.put(where, key, value);
    return {};
  }
  result<void> erase(column where, std::string_view key) {
    if (auto room = make_room(key.size()); !room) return room;
    now_.erase(where, key);
    return {};
  }
  result<void> commit() {
    if (now_.empty()) return {};
    const batch* const batches[] = {&now_};
    if (auto written = into_.commit(batches, at_); !written) return std::unexpected(written.error());
    now_ = batch{shard_};
    return {};
  }

private:
  result<void> make_room(std::size_t bytes) {
    constexpr std::size_t framing = 32;
    if (now_.bytes() + bytes + framing > batch::bytes_max || now_.operations() + 1 > batch::operations_max)
      return commit();
    return {};
  }
  store& into_;
  shard_id shard_;
  timestamp at_;
  batch now_;
};

result<void> walk_shard(const view& rows, shard_id shard, const row_visitor& visit) {
  const std::string lower(1, static_cast<char>(shard.value));
  const auto upper = after_prefix(lower);
  for (std::size_t c = 0; c < column_count; ++c) {
    result<void> visited;
    const auto walked =
        rows.walk(static_cast<column>(c), lower, upper, [&](std::string_view key, std::string_view value) {
          visited = visit(static_cast<column>(c), key, value);
          return visited.has_value();
        });
    if (!walked) return walked;
    if (!visited) return visited;
  }
  return {};
}

/// Removes what an import that was cut off has written. Errors: conflict when the shard has rows of its own.
result<void> make_room_for(store& into, shard_id shard, timestamp at) {
  const auto rows = into.snapshot();
  const auto marker = rows->get(column::meta, import_marker_key(shard));
  if (!marker) return std::unexpected(marker.error());
  batch_stream out{into, shard, at};
  const auto cleared =
      walk_shard(*rows, shard, [&](column where, std::string_view key, std::string_view) -> result<void> {
        if (!*marker)
          return fail(errc::conflict, fmt::format("shard {} has rows: import into a shard without rows", shard.value));
        if (where == column::meta && key == import_marker_key(shard)) return {};
        return out.erase(where, key);
      });
  if (!cleared) return cleared;
  return out.commit();
}

} // namespace

std::string import_marker_key(shard_id shard) { return key_builder{shard}.text("unfinished import").str(); }

result<void> export_shard(const view& rows, shard_id shard, std::uint64_t up_to, const std::string& directory) {
  const auto unfinished = rows.get(column::meta, import_marker_key(shard));
  if (!unfinished) return std::unexpected(unfinished.error());
  if (*unfinished)
    return fail(errc::conflict, fmt::format("shard {} was imported only in part: import it again first", shard.value));
  if (auto empty = make_empty_directory(directory); !empty) return empty;
  auto file = durable_file::create(file_of(directory, shard));
  if (!file) return std::unexpected(file.error());
  block_writer out{*file};
  byte_writer header;
  header.u8(static_cast<std::uint8_t>(block_kind::header)).raw(magic).u8(shard.value).varint(up_to);
  if (auto written = out.write(header.str()); !written) return written;

  byte_writer block;
  std::uint64_t count = 0;
  const auto flush = [&]() -> result<void> {
    auto payload = std::exchange(block, {});
    return out.write(payload.str());
  };
  const auto walked =
      walk_shard(rows, shard, [&](column c, std::string_view key, std::string_view value) -> result<void> {
        if (block.str().empty()) block.u8(static_cast<std::uint8_t>(block_kind::rows));
        block.u8(static_cast<std::uint8_t>(c)).text(key).text(value);
        ++count;
        return block.str().size() >= block_bytes ? flush() : result<void>{};
      });
  if (!walked) return walked;
  if (!block.str().empty())
    if (auto written = flush(); !written) return written;
  byte_writer end;
  end.u8(static_cast<std::uint8_t>(block_kind::end)).varint(count);
  if (auto written = out.write(end.str()); !written) return written;
  return file->publish();
}

result<void> import_shard(store& into, shard_id shard, const std::string& directory, timestamp at) {
  const auto looked =
      read_rows(directory, shard, [](column, std::string_view, std::string_view) { return result<void>{}; });
  if (!looked) return looked;
  if (auto room = make_room_for(into, shard, at); !room) return room;
  batch_stream out{into, shard, at};
  if (auto put = out.put(column::meta, import_marker_key(shard), ""); !put) return put;
  const auto loaded = read_rows(
      directory, shard, [&](column c, std::string_view key, std::string_view value) { return out.put(c, key, value); });
  if (!loaded) return loaded;
  if (auto done = out.erase(column::meta, import_marker_key(shard)); !done) return done;
  return out.commit();
}

} // namespace matricula::storage
