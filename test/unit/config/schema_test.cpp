#include "config/nearest.hpp"
#include "config/schema.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <set>

namespace matricula::config {
namespace {

TEST(schema, has_each_key_once) {
  std::set<std::string_view> keys;
  for (const auto& row : schema()) EXPECT_TRUE(keys.insert(row.key).second) << row.key;
}

TEST(schema, puts_every_key_into_a_section_that_is_explained) {
  std::set<std::string_view> names;
  for (const auto& s : sections()) {
    EXPECT_FALSE(s.help.empty()) << s.name;
    names.insert(s.name);
  }
  for (const auto& row : schema()) EXPECT_TRUE(names.contains(section_of(row.key))) << row.key;
}

TEST(schema, has_defaults_that_it_accepts_itself) {
  for (const auto& row : schema()) {
    if (std::holds_alternative<std::monostate>(row.initial)) continue;
    EXPECT_EQ(refusal(row, row.initial, {}), std::nullopt) << row.key;
  }
}

TEST(schema, explains_every_key_in_a_sentence) {
  for (const auto& row : schema()) {
    EXPECT_TRUE(row.help.ends_with('.')) << row.key;
    EXPECT_FALSE(allowed(row).empty()) << row.key;
  }
}

TEST(schema, names_the_unit_of_every_integer) {
  for (const auto& row : schema()) EXPECT_EQ(row.what == kind::integer, !row.unit.empty()) << row.key;
}

TEST(schema, writes_and_reads_each_key_at_its_own_place) {
  // Each row is given a value of its own; a row that shares its place with another would be overwritten.
  auto s = one_of_each();
  std::int64_t step = 0;
  std::vector<value> written;
  for (const auto& row : schema()) {
    ++step;
    value v;
    switch (row.what) {
    case kind::boolean:
      v = step % 2 == 0;
      break;
    case kind::integer:
      v = std::min(row.min + step, row.max);
      break;
    case kind::word:
      v = std::string(row.words.back());
      break;
    case kind::route_list:
    case kind::text_list:
    case kind::role_list:
    case kind::key_list:
    case kind::symbol_list:
      v = std::vector<std::string>{std::to_string(step)};
      break;
    default:
      v = "text " + std::to_string(step);
    }
    row.write(s, some_name(row), v);
    written.push_back(v);
  }
  for (std::size_t i = 0; i < written.size(); ++i)
    EXPECT_EQ(schema()[i].read(s, some_name(schema()[i])), written[i]) << schema()[i].key;
}

TEST(schema, holds_both_ends_of_every_range) {
  auto s = one_of_each();
  for (const auto& row : schema()) {
    if (row.what != kind::integer) continue;
    for (const auto end : {row.min, row.max}) {
      ASSERT_EQ(refusal(row, end, {}), std::nullopt) << row.key;
      row.write(s, some_name(row), end);
      EXPECT_EQ(row.read(s, some_name(row)), value{end}) << row.key;
    }
    EXPECT_EQ(row.max == std::numeric_limits<std::int64_t>::max() || refusal(row, row.max + 1, {}), true) << row.key;
    EXPECT_NE(refusal(row, row.min - 1, {}), std::nullopt) << row.key;
  }
}

TEST(schema, accepts_every_word_it_names_and_keeps_it) {
  auto s = one_of_each();
  for (const auto& row : schema())
    for (const auto word : row.words) {
      ASSERT_EQ(refusal(row, std::string(word), {}), std::nullopt) << row.key;
      row.write(s, some_name(row), std::string(word));
      EXPECT_EQ(row.read(s, some_name(row)), value{std::string(word)}) << row.key;
    }
}

TEST(schema, finds_a_key_by_its_full_name) {
  EXPECT_EQ(find_setting("server.threads")->row->key, "server.threads");
  const auto of_type = find_setting("identifiers.types.farmer.rules.digits_limit");
  ASSERT_TRUE(of_type);
  EXPECT_EQ(of_type->row->key, "identifiers.types.<type>.rules.digits_limit");
  EXPECT_EQ(of_type->type, "farmer");
  const auto of_policy = find_setting("vid_policies.temporary.transactions_allowed");
  ASSERT_TRUE(of_policy);
  EXPECT_EQ(of_policy->row->key, "vid_policies.<policy>.transactions_allowed");
  EXPECT_EQ(of_policy->type, "temporary");
  EXPECT_EQ(find_setting("vid_policies.type")->type, "");
  for (const auto* absent :
       {"", ".", "server", "server.", "threads", "identifiers.types", "identifiers.types.uin", "identifiers.types.uin.",
        "identifiers.types..rules", "vid_policies", "vid_policies.temporary", "vid_policies..enabled"})
    EXPECT_FALSE(find_setting(absent)) << absent;
}

TEST(schema, names_the_environment_variable_of_a_key) {
  EXPECT_EQ(environment_name("server.listen"), "MATRICULA_SERVER__LISTEN");
  EXPECT_EQ(environment_name("identifiers.types.uin.length"), "MATRICULA_IDENTIFIERS__TYPES__UIN__LENGTH");
}

TEST(type_name, is_a_small_letter_and_up_to_63_more) {
  for (const auto* good : {"ab", "a_", "a1", "social_id"}) EXPECT_TRUE(is_type_name(good)) << good;
  EXPECT_TRUE(is_type_name(std::string(64, 'a')));
  for (const auto* bad : {"", "a", "1a", "_a", "Aa", "aB", "a-b", "a b", "a.b"}) EXPECT_FALSE(is_type_name(bad)) << bad;
  EXPECT_FALSE(is_type_name(std::string(65, 'a')));
}

struct shipped {
  const char* name;
  std::uint32_t length;
  const char* alphabet;
  const char* profile;
  const char* lifecycle;
};

TEST(shipped_types, are_those_that_the_references_know) {
  const std::vector<shipped> expected{
      {"uin", 10, "digits", "mosip-uin", "uin"},
      {"vid", 16, "digits", "mosip-vid", "vid"},
      {"prid", 14, "digits", "mosip-prid", "pool"},
      {"social_id", 12, "digits", "mosip-uin", "uin"},
      {"family_id", 12, "digits", "mosip-uin", "uin"},
      {"farmer", 12, "digits", "openg2p", "pool"},
      {"household", 10, "digits", "openg2p", "pool"},
      {"tracking_id", 7, "letters_and_digits", "strict", "pool"},
      {"registration_number", 12, "digits", "strict", "pool"},
  };
  const auto types = defaults().identifiers.types;
  EXPECT_EQ(types.size(), expected.size());
  for (const auto& e : expected) {
    ASSERT_TRUE(types.contains(e.name)) << e.name;
    const auto& type = types.at(e.name);
    EXPECT_EQ(type.length, e.length) << e.name;
    EXPECT_EQ(type.alphabet, e.alphabet) << e.name;
    EXPECT_EQ(type.profile, e.profile) << e.name;
    EXPECT_EQ(type.lifecycle, e.lifecycle) << e.name;
    EXPECT_TRUE(type.enabled) << e.name;
    EXPECT_LE(type.pool_min, type.pool_target) << e.name;
    EXPECT_EQ(type.cool_off_seconds, 432'000U) << e.name;
    EXPECT_EQ(type.rules, rule_settings{}) << e.name;
  }
}

TEST(defaults, are_those_that_were_decided) {
  const auto s = one_of_each();
  EXPECT_EQ(s.server.listen, "127.0.0.1:8080");
  EXPECT_EQ(s.server.body_bytes_max, 1'048'576U);
  EXPECT_EQ(s.auth.mode, auth_mode::tokens);
  EXPECT_EQ(s.storage.accept_loss_up_to, 0U);
  EXPECT_EQ(s.idempotency.retention_days, 30U);
  EXPECT_EQ(s.identifiers.expirer_schedule, "0 23 * * *");
  EXPECT_EQ(s.identifiers.time_zone, "UTC");
  EXPECT_EQ(s.identifiers.batch_count_max, 1000U);
}

TEST(tokens_path, is_in_the_data_folder_unless_said_otherwise) {
  auto s = one_of_each();
  EXPECT_EQ(tokens_path(s), "/var/lib/matricula/tokens");
  s.auth.tokens_file = "/etc/matricula/tokens";
  EXPECT_EQ(tokens_path(s), "/etc/matricula/tokens");
}

TEST(split_address, takes_host_and_port_apart) {
  EXPECT_EQ(split_address("[fe80::1]:0")->host, "fe80::1");
  EXPECT_EQ(split_address("localhost:65535")->port, 65535);
  for (const auto* bad : {"", ":80", "host", "host:", "host:x", "host:-1", "host:65536", "host:80 ", "::1:80", "[]:80",
                          "[x]:80", "ho st:80", "[::1]"})
    EXPECT_FALSE(split_address(bad)) << bad;
}

TEST(edit_distance, counts_single_changes_and_swaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("listen", "listen"), 0U);
  EXPECT_EQ(edit_distance("litsen", "listen"), 1U);
  EXPECT_EQ(edit_distance("lisen", "listen"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

} // namespace
} // namespace matricula::config
