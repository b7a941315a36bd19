#include "storage/mark_file.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "storage/rocks_error.hpp"

#include <rocksdb/env.h>

#include <array>

namespace matricula::storage {

namespace {

constexpr std::string_view magic = "MTRMARK1";
constexpr std::size_t check_bytes = 16;
constexpr std::size_t record_bytes = magic.size() + 8 + group_record::chain_bytes + check_bytes;
constexpr std::size_t slot_bytes = 512; // a sector: the slots do not tear together
constexpr std::size_t slots = 2;

std::string path_of(const std::string& directory) { return directory + "/" + std::string(mark_file::name); }

std::string encode(const mark& m) {
  byte_writer out;
  out.raw(magic).big64(m.number).raw(m.chain);
  return out.str() + sha256(out.str()).substr(0, check_bytes);
}

std::optional<mark> decode(std::string_view bytes) {
  if (bytes.size() < record_bytes) return std::nullopt;
  byte_reader in{bytes.substr(0, record_bytes)};
  if (in.raw(magic.size()) != magic) return std::nullopt;
  mark m;
  m.number = in.big64();
  m.chain = in.raw(group_record::chain_bytes);
  if (in.raw(check_bytes) != sha256(bytes.substr(0, record_bytes - check_bytes)).substr(0, check_bytes))
    return std::nullopt;
  return m;
}

} // namespace

struct mark_file::file {
  std::unique_ptr<rocksdb::RandomRWFile> handle;
};

mark_file::mark_file(std::unique_ptr<file> f) : file_(std::move(f)) {}
mark_file::~mark_file() = default;

result<std::optional<mark>> mark_file::read(rocksdb::Env& env, const std::string& directory) {
  const auto path = path_of(directory);
  const auto exists = env.FileExists(path);
  if (exists.IsNotFound()) return std::nullopt;
  std::unique_ptr<rocksdb::RandomAccessFile> in;
  if (auto s = env.NewRandomAccessFile(path, &in, rocksdb::EnvOptions{}); !s.ok())
    return std::unexpected(to_error(s, "cannot open the mark file " + path));
  std::optional<mark> greatest;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    std::array<char, record_bytes> scratch{};
    rocksdb::Slice got;
    if (auto s = in->Read(slot * slot_bytes, scratch.size(), &got, scratch.data()); !s.ok())
      return std::unexpected(to_error(s, "cannot read the mark file " + path));
    const auto found = decode({got.data(), got.size()});
    if (found && (!greatest || found->number > greatest->number)) greatest = found;
  }
  return greatest;
}

result<std::unique_ptr<mark_file>> mark_file::open(rocksdb::Env& env, const std::string& directory) {
  const auto path = path_of(directory);
  if (env.FileExists(path).IsNotFound()) {
    std::unique_ptr<rocksdb::WritableFile> created;
    auto s = env.NewWritableFile(path, &created, rocksdb::EnvOptions{});
    if (s.ok()) s = created->Close();
    std::unique_ptr<rocksdb::Directory> parent;
    if (s.ok()) s = env.NewDirectory(directory, &parent);
    if (s.ok()) s = parent->Fsync();
    if (!s.ok()) return std::unexpected(to_error(s, "cannot create the mark file " + path));
  }
  auto f = std::make_unique<file>();
  if (auto s = env.NewRandomRWFile(path, &f->handle, rocksdb::EnvOptions{}); !s.ok())
    return std::unexpected(to_error(s, "cannot open the mark file " + path));
  return std::unique_ptr<mark_file>(new mark_file(std::move(f)));
}

result<void> mark_file::write(const mark& m) {
  const auto record = encode(m);
  if (auto s = file_->handle->Write(m.number % slots * slot_bytes, record); !s.ok())
    return std::unexpected(to_error(s, "cannot write the mark file"));
  return {};
}

result<void> mark_file::sync() {
  if (auto s = file_->handle->Sync(); !s.ok()) return std::unexpected(to_error(s, "cannot sync the mark file"));
  return {};
}

} // namespace matricula::storage
