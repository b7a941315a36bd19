// Mails over a real connection to a small mail server: with TLS and without, with and without a password, and when the
// server does not want to.
#include "connectors/mail_message.hpp"
#include "connectors/smtp.hpp"
#include "test/support/scratch_directory.hpp"
#include "test/support/smtp_server.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace matricula::connectors {
namespace {

using namespace std::chrono_literals;
using test::smtp_server;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string a_message(const std::string& text = "Free some.\n") {
  mail m{.from = "matricula@example.org", .to = {"a@example.org", "b@example.org"}};
  m.subject = "[critical] Störung";
  m.key = "alert-7-first";
  m.text = text;
  m.date = timestamp{1'767'225'599'000ms};
  return compose(m);
}

class mails_by_smtp : public ::testing::Test {
protected:
  smtp_options to(const smtp_server& server, smtp_security security) const {
    smtp_options o;
    o.host = "127.0.0.1";
    o.port = server.port();
    o.security = security;
    o.ca_file = files_.certificate.string();
    o.from = "matricula@example.org";
    o.to = {"a@example.org", "b@example.org"};
    o.timeout = 5s;
    return o;
  }
  test::smtp_server_options with_tls(bool at_once = false) const {
    test::smtp_server_options o;
    o.certificate = files_;
    o.tls_at_once = at_once;
    return o;
  }
  static std::string why(const result<void>& sent) { return sent ? std::string() : sent.error().message; }

  test::scratch_directory scratch_;
  test::certificate_files files_ = test::make_certificate(scratch_.path(), "mail");
};

TEST_F(mails_by_smtp, arrive_in_plain_text_on_this_machine) {
  smtp_server server;
  const auto sent = smtp(to(server, smtp_security::none)).send(a_message("Line 1\n.\n..two\nÄ\n"));
  ASSERT_TRUE(sent) << why(sent);
  const auto mails = server.mails();
  ASSERT_EQ(mails.size(), 1U);
  EXPECT_EQ(mails[0].from, "matricula@example.org");
  EXPECT_THAT(mails[0].to, ElementsAre("a@example.org", "b@example.org"));
  EXPECT_FALSE(mails[0].tls);
  EXPECT_THAT(mails[0].data, HasSubstr("Subject: =?UTF-8?B?"));
  EXPECT_EQ(test::text_of(mails[0]), "Line 1\r\n.\r\n..two\r\nÄ\r\n");
}

TEST_F(mails_by_smtp, arrive_by_starttls_with_a_password) {
  auto options = with_tls();
  options.user = "matricula";
  options.password = "se cret\"ü";
  smtp_server server(options);
  auto o = to(server, smtp_security::starttls);
  o.user = options.user;
  o.password = options.password;
  const auto sent = smtp(o).send(a_message());
  ASSERT_TRUE(sent) << why(sent);
  ASSERT_EQ(server.mails().size(), 1U);
  EXPECT_TRUE(server.mails()[0].tls);
  EXPECT_EQ(server.mails()[0].user, "matricula");
  const auto commands = server.commands();
  const auto tls = std::ranges::find(commands, "STARTTLS");
  EXPECT_LT(tls - commands.begin(), std::ranges::find(commands, "AUTH") - commands.begin());
  EXPECT_NE(tls, commands.end());
}

TEST_F(mails_by_smtp, arrive_by_tls_from_the_first_byte) {
  smtp_server server(with_tls(true));
  const auto sent = smtp(to(server, smtp_security::tls)).send(a_message());
  ASSERT_TRUE(sent) << why(sent);
  EXPECT_TRUE(server.mails().at(0).tls);
}

TEST_F(mails_by_smtp, are_not_sent_where_starttls_is_not_offered) {
  test::smtp_server_options plain;
  plain.user = "matricula";
  plain.password = "secret";
  smtp_server server(plain);
  auto o = to(server, smtp_security::starttls);
  o.user = plain.user;
  o.password = plain.password;
  const auto sent = smtp(o).send(a_message());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, errc::unavailable);
  EXPECT_THAT(server.mails(), IsEmpty());
  EXPECT_THAT(server.commands(), Not(testing::Contains("AUTH"))) << "no password in plain text";
}

TEST_F(mails_by_smtp, are_not_sent_to_a_server_whose_certificate_is_not_trusted) {
  smtp_server server(with_tls());
  const auto other = test::make_certificate(scratch_.path(), "other");
  auto o = to(server, smtp_security::starttls);
  o.ca_file = other.certificate.string();
  const auto sent = smtp(o).send(a_message());
  ASSERT_FALSE(sent);
  EXPECT_THAT(server.mails(), IsEmpty());
}

TEST_F(mails_by_smtp, say_that_the_password_is_wrong_without_saying_it) {
  auto options = with_tls();
  options.user = "matricula";
  options.password = "right";
  smtp_server server(options);
  auto o = to(server, smtp_security::starttls);
  o.user = "matricula";
  o.password = "wrong-secret";
  const auto sent = smtp(o).send(a_message());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, errc::unavailable) << "somebody will mend it";
  EXPECT_THAT(why(sent), HasSubstr("does not accept user and password"));
  EXPECT_THAT(why(sent), Not(HasSubstr("wrong-secret")));
  EXPECT_THAT(why(sent), Not(HasSubstr("matricula")));
}

TEST_F(mails_by_smtp, are_to_be_sent_again_when_the_server_cannot_take_them_now) {
  for (const auto mood :
       {smtp_server::mood::later_at_greeting, smtp_server::mood::later_at_rcpt, smtp_server::mood::hangs_up}) {
    smtp_server server;
    server.be(mood);
    const auto sent = smtp(to(server, smtp_security::none)).send(a_message());
    ASSERT_FALSE(sent) << static_cast<int>(mood);
    EXPECT_EQ(sent.error().code, errc::unavailable) << why(sent);
    EXPECT_THAT(why(sent), Not(HasSubstr("example.org")));
    server.be(smtp_server::mood::good);
    EXPECT_TRUE(smtp(to(server, smtp_security::none)).send(a_message()));
  }
}

TEST_F(mails_by_smtp, are_given_up_when_the_server_has_seen_and_refused_them) {
  smtp_server server;
  server.be(smtp_server::mood::never_after_data);
  const auto sent = smtp(to(server, smtp_security::none)).send(a_message());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, errc::conflict) << why(sent);
  EXPECT_THAT(why(sent), HasSubstr("554"));
  EXPECT_THAT(why(sent), Not(HasSubstr("matricula@"))) << "what a server says may hold anything";
}

TEST_F(mails_by_smtp, do_not_wait_for_ever) {
  smtp_server server;
  server.be(smtp_server::mood::silent);
  auto o = to(server, smtp_security::none);
  o.timeout = 300ms;
  const auto sent = smtp(o).send(a_message());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, errc::unavailable);
}

TEST_F(mails_by_smtp, end_soon_when_they_are_told_to) {
  smtp_server server;
  server.be(smtp_server::mood::silent);
  auto o = to(server, smtp_security::none);
  o.timeout = 60s;
  smtp mails(o);
  const auto began = std::chrono::steady_clock::now();
  result<void> sent;
  std::thread sender([&] { sent = mails.send(a_message()); });
  while (server.connections() == 0) std::this_thread::yield();
  mails.stop();
  sender.join();
  EXPECT_FALSE(sent);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  EXPECT_FALSE(mails.send(a_message())) << "and every later one at once";
}

TEST_F(mails_by_smtp, fail_where_nobody_listens) {
  std::uint16_t port = 0;
  {
    const smtp_server gone;
    port = gone.port();
  }
  const smtp_server here;
  auto o = to(here, smtp_security::none);
  o.port = port;
  const auto sent = smtp(o).send(a_message());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, errc::unavailable);
}

} // namespace
} // namespace matricula::connectors
