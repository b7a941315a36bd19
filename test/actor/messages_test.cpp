#include "actors/cast.hpp"
#include "actors/messages.hpp"
#include "runtime/message_codec.hpp"
#include "runtime/message_types.hpp"
#include "runtime/system.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/make_message.hpp>
#include <gtest/gtest.h>

namespace matricula::actors {
namespace {

struct messages_test : ::testing::Test {
  std::unique_ptr<caf::actor_system_config> config =
      runtime::make_system_config({.how = runtime::system_options::scheduling::testing}, declare_messages);
  caf::actor_system system{*config};

  template <class T>
  T there_and_back(const T& m) {
    const auto bytes = runtime::encode_message(system, caf::make_message(m).content());
    EXPECT_TRUE(bytes) << bytes.error().message;
    auto back = runtime::decode_message(system, *bytes);
    EXPECT_TRUE(back) << back.error().message;
    return back->template get_as<T>(0);
  }
};

TEST_F(messages_test, of_types_whose_values_have_no_end_when_written_are_not_read) {
  using std::literals::operator""sv;
  // A float that CAF reads as infinite and then writes for ever.
  for (const auto bytes : {"\1\1\5float\4\377\272\377\377"sv, "\1\1\6double\10\177\360\0\0\0\0\0\0"sv})
    EXPECT_EQ(runtime::decode_message(system, bytes).error().code, errc::unsupported);
}

TEST_F(messages_test, about_registrants_survive_serialisation) {
  const trace_context trace{"01HX", ""};
  const auto create = there_and_back(create_registrants{trace,
                                                        {"clerk", 5},
                                                        {{"individual", "uin", "ref", "{}", "mosip"}},
                                                        std::string(16, 'r'),
                                                        std::string(32, 'f'),
                                                        {}});
  ASSERT_EQ(create.registrants.size(), 1U);
  EXPECT_EQ(create.registrants.front().reference, "ref");
  EXPECT_EQ(create.registrants.front().data, "{}");
  EXPECT_EQ(create.registrants.front().generator, "mosip");
  EXPECT_EQ(create.fingerprint, std::string(32, 'f'));
  EXPECT_EQ(there_and_back(request_registrant_id{trace, {"clerk", 5}, 7, {}}).id, 7U);
  EXPECT_EQ(there_and_back(begin_generator_call{trace, {"clerk", 5}, 7, 8, "mosip", {}}).generator, "mosip");
  EXPECT_EQ(there_and_back(note_generator_answer{trace, {"clerk", 5}, 9, "F1", {}}).unique_id, "F1");
  EXPECT_EQ(there_and_back(resolve_generator_call{trace, {"clerk", 5}, 9, "F1", "found", {}}).note, "found");
  end_task end;
  end.effect = {"F1", 2, 3, true};
  const auto back = there_and_back(end).effect;
  EXPECT_EQ(back.unique_id, "F1");
  EXPECT_EQ(back.assignment, 2U);
  EXPECT_EQ(back.call, 3U);
  EXPECT_TRUE(back.call_in_doubt);
  (void)there_and_back(run_beat{});
  (void)there_and_back(look_at_desk{});
}

TEST_F(messages_test, every_type_survives_serialisation) {
  const trace_context trace{"01HX", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
  const std::vector<identifiers::candidate> found{{7, identifiers::id_text("5164721753")},
                                                  {9, identifiers::id_text("A")}};

  const auto issue =
      there_and_back(issue_ids{trace, {"clerk", 5}, 3, 99, "holder", std::string(16, 'r'), std::string(32, 'f'), {}});
  EXPECT_EQ(issue.trace, trace);
  EXPECT_EQ(issue.context.principal, "clerk");
  EXPECT_EQ(issue.count, 3u);
  EXPECT_EQ(issue.expires_at_ms, 99);
  EXPECT_EQ(issue.holder, "holder");
  EXPECT_EQ(issue.fingerprint, std::string(32, 'f'));
  EXPECT_FALSE(issue.reply) << "the way back is never stored";

  const auto change = there_and_back(change_id{trace, {"clerk", 5}, 11, 2, 4, {}});
  EXPECT_EQ(change.counter, 11u);
  EXPECT_EQ(change.event, 2);
  EXPECT_EQ(change.assignment, 4u);
  (void)there_and_back(level_changed{});
  EXPECT_EQ(there_and_back(refill{1, 2, 3}).count, 3u);
  EXPECT_EQ(there_and_back(refill_done{4}).order, 4u);
  EXPECT_EQ(there_and_back(walk{1, 2, 3}).to, 3u);
  EXPECT_EQ(there_and_back(walked{1, 2, 3, found}).found, found);
  EXPECT_EQ(there_and_back(propose{2, 3, found}).found, found);
  EXPECT_EQ(there_and_back(walked{1, 2, 3, found, 4}).imports_seen, 4u);
  EXPECT_EQ(there_and_back(propose{2, 3, found, 4}).imports_seen, 4u);
  const std::vector<identifiers::import_row> rows{
      {"5164721753", 7, false, identifiers::id_state::assigned, timestamp{milliseconds{1}}, timestamp{milliseconds{2}},
       "holder"},
      {"OLD", std::nullopt, true, identifiers::id_state::taken, std::nullopt, std::nullopt, ""}};
  EXPECT_EQ(there_and_back(import_ids{trace, {"clerk", 5}, rows, {}}).rows, rows);
  EXPECT_EQ(there_and_back(run_expirer{trace, {}}).trace, trace);
  const auto due = there_and_back(apply_due{1, 2, 3, 1, std::string("\0\1value", 7), 4});
  EXPECT_EQ(due.value, std::string("\0\1value", 7));
  EXPECT_EQ(due.floor_ms, 4);
  EXPECT_EQ(there_and_back(due_applied{1, true, {1, 2, 3}, false, 0, {}}).done, (expiry_answer{1, 2, 3}));
  EXPECT_EQ(there_and_back(tick{8}).generation, 8u);
  EXPECT_EQ(there_and_back(lease_check{8, 9}).progress, 9u);
  EXPECT_EQ(there_and_back(tenure_granted{1, 2, 3, 4}).token, 4u);
  const auto reclaim = there_and_back(reclaim_ids{trace, {"clerk", 5, "office"}, 1, 2, 3, 4, {7, 8}, {1, 1}, {}});
  EXPECT_EQ(reclaim.floor_seen, 4u);
  EXPECT_EQ(reclaim.counters, (std::vector<std::uint64_t>{7, 8}));
  EXPECT_EQ(reclaim.context.tenant, "office");
  (void)there_and_back(trim_journals{});
  EXPECT_EQ(there_and_back(journal_trimmed{1, 2, true, false}).rows, 2u);
}

TEST_F(messages_test, only_what_may_be_done_twice_is_replayable) {
  const auto replayable = [](const caf::message& m) { return runtime::facts_of(m.content()).replayable; };
  EXPECT_TRUE(replayable(caf::make_message(run_expirer{})));
  EXPECT_TRUE(replayable(caf::make_message(apply_due{})));
  EXPECT_FALSE(replayable(caf::make_message(issue_ids{})));
  EXPECT_FALSE(replayable(caf::make_message(change_id{})));
  EXPECT_FALSE(replayable(caf::make_message(propose{})));
  EXPECT_FALSE(replayable(caf::make_message(import_ids{})));
}

} // namespace
} // namespace matricula::actors
