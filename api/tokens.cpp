#include "api/tokens.hpp"

#include "foundation/digest.hpp"
#include "foundation/random.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_map>

namespace matricula::api {

namespace {
constexpr std::size_t file_bytes_max = std::size_t{16} << 20;
constexpr std::string_view comment = "# Matricula's API tokens: name tenant scopes sha256 created expires [quota]. The "
                                     "tokens themselves are not here.\n";

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }

private:
  int fd_;
};

std::unexpected<error> io_error(const std::filesystem::path& file, std::string_view what) {
  return fail(errc::io, "The tokens file " + file.string() + " cannot be " + std::string(what) + ": " +
                            std::generic_category().message(errno) + ".");
}

bool is_word(std::string_view text, std::string_view others, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && std::ranges::all_of(text, [others](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || others.contains(c);
  });
}
/// By which histories say what the node did by itself; nobody else may look like it.
constexpr std::array<std::string_view, 3> names_of_the_node{"expirer", "import", "restore"};
bool is_name(std::string_view text) { return is_word(text, "._-", 64); }
bool is_scope(std::string_view text) { return is_word(text, ":_-*", 64); }

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string to_line(const token_record& token) {
  std::string scopes;
  for (const auto& scope : token.who.scopes) scopes.append(scopes.empty() ? "" : ",").append(scope);
  return token.who.name + ' ' + token.who.tenant + ' ' + scopes + ' ' + to_hex(token.hash) + ' ' +
         to_rfc3339(token.created) + ' ' + (token.expires ? to_rfc3339(*token.expires) : "-") +
         (token.who.quota ? ' ' + to_string(*token.who.quota) : "") + '\n';
}

std::optional<token_record> from_line(std::string_view line) {
  const auto parts = split(line, ' ');
  if (parts.size() < 6 || parts.size() > 7 || !is_name(parts[0]) || !is_name(parts[1])) return std::nullopt;
  token_record token{{std::string(parts[0]), std::string(parts[1]), {}}, {}, {}, {}};
  for (const auto scope : split(parts[2], ',')) {
    if (!is_scope(scope)) return std::nullopt;
    token.who.scopes.emplace_back(scope);
  }
  const auto hash = from_hex(parts[3]);
  const auto created = parse_rfc3339(parts[4]);
  if (!hash || hash->size() != 32 || !created) return std::nullopt;
  token.hash = *hash;
  token.created = *created;
  if (parts[5] != "-") {
    const auto expires = parse_rfc3339(parts[5]);
    if (!expires) return std::nullopt;
    token.expires = *expires;
  }
  if (parts.size() == 7) {
    const auto quota = parse_own_quota(parts[6]);
    if (!quota) return std::nullopt;
    token.who.quota = *quota;
  }
  return token;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

/// What root makes here must stay the service's: it goes to whoever owns the present file, or else the folder.
/// Others can give nothing away, and need not.
bool hand_over(int fd, const std::filesystem::path& file) {
  if (::geteuid() != 0) return true;
  struct stat owner{};
  if (::stat(file.c_str(), &owner) != 0 && ::stat(folder_of(file).c_str(), &owner) != 0) return false;
  return ::fchown(fd, owner.st_uid, owner.st_gid) == 0;
}

result<void> replace(const std::filesystem::path& file, const std::vector<token_record>& tokens) {
  std::string text(comment);
  for (const auto& token : tokens) text += to_line(token);
  const auto fresh = std::filesystem::path(file.string() + ".new");
  ::unlink(fresh.c_str()); // left by a process that died; the lock says that nobody is writing it
  {
    const descriptor out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!out || !hand_over(out.get(), file) || !write_all(out.get(), text) || ::fsync(out.get()) != 0)
      return io_error(file, "written");
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) return io_error(file, "replaced");
  const descriptor dir(::open(folder_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir || ::fsync(dir.get()) != 0) return io_error(file, "synced");
  return {};
}

/// Opens or makes the lock's file. A link is not followed: root must not give a file away that somebody else chose.
int open_lock(const std::filesystem::path& file) {
  const auto path = file.string() + ".lock";
  for (;;) {
    const int fresh = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fresh >= 0 && !hand_over(fresh, file)) {
      ::close(fresh);
      return -1;
    }
    if (fresh >= 0 || errno != EEXIST) return fresh;
    const int known = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (known >= 0 || errno != ENOENT) return known;
  }
}

/// Held while the file is read, changed and replaced. The lock has a file of its own, since the tokens file is
/// replaced.
result<std::unique_ptr<descriptor>> lock(const std::filesystem::path& file) {
  auto fd = std::make_unique<descriptor>(open_lock(file));
  if (!*fd) return io_error(file, "locked");
  while (::flock(fd->get(), LOCK_EX) != 0)
    if (errno != EINTR) return io_error(file, "locked");
  return fd;
}

std::string random_token() {
  secure_random random;
  std::string bytes;
  for (int i = 0; i < 4; ++i) {
    const auto word = random.next();
    char raw[sizeof word];
    std::memcpy(raw, &word, sizeof word);
    bytes.append(raw, sizeof word);
  }
  return std::string(token_prefix) + to_hex(bytes);
}

result<void> check_request(const token_request& wanted, timestamp now) {
  if (!is_name(wanted.name))
    return fail(errc::invalid_argument, "A token's name has 1 to 64 letters, digits, '.', '_' or '-'.");
  if (std::ranges::find(names_of_the_node, wanted.name) != names_of_the_node.end())
    return fail(errc::invalid_argument, "The name '" + wanted.name + "' is the node's own in histories. Take another.");
  if (!is_name(wanted.tenant))
    return fail(errc::invalid_argument, "A tenant's name has 1 to 64 letters, digits, '.', '_' or '-'.");
  if (wanted.scopes.empty())
    return fail(errc::invalid_argument, "A token needs a scope, such as --scope ids:issue, ids:* or '*'.");
  for (const auto& scope : wanted.scopes)
    if (!is_scope(scope))
      return fail(errc::invalid_argument, "'" + scope + "' is no scope; scopes look like ids:issue, ids:* or *.");
  if (wanted.expires && *wanted.expires <= now)
    return fail(errc::invalid_argument, "The token would have expired already; name a later time.");
  return {};
}
} // namespace

result<std::vector<token_record>> load_tokens(const std::filesystem::path& file) {
  const descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in && errno == ENOENT)
    return fail(errc::not_found, "There is no tokens file " + file.string() + ". `matricula token create` makes it.");
  if (!in) return io_error(file, "opened");
  struct stat about{};
  if (::fstat(in.get(), &about) != 0) return io_error(file, "read");
  if ((about.st_mode & 077) != 0)
    return fail(errc::forbidden,
                "Others may read the tokens file " + file.string() + ". Run: chmod 600 " + file.string());
  std::string text;
  std::array<char, 16384> buffer;
  for (;;) {
    const auto n = ::read(in.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error(file, "read");
    if (n == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > file_bytes_max)
      return fail(errc::corrupt, "The tokens file " + file.string() + " is over 16 MiB.");
  }
  std::vector<token_record> tokens;
  std::size_t number = 0;
  for (const auto line : split(text, '\n')) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    auto token = from_line(line);
    if (!token)
      return fail(errc::corrupt, "The tokens file " + file.string() + " has a malformed line " +
                                     std::to_string(number) +
                                     "; a line is: name tenant scopes sha256 created expires [quota].");
    tokens.push_back(std::move(*token));
  }
  return tokens;
}

result<std::string> create_token(const std::filesystem::path& file, const token_request& wanted, timestamp now) {
  if (auto ok = check_request(wanted, now); !ok) return std::unexpected(ok.error());
  const auto held = lock(file);
  if (!held) return std::unexpected(held.error());
  auto tokens = load_tokens(file);
  if (!tokens && tokens.error().code != errc::not_found) return std::unexpected(tokens.error());
  if (!tokens) tokens.emplace();
  for (const auto& token : *tokens)
    if (token.who.name == wanted.name)
      return fail(errc::conflict, "There is a token '" + wanted.name + "' already. Take another name or revoke it.");
  auto text = random_token();
  tokens->push_back({{wanted.name, wanted.tenant, wanted.scopes, wanted.quota}, sha256(text), now, wanted.expires});
  if (auto ok = replace(file, *tokens); !ok) return std::unexpected(ok.error());
  return text;
}

result<void> revoke_token(const std::filesystem::path& file, std::string_view name) {
  const auto held = lock(file);
  if (!held) return std::unexpected(held.error());
  auto tokens = load_tokens(file);
  if (!tokens) return std::unexpected(tokens.error());
  if (std::erase_if(*tokens, [name](const token_record& token) { return token.who.name == name; }) == 0)
    return fail(errc::not_found, "There is no token '" + std::string(name) + "'.");
  return replace(file, *tokens);
}

struct token_store::table {
  struct entry {
    std::string hash;
    std::optional<timestamp> expires;
    std::shared_ptr<const principal> who;
  };
  std::unordered_map<std::string, entry> by_hash;
};

namespace {
/// A number that no other table of the process has or had: what threads remember is valid for one table only.
std::uint64_t next_generation() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

struct remembered_token {
  std::uint64_t generation = 0;
  std::string text;
  std::optional<timestamp> expires;
  std::shared_ptr<const principal> who;
};
constexpr std::size_t remembered_max = 8;

result<std::shared_ptr<const principal>> unless_expired(const std::shared_ptr<const principal>& who,
                                                        const std::optional<timestamp>& expires, timestamp now) {
  if (expires && now >= *expires) return fail(errc::unauthenticated, "The token is unknown or has expired.");
  return who;
}
} // namespace

token_store::token_store(std::filesystem::path file)
    : file_(std::move(file)), table_(std::make_shared<table>()), generation_(next_generation()) {}
token_store::~token_store() = default;

result<std::size_t> token_store::reload() {
  // Of two at once the later one must read later, or tokens that were revoked in between come back.
  const std::scoped_lock one_at_a_time(reloading_);
  auto tokens = load_tokens(file_);
  if (!tokens) return std::unexpected(tokens.error());
  auto fresh = std::make_shared<table>();
  for (auto& token : *tokens)
    fresh->by_hash.insert_or_assign(
        token.hash, table::entry{token.hash, token.expires, std::make_shared<const principal>(std::move(token.who))});
  const auto count = fresh->by_hash.size();
  const std::scoped_lock hold(guard_);
  table_ = std::move(fresh);
  generation_.store(next_generation(), std::memory_order_release);
  return count;
}

result<std::shared_ptr<const principal>> token_store::check(std::string_view token, timestamp now) const {
  thread_local std::array<remembered_token, remembered_max> remembered;
  auto& slot = remembered[std::hash<std::string_view>{}(token) % remembered_max];
  if (slot.generation == generation_.load(std::memory_order_acquire) && equal_in_constant_time(slot.text, token))
    return unless_expired(slot.who, slot.expires, now);
  std::shared_ptr<const table> tokens;
  std::uint64_t generation = 0;
  {
    const std::scoped_lock hold(guard_);
    tokens = table_;
    generation = generation_.load(std::memory_order_relaxed);
  }
  const auto hash = sha256(token);
  const auto found = tokens->by_hash.find(hash);
  if (found == tokens->by_hash.end() || !equal_in_constant_time(found->second.hash, hash))
    return fail(errc::unauthenticated, "The token is unknown or has expired.");
  slot = {generation, std::string(token), found->second.expires, found->second.who};
  return unless_expired(slot.who, slot.expires, now);
}

} // namespace matricula::api
