#include "api/chunked_body.hpp"
#include "api/http_head.hpp"

#include <gtest/gtest.h>

namespace matricula::api {
namespace {

outcome<request_head> parse(std::string_view text, head_limits limits = {}) {
  request_head head;
  if (auto ok = parse_head(text, limits, head); !ok) return std::unexpected(ok.error());
  return head;
}

TEST(http_head, reads_method_target_fields_and_framing) {
  const std::string text = "POST /v1/ids/uin?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX-A:  b c \r\n"
                           "Expect: 100-Continue\r\nConnection: keep-alive, Close\r\n\r\n";
  const auto head = parse(text);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->target, "/v1/ids/uin?x=1");
  EXPECT_EQ(head->content_length, 12u);
  EXPECT_EQ(head->find("x-a"), "b c");
  EXPECT_EQ(head->find("X-None"), "");
  EXPECT_TRUE(head->expects_continue);
  EXPECT_TRUE(head->close);
  EXPECT_FALSE(head->chunked);
}

TEST(http_head, tells_a_field_without_a_value_from_no_field) {
  const auto* text = "GET / HTTP/1.1\r\nHost: a\r\nIdempotency-Key:\r\nX-Blank: \t \r\n\r\n";
  const auto head = parse(text).value();
  for (const auto* name : {"Idempotency-Key", "X-Blank"}) {
    EXPECT_TRUE(head.find(name).empty()) << name;
    EXPECT_NE(head.find(name).data(), nullptr) << name;
  }
  EXPECT_EQ(head.find("X-None").data(), nullptr);
}

TEST(http_head, leaves_percent_signs_in_header_values_alone) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %41\r\n\r\n";
  EXPECT_EQ(parse(text).value().find("Idempotency-Key"), "%41");
}

TEST(http_head, http_1_0_needs_no_host_and_closes) {
  const auto head = parse("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_TRUE(head->close);
}

struct refused_head {
  const char* name;
  std::string text;
  int status;
};
class http_head_refusal : public testing::TestWithParam<refused_head> {};

TEST_P(http_head_refusal, has_the_right_status) {
  const auto head = parse(GetParam().text);
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().status, GetParam().status) << head.error().cause.message;
}

std::string with(const std::string& fields, const std::string& line = "POST / HTTP/1.1") {
  return line + "\r\nHost: a\r\n" + fields + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    ambiguous_or_malformed, http_head_refusal,
    testing::Values(
        refused_head{"empty", "\r\n\r\n", 400}, refused_head{"no_spaces", "GET\r\n\r\n", 400},
        refused_head{"no_version", "GET /\r\n\r\n", 400}, refused_head{"http_2", with("", "GET / HTTP/2.0"), 505},
        refused_head{"http_1_2", with("", "GET / HTTP/1.2"), 505},
        refused_head{"not_http", with("", "GET / ICY/1.1"), 400},
        refused_head{"lower_case_method", with("", "get / HTTP/1.1"), 501},
        refused_head{"unknown_method", with("", "PROPFIND / HTTP/1.1"), 501},
        refused_head{"tls_hello", "\x16\x03\x01\r\n\r\n", 400},
        refused_head{"absolute_target", with("", "GET http://a/ HTTP/1.1"), 400},
        refused_head{"space_in_target", with("", "GET /a b HTTP/1.1"), 400},
        refused_head{"fragment", with("", "GET /a#b HTTP/1.1"), 400},
        refused_head{"bytes_in_target", with("", "GET /\xc3\xa4 HTTP/1.1"), 400},
        refused_head{"long_target", with("", "GET /" + std::string(5000, 'a') + " HTTP/1.1"), 414},
        refused_head{"no_host", "GET / HTTP/1.1\r\n\r\n", 400}, refused_head{"two_hosts", with("Host: b\r\n"), 400},
        refused_head{"folded", with("A: b\r\n c\r\n"), 400}, refused_head{"space_before_colon", with("A : b\r\n"), 400},
        refused_head{"no_colon", with("A\r\n"), 400}, refused_head{"no_name", with(": b\r\n"), 400},
        refused_head{"bare_line_feed", with("A: b\nC: d\r\n"), 400},
        refused_head{"bare_return", with("A: b\rC\r\n"), 400},
        refused_head{"nul", with(std::string("A: b\0c\r\n", 8)), 400},
        refused_head{"negative_length", with("Content-Length: -1\r\n"), 400},
        refused_head{"signed_length", with("Content-Length: +1\r\n"), 400},
        refused_head{"length_list", with("Content-Length: 1, 1\r\n"), 400},
        refused_head{"hex_length", with("Content-Length: 0x10\r\n"), 400},
        refused_head{"empty_length", with("Content-Length:\r\n"), 400},
        refused_head{"huge_length", with("Content-Length: 18446744073709551616\r\n"), 400},
        refused_head{"two_lengths", with("Content-Length: 1\r\nContent-Length: 2\r\n"), 400},
        refused_head{"length_and_chunked", with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
        refused_head{"gzip_coding", with("Transfer-Encoding: gzip, chunked\r\n"), 501},
        refused_head{"two_codings", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        refused_head{"two_authorizations", with("Authorization: a\r\nauthorization: b\r\n"), 400},
        refused_head{"unknown_expectation", with("Expect: tea\r\n"), 417},
        refused_head{"cut", "GET / HTTP/1.1\r\nHost: a\r\n", 400}),
    [](const auto& about) { return about.param.name; });

TEST(http_head, bounds_the_number_of_fields) {
  std::string fields;
  for (int i = 0; i < 64; ++i) fields += "A" + std::to_string(i) + ": b\r\n";
  EXPECT_EQ(parse(with(fields)).error().status, 431);
}

struct decoded {
  chunked_body::state state;
  std::string body;
  std::string rest;
};

/// Feeds `text` in pieces of `step` bytes.
decoded decode(std::string_view text, std::size_t step, std::size_t bytes_max = 1000) {
  chunked_body decoder(bytes_max);
  std::string pending;
  decoded out{chunked_body::state::needs_more, "", ""};
  while (out.state == chunked_body::state::needs_more && !text.empty()) {
    pending.append(text.substr(0, step));
    text.remove_prefix(std::min(step, text.size()));
    std::size_t used = 0;
    out.state = decoder.feed(pending, out.body, used);
    pending.erase(0, used);
  }
  out.rest = pending + std::string(text);
  return out;
}

TEST(chunked_body, decodes_however_the_bytes_come) {
  const std::string text = "4\r\nWiki\r\n6;ext=1\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\nGET /";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    const auto got = decode(text, step);
    EXPECT_EQ(got.state, chunked_body::state::complete) << step;
    EXPECT_EQ(got.body, "Wikipedia in \r\n\r\nchunks.") << step;
    EXPECT_EQ(got.rest, "GET /") << step;
  }
}

TEST(chunked_body, takes_an_extension_with_or_without_blanks_before_it) {
  for (const auto* size : {"4", "04", "4;", "4;a=b", "4 ;a", "4 \t ; a=\"b\""})
    EXPECT_EQ(decode(std::string(size) + "\r\nWiki\r\n0\r\n\r\n", 5).body, "Wiki") << size;
}

TEST(chunked_body, refuses_what_follows_a_size_and_is_no_extension) {
  for (const auto* size : {"4 zz", "4 ", "4\t", "4 5", "4,5", "4;a\nb", "4;a\rb", "4;\x01", "4;\x7f", "4\n"})
    EXPECT_EQ(decode(std::string(size) + "\r\nWiki\r\n0\r\n\r\n", 5).state, chunked_body::state::malformed) << size;
  const std::string zero("4;a\0b", 5);
  EXPECT_EQ(decode(zero + "\r\nWiki\r\n0\r\n\r\n", 5).state, chunked_body::state::malformed);
}

TEST(chunked_body, refuses_control_bytes_in_trailers) {
  EXPECT_EQ(decode("0\r\nA: b\tc\r\n\r\n", 4).state, chunked_body::state::complete);
  for (const auto* trailer : {"A: b\nGET / HTTP/1.1", "A: b\rc", "A: \x01", "A: \x7f"})
    EXPECT_EQ(decode("0\r\n" + std::string(trailer) + "\r\n\r\n", 4).state, chunked_body::state::malformed) << trailer;
}

TEST(chunked_body, refuses_malformed_chunks) {
  for (const auto* text : {"\r\n", "x\r\n", "-1\r\n", "0x4\r\nWiki\r\n", "4\r\nWikiX\r\n", "4\r\nWikipedia\r\n",
                           "fffffffffffffffff\r\n", " 4\r\nWiki\r\n", "4\nWiki\r\n"})
    EXPECT_EQ(decode(text, 3).state, chunked_body::state::malformed) << text;
  EXPECT_EQ(decode(std::string(400, '1'), 7).state, chunked_body::state::malformed) << "an endless size line";
  std::string trailers = "0\r\n";
  for (int i = 0; i < 400; ++i) trailers += "A: some trailer\r\n";
  EXPECT_EQ(decode(trailers, 100).state, chunked_body::state::malformed) << "endless trailers";
}

TEST(chunked_body, bounds_the_body_before_it_is_there) {
  EXPECT_EQ(decode("3e9\r\n", 100).state, chunked_body::state::too_large);
  EXPECT_EQ(decode("ffffffffffffffff\r\n", 100).state, chunked_body::state::too_large);
  EXPECT_EQ(decode("3\r\nabc\r\n3\r\n", 100, 5).state, chunked_body::state::too_large);
  EXPECT_EQ(decode("3\r\nabc\r\n0\r\n\r\n", 100, 3).state, chunked_body::state::complete);
}

} // namespace
} // namespace matricula::api
