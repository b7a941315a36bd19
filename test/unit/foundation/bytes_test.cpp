#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "foundation/random.hpp"
#include "foundation/trace.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace matricula {
namespace {

TEST(bytes, reads_back_what_was_written) {
  byte_writer out;
  out.u8(200)
      .big16(0xbeef)
      .big32(0xdeadbeef)
      .big64(0x0123456789abcdefULL)
      .varint(0)
      .varint(127)
      .varint(128)
      .varint(UINT64_MAX);
  out.text("a").text(std::string(300, 'x')).raw("end");
  byte_reader in{out.str()};
  EXPECT_EQ(in.u8(), 200);
  EXPECT_EQ(in.big16(), 0xbeef);
  EXPECT_EQ(in.big32(), 0xdeadbeefu);
  EXPECT_EQ(in.big64(), 0x0123456789abcdefULL);
  for (const auto n : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, UINT64_MAX}) EXPECT_EQ(in.varint(), n);
  EXPECT_EQ(in.text(), "a");
  EXPECT_EQ(in.text(), std::string(300, 'x'));
  EXPECT_EQ(in.raw(3), "end");
  EXPECT_TRUE(in.done());
}

TEST(bytes, a_short_input_is_never_read_past_its_end) {
  byte_writer out;
  out.varint(1'000'000).text("hello").big64(7);
  const auto whole = out.str();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    byte_reader in{std::string_view(whole).substr(0, n)};
    (void)in.varint(), (void)in.text(), (void)in.big64();
    EXPECT_FALSE(in.ok()) << n;
    EXPECT_EQ(in.big64(), 0u) << "after a failure everything is zero";
  }
}

TEST(bytes, a_number_of_more_than_64_bits_is_refused) {
  byte_reader ten_bytes{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"};
  (void)ten_bytes.varint();
  EXPECT_FALSE(ten_bytes.ok());
  byte_reader endless{std::string_view("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 12)};
  (void)endless.varint();
  EXPECT_FALSE(endless.ok());
}

TEST(digest, knows_the_published_vectors) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(from_hex("00fFa0"), std::string("\x00\xff\xa0", 3));
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
  EXPECT_TRUE(equal_in_constant_time("same", "same"));
  EXPECT_FALSE(equal_in_constant_time("same", "sama"));
  EXPECT_FALSE(equal_in_constant_time("same", "same "));
}

TEST(random, below_is_uniform_and_in_range) {
  seeded_random random(3);
  std::array<int, 6> seen{};
  for (int i = 0; i < 60'000; ++i) ++seen.at(random.below(6));
  for (const int n : seen) EXPECT_NEAR(n, 10'000, 500);
  secure_random secure;
  std::set<std::uint64_t> distinct;
  for (int i = 0; i < 1'000; ++i) distinct.insert(secure.next());
  EXPECT_EQ(distinct.size(), 1'000u);
}

TEST(random, ulids_sort_by_time) {
  seeded_random random(3);
  const auto early = make_ulid(1'000, random), late = make_ulid(1'001, random);
  EXPECT_EQ(early.size(), 26u);
  EXPECT_LT(early, late);
  EXPECT_NE(make_ulid(1'000, random), early);
}

TEST(trace, takes_over_only_what_the_recommendation_allows) {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_TRUE(is_traceparent(good));
  EXPECT_TRUE(is_traceparent("cc" + good.substr(2) + "-what-comes-later"));
  for (const auto& bad :
       {std::string(), good.substr(1), good + "-x", "ff" + good.substr(2),
        std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"), "cc" + good.substr(2) + "x"})
    EXPECT_FALSE(is_traceparent(bad)) << bad;
  seeded_random random(1);
  const auto child = child_traceparent(good, random);
  EXPECT_TRUE(is_traceparent(child));
  EXPECT_EQ(child.substr(0, 36), good.substr(0, 36)) << "the same trace";
  EXPECT_NE(child, good) << "another parent";
  EXPECT_TRUE(is_traceparent(child_traceparent("nonsense", random)));
}

TEST(trace, request_ids_are_short_and_plain) {
  EXPECT_TRUE(is_request_id("abc-123_X.9"));
  for (const auto& bad :
       {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a\n"), std::string("ä")})
    EXPECT_FALSE(is_request_id(bad)) << bad;
}

} // namespace
} // namespace matricula
