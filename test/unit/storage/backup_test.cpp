#include "storage/backup.hpp"
#include "storage/inspect.hpp"
#include "storage/log_writer.hpp"
#include "storage/schedules.hpp"
#include "storage/shard_transfer.hpp"
#include "storage/verify.hpp"
#include "test/unit/storage/fixture.hpp"

#include <rocksdb/env.h>

#include <future>
#include <thread>

namespace matricula::storage {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

class backup_test : public testing::Test {
protected:
  static constexpr std::uint64_t rows = 400;
  backup_test() : store_(open_store(small_store(dir_ / "store"))) {
    commit_rows(*store_, 1, rows / 2);
    EXPECT_TRUE(store_->flush());
    commit_rows(*store_, rows / 2 + 1, rows);
  }
  result<backup_manifest> made() { return make_backup(*store_, dir_ / "backup", at_ms(3'000'000)); }
  error refusal() {
    const auto restored = restore_backup(dir_ / "backup", dir_ / "restored");
    EXPECT_FALSE(restored);
    EXPECT_TRUE(!std::filesystem::exists(dir_ / "restored") || std::filesystem::is_empty(dir_ / "restored"))
        << "a refused restore leaves nothing";
    return restored ? error{} : restored.error();
  }
  std::string data(std::string_view suffix) {
    for (const auto& [name, bytes] : files_in(dir_ / "backup/data"))
      if (name.ends_with(suffix)) return dir_ / ("backup/data/" + name);
    ADD_FAILURE() << "no " << suffix;
    return {};
  }
  temporary_directory dir_;
  std::unique_ptr<store> store_;
};

TEST_F(backup_test, restores_the_store_as_it_was_and_lets_it_go_on) {
  const auto m = made();
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->last, store_->last_group());
  EXPECT_EQ(m->node_id, store_->node_id());
  commit_rows(*store_, rows + 1, rows + 50);
  const auto restored = restore_backup(dir_ / "backup", dir_ / "restored");
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(*restored, *m);
  EXPECT_TRUE(verify(small_store(dir_ / "restored"), row_decoders{}).ok());
  const auto s = open_store(small_store(dir_ / "restored"));
  EXPECT_THAT(missing_rows(*s->latest(), 1, rows), IsEmpty());
  EXPECT_EQ(missing_rows(*s->latest(), rows + 1, rows + 50).size(), 50u) << "written after the backup";
  EXPECT_EQ(s->node_id(), store_->node_id());
  EXPECT_EQ(s->mark_at_open()->number, m->last.number);
}

TEST_F(backup_test, is_made_while_the_store_goes_on_writing) {
  local_log log{*store_, {.now = [] { return at_ms(1); }}};
  std::atomic<bool> enough{false};
  std::atomic<std::uint64_t> acknowledged{rows};
  const log_writer writer{log};
  std::promise<tenure> promised;
  log.acquire({7}, "p", [&](result<tenure> t) noexcept { promised.set_value(*t); });
  const auto t = promised.get_future().get();
  std::jthread load{[&] {
    for (auto n = rows + 1; !enough; ++n) {
      auto b = one_row({7}, n);
      auto room = log.reserve(t, b.bytes());
      if (!room) {
        --n;
        continue;
      }
      log.append(std::move(*room), std::move(b), [&, n](verdict, position) noexcept { acknowledged = n; });
    }
  }};
  while (acknowledged < rows + 100) std::this_thread::yield();
  const auto before = acknowledged.load();
  const auto m = made();
  enough = true;
  load.join();
  ASSERT_TRUE(m) << m.error().message;
  ASSERT_TRUE(restore_backup(dir_ / "backup", dir_ / "restored"));
  const auto s = open_store(small_store(dir_ / "restored"));
  EXPECT_THAT(missing_rows(*s->latest(), 1, before), IsEmpty()) << "everything acknowledged before is in it";
}

TEST_F(backup_test, does_not_share_disk_blocks_with_the_store) {
  ASSERT_TRUE(made());
  for (const auto& entry : std::filesystem::directory_iterator(dir_ / "backup/data"))
    EXPECT_EQ(std::filesystem::hard_link_count(entry.path()), 1u) << entry.path();
  EXPECT_FALSE(std::filesystem::exists(dir_ / "store/backup.partial"));
}

TEST_F(backup_test, wants_empty_directories) {
  ASSERT_TRUE(made());
  EXPECT_EQ(made().error().code, errc::conflict);
  std::filesystem::create_directory(dir_ / "restored");
  write_bytes(dir_ / "restored/precious", "x");
  EXPECT_EQ(restore_backup(dir_ / "backup", dir_ / "restored").error().code, errc::conflict);
  EXPECT_EQ(read_bytes(dir_ / "restored/precious"), "x");
}

TEST_F(backup_test, leaves_the_target_empty_when_it_fails) {
  write_bytes(dir_ / "file", "in the way");
  EXPECT_FALSE(make_backup(*store_, dir_ / "file/backup", at_ms(1)));
  std::filesystem::create_directory(dir_ / "backup");
  // A file where the checkpoint's directory would be is removed; a directory that cannot be made is not.
  const auto no_such_parent = make_backup(*store_, dir_ / "missing/backup", at_ms(1));
  EXPECT_EQ(no_such_parent.error().code, errc::not_found);
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "backup"));
}

TEST_F(backup_test, is_refused_with_a_flipped_byte_in_a_table) {
  ASSERT_TRUE(made());
  auto bytes = read_bytes(data(".sst"));
  bytes[bytes.size() / 2] ^= 1;
  write_bytes(data(".sst"), bytes);
  const auto e = refusal();
  EXPECT_EQ(e.code, errc::corrupt);
  EXPECT_THAT(e.message, HasSubstr(".sst is not what was saved"));
}

TEST_F(backup_test, is_refused_with_a_file_missing_or_one_too_many) {
  ASSERT_TRUE(made());
  write_bytes(dir_ / "backup/data/000999.sst", "what is this");
  EXPECT_THAT(refusal().message, HasSubstr("does not name: 000999.sst"));
  std::filesystem::remove(dir_ / "backup/data/000999.sst");
  std::filesystem::remove(data(".sst"));
  EXPECT_THAT(refusal().message, HasSubstr(".sst is missing"));
}

TEST_F(backup_test, is_refused_with_a_manifest_that_is_missing_cut_off_or_changed) {
  ASSERT_TRUE(made());
  const auto path = dir_ / "backup/MANIFEST.matricula";
  const auto good = read_bytes(path);
  for (std::size_t size = 0; size < good.size(); size += 37) {
    write_bytes(path, std::string_view(good).substr(0, size));
    ASSERT_EQ(refusal().code, errc::corrupt) << size;
  }
  for (std::size_t at = 0; at < good.size(); at += 11) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write_bytes(path, bad);
    const auto e = refusal();
    ASSERT_TRUE(e.code == errc::corrupt || e.code == errc::unsupported) << at << ": " << e.message;
  }
  std::filesystem::remove(path);
  EXPECT_THAT(refusal().message, HasSubstr("manifest is missing: it is no whole backup"));
}

TEST_F(backup_test, is_refused_from_a_newer_format_or_with_names_that_lead_outside) {
  auto m = *made();
  m.store_format = 9;
  write_bytes(dir_ / "backup/MANIFEST.matricula", encode(m));
  EXPECT_EQ(refusal().code, errc::unsupported);
  m.store_format = 1;
  m.files.front().name = "../store/CURRENT";
  write_bytes(dir_ / "backup/MANIFEST.matricula", encode(m));
  EXPECT_EQ(refusal().code, errc::corrupt);
}

TEST_F(backup_test, is_not_started_from_before_its_restore_is_whole) {
  ASSERT_TRUE(made());
  ASSERT_TRUE(restore_backup(dir_ / "backup", dir_ / "restored"));
  write_bytes(dir_ / "restored/RESTORING", "");
  const auto opened = store::open(small_store(dir_ / "restored"));
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("restored only in part"));
}

TEST(backup_manifest, is_read_back_as_it_was_written) {
  backup_manifest m{
      1, "node", {7, at_ms(5), std::string(32, 'c')}, at_ms(9), {{"a file with spaces", 12, std::string(64, 'a')}}};
  EXPECT_EQ(*decode_manifest(encode(m)), m);
}

/// A stopped store in which a fault is planted: `verify` must name it.
class verify_test : public testing::Test {
protected:
  static constexpr std::uint64_t rows = 300;
  verify_test() {
    const auto s = open_store(small_store(dir_ / "store"));
    commit_rows(*s, 1, rows);
    batch b{{7}};
    schedules::put(b, {"beat", at_ms(1), at_ms(2), at_ms(3), schedules::outcome::done, 1, ""});
    EXPECT_TRUE(commit(*s, b));
    EXPECT_TRUE(s->flush());
    commit_rows(*s, rows + 1, 2 * rows);
    last_ = s->last_group();
  }
  verify_report report() { return verify(small_store(dir_ / "store"), row_decoders{}); }
  void expect(std::string_view check, std::string_view words) {
    const auto found = report();
    EXPECT_FALSE(found.ok());
    EXPECT_THAT(found.problems(), Contains(testing::AllOf(Field(&problem::check, std::string(check)),
                                                          Field(&problem::message, HasSubstr(std::string(words))))))
        << found.to_json();
  }
  /// A row that no code of ours would write.
  void plant(column where, std::string_view key, std::string_view value) {
    const auto s = open_store(small_store(dir_ / "store"));
    batch b{{static_cast<std::uint8_t>(key.front())}};
    b.put(where, key, value);
    ASSERT_TRUE(commit(*s, b));
  }
  std::string file(std::string_view suffix) {
    std::string largest;
    std::size_t bytes = 0;
    for (const auto& [name, content] : files_in(dir_ / "store"))
      if (name.ends_with(suffix) && content.size() >= bytes) {
        largest = dir_ / ("store/" + name);
        bytes = content.size();
      }
    return largest;
  }
  temporary_directory dir_;
  group_record last_;
};

TEST_F(verify_test, finds_nothing_in_a_sound_store_and_changes_nothing) {
  const auto before = files_in(dir_ / "store");
  const auto found = report();
  EXPECT_TRUE(found.ok()) << found.to_json();
  EXPECT_EQ(found.counts().at("rows_uins"), 2 * rows);
  EXPECT_GE(found.counts().at("groups_in_log"), rows - 1);
  EXPECT_EQ(files_in(dir_ / "store"), before);
  EXPECT_THAT(found.to_json(), HasSubstr(R"({"ok":true,"problems_found":0,"problems":[],"counts":{)"));
}

TEST_F(verify_test, finds_a_flipped_byte_in_a_table) {
  auto bytes = read_bytes(file(".sst"));
  bytes[100] ^= 1;
  write_bytes(file(".sst"), bytes);
  expect("tables", "a table file is damaged");
}

TEST_F(verify_test, finds_a_missing_table) {
  std::filesystem::remove(file(".sst"));
  expect("open", "Its files are damaged");
}

TEST_F(verify_test, finds_a_flipped_bit_in_the_log) {
  auto bytes = read_bytes(file(".log"));
  bytes[bytes.size() / 2] ^= 1;
  write_bytes(file(".log"), bytes);
  expect("open", "acknowledged writes are missing");
}

TEST_F(verify_test, finds_a_missing_log) {
  std::filesystem::remove(file(".log"));
  expect("open", "acknowledged writes are missing");
}

TEST_F(verify_test, finds_a_mark_above_the_running_number) {
  auto marks = mark_file::open(*rocksdb::Env::Default(), dir_ / "store");
  ASSERT_TRUE((*marks)->write({last_.number + 5, std::string(32, 'x')}));
  expect("open", "but group " + std::to_string(last_.number + 5) + " was answered");
}

TEST_F(verify_test, finds_a_chain_hash_that_was_altered) {
  auto marks = mark_file::open(*rocksdb::Env::Default(), dir_ / "store");
  ASSERT_TRUE((*marks)->write({last_.number, std::string(32, 'x')}));
  expect("open", "the chain hash of group");
}

TEST_F(verify_test, finds_a_format_that_it_does_not_know) {
  {
    auto o = small_store(dir_ / "store");
    o.format = current_format + 1;
    o.migrations = {{current_format + 1, "nothing", [](const view&, const auto&) { return result<void>{}; }}};
    open_store(o);
  }
  expect("open", "has format 3");
}

TEST_F(verify_test, finds_a_row_that_does_not_decode) {
  plant(column::schedules, schedules::key_of({7}, "broken"), "nonsense");
  expect("rows", "the row of a schedule does not decode");
}

TEST_F(verify_test, finds_a_key_of_no_shard) {
  plant(column::uins, "\x40 beyond the last shard", "x");
  expect("keys", "does not start with a shard: 40206265");
}

TEST_F(verify_test, finds_an_unknown_row_of_the_node) {
  plant(column::meta, "\x07 what is this", "x");
  expect("rows", "a key of column meta does not decode");
}

TEST_F(verify_test, finds_an_import_that_was_cut_off) {
  plant(column::meta, import_marker_key({7}), "");
  expect("imports", "shard 7 was imported only in part");
}

TEST_F(verify_test, asks_the_verifiers_that_features_register) {
  class odd_rows final : public verifier {
  public:
    std::string_view name() const noexcept override { return "odd rows"; }
    void check(const view& in, verify_report& report) const override {
      if (!missing_rows(in, 601, 601).empty()) report.add(name(), "row 601 is missing");
    }
  };
  const odd_rows checks;
  const verifier* const all[] = {&checks};
  const auto found = verify(small_store(dir_ / "store"), row_decoders{}, all);
  EXPECT_THAT(found.problems(), testing::ElementsAre(Field(&problem::message, "row 601 is missing")));
}

TEST(verify_report, keeps_a_bounded_number_of_problems_and_counts_them_all) {
  verify_report report;
  for (int i = 0; i < 1'000; ++i) report.add("check", "message");
  EXPECT_EQ(report.found(), 1'000u);
  EXPECT_EQ(report.problems().size(), verify_report::problems_max);
}

} // namespace
} // namespace matricula::storage
