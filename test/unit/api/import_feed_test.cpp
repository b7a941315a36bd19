#include "api/import_feed.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace matricula::api {
namespace {

/// Every post of a text.
std::vector<import_post> posts_of(const std::string& text, std::optional<import_format> format = std::nullopt) {
  std::istringstream in(text);
  auto feed = import_feed::open(in, format).value();
  std::vector<import_post> all;
  for (auto post = feed.next().value(); post; post = feed.next().value()) all.push_back(std::move(*post));
  return all;
}

TEST(import_feed, guesses_what_a_file_is_by_its_first_line) {
  EXPECT_EQ(guess_format("{\"id\":\"a\"}\n"), import_format::ndjson);
  EXPECT_EQ(guess_format("id,state\r\n"), import_format::csv);
  EXPECT_EQ(guess_format("id\n"), import_format::csv);
  EXPECT_EQ(guess_format("5164721753\n"), import_format::plain);
}

TEST(import_feed, cuts_a_file_at_line_breaks_and_keeps_the_numbers_of_lines) {
  std::string text;
  const std::size_t lines = 2 * import_feed::post_lines_max + 3;
  for (std::size_t i = 1; i <= lines; ++i) text += std::to_string(i) + "\n";
  const auto posts = posts_of(text);
  ASSERT_EQ(posts.size(), 3U);
  std::string together;
  for (const auto& post : posts) {
    EXPECT_EQ(post.text_of(post.first_line), std::to_string(post.first_line));
    EXPECT_EQ(post.text_of(post.first_line + post.lines - 1), std::to_string(post.first_line + post.lines - 1));
    EXPECT_EQ(post.text_of(post.first_line + post.lines), "");
    EXPECT_EQ(post.line_of(1), post.first_line);
    together += post.body;
    EXPECT_EQ(post.end, together.size());
  }
  EXPECT_EQ(together, text);
}

TEST(import_feed, gives_every_post_of_a_csv_the_header) {
  std::string text = "\xef\xbb\xbfid,state\r\n";
  for (std::size_t i = 2; i <= import_feed::post_lines_max + 4; ++i) text += std::to_string(i) + ",TAKEN\r\n";
  const auto posts = posts_of(text);
  ASSERT_EQ(posts.size(), 2U);
  for (const auto& post : posts) {
    EXPECT_TRUE(post.body.starts_with("id,state\n"));
    EXPECT_EQ(post.line_of(2), post.first_line) << "the first line after the header";
    EXPECT_EQ(post.text_of(post.first_line), std::to_string(post.first_line) + ",TAKEN");
  }
  EXPECT_EQ(posts.front().first_line, 2U);
}

TEST(import_feed, bounds_bodies_by_bytes_too_and_leaves_out_lines_that_cannot_be_sent) {
  std::string text = std::string(3 << 20, 'x') + "\n";
  for (int i = 0; i < 600; ++i) text += std::string(import_line_bytes_max, 'y') + "\r\n";
  const auto posts = posts_of(text, import_format::plain);
  std::uint64_t lines = 0;
  for (const auto& post : posts) {
    EXPECT_LE(post.body.size(), import_body_bytes_max);
    lines += post.lines;
  }
  EXPECT_EQ(lines, 601U);
  EXPECT_EQ(posts.front().long_lines, std::vector<std::uint64_t>{1});
  EXPECT_TRUE(posts.front().body.starts_with("\ny")) << "its number is kept by an empty line";
  for (std::size_t i = 1; i < posts.size(); ++i) EXPECT_TRUE(posts[i].long_lines.empty());
}

TEST(import_feed, goes_on_where_it_was) {
  std::string text = "id\n";
  for (std::size_t i = 2; i <= 3 * import_feed::post_lines_max; ++i) text += std::to_string(i) + "\n";
  const auto all = posts_of(text);
  std::istringstream in(text);
  auto feed = import_feed::open(in, std::nullopt).value();
  ASSERT_TRUE(feed.resume(all[0].end, all[0].first_line + all[0].lines));
  const auto next = feed.next().value().value();
  EXPECT_EQ(next.body, all[1].body);
  EXPECT_EQ(next.first_line, all[1].first_line);
  EXPECT_EQ(next.end, all[1].end);
}

TEST(import_feed, of_an_empty_file_has_nothing_and_a_last_line_may_lack_its_break) {
  EXPECT_TRUE(posts_of("").empty());
  EXPECT_TRUE(posts_of("id,state\n").empty());
  EXPECT_EQ(posts_of("a\nb").front().body, "a\nb");
  EXPECT_EQ(posts_of("a\nb").front().lines, 2U);
}

} // namespace
} // namespace matricula::api
