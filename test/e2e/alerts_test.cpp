// Alerts of a real node: told by mail and in the log, looked at, acknowledged, remembered over SIGKILL.
#include "test/e2e/task_world.hpp"
#include "test/support/smtp_server.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace matricula::test {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

constexpr const char* secret = "mail-secret-4711";

class alerts : public ::testing::Test {
protected:
  alerts()
      : certificate_(make_certificate(scratch_.path(), "mail")),
        server_({.certificate = certificate_, .user = "matricula", .password = secret}), node_(options()) {}
  void TearDown() override {
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_.log_tail().c_str());
  }

  node_options options() const {
    const auto password = scratch_ / "password";
    std::ofstream(password) << secret << "\n";
    std::filesystem::permissions(password, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return task_world({"stuck"}, "[alerts]\nnode_name = \"node 1\"\nbeat_seconds = 1\nrecovery_seconds = 1\n"
                                 "queue_age_seconds_max = 1\nfailed_tasks_max = 0\ndisk_free_mib_min = 0\n"
                                 "[alerts.sinks.mail]\nkind = \"smtp\"\nserver = \"127.0.0.1:" +
                                     std::to_string(server_.port()) + "\"\nfrom = \"matricula@example.org\"\n" +
                                     "to = [\"operators@example.org\"]\nuser = \"matricula\"\npassword_file = \"" +
                                     password.string() + "\"\nca_file = \"" + certificate_.certificate.string() +
                                     "\"\n");
  }
  json open_alerts() { return task_client::expect(api_client(node_).get("/v1/alerts?state=open"), 200).at("items"); }
  /// The open alert of the rule, once there is one.
  json wait_for(const std::string& rule) {
    json found;
    EXPECT_TRUE(eventually([&] {
      for (const auto& a : open_alerts())
        if (a.at("rule") == rule) found = a;
      return !found.is_null();
    })) << rule;
    return found;
  }
  /// Subjects of the mails, decoded where they are plain.
  std::vector<std::string> subjects() const {
    std::vector<std::string> out;
    for (const auto& m : server_.mails()) {
      const auto from = m.data.find("\r\nSubject: ") + 11;
      out.push_back(m.data.substr(from, m.data.find("\r\nMessage-ID") - from));
    }
    return out;
  }
  std::size_t mails_with(std::string_view text) const {
    std::size_t n = 0;
    for (const auto& m : server_.mails()) n += text_of(m).find(text) != std::string::npos ? 1 : 0;
    return n;
  }

  scratch_directory scratch_;
  certificate_files certificate_;
  smtp_server server_;
  node_process node_;
};

} // namespace

TEST_F(alerts, are_told_by_mail_when_something_is_wrong_and_when_it_is_over) {
  node_.start();
  task_client client(node_);
  client.enqueue("stuck");
  const auto alert = wait_for("queue_age");
  EXPECT_EQ(alert.at("subject"), "stuck");
  EXPECT_EQ(alert.at("state"), "open");
  ASSERT_TRUE(eventually([&] { return mails_with("[node 1 warning] queue_age (stuck)") == 1; }));
  const auto mail = server_.mails().front();
  EXPECT_TRUE(mail.tls);
  EXPECT_EQ(mail.user, "matricula");
  EXPECT_THAT(mail.to, testing::ElementsAre("operators@example.org"));
  EXPECT_TRUE(eventually([&] { return !wait_for("queue_age").contains("untold_sinks"); })) << "both sinks have it";

  ASSERT_EQ(client.complete(client.lease_one("stuck")).status, 200);
  ASSERT_TRUE(eventually([&] { return mails_with("[node 1 recovered] queue_age (stuck)") == 1; }));
  const auto over = task_client::expect(client.http().get("/v1/alerts?state=over&rule=queue_age&subject=stuck"), 200);
  ASSERT_EQ(over.at("items").size(), 1U);
  EXPECT_EQ(over.at("items")[0].at("id"), alert.at("id"));
  EXPECT_EQ(over.at("items")[0].at("unheard"), false);

  const auto metrics = client.http().get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr(R"(matricula_alerts_open{rule="queue_age"} 0)"));
  EXPECT_THAT(metrics, HasSubstr(R"(matricula_alerts_notices_total{result="sent",sink="mail"} 2)"));
  EXPECT_THAT(metrics, HasSubstr(R"(matricula_alerts_sink_up{sink="mail"} 1)"));
  EXPECT_THAT(node_.log(), HasSubstr("queue_age (stuck)"));
  EXPECT_THAT(node_.log(), Not(HasSubstr(secret)));
  EXPECT_THAT(node_.log(), Not(HasSubstr("operators@example.org")));
}

TEST_F(alerts, are_neither_forgotten_nor_told_again_after_sigkill) {
  node_.start();
  task_client(node_).enqueue("stuck");
  const auto before = wait_for("queue_age");
  ASSERT_TRUE(eventually([&] { return !wait_for("queue_age").contains("untold_sinks"); }));
  // That both sinks have it is shown before it is durable; what is answered after it is durable behind it.
  ASSERT_EQ(api_client(node_).post("/v1/queues/stuck/resume").status, 200);
  node_.kill();
  node_.start();
  const auto after = wait_for("queue_age");
  EXPECT_EQ(after.at("id"), before.at("id"));
  EXPECT_EQ(after.at("since"), before.at("since"));
  EXPECT_EQ(after.at("notices"), 1);
  // The recovery is the next that is said of it.
  task_client client(node_);
  ASSERT_EQ(client.complete(client.lease_one("stuck")).status, 200);
  ASSERT_TRUE(eventually([&] { return mails_with("recovered] queue_age") == 1; }));
  EXPECT_EQ(mails_with("warning] queue_age"), 1U);
  EXPECT_EQ(node_.stop(), 0);
  const auto verified =
      run_command({matricula_binary(), "verify", "--data", node_.data().string(), "--set",
                   "identifiers.key_file=" + node_.key_file().string(), "--config", node_.config_file().string()});
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
  EXPECT_THAT(verified.output, HasSubstr("alerts"));
  const auto rows = run_command({matricula_binary(), "inspect-store", "alerts", "--data", node_.data().string()});
  EXPECT_THAT(rows.output, HasSubstr(R"("rule":"queue_age")"));
}

TEST_F(alerts, are_acknowledged_by_a_scope_of_its_own_and_on_record) {
  node_.start();
  task_client(node_).enqueue("stuck");
  const auto id = std::to_string(wait_for("queue_age").at("id").get<std::uint64_t>());
  api_client operator_(node_);
  const auto reader = node_.make_token("reader", "alerts:read");
  ASSERT_EQ(operator_.post("/v1/config/reload").status, 200);
  EXPECT_EQ(api_client(node_.port(), reader).get("/v1/alerts").status, 200);
  EXPECT_EQ(api_client(node_.port(), reader).post("/v1/alerts/" + id + "/acknowledge").status, 403);
  const auto done = operator_.post("/v1/alerts/" + id + "/acknowledge", {{"reason", "I see to it."}});
  ASSERT_EQ(done.status, 200) << done.shown();
  EXPECT_TRUE(done().contains("acknowledged_at"));
  EXPECT_FALSE(done().contains("next_notice_at"));
  EXPECT_EQ(operator_.post("/v1/alerts/" + id + "/acknowledge").status, 200) << "again";
  const auto audit = operator_.get("/v1/audit?limit=10").body;
  EXPECT_THAT(audit, HasSubstr("alert.acknowledge"));
  EXPECT_THAT(audit, HasSubstr("I see to it."));
}

TEST_F(alerts, wait_for_a_mail_server_that_is_down_and_say_that_it_is) {
  server_.be(smtp_server::mood::later_at_greeting);
  node_.start();
  task_client client(node_);
  client.enqueue("stuck");
  ASSERT_TRUE(eventually([&] { return node_.logged("alerts.sink_failed"); }));
  EXPECT_THAT(client.http().get("/metrics").body, HasSubstr(R"(matricula_alerts_sink_up{sink="mail"} 0)"));
  const auto alert = wait_for("queue_age");
  EXPECT_THAT(alert.at("untold_sinks").dump(), HasSubstr("mail"));
  node_.kill(); // what is owed is owed by the next process, too
  server_.be(smtp_server::mood::good);
  node_.start();
  EXPECT_TRUE(eventually([&] { return mails_with("warning] queue_age") >= 1; }));
}

TEST_F(alerts, refuse_what_cannot_be_asked) {
  node_.start();
  api_client client(node_);
  EXPECT_EQ(client.get("/v1/alerts?state=closed").status, 400);
  EXPECT_EQ(client.get("/v1/alerts?cursor=x").status, 400);
  EXPECT_EQ(client.get("/v1/alerts?cursor=0").status, 400);
  EXPECT_EQ(client.get("/v1/alerts?limit=0").status, 400);
  EXPECT_EQ(client.get("/v1/alerts?colour=red").status, 400);
  EXPECT_EQ(client.post("/v1/alerts/0/acknowledge").status, 404);
  EXPECT_EQ(client.post("/v1/alerts/x/acknowledge").status, 404);
  EXPECT_EQ(client.post("/v1/alerts/18446744073709551616/acknowledge").status, 404);
  EXPECT_EQ(client.post("/v1/alerts/77/acknowledge").status, 404);
  EXPECT_EQ(client.post("/v1/alerts/77/acknowledge", {{"reason", 5}}).status, 422);
}

} // namespace matricula::test
