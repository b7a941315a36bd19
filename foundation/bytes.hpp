/// Compact records: append-only writer and a reader that never runs past its input.
/// Integers in keys are big endian (they sort as numbers); in values they are LEB128 varints.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula {

/// Bytes of `v` as a varint: 1 to 10.
[[nodiscard]] constexpr std::size_t varint_bytes(std::uint64_t v) noexcept {
  std::size_t n = 1;
  for (; v >= 0x80; v >>= 7) ++n;
  return n;
}

class byte_writer {
public:
  byte_writer& u8(std::uint8_t v) {
    out_.push_back(static_cast<char>(v));
    return *this;
  }
  byte_writer& big16(std::uint16_t v) { return big(v, 2); }
  byte_writer& big32(std::uint32_t v) { return big(v, 4); }
  byte_writer& big64(std::uint64_t v) { return big(v, 8); }
  byte_writer& varint(std::uint64_t v) {
    for (; v >= 0x80; v >>= 7) out_.push_back(static_cast<char>(v | 0x80));
    out_.push_back(static_cast<char>(v));
    return *this;
  }
  /// Length (varint), then the bytes.
  byte_writer& text(std::string_view v) {
    varint(v.size());
    out_.append(v);
    return *this;
  }
  byte_writer& raw(std::string_view v) {
    out_.append(v);
    return *this;
  }
  [[nodiscard]] const std::string& str() const& noexcept { return out_; }
  [[nodiscard]] std::string str() && noexcept { return std::move(out_); }
  void reserve(std::size_t n) { out_.reserve(n); }

private:
  byte_writer& big(std::uint64_t v, int n) {
    for (int i = n - 1; i >= 0; --i) out_.push_back(static_cast<char>(v >> (8 * i)));
    return *this;
  }
  std::string out_;
};

/// Reads what byte_writer wrote. After the first short or malformed read `ok()` is false and every later read gives
/// zero or empty: check once, at the end. Views point into the input.
class byte_reader {
public:
  explicit byte_reader(std::string_view in) noexcept : in_(in) {}
  std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(big(1)); }
  std::uint16_t big16() noexcept { return static_cast<std::uint16_t>(big(2)); }
  std::uint32_t big32() noexcept { return static_cast<std::uint32_t>(big(4)); }
  std::uint64_t big64() noexcept { return big(8); }
  std::uint64_t varint() noexcept {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto b = big(1);
      if (!ok_ || (shift == 63 && b > 1)) return ok_ = false, 0;
      v |= (b & 0x7f) << shift;
      if (b < 0x80) return v;
    }
    return ok_ = false, 0;
  }
  std::string_view text() noexcept { return raw(varint()); }
  std::string_view raw(std::uint64_t n) noexcept {
    if (!ok_ || n > in_.size()) return ok_ = false, std::string_view{};
    const auto v = in_.substr(0, n);
    in_.remove_prefix(n);
    return v;
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  /// Whether everything was read, and read well.
  [[nodiscard]] bool done() const noexcept { return ok_ && in_.empty(); }
  [[nodiscard]] std::string_view rest() const noexcept { return in_; }

private:
  std::uint64_t big(std::size_t n) noexcept {
    if (!ok_ || n > in_.size()) return ok_ = false, 0;
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < n; ++i) v = v << 8 | static_cast<std::uint8_t>(in_[i]);
    in_.remove_prefix(n);
    return v;
  }
  std::string_view in_;
  bool ok_ = true;
};

} // namespace matricula
