/// Certificates for tests: made on the spot, signed by themselves, of short keys that are quick to use.
#pragma once
#include <chrono>
#include <filesystem>
#include <string>

namespace matricula::test {

struct certificate_files {
  std::filesystem::path certificate; ///< PEM
  std::filesystem::path key;         ///< PEM
};

/// Writes <name>.crt and <name>.key (ECDSA, P-256) for 127.0.0.1 and localhost into `folder`.
/// @param name also its common name. @param valid_for from now; below zero: its time is over.
/// Throws std::runtime_error.
[[nodiscard]] certificate_files make_certificate(const std::filesystem::path& folder, const std::string& name,
                                                 std::chrono::hours valid_for = std::chrono::hours(24));

/// Puts a password on a copy of a key. Throws std::runtime_error.
[[nodiscard]] std::filesystem::path with_password(const std::filesystem::path& key);

} // namespace matricula::test
