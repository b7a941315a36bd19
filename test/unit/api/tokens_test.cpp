#include "api/tokens.hpp"
#include "foundation/digest.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <thread>

namespace matricula::api {
namespace {

class tokens_test : public testing::Test {
protected:
  tokens_test() {
    std::string name = (std::filesystem::temp_directory_path() / "matricula-tokens-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    file = folder / "tokens";
  }
  ~tokens_test() override { std::filesystem::remove_all(folder); }
  tokens_test(const tokens_test&) = delete;
  tokens_test& operator=(const tokens_test&) = delete;

  std::string make(const std::string& name, std::vector<std::string> scopes = {"ids:issue"},
                   std::optional<timestamp> expires = {}) {
    auto made = create_token(file, {.name = name, .scopes = std::move(scopes), .expires = expires}, now);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return made.value_or("");
  }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << std::ifstream(file).rdbuf();
    return out.str();
  }
  void write(std::string_view content) const {
    std::ofstream(file) << content;
    ::chmod(file.c_str(), 0600);
  }

  std::filesystem::path folder;
  std::filesystem::path file;
  timestamp now = parse_rfc3339("2026-05-01T00:00:00Z").value();
};

TEST_F(tokens_test, a_created_token_opens_what_it_was_made_for) {
  const auto token = make("till", {"ids:issue", "ids:read"});
  EXPECT_TRUE(token.starts_with("mtr_"));
  EXPECT_EQ(token.size(), 4 + 64u);
  token_store store(file);
  EXPECT_EQ(store.reload().value(), 1u);
  for (int i = 0; i < 2; ++i) { // the second time from the thread's memory
    const auto who = store.check(token, now);
    ASSERT_TRUE(who);
    EXPECT_EQ((*who)->name, "till");
    EXPECT_EQ((*who)->tenant, "default");
    EXPECT_TRUE((*who)->may("ids:read"));
    EXPECT_FALSE((*who)->may("actors:act"));
  }
}

TEST_F(tokens_test, the_file_never_holds_the_token_and_nobody_else_may_read_it) {
  const auto token = make("till");
  EXPECT_FALSE(text().contains(token));
  EXPECT_FALSE(text().contains(token.substr(4)));
  EXPECT_TRUE(text().contains(to_hex(sha256(token))));
  struct stat about{};
  ASSERT_EQ(::stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

TEST_F(tokens_test, refuses_unknown_wrong_and_expired_tokens_with_the_same_words) {
  const auto token = make("till", {"*"}, now + std::chrono::hours(1));
  token_store store(file);
  ASSERT_TRUE(store.reload());
  EXPECT_TRUE(store.check(token, now));
  std::set<std::string> words;
  auto wrong = token;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  for (const auto& text : {std::string(), std::string("x"), wrong, token + "0"}) {
    const auto refused = store.check(text, now);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::unauthenticated);
    words.insert(refused.error().message);
  }
  EXPECT_TRUE(store.check(token, now + std::chrono::minutes(59)));
  const auto late = store.check(token, now + std::chrono::hours(1));
  ASSERT_FALSE(late);
  words.insert(late.error().message);
  EXPECT_EQ(words.size(), 1u);
}

TEST_F(tokens_test, a_revoked_token_ends_with_the_reload_even_where_a_thread_remembers_it) {
  const auto first = make("first");
  const auto second = make("second");
  token_store store(file);
  ASSERT_TRUE(store.reload());
  ASSERT_TRUE(store.check(first, now));
  ASSERT_TRUE(revoke_token(file, "first"));
  EXPECT_TRUE(store.check(first, now)) << "not before the reload";
  EXPECT_EQ(store.reload().value(), 1u);
  EXPECT_FALSE(store.check(first, now));
  EXPECT_TRUE(store.check(second, now));
  EXPECT_EQ(revoke_token(file, "first").error().code, errc::not_found);
}

TEST_F(tokens_test, a_bad_file_leaves_the_tokens_in_force) {
  const auto token = make("till");
  token_store store(file);
  ASSERT_TRUE(store.reload());
  write("garbage\n");
  const auto refused = store.reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::corrupt);
  EXPECT_TRUE(refused.error().message.contains("line 1")) << refused.error().message;
  EXPECT_TRUE(store.check(token, now));
}

TEST_F(tokens_test, of_two_reloads_at_once_the_later_one_wins) {
  const auto older = make("older");
  const auto text_of_older = text();
  ASSERT_TRUE(revoke_token(file, "older"));
  const auto newer = make("newer");
  // The first reload reads from a pipe, and so waits in the middle of its reading.
  const auto newer_file = folder / "newer";
  std::filesystem::rename(file, newer_file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  token_store store(file);
  auto first = std::async(std::launch::async, [&] { return store.reload().has_value(); });
  std::ofstream pipe(file); // opens when the first one has
  std::filesystem::rename(newer_file, file);
  auto second = std::async(std::launch::async, [&] { return store.reload().has_value(); });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout) << "it overtook the first";
  pipe << text_of_older;
  pipe.close();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(store.check(newer, now));
  EXPECT_FALSE(store.check(older, now)) << "a revoked token came back";
}

TEST_F(tokens_test, made_by_root_belong_to_the_service) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t service = 12'345;
  constexpr gid_t group = 12'346;
  const auto owner = [](const std::filesystem::path& of) {
    struct stat about{};
    EXPECT_EQ(::lstat(of.c_str(), &about), 0) << of;
    return std::pair(about.st_uid, about.st_gid);
  };
  ASSERT_EQ(::chown(folder.c_str(), service, group), 0);
  make("first");
  EXPECT_EQ(owner(file), std::pair(service, group)) << "as the folder";
  EXPECT_EQ(owner(file.string() + ".lock"), std::pair(service, group));
  ASSERT_EQ(::chown(folder.c_str(), 0, 0), 0);
  make("second");
  ASSERT_TRUE(revoke_token(file, "first"));
  EXPECT_EQ(owner(file), std::pair(service, group)) << "as the file before";
  ASSERT_EQ(::chown(file.c_str(), 0, 0), 0);
  make("third");
  EXPECT_EQ(owner(file), std::pair(uid_t{0}, gid_t{0}));
}

TEST_F(tokens_test, never_follow_a_link_to_lock_the_file) {
  const auto elsewhere = folder / "elsewhere";
  std::ofstream(elsewhere) << "x";
  std::filesystem::create_symlink(elsewhere, file.string() + ".lock");
  const auto made = create_token(file, {.name = "a", .scopes = {"*"}}, now);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, errc::io);
  EXPECT_TRUE(made.error().message.contains(file.string())) << made.error().message;
}

TEST_F(tokens_test, refuses_malformed_lines) {
  const auto hash = std::string(64, 'a');
  const auto good = "a t s " + hash + " 2026-01-01T00:00:00.000Z -";
  write(good + "\n");
  EXPECT_EQ(load_tokens(file).value().size(), 1u);
  for (const auto& line :
       {"a t s " + hash + " 2026-01-01T00:00:00.000Z", good + " x", "a b/c s " + hash + " 2026-01-01T00:00:00.000Z -",
        "a t  " + hash + " 2026-01-01T00:00:00.000Z -", "a t s, " + hash + " 2026-01-01T00:00:00.000Z -",
        "a t s " + hash.substr(2) + " 2026-01-01T00:00:00.000Z -", "a t s " + hash + " yesterday -",
        "a t s " + hash + " 2026-01-01T00:00:00.000Z never", " " + good}) {
    write("# comment\n\n" + line + "\n");
    const auto loaded = load_tokens(file);
    ASSERT_FALSE(loaded) << line;
    EXPECT_TRUE(loaded.error().message.contains("line 3")) << loaded.error().message;
  }
}

TEST_F(tokens_test, refuses_a_file_that_others_may_read) {
  make("till");
  ::chmod(file.c_str(), 0640);
  const auto loaded = load_tokens(file);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, errc::forbidden);
  EXPECT_TRUE(loaded.error().message.contains("chmod 600"));
}

TEST_F(tokens_test, says_how_to_make_the_file_that_is_missing) {
  const auto loaded = load_tokens(file);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, errc::not_found);
  EXPECT_TRUE(loaded.error().message.contains("token create"));
}

TEST_F(tokens_test, refuses_requests_that_make_no_sense) {
  const auto code = [&](token_request wanted) { return create_token(file, wanted, now).error().code; };
  for (const char* own : {"expirer", "import", "restore"})
    EXPECT_EQ(code({.name = own, .scopes = {"*"}}), errc::invalid_argument)
        << own << " stands for the node in histories";
  EXPECT_EQ(code({.name = "", .scopes = {"*"}}), errc::invalid_argument);
  EXPECT_EQ(code({.name = "a b", .scopes = {"*"}}), errc::invalid_argument);
  EXPECT_EQ(code({.name = std::string(65, 'a'), .scopes = {"*"}}), errc::invalid_argument);
  EXPECT_EQ(code({.name = "a", .tenant = "x/y", .scopes = {"*"}}), errc::invalid_argument);
  EXPECT_EQ(code({.name = "a", .scopes = {}}), errc::invalid_argument);
  EXPECT_EQ(code({.name = "a", .scopes = {"ids issue"}}), errc::invalid_argument);
  EXPECT_EQ(code({.name = "a", .scopes = {"ids,x"}}), errc::invalid_argument);
  EXPECT_EQ(code({.name = "a", .scopes = {"*"}, .expires = now}), errc::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(file));
  make("a");
  EXPECT_EQ(code({.name = "a", .scopes = {"*"}}), errc::conflict);
}

TEST_F(tokens_test, tokens_made_at_once_are_all_kept) {
  constexpr int each = 8;
  std::vector<std::thread> makers;
  for (int t = 0; t < 4; ++t)
    makers.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) make("t" + std::to_string(t) + "." + std::to_string(i));
    });
  for (auto& maker : makers) maker.join();
  const auto all = load_tokens(file);
  ASSERT_TRUE(all) << all.error().message;
  std::set<std::string> hashes;
  for (const auto& token : *all) hashes.insert(token.hash);
  EXPECT_EQ(hashes.size(), 4u * each);
}

TEST(principal, scopes_cover_one_a_feature_or_everything) {
  EXPECT_TRUE((principal{"", "", {"ids:issue"}}.may("ids:issue")));
  EXPECT_FALSE((principal{"", "", {"ids:issue"}}.may("ids:issues")));
  EXPECT_FALSE((principal{"", "", {"ids:issue"}}.may("ids:read")));
  EXPECT_TRUE((principal{"", "", {"ids:*"}}.may("ids:read")));
  EXPECT_FALSE((principal{"", "", {"ids:*"}}.may("idsx:read")));
  EXPECT_FALSE((principal{"", "", {"ids*"}}.may("ids:read")));
  EXPECT_TRUE((principal{"", "", {"*"}}.may("actors:act")));
  EXPECT_FALSE((principal{"", "", {}}.may("actors:act")));
}

} // namespace
} // namespace matricula::api
