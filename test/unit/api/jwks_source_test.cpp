// Key sets that come, change, and do not come.
#include "api/jwks_source.hpp"
#include "test/support/jwt_signer.hpp"
#include "test/support/scratch_directory.hpp"

#include <gmock/gmock.h>
#include <httplib.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

namespace matricula::api {
namespace {

using namespace std::chrono_literals;
using test::jwks_of;
using test::jwt_signer;
using kind = jwt_signer::kind;

std::string set_of(const std::string& kid) { return jwks_of({jwt_signer(kind::ed25519, kid).jwk()}); }

bool has(const jwks_source& source, std::string_view kid) {
  const auto set = source.current();
  return set.keys && !set.keys->find(signature_algorithm::eddsa, kid).empty();
}

/// An issuer's HTTP server, whose answers the test decides.
class issuer {
public:
  explicit issuer(std::unique_ptr<httplib::Server> server = std::make_unique<httplib::Server>())
      : server_(std::move(server)) {
    server_->Get("/keys", [this](const httplib::Request& from, httplib::Response& to) {
      std::unique_lock hold(guard_);
      ++asked_;
      changed_.notify_all();
      changed_.wait(hold, [this] { return !held_; });
      answer_(from, to);
    });
    server_->Get("/elsewhere",
                 [](const httplib::Request&, httplib::Response& to) { to.set_content(set_of("b"), "x/y"); });
    port_ = server_->bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
  }
  ~issuer() {
    hold(false);
    server_->stop();
    thread_.join();
  }
  issuer(const issuer&) = delete;
  issuer& operator=(const issuer&) = delete;

  using handler = std::function<void(const httplib::Request&, httplib::Response&)>;
  void answer(handler how) {
    const std::scoped_lock lock(guard_);
    answer_ = std::move(how);
  }
  void publish(const std::string& text) {
    answer([text](const auto&, auto& to) { to.set_content(text, "application/json"); });
  }
  /// Requests wait as long as this is so.
  void hold(bool held) {
    const std::scoped_lock lock(guard_);
    held_ = held;
    changed_.notify_all();
  }
  void until_asked(int times) {
    std::unique_lock lock(guard_);
    changed_.wait(lock, [&] { return asked_ >= times; });
  }
  int asked() {
    const std::scoped_lock lock(guard_);
    return asked_;
  }
  [[nodiscard]] jwks_location location(std::string target = "/keys") const {
    return {.file = {},
            .tls = false,
            .host = "127.0.0.1",
            .port = static_cast<std::uint16_t>(port_),
            .target = std::move(target),
            .ca_file = {}};
  }

private:
  std::unique_ptr<httplib::Server> server_;
  std::mutex guard_;
  std::condition_variable changed_;
  handler answer_ = [](const auto&, auto& to) { to.status = 503; };
  bool held_ = false;
  int asked_ = 0;
  int port_ = 0;
  std::thread thread_;
};

/// Attempts that unknown keys cause follow each other at once; nothing is read without being asked.
jwks_source_options quick(jwks_location from) {
  jwks_source_options options;
  options.from = std::move(from);
  options.every = 24h;
  options.fetch_at_most = 5s;
  options.at_least_between = 0ms;
  options.wait_at_most = 20s;
  return options;
}

class jwks_file : public testing::Test {
protected:
  void write(const std::string& text) const {
    std::ofstream(folder_ / "new", std::ios::binary) << text;
    std::filesystem::rename(folder_ / "new", file());
  }
  [[nodiscard]] std::filesystem::path file() const { return folder_ / "keys.json"; }
  [[nodiscard]] jwks_location location() const { return {.file = file(), .host = {}, .target = {}, .ca_file = {}}; }

  test::scratch_directory folder_;
};

TEST_F(jwks_file, is_read_at_the_start_and_again_when_a_key_is_unknown) {
  write(set_of("a"));
  jwks_source source(quick(location()));
  EXPECT_EQ(source.number(), 0U);
  ASSERT_TRUE(source.start());
  const auto first = source.number();
  EXPECT_TRUE(has(source, "a"));
  write(set_of("b"));
  ASSERT_TRUE(source.read_again(first));
  EXPECT_NE(source.number(), first);
  EXPECT_TRUE(has(source, "b"));
  EXPECT_FALSE(has(source, "a"));
  EXPECT_TRUE(source.read_again(first)) << "another set than the one that was known is there already";
}

TEST_F(jwks_file, keeps_its_number_when_the_text_is_the_same) {
  write(set_of("a"));
  jwks_source source(quick(location()));
  ASSERT_TRUE(source.start());
  const auto first = source.number();
  ASSERT_TRUE(source.read_again(first));
  ASSERT_TRUE(source.read_now());
  EXPECT_EQ(source.number(), first);
}

TEST_F(jwks_file, that_became_bad_leaves_the_keys_of_before) {
  write(set_of("a"));
  jwks_source source(quick(location()));
  ASSERT_TRUE(source.start());
  const auto first = source.number();
  for (const std::string& bad : {std::string(), std::string("garbage"), jwks_of({}), std::string(300'000, ' ')}) {
    write(bad);
    EXPECT_FALSE(source.read_now()) << bad.substr(0, 20);
    const auto again = source.read_again(first);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, errc::unavailable);
    EXPECT_TRUE(again.error().retry_after);
  }
  std::filesystem::remove(file());
  EXPECT_FALSE(source.read_now());
  EXPECT_EQ(source.number(), first);
  EXPECT_TRUE(has(source, "a"));
  EXPECT_GE(source.now().failures, 9U);
  EXPECT_EQ(source.now().keys, 1U);
  EXPECT_TRUE(source.now().has_set);
}

TEST_F(jwks_file, that_is_missing_at_the_start_is_found_later) {
  jwks_source source(quick(location()));
  EXPECT_FALSE(source.start());
  EXPECT_EQ(source.current().keys, nullptr);
  EXPECT_FALSE(source.now().has_set);
  write(set_of("a"));
  ASSERT_TRUE(source.read_again(0));
  EXPECT_TRUE(has(source, "a"));
}

TEST_F(jwks_file, is_read_again_by_itself) {
  write(set_of("a"));
  auto options = quick(location());
  options.every = 5ms;
  jwks_source source(options);
  ASSERT_TRUE(source.start());
  const auto first = source.number();
  write(set_of("b"));
  while (source.number() == first) std::this_thread::yield();
  EXPECT_TRUE(has(source, "b"));
}

TEST_F(jwks_file, that_is_a_folder_or_endless_is_refused) {
  auto options = quick({.file = folder_.path(), .host = {}, .target = {}, .ca_file = {}});
  EXPECT_FALSE(jwks_source(options).start());
  options.from.file = "/dev/zero";
  EXPECT_FALSE(jwks_source(options).start());
}

TEST_F(jwks_file, lets_everybody_go_when_it_is_stopped) {
  write(set_of("a"));
  auto options = quick(location());
  options.at_least_between = 24h;
  options.wait_at_most = 24h;
  jwks_source source(options);
  ASSERT_TRUE(source.start());
  auto waits = std::async(std::launch::async, [&] { return source.read_again(source.number()); });
  source.stop();
  const auto outcome = waits.get();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, errc::unavailable);
  EXPECT_TRUE(has(source, "a"));
}

TEST_F(jwks_file, lets_only_a_few_wait_for_the_next_attempt) {
  write(set_of("a"));
  auto options = quick(location());
  options.at_least_between = 24h;
  options.wait_at_most = 24h;
  options.early_waiters_max = 2;
  jwks_source source(options);
  ASSERT_TRUE(source.start());
  std::vector<std::future<errc>> all;
  std::atomic<int> refused{0};
  for (int i = 0; i < 10; ++i)
    all.push_back(std::async(std::launch::async, [&] {
      const auto outcome = source.read_again(source.number());
      if (!outcome && outcome.error().code == errc::overloaded) ++refused;
      return outcome ? errc::internal : outcome.error().code;
    }));
  while (refused < 8) std::this_thread::yield();
  source.stop();
  int let_go = 0;
  for (auto& one : all) let_go += one.get() == errc::unavailable ? 1 : 0;
  EXPECT_EQ(let_go, 2);
  EXPECT_EQ(refused, 8);
}

TEST(jwks_url, is_read_from_a_server_that_rotates_its_keys) {
  issuer of;
  of.publish(set_of("a"));
  jwks_source source(quick(of.location()));
  ASSERT_TRUE(source.start());
  EXPECT_TRUE(has(source, "a"));
  const auto first = source.number();
  of.publish(set_of("b"));
  ASSERT_TRUE(source.read_again(first));
  EXPECT_TRUE(has(source, "b"));
}

TEST(jwks_url, that_answers_anything_but_a_small_jwks_leaves_the_keys_of_before) {
  issuer of;
  of.publish(set_of("a"));
  auto options = quick(of.location());
  options.fetch_at_most = 300ms;
  jwks_source source(options);
  ASSERT_TRUE(source.start());
  const auto first = source.number();
  const std::vector<std::pair<const char*, issuer::handler>> answers{
      {"500", [](const auto&, auto& to) { to.status = 500; }},
      {"404 with a key set",
       [](const auto&, auto& to) {
         to.status = 404;
         to.set_content(set_of("b"), "application/json");
       }},
      {"redirect", [](const auto&, auto& to) { to.set_redirect("/elsewhere"); }},
      {"empty", [](const auto&, auto& to) { to.set_content("", "application/json"); }},
      {"garbage", [](const auto&, auto& to) { to.set_content(std::string(1000, '\xff'), "application/json"); }},
      {"a page", [](const auto&, auto& to) { to.set_content("<html></html>", "text/html"); }},
      {"large", [](const auto&, auto& to) { to.set_content(std::string(10'000'000, ' '), "application/json"); }},
      {"endless",
       [](const auto&, auto& to) {
         to.set_chunked_content_provider("application/json", [](std::size_t, httplib::DataSink& sink) {
           const std::string blanks(1000, ' ');
           return sink.write(blanks.data(), blanks.size());
         });
       }},
      {"promises more than it sends",
       [](const auto&, auto& to) {
         to.set_content_provider(10'000, "application/json",
                                 [](std::size_t, std::size_t, httplib::DataSink&) { return false; });
       }},
  };
  for (const auto& [what, how] : answers) {
    of.answer(how);
    const auto read = source.read_now();
    EXPECT_FALSE(read) << what;
    EXPECT_EQ(source.number(), first) << what;
  }
  EXPECT_TRUE(has(source, "a"));
  of.publish(set_of("b"));
  ASSERT_TRUE(source.read_again(first)) << "and it recovers";
  EXPECT_TRUE(has(source, "b"));
}

TEST(jwks_url, that_does_not_answer_is_given_up_in_time) {
  issuer of;
  of.publish(set_of("a"));
  auto options = quick(of.location());
  options.fetch_at_most = 200ms;
  jwks_source source(options);
  ASSERT_TRUE(source.start());
  of.hold(true);
  const auto began = std::chrono::steady_clock::now();
  const auto late = source.read_again(source.number());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, errc::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  EXPECT_TRUE(has(source, "a"));
  of.hold(false);
}

TEST(jwks_url, that_sends_a_byte_at_a_time_is_given_up_in_time) {
  issuer of;
  std::atomic<bool> over{false};
  of.answer([&over](const auto&, auto& to) {
    to.set_chunked_content_provider("application/json", [&over](std::size_t, httplib::DataSink& sink) {
      std::this_thread::yield();
      return !over && sink.is_writable() && sink.write(" ", 1);
    });
  });
  jwks_fetch fetch(of.location());
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(fetch.run(200ms));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  over = true;
}

TEST(jwks_url, where_nobody_listens_is_an_error_at_once) {
  jwks_location nowhere;
  {
    issuer gone;
    nowhere = gone.location();
  }
  jwks_source source(quick(nowhere));
  const auto first = source.start();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, errc::unavailable);
}

TEST(jwks_url, is_not_waited_for_when_the_node_stops) {
  issuer of;
  of.publish(set_of("a"));
  auto options = quick(of.location());
  options.fetch_at_most = 60s;
  options.wait_at_most = 60s;
  jwks_source source(options);
  ASSERT_TRUE(source.start());
  of.hold(true);
  auto waits = std::async(std::launch::async, [&] { return source.read_again(source.number()); });
  of.until_asked(2);
  const auto began = std::chrono::steady_clock::now();
  source.stop();
  EXPECT_FALSE(waits.get());
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST(jwks_url, is_asked_once_for_all_who_wait) {
  issuer of;
  of.publish(set_of("a"));
  jwks_source source(quick(of.location()));
  ASSERT_TRUE(source.start());
  const auto first = source.number();
  of.hold(true);
  of.publish(set_of("b"));
  std::vector<std::future<bool>> all;
  for (int i = 0; i < 16; ++i)
    all.push_back(std::async(std::launch::async, [&] { return source.read_again(first).has_value(); }));
  of.until_asked(2);
  of.hold(false);
  for (auto& one : all) EXPECT_TRUE(one.get());
  EXPECT_LE(of.asked(), 4) << "one at the start, one for those who waited, and one for who came while it ran";
  EXPECT_TRUE(has(source, "b"));
}

/// A certificate of its own for `name`, and the server that shows it.
struct certificate {
  explicit certificate(const std::string& name) {
    key = EVP_EC_gen("P-256");
    of = X509_new();
    X509_set_version(of, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(of), 1);
    X509_gmtime_adj(X509_getm_notBefore(of), -60);
    X509_gmtime_adj(X509_getm_notAfter(of), 3600);
    X509_set_pubkey(of, key);
    auto* subject = X509_get_subject_name(of);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("issuer"), -1, -1,
                               0);
    X509_set_issuer_name(of, subject);
    auto* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
    X509_add_ext(of, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(of, key, EVP_sha256());
  }
  certificate(const certificate&) = delete;
  certificate& operator=(const certificate&) = delete;
  ~certificate() {
    X509_free(of);
    EVP_PKEY_free(key);
  }
  void write(const std::filesystem::path& file) const {
    BIO* out = BIO_new_file(file.c_str(), "w");
    PEM_write_bio_X509(out, of);
    BIO_free(out);
  }
  X509* of = nullptr;
  EVP_PKEY* key = nullptr;
};

TEST(jwks_url, over_tls_needs_a_certificate_that_is_trusted_and_of_that_host) {
  const test::scratch_directory folder;
  const certificate right("IP:127.0.0.1"), wrong_name("DNS:issuer.example"), stranger("IP:127.0.0.1");
  for (const auto* shown : {&right, &wrong_name}) {
    issuer of(std::make_unique<httplib::SSLServer>(shown->of, shown->key));
    of.publish(set_of("a"));
    auto from = of.location();
    from.tls = true;
    const auto trusting = [&](const certificate& trusted) {
      trusted.write(folder / "ca.pem");
      from.ca_file = (folder / "ca.pem").string();
      return jwks_fetch(from).run(5s);
    };
    EXPECT_EQ(trusting(*shown).has_value(), shown == &right);
    EXPECT_FALSE(trusting(stranger));
    from.ca_file.clear();
    EXPECT_FALSE(jwks_fetch(from).run(5s)) << "the system does not know it";
    from.ca_file = (folder / "absent.pem").string();
    EXPECT_FALSE(jwks_fetch(from).run(5s));
  }
}

} // namespace
} // namespace matricula::api
