// The settings file and the documentation are written from the schema. With UPDATE_GENERATED=1 in the environment these
// tests write both anew.
#include "config/default_toml.hpp"
#include "config/reference.hpp"
#include "config/toml_document.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace matricula::config {
namespace {

const std::string toml_path = MATRICULA_SOURCE_DIR "/config/matricula.toml";
const std::string guide_path = MATRICULA_SOURCE_DIR "/docs/configuration.md";
constexpr std::string_view tables_begin = "<!-- settings: begin -->\n";
constexpr std::string_view tables_end = "<!-- settings: end -->\n";

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool update_wanted() { return std::getenv("UPDATE_GENERATED") != nullptr; }

/// The file with its unset settings ("#key = ...", no blank) set.
std::string with_everything_set() {
  std::string out;
  std::istringstream lines{std::string(default_toml)};
  for (std::string line; std::getline(lines, line);)
    out += (line.starts_with('#') && line.size() > 1 && line[1] != ' ' ? line.substr(1) : line) + "\n";
  return out;
}

TEST(default_file, is_what_the_schema_says) {
  if (update_wanted()) std::ofstream(toml_path, std::ios::binary) << reference_toml();
  EXPECT_EQ(content_of(toml_path), reference_toml());
}

TEST(default_file, is_inside_the_program) {
  if (update_wanted()) GTEST_SKIP() << "was just written anew; build again";
  EXPECT_EQ(default_toml, reference_toml());
}

TEST(default_file, says_the_defaults_of_the_schema) {
  EXPECT_EQ(accepted(load_text(std::string(default_toml))).values, defaults());
}

TEST(default_file, loads_with_every_example_set) {
  const auto now = accepted(load_text(with_everything_set()));
  EXPECT_TRUE(now.values.identifiers.types.contains("my_own"));
  EXPECT_TRUE(now.values.bridges.contains("my_own"));
}

TEST(default_file, has_every_key_of_the_schema_and_no_other) {
  std::set<std::string> in_file, in_schema;
  const auto entries = parse_toml(with_everything_set(), "matricula.toml");
  ASSERT_TRUE(entries);
  for (const auto& entry : *entries) {
    if (entry.table) continue;
    const auto known = find_setting(entry.key);
    ASSERT_TRUE(known) << entry.key;
    in_file.insert(std::string(known->row->key));
  }
  for (const auto& row : schema())
    if (!row.secret) in_schema.insert(std::string(row.key));
  EXPECT_EQ(in_file, in_schema);
  EXPECT_THAT(std::string(default_toml), testing::HasSubstr("MATRICULA_IDENTIFIERS__KEY"));
}

TEST(configuration_guide, has_the_tables_of_the_schema) {
  auto text = content_of(guide_path);
  const auto begin = text.find(tables_begin), end = text.find(tables_end);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const auto expected = std::string(tables_begin) + reference_markdown();
  if (update_wanted()) {
    text = text.substr(0, begin) + expected + text.substr(end);
    std::ofstream(guide_path, std::ios::binary) << text;
    return;
  }
  EXPECT_EQ(text.substr(begin, end - begin), expected);
}

TEST(configuration_guide, mentions_every_key) {
  const auto text = content_of(guide_path);
  for (const auto& row : schema()) EXPECT_THAT(text, testing::HasSubstr("`" + std::string(row.key) + "`"));
}

} // namespace
} // namespace matricula::config
