// What the bridge to PostgreSQL reads without a database: payloads of tasks and names of tables.
#include "connectors/postgres/payload.hpp"
#include "connectors/postgres/task_table.hpp"

#include <gtest/gtest.h>

namespace matricula::connectors::postgres {
namespace {

TEST(payload, names_a_registrant_by_number_or_text) {
  EXPECT_EQ(registrant_of_payload(R"({"registrant_id": 123})"), 123);
  EXPECT_EQ(registrant_of_payload(R"({"other": [1], "registrant_id": "123"})"), 123);
  EXPECT_EQ(registrant_of_text("123"), 123);
  EXPECT_EQ(registrant_of_text("9223372036854775807"), 9223372036854775807);
}

TEST(payload, that_names_none_is_refused_with_a_reason) {
  for (const auto* bad : {"", "{", "null", "12", "[]", "{}", R"({"registrant_id": null})", R"({"registrant_id": 0})",
                          R"({"registrant_id": -4})", R"({"registrant_id": 1.5})", R"({"registrant_id": "1 2"})",
                          R"({"registrant_id": ""})", R"({"registrant_id": 18446744073709551615})", "{\"a\xff\": 1}"}) {
    const auto read = registrant_of_payload(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_TRUE(read.error().ends_with('.')) << read.error();
  }
  EXPECT_FALSE(registrant_of_payload(std::nullopt));
  EXPECT_FALSE(registrant_of_payload(R"({"registrant_id": 1, "more": ")" + std::string(70'000, 'x') + "\"}"));
  for (const auto* bad : {"", "0", "-1", "+1", "1x", " 1", "9223372036854775808"})
    EXPECT_FALSE(registrant_of_text(bad));
  EXPECT_FALSE(registrant_of_text(std::nullopt));
}

TEST(table_name, is_a_name_with_or_without_a_schema) {
  for (const auto* good : {"res_partner", "public.res_partner", "_x", "A1.b2"})
    EXPECT_TRUE(is_table_name(good)) << good;
  for (const auto* bad : {"", ".", "a.", ".a", "a.b.c", "1a", "a-b", "a b", "a\"b", "a;b", "\xc3\xa9"})
    EXPECT_FALSE(is_table_name(bad)) << bad;
  EXPECT_TRUE(is_table_name(std::string(63, 'a')));
  EXPECT_FALSE(is_table_name(std::string(64, 'a')));
}

} // namespace
} // namespace matricula::connectors::postgres
