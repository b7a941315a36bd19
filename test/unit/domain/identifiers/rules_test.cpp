#include "domain/identifiers/checksum.hpp"
#include "domain/identifiers/profiles.hpp"
#include "domain/identifiers/rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace matricula::identifiers {
namespace {

using namespace std::string_literals;

/// The names of the failed rules with blanks between; empty when `id` is valid.
std::string failures(const rule_set& rules, std::size_t length, std::string_view id,
                     alphabet written_in = alphabet::digits) {
  std::string names;
  for (const auto r : failed_rules(rules, written_in, length, id)) {
    if (!names.empty()) names += ' ';
    names += to_string(r);
  }
  return names;
}

std::string failures(std::string_view profile, std::size_t length, std::string_view id) {
  return failures(find_profile(profile).value(), length, id);
}

/// Only the rule under test: digits without check digit unless said otherwise.
std::string alone(const rule_set& rules, std::string_view id) { return failures(rules, id.size(), id); }

TEST(rules, accept_the_ten_digit_identifiers_that_all_three_references_accept) {
  for (const auto* id : {"2537032965", "2705307546", "5489237984", "2153781271", "4310365870", "3978142364",
                         "9076936038", "5319034675", "2013023805", "3029384756", "9723157067", "5976819215"})
    for (const auto* profile : {"mosip-uin", "mosip-uin-validator", "openg2p"})
      EXPECT_EQ(failures(profile, 10, id), "") << profile << ' ' << id;
}

TEST(rules, name_what_each_ten_digit_reference_rejects) {
  struct verdict {
    std::string id;
    std::string mosip_uin;
    std::string mosip_uin_validator;
    std::string openg2p;
  };
  const verdict cases[] = {
      {"3762342083", "sequence", "sequence", "sequence even_digits"},
      {"5640570432", "sequence", "sequence", "sequence even_digits"},
      {"6801348903", "sequence", "", "even_digits"},
      {"2397524109", "sequence", "", ""},
      {"3291098617", "sequence", "", ""},
      {"6672575683", "repeating", "", "repeating"},
      {"4932563651", "repeating", "", ""},
      {"9459513731", "repeating", "", ""},
      {"5304528745", "repeating_block", "repeating_block", "repeating_block"},
      {"3263175482", "even_digits", "even_digits", "even_digits"},
      {"9048176915", "", "", "even_digits"},
      {"5347295206", "", "", "even_digits"},
      {"4584786713", "restricted_number", "restricted_number", ""},
      {"0170492657", "first_digit", "first_digit", "first_digit"},
      {"1521320610", "first_digit", "first_digit", "first_digit even_digits"},
      {"5976819216", "check_digit", "check_digit", "check_digit"},
      {"7930770397", "repeating mirrored_groups", "mirrored_groups", "repeating mirrored_groups"},
      {"2A13023805", "alphabet", "alphabet", "alphabet"},
      {"201302380", "length", "length", "length"},
      {"20130238051", "length", "length", "length"},
      {"5738201964", "check_digit", "check_digit", "even_digits check_digit"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(failures("mosip-uin", 10, c.id), c.mosip_uin) << c.id;
    EXPECT_EQ(failures("mosip-uin-validator", 10, c.id), c.mosip_uin_validator) << c.id;
    EXPECT_EQ(failures("openg2p", 10, c.id), c.openg2p) << c.id;
  }
}

TEST(rules, isolate_mirrored_groups_at_twelve_digits) {
  for (const auto* profile : {"mosip-uin", "mosip-uin-validator", "openg2p"})
    EXPECT_EQ(failures(profile, 12, "873592795378"), "mirrored_groups") << profile;
}

TEST(rules, accept_the_twelve_digit_identifiers_of_openg2p) {
  for (const auto* id : {"349503928379", "508548364970", "865696873158"})
    EXPECT_EQ(failures("openg2p", 12, id), "") << id;
}

TEST(rules, judge_sixteen_digit_vids_as_mosip_does) {
  const std::pair<std::string, std::string> cases[] = {
      {"5164721753769035", ""},
      {"3690510250837912", ""},
      {"8253061295836796", ""},
      {"3203829617692672", ""},
      {"8250837847935413", ""},
      {"5371843613598206", ""},
      {"5916983045841801", ""},
      {"6071983169270846", ""}, // three even digits
      {"8376095142857387", ""}, // contains 142857
      {"7301825748905196", ""}, // 890
      {"3640158741208943", ""},
      {"2540610852876970", "sequence"},
      {"7250410197005229", "repeating"},
      {"4263813570421741", "repeating_block"},
      {"9786485790431280", "restricted_number"},
      {"0213697167435784", "first_digit"},
      {"1935972916439530", "first_digit"},
      {"3640158741208946", "check_digit"},
      {"537184361359820", "length"},
      {"53718A3613598206", "alphabet"},
  };
  for (const auto& [id, expected] : cases) EXPECT_EQ(failures("mosip-vid", 16, id), expected) << id;
}

TEST(rules, judge_fourteen_digit_prids_as_mosip_does) {
  const std::pair<std::string, std::string> cases[] = {
      {"60981620352135", ""},
      {"63549268716581", ""},
      {"29614586597635", ""},
      {"75124301328620", ""},
      {"69439204169261", ""}, // repeats a block of two
      {"29682382370967", "repeating_block"},
      {"75124301328621", "check_digit"},
      {"75124301326313", "repeating check_digit"},
  };
  for (const auto& [id, expected] : cases) EXPECT_EQ(failures("mosip-prid", 14, id), expected) << id;
}

TEST(rules, overlap_under_the_defaults_where_one_implies_another) {
  const auto with_digit = [](const std::string& body) { return body + check_digit(body); };
  EXPECT_EQ(failures("mosip-uin", 10, with_digit("391428570")), "even_digits cyclic_number");
  EXPECT_EQ(failures("mosip-uin", 10, "2583125831"), "repeating_block equal_groups check_digit");
  EXPECT_EQ(failures("mosip-uin", 10, with_digit("395666813")), "repeating even_digits restricted_number");
  for (int half = 20000; half < 100000; half += 7) {
    const auto group = std::to_string(half);
    const std::string mirrored(group.rbegin(), group.rend());
    EXPECT_NE(failures("mosip-uin", 10, group + group).find("repeating_block"), std::string::npos) << group;
    const auto both = failed_rules(find_profile("mosip-uin").value(), alphabet::digits, 10, group + mirrored);
    EXPECT_EQ(std::ranges::count(both, rule::repeating), 1) << group;
    EXPECT_EQ(std::ranges::count(both, rule::mirrored_groups), 1) << group;
  }
}

TEST(rules, of_a_cyclic_number_stand_alone_where_even_digits_are_allowed) {
  rule_set rules;
  rules.cyclic_numbers = true;
  EXPECT_EQ(alone(rules, "0142857000"), "cyclic_number");
  EXPECT_EQ(alone(rules, "0142587000"), "");
  EXPECT_EQ(alone(rules, "90588235294117647"), "cyclic_number");
  EXPECT_EQ(alone(rules, "052631578947368421"), "cyclic_number");
  EXPECT_EQ(alone(rules, "0434782608695652173913"), "cyclic_number");
  EXPECT_EQ(alone(rules, "0344827586206896551724137931"), "cyclic_number");
  EXPECT_EQ(alone(rules, "0344827586206896551724137939"), "");
}

TEST(rules, of_runs_wrap_only_when_asked) {
  rule_set rules;
  rules.sequence_limit = 3;
  for (const auto* id : {"55123", "32155", "78955", "98755"}) EXPECT_EQ(alone(rules, id), "sequence") << id;
  for (const auto* id : {"55890", "90155", "55109", "09855", "12021", "13579"}) EXPECT_EQ(alone(rules, id), "") << id;
  rules.sequence_wraps = true;
  for (const auto* id : {"55890", "90155", "55109", "09855"}) EXPECT_EQ(alone(rules, id), "sequence") << id;
  rules.sequence_limit = 4;
  EXPECT_EQ(alone(rules, "55890"), "");
  EXPECT_EQ(alone(rules, "58901"), "sequence");
}

TEST(rules, of_repetition_come_in_three_kinds) {
  rule_set rules;
  rules.repeating_limit = 2;
  const auto verdicts = [&rules](repeating_kind kind) {
    rules.repeating = kind;
    std::string rejected;
    for (const auto* id : {"1223", "1213", "1231", "1222"}) rejected += alone(rules, id) == "repeating" ? 'x' : '.';
    return rejected;
  };
  EXPECT_EQ(verdicts(repeating_kind::within_limit), "xx.x");
  EXPECT_EQ(verdicts(repeating_kind::below_limit), "x..x");
  EXPECT_EQ(verdicts(repeating_kind::in_a_row), "...x");
  rules.repeating_limit = 3;
  EXPECT_EQ(verdicts(repeating_kind::within_limit), "xxxx");
  EXPECT_EQ(verdicts(repeating_kind::below_limit), "xx.x");
  EXPECT_EQ(verdicts(repeating_kind::in_a_row), "....");
}

TEST(rules, of_blocks_ignore_overlaps) {
  rule_set rules;
  rules.repeating_block_limit = 2;
  EXPECT_EQ(alone(rules, "481248"), "repeating_block");
  EXPECT_EQ(alone(rules, "484812"), "repeating_block");
  EXPECT_EQ(alone(rules, "444123"), ""); // 44 and 44 share a digit
  EXPECT_EQ(alone(rules, "444412"), "repeating_block");
  rules.repeating_block_limit = 3;
  EXPECT_EQ(alone(rules, "481248"), "");
  EXPECT_EQ(alone(rules, "481481"), "repeating_block");
}

TEST(rules, of_even_digits_count_zero_only_when_asked) {
  rule_set rules;
  rules.conjugative_even_digits_limit = 3;
  EXPECT_EQ(alone(rules, "13248"), "even_digits");
  EXPECT_EQ(alone(rules, "13048"), "");
  rules.zero_counts_as_even = true;
  EXPECT_EQ(alone(rules, "13048"), "even_digits");
  EXPECT_EQ(alone(rules, "24136"), "");
}

TEST(rules, of_groups_need_twice_their_length_unless_they_may_overlap) {
  rule_set rules;
  rules.digits_limit = 3;
  rules.reverse_digits_limit = 3;
  EXPECT_EQ(alone(rules, "123123"), "equal_groups");
  EXPECT_EQ(alone(rules, "123321"), "mirrored_groups");
  EXPECT_EQ(alone(rules, "1239123"), "equal_groups");
  EXPECT_EQ(alone(rules, "12121"), "");
  rules.groups_may_overlap = true;
  EXPECT_EQ(alone(rules, "12121"), "equal_groups mirrored_groups");
  EXPECT_EQ(alone(rules, "121"), "");
  EXPECT_EQ(alone(rules, "12"), "");
}

TEST(rules, of_prefixes_take_them_at_any_length) {
  rule_set rules;
  rules.not_start_with = {"0", "20", "2130"};
  EXPECT_EQ(alone(rules, "2013"), "first_digit");
  EXPECT_EQ(alone(rules, "2130"), "first_digit");
  EXPECT_EQ(alone(rules, "2131"), "");
  EXPECT_EQ(first_symbols(rules, alphabet::digits), "123456789");
}

TEST(rules, with_a_limit_of_zero_or_an_empty_list_are_off) {
  const rule_set off;
  for (const auto* id : {"0000000000", "1234567890", "2222222222", "7866661428", "1428571428", "2468024680"})
    EXPECT_EQ(alone(off, id), "") << id;
  // Each switch of the full set alone; what it caught before is accepted, what others caught is not.
  const auto without = [](auto change) {
    auto rules = find_profile("mosip-uin").value();
    change(rules);
    return rules;
  };
  EXPECT_EQ(failures(without([](auto& r) { r.sequence_limit = 0; }), 10, "3762342083"), "");
  EXPECT_EQ(failures(without([](auto& r) { r.repeating_limit = 0; }), 10, "6672575683"), "");
  EXPECT_EQ(failures(without([](auto& r) { r.repeating_block_limit = 0; }), 10, "5304528745"), "");
  EXPECT_EQ(failures(without([](auto& r) { r.conjugative_even_digits_limit = 0; }), 10, "3263175482"), "");
  EXPECT_EQ(failures(without([](auto& r) { r.reverse_digits_limit = 0; }), 12, "873592795378"), "");
  EXPECT_EQ(failures(without([](auto& r) { r.digits_limit = 0; }), 10, "2583125831"), "repeating_block check_digit");
  EXPECT_EQ(failures(without([](auto& r) { r.restricted_numbers.clear(); }), 10, "4584786713"), "");
  EXPECT_EQ(failures(without([](auto& r) { r.not_start_with.clear(); }), 10, "0170492657"), "");
  EXPECT_EQ(failures(without([](auto& r) { r.check_digit = false; }), 10, "5976819216"), "");
  EXPECT_EQ(failures(without([](auto& r) { r.sequence_limit = 0; }), 10, "6672575683"), "repeating");
}

TEST(rules, skip_group_limits_that_are_longer_than_the_identifier) {
  auto rules = find_profile("mosip-uin").value();
  EXPECT_EQ(failures(rules, 4, "2067"), "");
  EXPECT_EQ(failures(rules, 4, "2068"), "check_digit");
  rules.digits_limit = 16;
  rules.reverse_digits_limit = 16;
  EXPECT_EQ(failures(rules, 10, "2013023805"), "");
}

TEST(rules, hold_letters_to_what_makes_sense_for_letters) {
  const auto rules = find_profile("strict").value();
  const auto judge = [&](std::string_view id) { return failures(rules, 7, id, alphabet::letters_and_digits); };
  EXPECT_EQ(judge("CF7GH2X"), "");
  EXPECT_EQ(judge("FGHJMPQ"), "");         // neighbouring letters are no run
  EXPECT_EQ(judge("C4F6G8H"), "");         // letters end a row of even digits
  EXPECT_EQ(judge("CF789GH"), "sequence"); // a run of digits is one
  EXPECT_EQ(judge("CF462GH"), "even_digits");
  EXPECT_EQ(judge("CXC79GH"), "repeating");
  EXPECT_EQ(judge("CF7GHCF"), "repeating_block");
  EXPECT_EQ(judge("CF786GH"), "restricted_number");
  EXPECT_EQ(judge("cf7gh2x"), "alphabet");
  EXPECT_EQ(judge("CF7GH20"), "alphabet");
  EXPECT_FALSE(has_check_digit(rules, alphabet::letters_and_digits));
  EXPECT_TRUE(has_check_digit(rules, alphabet::digits));
}

TEST(rules, give_clear_verdicts_on_hostile_bytes) {
  const auto arabic_indic = "\xd9\xa7\xd9\xa1\xd9\xa2\xd9\xa1\xd9\xa7"s; // five digits, ten bytes
  for (const auto profile : profile_names()) {
    EXPECT_EQ(failures(profile, 10, arabic_indic), "alphabet") << profile;
    EXPECT_EQ(failures(profile, 10, ""), "length") << profile;
    EXPECT_EQ(failures(profile, 10,
                       "20130\0"
                       "3805"s),
              "alphabet")
        << profile;
    EXPECT_EQ(failures(profile, 10, "2013023805\0"s), "length alphabet") << profile;
    EXPECT_EQ(failures(profile, 10, " 201302380"s), "alphabet") << profile;
    EXPECT_EQ(failures(profile, 10, "+201302380"s), "alphabet") << profile;
    EXPECT_EQ(failures(profile, 10, std::string(1 << 20, '7')), "length") << profile;
    EXPECT_EQ(failures(profile, 10, std::string(1 << 20, '\xff')), "length alphabet") << profile;
  }
}

TEST(rules, reject_every_identifier_that_holds_a_rejected_part) {
  const auto rules = find_profile("strict").value();
  for (int part = 0; part < 10000; ++part) {
    auto text = std::to_string(10000 + part).substr(1);
    if (accepts_part(rules, text)) continue;
    EXPECT_FALSE(accepts(rules, "3" + text + "95")) << text;
    EXPECT_FALSE(accepts(rules, text + "395")) << text;
  }
}

TEST(rules, have_distinct_snake_case_names) {
  std::vector<std::string_view> names;
  for (int r = 0; r <= static_cast<int>(rule::check_digit); ++r) names.push_back(to_string(static_cast<rule>(r)));
  EXPECT_EQ(names, (std::vector<std::string_view>{"length", "alphabet", "first_digit", "sequence", "repeating",
                                                  "repeating_block", "even_digits", "equal_groups", "mirrored_groups",
                                                  "restricted_number", "cyclic_number", "check_digit"}));
}

} // namespace
} // namespace matricula::identifiers
