// Identifiers issued elsewhere are loaded over HTTP: never issued again, found, and part of every number.
#include "test/e2e/node_fixture.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace matricula::test {

using nlohmann::json;

namespace {

/// Valid identifiers of a shipped type, made under another key.
std::vector<std::string> made_elsewhere(const std::string& type, unsigned count) {
  const auto made = run_command({matricula_binary(), "ids", "generate", type, "--count", std::to_string(count)});
  EXPECT_EQ(made.status, 0) << made.errors;
  std::vector<std::string> all;
  std::istringstream lines(made.output);
  for (std::string line; std::getline(lines, line);) all.push_back(line);
  EXPECT_EQ(all.size(), count);
  return all;
}

class importing : public node_test {
protected:
  api_answer load(const std::string& type, std::string body, const char* format = "application/x-ndjson",
                  const char* query = "") {
    return client_.send({.method = "POST",
                         .target = "/v1/ids/" + type + "/import" + query,
                         .body = std::move(body),
                         .content_type = format});
  }
  json look(const std::string& type, const std::string& id) { return client_.get("/v1/ids/" + type + "/" + id)(); }
};

} // namespace

TEST_F(importing, loads_identifiers_with_their_state_and_finds_them) {
  const auto ids = made_elsewhere("vid", 3);
  const auto answer = load("vid", json{{"id", ids[0]},
                                       {"state", "ASSIGNED"},
                                       {"issued_at", "2020-02-01T10:00:00Z"},
                                       {"expires_at", "2199-01-01T00:00:00Z"},
                                       {"holder", "person-1"}}
                                          .dump() +
                                      "\n" + json{{"id", ids[1]}, {"state", "EXPIRED"}}.dump() + "\r\n\n" +
                                      json{{"id", ids[2]}}.dump());
  ASSERT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("accepted"), 3) << answer.shown();
  const auto found = look("vid", ids[0]);
  EXPECT_EQ(found.at("state"), "ASSIGNED");
  EXPECT_EQ(found.at("issued_at"), "2020-02-01T10:00:00.000Z");
  EXPECT_EQ(found.at("expires_at"), "2199-01-01T00:00:00.000Z");
  EXPECT_EQ(found.at("holder"), "person-1");
  EXPECT_EQ(found.at("assignment"), 1);
  EXPECT_EQ(found.at("imported"), true);
  EXPECT_EQ(found.at("history").at(0).at("by"), "import");
  EXPECT_EQ(look("vid", ids[1]).at("state"), "EXPIRED");
  EXPECT_FALSE(look("vid", ids[2]).contains("expires_at"));
  // Whatever may happen to an identifier may happen to it.
  const auto revoked = client_.post("/v1/ids/vid/" + ids[2] + "/revoke", {{"assignment", 1}});
  ASSERT_EQ(revoked.status, 200) << revoked.shown();
  EXPECT_EQ(revoked().at("state"), "EXPIRED");
  EXPECT_EQ(client_.post("/v1/ids/vid/" + ids[0] + "/revoke", {{"assignment", 2}}).code(), "stale_assignment");
}

TEST_F(importing, twice_is_harmless_and_says_what_differs) {
  const auto ids = made_elsewhere("social_id", 2);
  const auto text = ids[0] + "\n" + ids[1] + "\n" + ids[0] + "\n";
  const auto first = load("social_id", text, "text/plain");
  ASSERT_EQ(first.status, 200) << first.shown();
  EXPECT_EQ(first().at("accepted"), 2);
  EXPECT_EQ(first().at("duplicates"), 1);
  const auto again = load("social_id", text, "text/plain; charset=utf-8");
  EXPECT_EQ(again().at("accepted"), 0);
  EXPECT_EQ(again().at("duplicates"), 3);
  EXPECT_EQ(again().at("changed"), 0);
  const auto other = load("social_id", "id,state\n" + ids[0] + ",ISSUED\n", "text/csv");
  EXPECT_EQ(other().at("duplicates"), 1) << other.shown();
  EXPECT_EQ(other().at("changed"), 1);
  EXPECT_EQ(other().at("errors").at(0).at("code"), "changed");
  EXPECT_EQ(other().at("errors").at(0).at("line"), 2);
  EXPECT_EQ(look("social_id", ids[0]).at("state"), "ASSIGNED");
}

TEST_F(importing, says_so_when_lines_of_one_body_contradict_each_other) {
  const auto id = made_elsewhere("social_id", 1).front();
  const auto answer = load("social_id", "id,state,holder\n" + id + ",ISSUED,a\n" + id + ",ISSUED,b\n", "text/csv");
  EXPECT_EQ(answer().at("accepted"), 1) << answer.shown();
  EXPECT_EQ(answer().at("changed"), 1);
  EXPECT_EQ(answer().at("errors").at(0).at("line"), 3);
  EXPECT_EQ(look("social_id", id).at("holder"), "a");
}

TEST_F(importing, loads_as_many_lines_as_there_may_be_however_long_they_are) {
  const auto line = [](const std::string& id, int n) {
    return json{
               {"id", id},
               {"state", "EXPIRED"},
               {"issued_at", "2019-02-01T10:00:00Z"},
               {"expires_at", "2020-01-01T00:" + std::to_string(10 + n % 50) + ":" + std::to_string(10 + n / 50) + "Z"},
               {"holder", std::string(60, 'h') + std::to_string(1'000 + n)}}
               .dump() +
           "\n";
  };
  std::string own, foreign;
  const auto ids = made_elsewhere("vid", 1'000);
  for (int n = 0; n < 1'000; ++n) {
    own += line(ids[static_cast<std::size_t>(n)], n);
    foreign += line(std::string(60, 'F') + std::to_string(1'000 + n), n);
  }
  const auto loaded = load("vid", own);
  EXPECT_EQ(loaded().at("accepted"), 1'000) << loaded.shown();
  const auto longest = load("vid", foreign, "application/x-ndjson", "?accept_foreign=true");
  EXPECT_EQ(longest().at("accepted"), 1'000) << longest.shown();
  EXPECT_EQ(look("vid", std::string(60, 'F') + "1999").at("state"), "EXPIRED");
}

TEST_F(importing, takes_what_was_issued_here_and_returned_out_of_the_pool) {
  const auto issue_all = [&] {
    std::set<std::string> got;
    for (;;) {
      const auto one = client_.post("/v1/ids/four_digit_uin");
      if (one.status == 503) continue;
      if (one.status == 410) return got;
      EXPECT_EQ(one.status, 201) << one.shown();
      if (one.status != 201) return got;
      EXPECT_TRUE(got.insert(one().at("ids").at(0).get<std::string>()).second);
    }
  };
  const auto all = issue_all();
  ASSERT_GT(all.size(), 20U);
  std::set<std::string> left;
  std::string body;
  int n = 0;
  for (const auto& id : all) {
    if (n++ == 20) break;
    ASSERT_EQ(client_.post("/v1/ids/four_digit_uin/" + id + "/return", {{"assignment", 1}}).status, 200);
    if (n % 2 == 0)
      left.insert(id);
    else
      body += id + "\n";
  }
  const auto answer = load("four_digit_uin", body, "text/plain");
  EXPECT_EQ(answer().at("accepted"), 10) << answer.shown();
  EXPECT_EQ(load("four_digit_uin", body, "text/plain")().at("duplicates"), 10);
  const auto one = look("four_digit_uin", body.substr(0, 4));
  EXPECT_EQ(one.at("state"), "ASSIGNED");
  EXPECT_EQ(one.at("assignment"), 2);
  EXPECT_EQ(one.at("history").back().at("by"), "import");
  EXPECT_EQ(issue_all(), left);
}

TEST_F(importing, never_overwrites_what_was_issued_here) {
  const auto id = client_.issue("uin").front();
  const auto answer = load("uin", json{{"id", id}, {"holder", "somebody else"}}.dump() + "\n");
  ASSERT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("conflicts"), 1);
  EXPECT_EQ(answer().at("errors").at(0).at("code"), "conflict");
  const auto found = look("uin", id);
  EXPECT_EQ(found.at("state"), "ISSUED");
  EXPECT_FALSE(found.contains("holder"));
  EXPECT_FALSE(found.contains("imported"));
}

TEST_F(importing, refuses_lines_one_by_one_and_takes_the_others) {
  const auto good = made_elsewhere("uin", 1).front();
  const std::string body = "{\"id\":\"" + good + "\"}\n" +
                           R"({"id":"5123721753"}
{"id":"2013023805","state":"UNUSED"}
{"id":"2013023805","state":"ASSINGED"}
{"id":"2013023805","expires_at":"2199-01-01T00:00:00Z"}
{"id":"2013023805","issued_at":"2199-01-01T00:00:00Z"}
{"id":"2013023805","issued_at":"yesterday"}
{"id":"20130 23805"}
{"id":2013023805}
{"identifier":"2013023805"}
not json
{"id":"2013023805"
)";
  const auto answer = load("uin", body);
  ASSERT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("accepted"), 1);
  EXPECT_EQ(answer().at("refused"), 11);
  std::vector<std::string> codes;
  for (const auto& e : answer().at("errors")) codes.push_back(e.at("code"));
  EXPECT_EQ(codes, (std::vector<std::string>{"breaks_rules", "not_in_use", "unknown_state", "does_not_expire",
                                             "wrong_time", "malformed_line", "malformed_id", "malformed_line",
                                             "malformed_line", "malformed_line", "malformed_line"}))
      << answer.shown();
  EXPECT_EQ(look("uin", "2013023805").at("state"), "AVAILABLE");
}

TEST_F(importing, takes_identifiers_of_older_rules_when_it_is_told_to_and_never_hands_them_out) {
  const auto refused = load("four_digit_uin", "OLD-77.A\n", "text/plain");
  EXPECT_EQ(refused().at("refused"), 1) << refused.shown();
  const auto before = client_.get("/v1/ids/four_digit_uin")().at("used").get<double>();
  const auto answer = load("four_digit_uin", "id,state\nOLD-77.A,ISSUED\n", "text/csv", "?accept_foreign=true");
  ASSERT_EQ(answer().at("accepted"), 1) << answer.shown();
  EXPECT_EQ(look("four_digit_uin", "OLD-77.A").at("breaks_rules"), true);
  EXPECT_EQ(client_.get("/v1/ids/four_digit_uin")().at("used").get<double>(), before) << "it is none of the capacity";
  const auto returned = client_.post("/v1/ids/four_digit_uin/OLD-77.A/return");
  ASSERT_EQ(returned.status, 200) << returned.shown();
  EXPECT_EQ(returned().at("state"), "RETIRED");
}

TEST_F(importing, refuses_bodies_that_it_cannot_read) {
  EXPECT_EQ(load("uin", "{}", "application/json").status, 415);
  EXPECT_EQ(load("uin", "").status, 400);
  EXPECT_EQ(load("uin", "name\nx\n", "text/csv").status, 400);
  EXPECT_EQ(load("uin", std::string("\xff\xfe\x32\x00", 4), "text/plain").status, 400);
  EXPECT_EQ(load("uin", "x\n", "text/plain", "?accept_foreign=maybe").status, 400);
  EXPECT_EQ(load("nobody", "x\n", "text/plain").status, 404);
  std::string long_body;
  for (int i = 0; i <= 10'000; ++i) long_body += "x\n";
  EXPECT_EQ(load("uin", long_body, "text/plain").status, 413);
  const auto at_the_bound = load("uin", long_body.substr(2), "text/plain");
  EXPECT_EQ(at_the_bound().at("refused"), 10'000) << at_the_bound.shown();
  EXPECT_EQ(at_the_bound().at("errors").size(), 1'000U);
  EXPECT_EQ(at_the_bound().at("errors_omitted"), 9'000);
  EXPECT_EQ(load("uin", std::string((1 << 20) + 1, 'x'), "text/plain").status, 413);
}

TEST_F(importing, nearly_everything_leaves_the_rest_to_be_issued_and_not_one_twice) {
  // Every valid identifier of four digits; half of them are imported, some before and some after the pool was filled.
  std::vector<std::string> all;
  for (int n = 1'000; n < 10'000; ++n) {
    const auto id = std::to_string(n);
    if (client_.get("/v1/ids/four_digits/" + id + "/validate")().at("valid") == true) all.push_back(id);
  }
  ASSERT_EQ(all.size(), 465U);
  std::set<std::string> imported;
  std::string body;
  for (std::size_t i = 0; i < all.size(); i += 2) {
    imported.insert(all[i]);
    body += all[i] + "\n";
  }
  const auto answer = load("four_digits", body, "text/plain");
  ASSERT_EQ(answer().at("accepted"), imported.size()) << answer.shown();
  std::set<std::string> issued;
  for (;;) {
    const auto one = client_.post("/v1/ids/four_digits");
    if (one.status == 503) continue;
    if (one.status == 410) break;
    ASSERT_EQ(one.status, 201) << one.shown();
    for (const auto& id : one().at("ids")) EXPECT_TRUE(issued.insert(id.get<std::string>()).second) << id;
  }
  for (const auto& id : imported) EXPECT_FALSE(issued.contains(id)) << id << " was imported and issued";
  EXPECT_EQ(issued.size() + imported.size(), all.size());
  const auto type = client_.get("/v1/ids/four_digits")();
  EXPECT_EQ(type.at("used"), 1.0) << type;
  EXPECT_EQ(type.at("exhausted"), true);
}

TEST_F(importing, from_a_file_reports_goes_on_and_sets_refused_lines_aside) {
  const auto ids = made_elsewhere("family_id", 30);
  const auto file = (node().scratch() / "family.csv").string();
  {
    std::ofstream out(file);
    out << "id,holder\n";
    for (std::size_t i = 0; i < ids.size(); ++i)
      out << (i == 10 ? "123456789012" : ids[i]) << (i == 20 ? ",too,many\n" : ",h\n");
  }
  const std::vector<std::string> command = {
      matricula_binary(), "import",      "--type", "family_id",
      "--file",           file,          "--url",  "http://127.0.0.1:" + std::to_string(node().port()),
      "--token",          node().token()};
  const auto first = run_command(command);
  EXPECT_EQ(first.status, 1) << "some lines were not taken: " << first.errors;
  EXPECT_NE(first.output.find("31 lines read: 28 accepted, 0 duplicates, 0 conflicts, 2 refused; "), std::string::npos)
      << first.output;
  const auto text_of = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_EQ(text_of(file + ".refused"), "id,holder\n123456789012,h\n" + ids[20] + ",too,many\n");
  const auto reasons = text_of(file + ".refused.reasons");
  EXPECT_TRUE(reasons.starts_with("12\tbreaks_rules\t")) << reasons;
  EXPECT_NE(reasons.find("\n22\tmalformed_line\t"), std::string::npos) << reasons;
  EXPECT_EQ(look("family_id", ids[29]).at("imported"), true);

  const auto again = run_command(command);
  EXPECT_EQ(again.status, 1) << "some lines are still not taken";
  EXPECT_TRUE(again.output.starts_with("Nothing was sent: this file was imported completely before")) << again.output;
  EXPECT_NE(again.output.find("28 accepted, 0 duplicates, 0 conflicts, 2 refused\n"), std::string::npos)
      << again.output;
  EXPECT_EQ(text_of(file + ".refused.reasons"), reasons);
  std::filesystem::remove(file + ".matricula-import");
  const auto from_the_beginning = run_command(command);
  EXPECT_NE(from_the_beginning.output.find("0 accepted, 28 duplicates, 0 conflicts"), std::string::npos)
      << from_the_beginning.output;
  {
    std::ofstream other(file, std::ios::app);
    other << "1,h\n";
  }
  const auto refused = run_command(command);
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.errors.find("another file"), std::string::npos) << refused.errors;
}

TEST_F(importing, from_a_file_is_not_taken_for_another_one) {
  // Longer than the 64 KiB that a look at the beginning would see.
  const auto ids = made_elsewhere("family_id", 1'200);
  const auto file = (node().scratch() / "changed.csv").string();
  const auto write = [&](char last) {
    std::ofstream out(file);
    out << "id,holder\n";
    for (const auto& id : ids) out << id << "," << std::string(59, 'h') << (id == ids.back() ? last : 'h') << "\n";
  };
  const auto run = [&](std::vector<std::string> more = {}) {
    std::vector<std::string> words = {
        matricula_binary(), "import",      "--type", "family_id",
        "--file",           file,          "--url",  "http://127.0.0.1:" + std::to_string(node().port()),
        "--token",          node().token()};
    words.insert(words.end(), more.begin(), more.end());
    return run_command(words);
  };
  const auto expect_refused = [&](const finished_command& done, const std::string& why) {
    EXPECT_EQ(done.status, 1);
    EXPECT_EQ(done.output, "") << "it does not look as if anything had been done";
    EXPECT_NE(done.errors.find(why), std::string::npos) << done.errors;
    EXPECT_NE(done.errors.find("delete " + file + ".matricula-import"), std::string::npos) << done.errors;
  };
  write('h');
  const auto first = run();
  EXPECT_EQ(first.status, 0) << first.errors;
  EXPECT_FALSE(std::filesystem::exists(file + ".refused")) << "nothing was refused";
  EXPECT_FALSE(std::filesystem::exists(file + ".refused.reasons"));
  const auto again = run();
  EXPECT_EQ(again.status, 0) << again.errors;
  EXPECT_TRUE(again.output.starts_with("Nothing was sent")) << again.output;

  expect_refused(run({"--accept-foreign"}), "an import without --accept-foreign");
  expect_refused(run({"--format", "plain"}), "as csv, not plain");
  write('x');
  expect_refused(run(), "of this one before it was changed");
  std::filesystem::remove(file + ".matricula-import");
  const auto changed = run();
  EXPECT_EQ(changed.status, 1);
  EXPECT_NE(changed.output.find("0 accepted, 1200 duplicates (1 of them say something else than before), 0 conflicts"),
            std::string::npos)
      << changed.output;
}

TEST_F(importing, from_a_file_loads_refused_identifiers_of_older_rules_when_it_is_begun_again_for_that) {
  const auto file = (node().scratch() / "old.ids").string();
  std::ofstream(file) << "OLD-1.B\n";
  std::vector<std::string> command = {
      matricula_binary(), "import",      "--type", "household",
      "--file",           file,          "--url",  "http://127.0.0.1:" + std::to_string(node().port()),
      "--token",          node().token()};
  EXPECT_EQ(run_command(command).status, 1);
  command.emplace_back("--accept-foreign");
  const auto refused = run_command(command);
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.errors.find("without --accept-foreign"), std::string::npos) << refused.errors;
  std::filesystem::remove(file + ".matricula-import");
  const auto loaded = run_command(command);
  EXPECT_EQ(loaded.status, 0) << loaded.output << loaded.errors;
  EXPECT_EQ(look("household", "OLD-1.B").at("imported"), true);
}

TEST_F(importing, tells_of_which_timeline_its_store_is) {
  const auto shown = client_.get("/v1/ids/uin/import");
  ASSERT_EQ(shown.status, 200) << shown.shown();
  EXPECT_EQ(shown().at("type"), "uin");
  EXPECT_EQ(load("uin", "x\n", "text/plain")().at("timeline"), shown().at("timeline"));
  EXPECT_EQ(client_.get("/v1/ids/vid/import")().at("timeline"), shown().at("timeline")) << "of the store, not the type";
  EXPECT_EQ(client_.get("/v1/ids/nobody/import").status, 404);
}

TEST_F(importing, from_a_file_explains_every_one_of_thousands_of_bad_lines) {
  const auto file = (node().scratch() / "bad.ids").string();
  {
    std::ofstream out(file);
    for (int i = 0; i < 7'000; ++i) out << "bad-" << i << "\n";
  }
  const auto done = run_command({matricula_binary(), "import", "--type", "uin", "--file", file, "--url",
                                 "http://127.0.0.1:" + std::to_string(node().port()), "--token", node().token()});
  EXPECT_NE(done.output.find("0 accepted, 0 duplicates, 0 conflicts, 7000 refused"), std::string::npos)
      << done.output << done.errors;
  std::ifstream in(file + ".refused.reasons");
  int line = 0;
  for (std::string reason; std::getline(in, reason);)
    ASSERT_TRUE(reason.starts_with(std::to_string(++line) + "\tbreaks_rules\t")) << reason;
  EXPECT_EQ(line, 7'000);
}

TEST_F(importing, is_refused_with_a_message_when_the_command_makes_no_sense) {
  const auto file = (node().scratch() / "one.ids").string();
  std::ofstream(file) << "1\n";
  const auto url = "http://127.0.0.1:" + std::to_string(node().port());
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {matricula_binary(), "import", "--url", url, "--give-up-after", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return run_command(words);
  };
  EXPECT_NE(run({"--type", "uin", "--file", file + "x", "--token", node().token()}).errors.find("There is no file"),
            std::string::npos);
  const auto stranger = run({"--type", "uin", "--file", file, "--token", "wrong"});
  EXPECT_EQ(stranger.status, 1);
  EXPECT_EQ(stranger.output, "") << "nothing was begun";
  EXPECT_NE(stranger.errors.find("The node refused the import: 401 unauthenticated: "), std::string::npos)
      << stranger.errors;
  EXPECT_NE(stranger.errors.find("--token-file"), std::string::npos) << stranger.errors;
  const auto empty = (node().scratch() / "empty.ids").string();
  const std::ofstream made(empty);
  const auto nothing = run({"--type", "uin", "--file", empty, "--token", node().token()});
  EXPECT_EQ(nothing.status, 1) << "an export that went wrong is no success";
  EXPECT_NE(nothing.errors.find("There is no identifier in " + empty), std::string::npos) << nothing.errors;
  EXPECT_NE(run({"--type", "uin", "--file", file, "--token-file", empty}).errors.find("no token is in it"),
            std::string::npos);
  for (const auto* wrong : {"127.0.0.1:8080", "http://", "http://127.0.0.1:8080/v1", "ftp://127.0.0.1"}) {
    const auto refused = run_command(
        {matricula_binary(), "import", "--url", wrong, "--type", "uin", "--file", file, "--token", node().token()});
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.errors.find("write http://HOST:PORT"), std::string::npos) << refused.errors;
  }
  EXPECT_NE(run({"--type", "nobody", "--file", file, "--token", node().token()}).errors.find("404"), std::string::npos);
  EXPECT_NE(run({"--type", "no/body", "--file", file, "--token", node().token()}).errors.find("no name of a type"),
            std::string::npos);
}

TEST_F(importing, and_issuing_show_in_capacity_and_what_is_left_of_it) {
  ASSERT_TRUE(
      eventually([&] { return client_.get("/v1/ids/uin")().at("capacity_exact") == true; }, std::chrono::seconds(150)));
  EXPECT_EQ(client_.get("/v1/ids/uin")().at("capacity"), 58'106'898);
  EXPECT_EQ(client_.get("/v1/ids/uin")().at("capacity_standard_error"), 0);
  const auto ids = made_elsewhere("household", 2);
  const auto before = client_.get("/v1/ids/household")();
  ASSERT_EQ(load("household", ids[0] + "\n" + ids[1] + "\n", "text/plain")().at("accepted"), 2);
  static_cast<void>(client_.issue("household", 3));
  const auto after = client_.get("/v1/ids/household")();
  EXPECT_EQ(after.at("used_count").get<int>(), before.at("used_count").get<int>() + 5);
  EXPECT_EQ(after.at("imported").get<int>(), before.at("imported").get<int>() + 2);
  EXPECT_EQ(after.at("issues_total").get<int>(), before.at("issues_total").get<int>() + 3) << "imports are no issues";
  const auto all_types = client_.get("/v1/ids")();
  for (const auto& type : all_types.at("items")) {
    SCOPED_TRACE(type);
    EXPECT_GE(type.at("remaining").get<double>(), 0);
    EXPECT_LT(type.at("capacity_standard_error").get<double>(), 0.01 * type.at("capacity").get<double>());
  }
  const auto metrics = client_.get("/metrics").body;
  EXPECT_NE(metrics.find("matricula_ids_remaining{type=\"uin\"}"), std::string::npos);
  EXPECT_NE(metrics.find("matricula_ids_imported{type=\"household\"}"), std::string::npos);
  EXPECT_NE(metrics.find("matricula_ids_days_to_exhaustion{type=\"uin\"}"), std::string::npos);
}

} // namespace matricula::test
