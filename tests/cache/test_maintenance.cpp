// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/maintenance.h"

#include <QTemporaryDir>
#include <QtTest>
#include <filesystem>
#include <fstream>

#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/db/sqlite.h"
#include "keyhole/guard/expression.h"

using namespace keyhole;

namespace {
std::string noise(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (auto& b : bytes) b = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24);
  return bytes;
}
std::size_t files_in(const std::string& folder) {
  std::size_t n = 0;
  for (const auto& f : std::filesystem::recursive_directory_iterator(folder)) n += f.is_regular_file();
  return n;
}
}  // namespace

class TestMaintenance : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> folder_;
  std::string store_;
  std::unique_ptr<ArtifactCache> cache_;
  const std::vector<NamedFile> bundle_{{"a", "1"}, {"b/c", "2"}};

  bool sql(const char* text) const {
    auto db = Db::open(store_ + "/cache.db", {.mode = Db::Mode::write});
    return db && db->exec(text);
  }

 private slots:
  void init() {
    folder_ = std::make_unique<QTemporaryDir>();
    store_ = folder_->filePath("store").toStdString();
    cache_ = std::move(*ArtifactCache::open(store_, {.inline_limit = 500}));
  }
  void cleanup() { cache_.reset(); }

  void what_was_used_longest_ago_goes_first() {
    for (unsigned i = 0; i < 10; ++i) QVERIFY(cache_->put({.key = "f" + std::to_string(i), .bytes = noise(1000, i)}));
    QVERIFY(cache_->get({.key = "f0"}).hit());
    const auto dry = evict(*cache_, {.max_size = 4000, .dry_run = true});
    QVERIFY(dry);
    QCOMPARE(dry->entries, std::int64_t{6});
    QCOMPARE(cache_size(*cache_)->entries, std::int64_t{10});
    const auto done = evict(*cache_, {.max_size = 4000});
    QVERIFY(done);
    QCOMPARE(done->entries, std::int64_t{6});
    QCOMPARE(done->bytes, std::int64_t{6000});
    QCOMPARE(cache_size(*cache_)->stored, std::int64_t{4000});
    QCOMPARE(files_in(store_ + "/blobs"), std::size_t{4});
    QVERIFY(cache_->get({.key = "f0"}).hit());
    QVERIFY(!cache_->get({.key = "f1"}).hit());
    const auto gone = tombstones(*cache_, "f1", 10);
    QCOMPARE(gone->size(), std::size_t{1});
    QCOMPARE(gone->front().reason, std::string("size"));
    QCOMPARE(gone->front().size, std::int64_t{1000});
  }

  void a_put_keeps_to_the_largest_size() {
    cache_.reset();
    cache_ = std::move(*ArtifactCache::open(store_, {.max_size = 4000, .inline_limit = 500}));
    for (unsigned i = 0; i < 4; ++i) QVERIFY(cache_->put({.key = "f" + std::to_string(i), .bytes = noise(1000, i)}));
    QCOMPARE(cache_size(*cache_)->entries, std::int64_t{4});
    QVERIFY(cache_->get({.key = "f0"}).hit());
    QVERIFY(cache_->put({.key = "f4", .bytes = noise(1000, 4)}));
    QCOMPARE(cache_size(*cache_)->stored, std::int64_t{4000});
    QCOMPARE(files_in(store_ + "/blobs"), std::size_t{4});
    QVERIFY(cache_->get({.key = "f0"}).hit());  // was used since
    QVERIFY(!cache_->get({.key = "f1"}).hit());
    QVERIFY(cache_->get({.key = "f4"}).hit());
    QCOMPARE(tombstones(*cache_, "f1", 10)->front().reason, std::string("size"));
    for (unsigned i = 10; i < 300; ++i) QVERIFY(cache_->put({.key = "g" + std::to_string(i), .bytes = noise(1000, i)}));
    QVERIFY(cache_size(*cache_)->stored <= 4000);
    QVERIFY(cache_->get({.key = "g299"}).hit());
    QVERIFY(cache_->put({.key = "huge", .bytes = noise(9000, 7)}));  // larger than all: it stays, alone
    QVERIFY(cache_->get({.key = "huge"}).hit());
    QCOMPARE(cache_size(*cache_)->entries, std::int64_t{1});
  }

  void age_counts_from_the_last_use() {
    struct Yesterday : Os {
      std::int64_t now() override { return Os::now() - 86'400'000'000'000; }
    } yesterday;
    replace_os(&yesterday);
    QVERIFY(cache_->put({.key = "old", .bytes = "1"}));
    QVERIFY(cache_->put({.key = "served", .bytes = "3"}));
    replace_os(nullptr);
    QVERIFY(cache_->put({.key = "new", .bytes = "2"}));
    QVERIFY(cache_->get({.key = "served"}).hit());
    const auto done = evict(*cache_, {.max_age = std::chrono::hours(1)});
    QCOMPARE(done->entries, std::int64_t{1});
    QCOMPARE(tombstones(*cache_, "old", 1)->front().reason, std::string("age"));
  }

  void content_that_another_entry_shares_stays() {
    const std::string shared = noise(1000, 1);
    QVERIFY(cache_->put({.key = "a", .bytes = shared}));
    QVERIFY(cache_->put({.key = "b", .bytes = shared}));
    QCOMPARE(cache_->remove(Layer::fx_graph, "a").value_or(-1), std::int64_t{1});
    QVERIFY(cache_->get({.key = "b"}).entry.bytes == shared);
    QCOMPARE(cache_->remove(Layer::fx_graph, "").value_or(-1), std::int64_t{1});
    QCOMPARE(files_in(store_ + "/blobs"), std::size_t{0});
    QCOMPARE(cache_size(*cache_)->stored, std::int64_t{0});
  }

  void verify_finds_and_mends() {
    QVERIFY(cache_->put({.key = "good", .bytes = noise(1000, 1)}));
    QVERIFY(cache_->put({.key = "bad", .bytes = noise(1000, 2)}));
    QVERIFY(verify_cache(store_, false)->problems.empty());
    bool damaged = false;
    for (const auto& f : std::filesystem::recursive_directory_iterator(store_ + "/blobs")) {
      if (!f.is_regular_file() || damaged) continue;
      std::fstream(f.path(), std::ios::in | std::ios::out) << "damage";
      damaged = true;
    }
    std::ofstream(store_ + "/blobs/orphan");
    std::filesystem::create_directory(store_ + "/blobs/ab");
    std::ofstream(store_ + "/blobs/ab/" + std::string(62, 'c')) << "nobody's";
    const auto found = verify_cache(store_, false);
    QVERIFY(found);
    QCOMPARE(found->problems.size(), std::size_t{2});
    const auto mended = verify_cache(store_, true);
    QCOMPARE(mended->repaired, std::int64_t{2});
    QVERIFY(verify_cache(store_, false)->problems.empty());
    QCOMPARE(cache_size(*cache_)->entries, std::int64_t{1});
  }

  void verify_checks_what_entries_say() {
    QVERIFY(cache_->put({.key = "good", .guard = "L['t0'] <= 8", .bytes = "1", .files = bundle_}));
    QVERIFY(cache_->put({.key = "bad", .guard = "L['t0'] <= 8", .bytes = "2"}));
    QVERIFY(verify_cache(store_, false)->problems.empty());
    QVERIFY(sql("UPDATE entry SET guard = 'L[''t0''] <= 9' WHERE key = 'bad'"));
    const auto found = verify_cache(store_, false);
    QCOMPARE(found->problems.size(), std::size_t{1});
    QVERIFY(found->problems.front().what.find("checksum") != std::string::npos);
    QCOMPARE(verify_cache(store_, true)->repaired, std::int64_t{1});
    QVERIFY(verify_cache(store_, false)->problems.empty());
    const Hints hints({7});
    QVERIFY(cache_->get({.key = "good", .hints = &hints}).hit());
    QCOMPARE(tombstones(*cache_, "bad", 1)->front().reason, std::string("damaged"));
    QVERIFY(sql("UPDATE bundle_file SET name = 'other'"));  // the bundle's names are part of the sum
    QCOMPARE(verify_cache(store_, true)->repaired, std::int64_t{1});
    QCOMPARE(cache_size(*cache_)->entries, std::int64_t{0});
  }

  /// As a process does that closes the store as the last: which it can be where this one's locks were lost.
  void a_log_that_was_removed_is_not_written_to() {
    QVERIFY(cache_->put({.key = "f1", .bytes = "1"}));
    QVERIFY(sql("PRAGMA wal_checkpoint(TRUNCATE)"));
    for (const char* file : {"/cache.db-wal", "/cache.db-shm"}) std::filesystem::remove(store_ + file);
    QVERIFY(cache_->put({.key = "f2", .bytes = "2"}));
    QVERIFY(std::filesystem::exists(store_ + "/cache.db-wal"));
    QVERIFY(std::filesystem::file_size(store_ + "/cache.db-wal") > 0);
    QVERIFY(cache_->get({.key = "f1"}).hit());
    QVERIFY(cache_->get({.key = "f2"}).hit());
    QVERIFY(verify_cache(store_, false)->problems.empty());
  }

  void a_database_beyond_repair_is_set_aside() {
    QVERIFY(cache_->put({.key = "f1", .bytes = "x"}));
    cache_.reset();
    {
      std::fstream file(store_ + "/cache.db", std::ios::in | std::ios::out);
      file.seekp(8192);
      file << std::string(60000, 'x');
    }
    const auto found = verify_cache(store_, false);
    QVERIFY2(found, found ? "" : found.error().line().c_str());
    QVERIFY(!found->problems.empty());
    QVERIFY(verify_cache(store_, true));
    QVERIFY(std::filesystem::exists(store_ + "/cache.db.damaged"));
    auto fresh = ArtifactCache::open(store_);
    QVERIFY(fresh);
    QVERIFY((*fresh)->put({.key = "f1", .bytes = "x"}));
  }
};

QTEST_APPLESS_MAIN(TestMaintenance)
#include "test_maintenance.moc"
