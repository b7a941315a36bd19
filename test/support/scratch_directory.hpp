/// A directory of a test's own, gone with the object.
#pragma once
#include <filesystem>
#include <string_view>

namespace matricula::test {

class scratch_directory {
public:
  /// Below the system's folder for temporary files. Throws std::filesystem::filesystem_error.
  scratch_directory();
  ~scratch_directory();
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

} // namespace matricula::test
