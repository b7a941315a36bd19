#include "api/import_lines.hpp"
#include "api/problem.hpp"

#include <gtest/gtest.h>

namespace matricula::api {
namespace {

using identifiers::import_claim;

/// "line code" of each problem, and "line id" of each claim.
std::string told(std::string_view text, import_format format) {
  const auto read = read_import(text, format);
  if (!read) return "refused " + std::to_string(head_of(read.error()).status);
  std::string out;
  for (const auto& e : read->entries) out += std::to_string(e.line) + " " + e.claim.id + "; ";
  for (const auto& p : read->problems) out += std::to_string(p.line) + " !" + std::string(p.code) + "; ";
  return out;
}

TEST(import_lines, of_json_carry_everything_that_is_known_of_an_identifier) {
  const auto read = read_import(R"({"id":"a","state":"ASSIGNED","expires_at":"2030-01-01T00:00:00Z","holder":"h",)"
                                R"("issued_at":"2020-01-01T01:00:00+01:00"})",
                                import_format::ndjson);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->entries.size(), 1U);
  const auto& claim = read->entries.front().claim;
  EXPECT_EQ(claim.id, "a");
  EXPECT_EQ(claim.state, "ASSIGNED");
  EXPECT_EQ(claim.holder, "h");
  EXPECT_EQ(to_rfc3339(claim.expires_at.value()), "2030-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(claim.issued_at.value()), "2020-01-01T00:00:00.000Z");
}

TEST(import_lines, of_csv_follow_their_header) {
  const auto read = read_import("holder,id,expires_at,issued_at,state\n"
                                "\"Doe, \"\"Jo\"\"\",b,2030-01-01T00:00:00Z,,EXPIRED\n"
                                ",c,,,\n",
                                import_format::csv);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->entries.size(), 2U);
  EXPECT_EQ(read->entries[0].claim.holder, "Doe, \"Jo\"");
  EXPECT_EQ(read->entries[0].claim.id, "b");
  EXPECT_EQ(read->entries[0].claim.state, "EXPIRED");
  EXPECT_TRUE(read->entries[0].claim.expires_at);
  EXPECT_FALSE(read->entries[0].claim.issued_at);
  EXPECT_EQ(read->entries[0].line, 2U);
  EXPECT_EQ(read->entries[1].claim.id, "c");
  EXPECT_EQ(read->entries[1].claim.state, "");
}

struct text_case {
  const char* what;
  import_format format;
  std::string text;
  const char* expected;
};

TEST(import_lines, are_read_strictly_and_each_on_its_own) {
  using enum import_format;
  const std::string long_line(import_line_bytes_max + 1, '7');
  const text_case cases[] = {
      {"plain", plain, "a\nb\n", "1 a; 2 b; "},
      {"CRLF", plain, "a\r\nb\r\n", "1 a; 2 b; "},
      {"empty lines count but say nothing", plain, "\n\r\na\n\n", "3 a; "},
      {"a byte order mark", plain,
       "\xef\xbb\xbf"
       "a\n",
       "1 a; "},
      {"a byte order mark before JSON", ndjson, "\xef\xbb\xbf{\"id\":\"a\"}\n", "1 a; "},
      {"a second byte order mark", ndjson, "{\"id\":\"a\"}\n\xef\xbb\xbf{\"id\":\"b\"}\n", "1 a; 2 !malformed_line; "},
      {"UTF-16, little endian", plain,
       std::string("\xff\xfe"
                   "a\0\n\0",
                   6),
       "refused 400"},
      {"UTF-16, big endian", plain, std::string("\xfe\xff\0a\0\n", 6), "refused 400"},
      {"UTF-16 without a mark", plain, std::string("a\0\n\0", 4), "refused 400"},
      {"Latin 1", csv, "id,holder\na,M\xfcller\nb,M\xc3\xbcller\n", "3 b; 2 !not_utf8; "},
      {"a last line that may be cut short", plain, "a\nb", "1 a; 2 !unfinished_line; "},
      {"the same in a CSV", csv, "id\na\nb", "2 a; 3 !unfinished_line; "},
      {"a last line of JSON that is whole", ndjson, "{\"id\":\"a\"}", "1 a; "},
      {"a last line of JSON that is cut short", ndjson, "{\"id\":\"a\"}\n{\"id\":\"b", "1 a; 2 !malformed_line; "},
      {"a carriage return in the middle", plain, "a\rb\n", "1 a\rb; "},
      {"too long a line", plain, "a\n" + long_line + "\nb\n", "1 a; 3 b; 2 !line_too_long; "},
      {"as long as it may be", plain, long_line.substr(1, 40) + "\n", "1 7777777777777777777777777777777777777777; "},
      {"a name twice", ndjson, R"({"id":"a","id":"b"})", "1 !malformed_line; "},
      {"an unknown name", ndjson, R"({"id":"a","status":"TAKEN"})", "1 !malformed_line; "},
      {"a wrong type", ndjson, R"({"id":"a","holder":7})", "1 !malformed_line; "},
      {"an array", ndjson, R"(["a"])", "1 !malformed_line; "},
      {"two objects", ndjson, R"({"id":"a"}{"id":"b"})", "1 !malformed_line; "},
      {"too long a holder", ndjson, R"({"id":"a","holder":")" + std::string(65, 'h') + "\"}", "1 !malformed_line; "},
      {"February 30", ndjson, R"({"id":"a","expires_at":"2030-02-30T00:00:00Z"})", "1 !malformed_line; "},
      {"a header alone", csv, "id,state\n", ""},
      {"no header", csv, "", ""},
      {"a header without id", csv, "state\nTAKEN\n", "refused 400"},
      {"an unknown column", csv, "id,status\na,TAKEN\n", "refused 400"},
      {"a column twice", csv, "id,id\na,b\n", "refused 400"},
      {"blanks in the header", csv, "id, state\na,TAKEN\n", "refused 400"},
      {"too few fields", csv, "id,state\na\nb,TAKEN\n", "3 b; 2 !malformed_line; "},
      {"too many fields", csv, "id,state\na,TAKEN,x\n", "2 !malformed_line; "},
      {"a quote that is not closed", csv, "id\n\"a\n", "2 !malformed_line; "},
      {"a quote in the middle", csv, "id\na\"b\"\n", "2 !malformed_line; "},
      {"something after the quote", csv, "id\n\"a\"b\n", "2 !malformed_line; "},
      {"no identifier", csv, "id,state\n,TAKEN\n", "2 !malformed_line; "},
      {"a wrong time", csv, "id,expires_at\na,tomorrow\n", "2 !malformed_line; "},
      {"too long a holder in a CSV", csv, "id,holder\na," + std::string(65, 'h') + "\n", "2 !malformed_line; "},
      {"control characters in a holder", csv, "id,holder\na,b\tc\n", "2 !malformed_line; "},
  };
  for (const auto& [what, format, text, expected] : cases) EXPECT_EQ(told(text, format), expected) << what;
}

TEST(import_lines, are_at_most_ten_thousand_at_once) {
  std::string text;
  for (std::size_t i = 0; i < import_lines_max; ++i) text += "a\n";
  EXPECT_EQ(read_import(text, import_format::plain)->entries.size(), import_lines_max);
  EXPECT_EQ(told(text + "a\n", import_format::plain), "refused 413");
  EXPECT_EQ(read_import("id\n" + text, import_format::csv)->entries.size(), import_lines_max);
  EXPECT_EQ(told("id\n" + text + "a\n", import_format::csv), "refused 413");
}

TEST(import_lines, are_told_by_their_media_type) {
  EXPECT_EQ(import_format_of("application/x-ndjson"), import_format::ndjson);
  EXPECT_EQ(import_format_of("Text/CSV ; charset=utf-8"), import_format::csv);
  EXPECT_EQ(import_format_of("text/plain"), import_format::plain);
  EXPECT_EQ(import_format_of("application/json"), std::nullopt);
}

} // namespace
} // namespace matricula::api
