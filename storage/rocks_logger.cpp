#include "storage/rocks_logger.hpp"

#include "foundation/log.hpp"

#include <rocksdb/env.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <exception>

namespace matricula::storage {

namespace {

class rocks_logger final : public rocksdb::Logger {
public:
  rocks_logger() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char*, va_list) override {} // header lines and lines without a level
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level == rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    std::array<char, 512> line{};
    if (std::vsnprintf(line.data(), line.size(), format, arguments) < 0) return;
    try {
      log::write(level >= rocksdb::InfoLogLevel::ERROR_LEVEL ? log::level::error : log::level::warning, "store.rocksdb",
                 line.data());
    } catch (const std::exception&) {
      ++dropped_; // a line that cannot be logged is dropped: RocksDB must never notice
    }
  }

private:
  std::atomic<std::uint64_t> dropped_{0};
};

} // namespace

std::shared_ptr<rocksdb::Logger> make_rocks_logger() { return std::make_shared<rocks_logger>(); }

} // namespace matricula::storage
