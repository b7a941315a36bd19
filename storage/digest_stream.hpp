/// SHA-256 over bytes that come in pieces.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace matricula::storage {

class digest_stream {
public:
  static constexpr std::size_t bytes = 32;
  digest_stream();
  ~digest_stream();
  digest_stream(const digest_stream&) = delete;
  digest_stream& operator=(const digest_stream&) = delete;
  void add(std::string_view piece);
  /// The 32 raw bytes; afterwards nothing may be added before `restart`.
  [[nodiscard]] std::string finish();
  /// Begins a new digest; cheaper than a new stream.
  void restart();

private:
  struct context;
  std::unique_ptr<context> context_;
};

} // namespace matricula::storage
