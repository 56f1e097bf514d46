// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/artifact_cache.h"

#include <sqlite3.h>

#include <QTemporaryDir>
#include <QtTest>
#include <filesystem>
#include <fstream>

#include "keyhole/base/checksum.h"
#include "keyhole/base/os.h"
#include "keyhole/base/pool.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/guard/expression.h"
#include "keyhole/key/hash.h"

using namespace keyhole;

namespace {

std::string noise(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  for (auto& b : bytes) b = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24);
  return bytes;
}

}  // namespace

class TestArtifactCache : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> folder_;
  std::string store_;

  std::unique_ptr<ArtifactCache> open(CacheOptions options = {}) {
    auto cache = ArtifactCache::open(store_, options);
    if (!cache) qFatal("%s", cache.error().line().c_str());
    return std::move(*cache);
  }
  void sql(const char* statement) {
    sqlite3* db = nullptr;
    QCOMPARE(sqlite3_open((store_ + "/cache.db").c_str(), &db), SQLITE_OK);
    QCOMPARE(sqlite3_exec(db, statement, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
  }

 private slots:
  void init() {
    folder_ = std::make_unique<QTemporaryDir>();
    store_ = folder_->filePath("store").toStdString();
  }

  void what_was_put_is_served() {
    auto cache = open();
    QCOMPARE(cache->get({.key = "fabc"}).status, std::string("full_miss"));
    const auto stored = cache->put({.key = "fabc", .bytes = "artifact", .metadata = "{\"a\": 1}", .cost = 42});
    QVERIFY(stored);
    QVERIFY(stored->added);
    QCOMPARE(stored->name, sha256_hash("artifact"));
    const auto found = cache->get({.key = "fabc"});
    QVERIFY(found.hit());
    QVERIFY(found.local);
    QCOMPARE(found.entry.bytes, std::string("artifact"));
    QCOMPARE(found.entry.metadata, std::string("{\"a\": 1}"));
    QCOMPARE(found.entry.cost, Nanoseconds{42});
    QCOMPARE(cache->get({.layer = Layer::aot_autograd, .key = "fabc"}).status, std::string("full_miss"));
    const auto again = cache->put({.key = "fabc", .bytes = "artifact"});
    QVERIFY(again && !again->added);
  }

  void every_size_and_codec_comes_back() {
    auto cache = open({.inline_limit = 10000, .compress_over = 5000});
    for (const std::size_t size : {0, 1, 4999, 5001, 9999, 10001, 300000}) {
      for (const bool compressible : {false, true}) {
        const std::string key = "k" + std::to_string(size) + (compressible ? "c" : "n");
        const std::string bytes = compressible ? std::string(size, 'x') : noise(size);
        QVERIFY(cache->put({.key = key, .bytes = bytes}));
        const auto found = cache->get({.key = key});
        QVERIFY2(found.hit(), found.reason.c_str());
        QVERIFY(found.entry.bytes == bytes);
      }
    }
    std::size_t files = 0;
    for (const auto& f : std::filesystem::recursive_directory_iterator(store_ + "/blobs")) files += f.is_regular_file();
    QCOMPARE(files, std::size_t{2});  // only what neither fits into a row nor compresses
  }

  void the_guard_chooses_among_the_entries_of_a_key() {
    auto cache = open();
    QVERIFY(cache->put({.key = "f1", .guard = "L['t0'] == 8", .bytes = "eight"}));
    QVERIFY(cache->put({.key = "f1", .guard = "L['t0'] == 9", .bytes = "nine"}));
    const Hints eight({8}), nine({9}), ten({10});
    QCOMPARE(cache->get({.key = "f1", .hints = &eight}).entry.bytes, std::string("eight"));
    QCOMPARE(cache->get({.key = "f1", .hints = &nine}).entry.guard, std::string("L['t0'] == 9"));
    const auto miss = cache->get({.key = "f1", .hints = &ten});
    QCOMPARE(miss.status, std::string("guard_miss"));
    QCOMPARE(miss.outcome, Outcome::guard_miss);
    QVERIFY(miss.entry.bytes.empty());
    // Candidates come in the order of their content's hash: the last one's guard is told.
    const bool eight_last = sha256_hash("eight") > sha256_hash("nine");
    QCOMPARE(miss.guard, std::string(eight_last ? "L['t0'] == 8" : "L['t0'] == 9"));
  }

  void the_same_content_may_stand_under_two_guards() {
    auto cache = open();
    QVERIFY(cache->put({.key = "f1", .guard = "L['t0'] == 8", .bytes = "same"})->added);
    QVERIFY(cache->put({.key = "f1", .guard = "L['t0'] == 9", .bytes = "same"})->added);
    const Hints nine({9});
    QVERIFY(cache->get({.key = "f1", .hints = &nine}).hit());
    QCOMPARE(cache_size(*cache)->stored, std::int64_t{4});
  }

  void a_guard_that_cannot_be_evaluated_is_a_miss_that_says_so() {
    auto cache = open();
    QVERIFY(cache->put({.key = "f1", .guard = "8 // L['t0'] == 1", .bytes = "x"}));
    const Hints zero({0});
    const auto found = cache->get({.key = "f1", .hints = &zero});
    QCOMPARE(found.outcome, Outcome::error);
    QCOMPARE(found.status, std::string("guard_miss"));
    QVERIFY2(found.reason.find("division") != std::string::npos, found.reason.c_str());
    QCOMPARE(cache->get({.key = "f1", .hints = &zero, .skip_guards = true}).entry.bytes, std::string("x"));
  }

  void a_bundle_is_one_entry() {
    auto cache = open();
    const std::vector<NamedFile> files{{"k/kernel.cubin", noise(70000)}, {"k/kernel.json", "{}"}, {"empty", ""}};
    QVERIFY(cache->put({.layer = Layer::triton, .key = "t1", .bytes = "meta", .files = files}));
    const auto found = cache->get({.layer = Layer::triton, .key = "t1"});
    QVERIFY2(found.hit(), found.reason.c_str());
    QCOMPARE(found.entry.files.size(), std::size_t{3});
    for (std::size_t i = 0; i < 3; ++i) {
      QCOMPARE(found.entry.files[i].name, files[i].name);
      QVERIFY(found.entry.files[i].bytes == files[i].bytes);
    }
    for (const char* name : {"/abs", "../up", "a/../b", "", "a//b", "./a"}) {
      const std::vector<NamedFile> bad{{name, "x"}};
      QVERIFY(!cache->put({.key = "t2", .files = bad}));
    }
  }

  void a_damaged_entry_is_not_served_and_a_put_mends_it() {
    auto cache = open();
    QVERIFY(cache->put({.key = "f1", .bytes = "the right bytes"}));
    sql("UPDATE chunk SET data = CAST('the wrong bytes' AS BLOB)");
    const auto found = cache->get({.key = "f1"});
    QVERIFY(!found.hit());
    QCOMPARE(found.status, std::string("full_miss"));
    QVERIFY2(found.reason.find("checksum") != std::string::npos, found.reason.c_str());
    QVERIFY(cache->put({.key = "f1", .bytes = "the right bytes"}));
    QCOMPARE(cache->get({.key = "f1"}).entry.bytes, std::string("the right bytes"));
  }

  void a_forged_blob_passes_the_checksum_but_not_distrust() {
    QVERIFY(open()->put({.key = "f1", .bytes = "abcd"}));
    // Bytes and checksum changed together, as an attacker would.
    sql(("UPDATE chunk SET data = CAST('abcx' AS BLOB); UPDATE blob SET checksum = " + std::to_string(crc32c("abcx")))
            .c_str());
    QVERIFY(open()->get({.key = "f1"}).hit());
    QVERIFY(!open({.distrust = true})->get({.key = "f1"}).hit());
  }

  void a_vanished_file_is_a_miss() {
    auto cache = open({.inline_limit = 10});
    QVERIFY(cache->put({.key = "f1", .bytes = noise(1000)}));
    std::filesystem::remove_all(store_ + "/blobs");
    QVERIFY(!cache->get({.key = "f1"}).hit());
    QVERIFY(cache->put({.key = "f1", .bytes = noise(1000)}));
    QVERIFY(cache->get({.key = "f1"}).hit());
  }

  void what_lies_beyond_is_the_last_candidate() {
    auto cache = open();
    QVERIFY(cache->put({.key = "f1", .guard = "L['t0'] == 8", .bytes = "local"}));
    int asked = 0;
    const auto beyond = [&]() -> std::optional<FoundEntry> {
      ++asked;
      return FoundEntry{.guard = "L['t0'] == 5", .bytes = "remote"};
    };
    const Hints eight({8}), five({5}), six({6});
    QVERIFY(cache->get({.key = "f1", .hints = &eight, .beyond = beyond}).local);
    QCOMPARE(asked, 0);
    const auto remote = cache->get({.key = "f1", .hints = &five, .beyond = beyond});
    QVERIFY(remote.hit());
    QVERIFY(!remote.local);
    QCOMPARE(remote.entry.bytes, std::string("remote"));
    QCOMPARE(cache->get({.key = "f1", .hints = &six, .beyond = beyond}).guard, std::string("L['t0'] == 5"));
  }

  void a_locked_store_costs_a_get_its_patience_and_no_more() {
    auto cache = open({.get_patience = std::chrono::milliseconds(40), .put_patience = std::chrono::milliseconds(100)});
    QVERIFY(cache->put({.key = "f1", .bytes = "x"}));
    cache.reset();
    sqlite3* other = nullptr;
    QCOMPARE(sqlite3_open((store_ + "/cache.db").c_str(), &other), SQLITE_OK);
    QCOMPARE(sqlite3_exec(other, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM entry", nullptr,
                          nullptr, nullptr),
             SQLITE_OK);
    // Another's ordinary write transaction does not keep a get waiting.
    auto second = ArtifactCache::open(
        store_, {.get_patience = std::chrono::milliseconds(40), .put_patience = std::chrono::milliseconds(100)});
    if (second) {
      QElapsedTimer timer;
      timer.start();
      const auto found = (*second)->get({.key = "f1"});
      QVERIFY(timer.elapsed() < 4000);  // the other one never lets go
      QVERIFY(found.hit() || found.reason == "lock_timeout");
    } else {
      QCOMPARE(second.error().kind, ErrorKind::busy);
    }
    sqlite3_close(other);
  }

  void components_are_kept_with_the_entry() {
    auto cache = open();
    ComponentPool pool;
    std::vector<ComponentPtr> components;
    for (int i = 0; i < 600; ++i)
      components.push_back(
          pool.intern("inductor_config[c" + std::to_string(i) + "]", sha256(std::to_string(i)), "True"));
    components.push_back(pool.intern("gm", sha256("gm"), "GraphModule()"));
    QVERIFY(cache->put({.key = "f1", .bytes = "1", .components = components}));
    const auto before = cache_size(*cache)->stored;
    components.back() = pool.intern("gm", sha256("other"), "GraphModule(other)");
    QVERIFY(cache->put({.key = "f2", .bytes = "2", .components = components}));
    QCOMPARE(cache_size(*cache)->stored, before + 1);
    const auto found = cache->get({.key = "f2"});
    ComponentPool other;
    const auto back = cache->components(found.entry.id, other);
    QVERIFY(back);
    QCOMPARE(back->size(), std::size_t{601});
    for (std::size_t i = 0; i < back->size(); ++i) {
      QCOMPARE((*back)[i]->name, components[i]->name);
      QCOMPARE((*back)[i]->digest, components[i]->digest);
      QCOMPARE((*back)[i]->text, components[i]->text);
    }
  }

  void what_is_kept_in_memory_follows_the_store() {
    auto cache = open(), other = open();
    QVERIFY(other->put({.key = "f1", .guard = "L['t0'] <= 8", .bytes = "old"}));
    const Hints small({4}), large({16});
    for (int i = 0; i < 4; ++i) QVERIFY(cache->get({.key = "f1", .hints = &small}).entry.bytes == "old");
    QCOMPARE(cache->get({.key = "f1", .hints = &large}).status, std::string("guard_miss"));
    QVERIFY(other->put({.key = "f1", .guard = "L['t0'] > 8", .bytes = "for large ones"}));
    QVERIFY(cache->get({.key = "f1", .hints = &large}).entry.bytes == "for large ones");
    for (int i = 0; i < 3; ++i) QVERIFY(cache->get({.key = "f1", .hints = &small}).entry.bytes == "old");
    QVERIFY(other->remove(Layer::fx_graph, "f1"));
    QVERIFY(!cache->get({.key = "f1", .hints = &small}).hit());
    QVERIFY(!cache->get({.key = "f1", .hints = &large}).hit());
    QVERIFY(cache->put({.key = "f1", .bytes = "new"}));
    for (int i = 0; i < 3; ++i) QVERIFY(cache->get({.key = "f1"}).entry.bytes == "new");
    // Each was noted, from wherever it was served: 4 + 1 + 1 + 3 + 2 + 3 lookups, 2 of the put's own are none.
    const auto taken = take_in_journals(*cache, std::chrono::seconds(10));
    QVERIFY(taken);
    QCOMPARE(*taken, std::int64_t{14});
  }

  void memory_is_bounded() {
    auto cache = open({.recall_limit = 100 << 10});
    for (unsigned i = 0; i < 12; ++i)
      QVERIFY(cache->put({.key = "f" + std::to_string(i), .bytes = noise(20 << 10, i)}));
    for (int round = 0; round < 4; ++round)
      for (unsigned i = 0; i < 12; ++i)
        QVERIFY(cache->get({.key = "f" + std::to_string(i)}).entry.bytes == noise(20 << 10, i));
  }

  void a_guard_that_the_disk_changed_serves_nothing() {
    auto cache = open();
    QVERIFY(cache->put({.key = "f1", .guard = "L['t0'] <= 8", .bytes = "for small ones"}));
    sql("UPDATE entry SET guard = replace(guard, '8', '9')");
    const Hints hints({9});
    const auto found = cache->get({.key = "f1", .hints = &hints});
    QVERIFY(!found.hit());
    QVERIFY2(found.reason.find("checksum") != std::string::npos, found.reason.c_str());
  }

  /// Whatever byte of the database changes: what is served is what was put, and nothing dies.
  void flipped_bytes_serve_nothing_wrong() {
    const auto content = [](int i) { return noise(i % 3 == 0 ? 300 : 9000, static_cast<unsigned>(i)); };
    const auto key = [](int i) { return "f" + std::to_string(i / 2); };
    const char* const guards[] = {"L['t0'] <= 8", "L['t0'] > 8"};
    const std::string file = noise(500, 99);
    {
      auto cache = open();
      for (int i = 0; i < 40; ++i) {
        const NamedFile bundle[] = {{"kernel.bin", file}};
        QVERIFY(cache->put({.key = key(i),
                            .guard = guards[i % 2],
                            .bytes = content(i),
                            .files = i % 5 == 0 ? std::span<const NamedFile>(bundle) : std::span<const NamedFile>(),
                            .metadata = "{\"n\": 1}"}));
      }
    }
    std::string whole;
    {
      std::ifstream in(store_ + "/cache.db", std::ios::binary);
      whole.assign(std::istreambuf_iterator<char>(in), {});
    }
    unsigned seed = 4711;
    const auto random = [&] { return (seed = seed * 1664525U + 1013904223U) >> 8; };
    int served = 0, refused = 0, not_opened = 0;
    for (int flip = 0; flip < 200; ++flip) {
      QTemporaryDir place;
      const std::string store = place.filePath("store").toStdString();
      std::filesystem::create_directories(store + "/journal");
      std::string bytes = whole;
      // Half of them in the first pages of a tree and in small rows, which random bytes of content would rarely hit.
      const std::size_t at =
          flip % 2 == 0 ? random() % bytes.size() : random() % (bytes.size() / 8192) * 8192 + random() % 200;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      std::ofstream(store + "/cache.db", std::ios::binary) << bytes;
      auto cache = ArtifactCache::open(store, {.record = false});
      if (!cache) {
        QVERIFY(!cache.error().line().empty());
        ++not_opened;
        continue;
      }
      for (int i = 0; i < 40; ++i) {
        const Hints hints({i % 2 == 0 ? 4 : 16});
        for (int again = 0; again < 3; ++again) {
          const auto found = (*cache)->get({.key = key(i), .hints = &hints});
          const auto where = QStringLiteral("byte %1, key %2").arg(at).arg(i);
          if (found.hit()) {
            ++served;
            QVERIFY2(found.entry.bytes == content(i), qPrintable(where));
            QVERIFY2(found.entry.guard == guards[i % 2] && found.entry.metadata == "{\"n\": 1}", qPrintable(where));
            QVERIFY2(found.entry.files.size() == (i % 5 == 0 ? 1U : 0U), qPrintable(where));
            if (i % 5 == 0) QVERIFY2(found.entry.files[0].bytes == file, qPrintable(where));
          } else {
            ++refused;
          }
        }
      }
    }
    qInfo("200 flips: %d gets served what was put, %d were misses, %d stores were not opened", served, refused,
          not_opened);
    QVERIFY(served > 10000);
    QVERIFY(refused > 0);
  }

  void the_clock_may_go_back() {
    struct Yesterday : Os {
      std::int64_t now() override { return Os::now() - 86'400'000'000'000; }
    } yesterday;
    auto cache = open({.max_size = 3500});
    QVERIFY(cache->put({.key = "f1", .bytes = noise(1000, 1)}));
    QVERIFY(cache->get({.key = "f1"}).hit());
    replace_os(&yesterday);
    for (unsigned i = 2; i < 6; ++i) {  // older by the clock than what is there: what was just put stays nevertheless
      const std::string key = "f" + std::to_string(i);
      QVERIFY(cache->put({.key = key, .bytes = noise(1000, i)}));
      QVERIFY(cache->get({.key = key}).hit());
    }
    const auto taken = take_in_journals(*cache, std::chrono::seconds(10));
    replace_os(nullptr);
    QVERIFY(taken);
    QVERIFY(cache_size(*cache)->stored <= 3500);
    QVERIFY(verify_cache(store_, false)->problems.empty());
  }

  void opening_refuses_what_is_not_ours() {
    std::filesystem::create_directories(store_);
    std::ofstream(store_ + "/cache.db") << std::string(4096, 'x');
    const auto cache = ArtifactCache::open(store_);
    QVERIFY(!cache);
    QCOMPARE(cache.error().kind, ErrorKind::bad_input);
  }

  void a_newer_format_is_refused_with_a_message() {
    open();
    sql("PRAGMA user_version = 99");
    const auto cache = ArtifactCache::open(store_);
    QVERIFY(!cache);
    QCOMPARE(cache.error().kind, ErrorKind::unsupported);
    QVERIFY(cache.error().line().find("99") != std::string::npos);
  }
};

QTEST_APPLESS_MAIN(TestArtifactCache)
#include "test_artifact_cache.moc"
