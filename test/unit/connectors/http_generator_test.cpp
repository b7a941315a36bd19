// MOSIP's and OpenG2P's generators over a real connection, with every fault there is.
#include "connectors/http_generator.hpp"
#include "test/support/fault_generator.hpp"
#include "test/support/scratch_directory.hpp"

#include <gmock/gmock.h>

#include <future>
#include <ostream>
#include <set>

namespace matricula::registrants {
static void PrintTo(call_outcome o, std::ostream* out) { *out << to_string(o); }
} // namespace matricula::registrants

namespace matricula::connectors {

using registrants::call_outcome;
using registrants::id_generator;

namespace {

using namespace std::chrono_literals;
using test::fault;
using test::fault_generator;
using testing::HasSubstr;
using testing::Not;
using enum registrants::call_outcome;
using call = fault_generator::call;

constexpr std::string_view somebody = "01J00000000000000000000000";

struct http_generator_test : testing::Test {
  static http_location location(const fault_generator& of, const std::string& url) {
    http_location at;
    at.tls = false;
    at.host = "127.0.0.1";
    at.port = of.port();
    at.target = url.substr(of.openg2p_url().size());
    return at;
  }
  http_generator_options mosip_options(const fault_generator& of, bool with_token = false) {
    http_generator_options options;
    options.at = location(of, of.mosip_url());
    options.time = &time;
    if (with_token)
      options.tokens = access_token_options{.at = location(of, of.token_url()),
                                            .client_id = "matricula",
                                            .client_secret = "a secret & more",
                                            .time = &time};
    return options;
  }
  std::unique_ptr<id_generator> mosip(const fault_generator& of, bool with_token = false) {
    return std::move(*make_mosip_generator(mosip_options(of, with_token)));
  }
  std::unique_ptr<id_generator> openg2p(const fault_generator& of, std::string type = "farmer",
                                        std::string base = "/") {
    http_generator_options options;
    options.at = location(of, of.openg2p_url() + base);
    options.id_type = std::move(type);
    options.time = &time;
    return std::move(*make_openg2p_generator(options));
  }
  system_clock time;
};

struct fault_case {
  fault what;
  call_outcome outcome;
  std::uint64_t consumed;
};
/// What each fault of an issue looks like from here, and what it did there.
const std::vector<fault_case> issue_faults{
    {fault::none, done, 1},
    {fault::reset_before, unknown, 0},
    {fault::server_error_before, unknown, 0},
    {fault::pool_empty, none_available, 0},
    {fault::delayed, done, 1},
    {fault::doubled, done, 1},
    {fault::lost, unknown, 1},
    {fault::reset_after, unknown, 1},
    {fault::server_error_after, unknown, 1},
    {fault::errors_in_200, unknown, 1},
    {fault::empty_body, unknown, 1},
    {fault::null_response, unknown, 1},
    {fault::without_id, unknown, 1},
    {fault::garbage, unknown, 1},
    {fault::truncated, unknown, 1},
};

void expect_faults_told(id_generator& generator, fault_generator& of) {
  for (const auto& one : issue_faults) {
    const auto before = of.consumed();
    of.script(call::issue, {one.what});
    const auto answer = generator.issue(somebody);
    EXPECT_EQ(answer.outcome, one.outcome) << static_cast<int>(one.what) << ' ' << answer.error;
    EXPECT_EQ(of.consumed() - before, one.consumed) << static_cast<int>(one.what);
    if (answer.outcome == done) {
      EXPECT_EQ(answer.id, of.issued().back()) << static_cast<int>(one.what);
    }
    EXPECT_THAT(answer.error, Not(HasSubstr("1234567890")));
  }
  EXPECT_EQ(of.calls(call::issue), issue_faults.size()) << "no call is ever repeated";
}

} // namespace

TEST_F(http_generator_test, of_mosip_issues_and_confirms) {
  fault_generator other({.needs_token = true});
  const auto generator = mosip(other, true);
  const auto issued = generator->issue(somebody);
  ASSERT_EQ(issued.outcome, done) << issued.error;
  EXPECT_EQ(issued.id, other.issued().at(0));
  EXPECT_FALSE(other.is_assigned(issued.id));
  EXPECT_EQ(generator->confirm(issued.id).outcome, done);
  EXPECT_TRUE(other.is_assigned(issued.id));
  EXPECT_EQ(generator->confirm(issued.id).outcome, done) << "KER-UIG-004 for our own";
  EXPECT_FALSE(generator->knows_requests());
  EXPECT_EQ(other.calls(call::token), 1U);
}

TEST_F(http_generator_test, of_mosip_tells_every_fault) {
  fault_generator other;
  const auto generator = mosip(other);
  expect_faults_told(*generator, other);
}

TEST_F(http_generator_test, of_openg2p_tells_every_fault) {
  fault_generator other;
  const auto generator = openg2p(other);
  expect_faults_told(*generator, other);
}

TEST_F(http_generator_test, of_mosip_confirms_again_after_every_fault) {
  fault_generator other;
  const auto generator = mosip(other);
  for (const auto f : {fault::reset_before, fault::server_error_before, fault::lost, fault::reset_after,
                       fault::server_error_after, fault::errors_in_200, fault::empty_body, fault::null_response,
                       fault::without_id, fault::garbage, fault::truncated}) {
    const auto id = generator->issue(somebody).id;
    other.script(call::confirm, {f});
    EXPECT_EQ(generator->confirm(id).outcome, unknown) << static_cast<int>(f);
    EXPECT_EQ(generator->confirm(id).outcome, done) << static_cast<int>(f);
    EXPECT_TRUE(other.is_assigned(id)) << static_cast<int>(f);
  }
}

TEST_F(http_generator_test, of_mosip_refuses_to_confirm_what_mosip_does_not_know) {
  fault_generator other;
  const auto generator = mosip(other);
  EXPECT_EQ(generator->confirm("1234567890").outcome, refused);
  const auto id = generator->issue(somebody).id;
  ASSERT_EQ(generator->confirm(id).outcome, done);
  other.move_assigned();
  const auto moved = generator->confirm(id);
  EXPECT_EQ(moved.outcome, refused);
  EXPECT_THAT(moved.error, HasSubstr("transfer job"));
  const auto calls = other.calls(call::confirm);
  EXPECT_EQ(generator->confirm("no identifier").outcome, refused);
  EXPECT_EQ(generator->confirm(R"(1","status":"UNASSIGNED)").outcome, refused);
  EXPECT_EQ(other.calls(call::confirm), calls) << "nothing of that was sent";
}

TEST_F(http_generator_test, whose_token_ended_asks_for_another_once) {
  fault_generator other({.needs_token = true});
  const auto generator = mosip(other, true);
  ASSERT_EQ(generator->issue(somebody).outcome, done);
  other.expire_tokens();
  EXPECT_EQ(generator->issue(somebody).outcome, done);
  EXPECT_EQ(other.calls(call::token), 2U);
  EXPECT_EQ(other.consumed(), 2U);
  other.script(call::issue, {fault::token_expired, fault::token_expired});
  const auto twice = generator->issue(somebody);
  EXPECT_EQ(twice.outcome, failed);
  EXPECT_EQ(other.calls(call::token), 3U);
  EXPECT_EQ(other.consumed(), 2U);
}

TEST_F(http_generator_test, without_a_token_has_done_nothing) {
  fault_generator other({.needs_token = true});
  auto options = mosip_options(other, true);
  options.tokens->client_secret = "not the right one";
  const auto generator = std::move(*make_mosip_generator(options));
  const auto answer = generator->issue(somebody);
  EXPECT_EQ(answer.outcome, none_available) << "the generator was not called";
  EXPECT_THAT(answer.error, HasSubstr("invalid_client"));
  EXPECT_THAT(answer.error, Not(HasSubstr("not the right one")));
  EXPECT_EQ(other.calls(call::issue), 0U);
}

TEST_F(http_generator_test, that_is_not_there_has_done_nothing) {
  fault_generator other;
  const auto first = mosip(other), second = openg2p(other);
  other.stop();
  EXPECT_EQ(first->issue(somebody).outcome, none_available);
  EXPECT_EQ(first->confirm("1234567890").outcome, none_available);
  EXPECT_EQ(second->issue(somebody).outcome, none_available);
}

TEST_F(http_generator_test, that_drips_is_given_up_in_time) {
  fault_generator other;
  auto options = mosip_options(other);
  options.at_most = 300ms;
  const auto generator = std::move(*make_mosip_generator(options));
  other.script(call::issue, {fault::slow_drip});
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(generator->issue(somebody).outcome, unknown);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  EXPECT_EQ(other.consumed(), 1U);
  EXPECT_EQ(other.undelivered(), 1U);
}

TEST_F(http_generator_test, of_openg2p_issues_and_has_nothing_to_confirm) {
  fault_generator other({.pool_size = 1});
  const auto generator = openg2p(other);
  const auto issued = generator->issue(somebody);
  ASSERT_EQ(issued.outcome, done) << issued.error;
  EXPECT_EQ(issued.id, other.issued().at(0));
  EXPECT_EQ(generator->confirm(issued.id).outcome, done);
  EXPECT_EQ(generator->confirm("no identifier").outcome, refused);
  EXPECT_EQ(other.calls(call::confirm), 0U);
  const auto none = generator->issue(somebody);
  EXPECT_EQ(none.outcome, none_available);
  EXPECT_EQ(none.try_again, 2s);
  EXPECT_EQ(openg2p(other, "household", "")->issue(somebody).outcome, none_available);
  EXPECT_EQ(openg2p(other, "cattle")->issue(somebody).outcome, refused);
}

TEST_F(http_generator_test, serves_many_threads_and_loses_nothing_without_saying_so) {
  fault_generator other({.needs_token = true,
                         .faults_per_mille = 200,
                         .random_faults = {fault::lost, fault::reset_before, fault::reset_after, fault::pool_empty,
                                           fault::token_expired, fault::doubled, fault::garbage, fault::truncated,
                                           fault::server_error_before, fault::server_error_after},
                         .seed = 4});
  const auto generator = mosip(other, true);
  struct tally {
    std::set<std::string> ids;
    std::uint64_t unknowns = 0;
  };
  std::vector<std::future<tally>> all;
  for (int t = 0; t < 8; ++t)
    all.push_back(std::async(std::launch::async, [&] {
      tally mine;
      for (int i = 0; i < 100; ++i) {
        const auto answer = generator->issue(somebody);
        if (answer.outcome == done) {
          EXPECT_TRUE(mine.ids.insert(answer.id).second);
        }
        mine.unknowns += answer.outcome == unknown ? 1 : 0;
      }
      return mine;
    }));
  std::set<std::string> ids;
  std::uint64_t unknowns = 0;
  for (auto& one : all) {
    auto part = one.get();
    unknowns += part.unknowns;
    for (const auto& id : part.ids) EXPECT_TRUE(ids.insert(id).second) << "one identifier for two";
  }
  EXPECT_GT(ids.size(), 500U);
  EXPECT_GT(other.undelivered(), 20U);
  EXPECT_LE(other.consumed(), ids.size() + unknowns) << "every identifier is known, or the call is in doubt";
  EXPECT_EQ(other.consumed() - other.undelivered(), ids.size());
}

TEST_F(http_generator_test, goes_on_where_the_other_one_stopped) {
  const test::scratch_directory folder;
  std::string first;
  {
    fault_generator other({.ledger = folder / "ledger"});
    const auto generator = mosip(other);
    first = generator->issue(somebody).id;
    EXPECT_EQ(generator->confirm(first).outcome, done);
  }
  fault_generator other({.ledger = folder / "ledger"});
  EXPECT_EQ(other.consumed(), 1U);
  EXPECT_TRUE(other.is_assigned(first));
  EXPECT_NE(mosip(other)->issue(somebody).id, first);
}

} // namespace matricula::connectors
