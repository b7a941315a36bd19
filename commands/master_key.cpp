#include "commands/master_key.hpp"

#include "commands/private_file.hpp"
#include "foundation/digest.hpp"
#include "foundation/random.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace matricula::commands {

namespace {

constexpr std::size_t key_text_max = 1024;

result<identifiers::permutation_key> parse(std::string_view text, std::string_view where) {
  constexpr std::string_view white = " \t\r\n";
  const auto first = text.find_first_not_of(white);
  const auto last = text.find_last_not_of(white);
  if (first != std::string_view::npos) text = text.substr(first, last - first + 1);
  auto raw = from_hex(text);
  // Neither the text nor its length is told: it may be a key with a slip of the finger.
  if (!raw || raw->size() != identifiers::permutation_key::size)
    return fail(errc::invalid_argument, fmt::format("The key from {} is not 64 hexadecimal digits.", where));
  return identifiers::permutation_key::from_bytes(*raw);
}

result<std::string> read_file(const std::string& path, std::string_view setting) {
  auto text = read_private_file(path, setting, key_text_max);
  if (!text && text.error().code == errc::io && ::access(path.c_str(), F_OK) != 0)
    text.error().message += fmt::format(" Make one with `matricula key create {}`.", path);
  return text;
}

result<std::string> read_command(const std::string& command, std::string_view setting) {
  // The operator's own command line, from the settings: a shell is what it is written for.
  FILE* pipe = ::popen(command.c_str(), "re"); // NOLINT(cert-env33-c)
  if (!pipe) return fail(errc::io, fmt::format("{} cannot be started.", setting));
  std::array<char, key_text_max> buffer{};
  const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe);
  const int status = ::pclose(pipe);
  if (status != 0)
    return fail(errc::io,
                fmt::format("{} ended with status {}.", setting, WIFEXITED(status) ? WEXITSTATUS(status) : status));
  return std::string(buffer.data(), n);
}

} // namespace

result<identifiers::permutation_key> load_key(const config::key_source& from, std::string_view setting) {
  switch (from.from) {
  case config::key_source::kind::file: {
    const auto text = read_file(from.what, setting);
    if (!text) return std::unexpected(text.error());
    return parse(*text, from.what);
  }
  case config::key_source::kind::command: {
    const auto text = read_command(from.what, setting);
    if (!text) return std::unexpected(text.error());
    return parse(*text, setting);
  }
  case config::key_source::kind::environment: {
    const char* text = std::getenv(from.what.c_str());
    if (!text) return fail(errc::invalid_argument, fmt::format("{}: the variable {} is not set.", setting, from.what));
    return parse(text, fmt::format("the variable {}", from.what));
  }
  }
  return fail(errc::invalid_argument, "no such source of a key");
}

result<std::vector<identifiers::permutation_key>> load_all_keys(const config::identifier_settings& s) {
  auto present = load_master_key(s);
  if (!present) return std::unexpected(present.error());
  std::vector<identifiers::permutation_key> keys{*present};
  for (const auto& entry : s.previous_keys) {
    const auto from = config::parse_key_source(entry);
    if (!from) return fail(errc::invalid_argument, "identifiers.previous_keys: an entry is no source of a key.");
    auto key = load_key(*from, "identifiers.previous_keys");
    if (!key) return std::unexpected(key.error());
    keys.push_back(*key);
  }
  return keys;
}

result<identifiers::permutation_key> load_master_key(const config::identifier_settings& s) {
  if (!s.key.empty()) return parse(s.key, "the environment");
  if (!s.key_file.empty()) return load_key({config::key_source::kind::file, s.key_file}, "identifiers.key_file");
  if (!s.key_command.empty())
    return load_key({config::key_source::kind::command, s.key_command}, "identifiers.key_command");
  return fail(
      errc::invalid_argument,
      "No key is configured. Make one with `matricula key create FILE`, keep a copy of FILE in a safe place away from "
      "the data folder, and set identifiers.key_file to it.");
}

result<std::string> create_key_file(const std::string& file) {
  secure_random random;
  std::string raw;
  for (std::size_t i = 0; i < identifiers::permutation_key::size / 8; ++i) {
    const auto word = random.next();
    raw.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  const auto key = identifiers::permutation_key::from_bytes(raw);
  if (!key) return std::unexpected(key.error());
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0)
    return fail(errno == EEXIST ? errc::conflict : errc::io,
                fmt::format("{} cannot be made: {}.{}", file, std::strerror(errno),
                            errno == EEXIST ? " A key file is never overwritten." : ""));
  const auto text = to_hex(raw) + "\n";
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written) return fail(errc::io, fmt::format("{} could not be written.", file));
  return key->fingerprint();
}

} // namespace matricula::commands
