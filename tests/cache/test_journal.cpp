// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include <sys/wait.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <QtTest>
#include <fstream>

#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/brief.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/reader.h"
#include "keyhole/key/hash.h"

using namespace keyhole;
using std::chrono::seconds;

namespace {

/// Runs `body` in a child and waits for its end. Gives the exit status, or -signal.
int in_child(const std::function<void()>& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::vector<LookupRow> history(const std::string& store) {
  auto reader = Reader::open(store);
  if (!reader) return {};
  std::vector<LookupRow> all;
  for (const auto& run : reader->runs().value_or(std::vector<RunRow>{}))
    for (auto& lookup : reader->lookups_of_run(run.id).value_or(std::vector<LookupRow>{}))
      all.push_back(std::move(lookup));
  return all;
}

}  // namespace

class TestJournal : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> folder_;
  std::string store_;

 private slots:
  void init() {
    folder_ = std::make_unique<QTemporaryDir>();
    store_ = folder_->filePath("store").toStdString();
  }

  void runs_of_components_come_back() {
    ComponentPool pool, other;
    std::vector<ComponentPtr> all{
        pool.intern("gm", sha256("a"), "graph\nwith lines"), pool.intern("inductor_config[a]", sha256("b"), "True"),
        pool.intern("inductor_config[b]", sha256("c"), "False"), pool.intern("example_inputs[0]", sha256("d"), "t")};
    const auto runs = runs_of(all);
    QCOMPARE(runs.size(), std::size_t{3});
    std::vector<ComponentPtr> back;
    for (const auto& run : runs) QVERIFY(decode_run(encode_run(run), other, back));
    QCOMPARE(back.size(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i) QCOMPARE(back[i]->text, all[i]->text);
    const auto bytes = encode_run(runs[1]);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      std::vector<ComponentPtr> none;
      QVERIFY(!decode_run(std::string_view(bytes).substr(0, n), other, none));
    }
  }

  void the_death_of_a_process_loses_nothing() {
    const int status = in_child([&] {
      auto cache = ArtifactCache::open(store_);
      ComponentPool pool;
      const std::vector<ComponentPtr> components{pool.intern("gm", sha256("g"), "the graph")};
      for (int i = 0; i < 50; ++i) {
        const std::string key = "f" + std::to_string(i);
        static_cast<void>((*cache)->get({.key = key, .components = components}));
        static_cast<void>((*cache)->put({.key = key, .bytes = "x", .components = components, .cost = 7}));
        static_cast<void>((*cache)->get({.key = key}));
      }
      kill(getpid(), SIGKILL);
    });
    QCOMPARE(status, -SIGKILL);
    QVERIFY(history(store_).empty());
    const auto events = take_in_journals(store_, seconds(20));
    QVERIFY2(events, events ? "" : events.error().line().c_str());
    QCOMPARE(*events, std::int64_t{100});
    const auto lookups = history(store_);
    QCOMPARE(lookups.size(), std::size_t{100});
    std::size_t hits = 0, misses = 0;
    auto reader = Reader::open(store_);
    for (const auto& lookup : lookups) {
      (lookup.record.outcome == Outcome::hit ? hits : misses) += 1;
      if (lookup.record.outcome == Outcome::miss) QCOMPARE(lookup.record.cost, Nanoseconds{7});
      ComponentPool pool;
      const auto components = reader->components(lookup.component_set, pool);
      QVERIFY(components && components->size() == 1);
      QCOMPARE(components->front()->text, std::string("the graph"));
    }
    QCOMPARE(hits, std::size_t{50});
    QCOMPARE(misses, std::size_t{50});
    std::vector<std::string> left;
    os().list(store_ + "/journal", left);
    QCOMPARE(left, std::vector<std::string>{"taking.lock"});

    auto cache = ArtifactCache::open(store_, {.record = false});
    const auto entries = cached_entries(**cache, {}, "f7", 0, 10);
    QCOMPARE(entries->at(0).hits, std::int64_t{1});
    QVERIFY(entries->at(0).last_use > 0);
  }

  void a_living_journal_is_read_twice_and_counted_once() {
    auto cache = ArtifactCache::open(store_);
    static_cast<void>((*cache)->get({.key = "f1"}));
    QCOMPARE(take_in_journals(store_, seconds(20)).value_or(-1), std::int64_t{1});
    QCOMPARE(take_in_journals(store_, seconds(20)).value_or(-1), std::int64_t{0});
    static_cast<void>((*cache)->put({.key = "f1", .bytes = "x"}));
    static_cast<void>((*cache)->get({.key = "f1"}));
    static_cast<void>((*cache)->get({.key = "f1"}));
    QCOMPARE(take_in_journals(store_, seconds(20)).value_or(-1), std::int64_t{2});
    QCOMPARE(history(store_).size(), std::size_t{3});
    const auto entries = cached_entries(**cache, {}, "", 0, 10);
    QCOMPARE(entries->at(0).hits, std::int64_t{2});
  }

  void the_journals_of_a_whole_build_are_taken_in_by_the_group() {
    constexpr std::int64_t kCompiles = 200;
    auto cache = ArtifactCache::open(store_, {.record = false});
    QVERIFY((*cache)->put({.key = "f1", .bytes = "x"}));
    const std::int64_t entry = cached_entries(**cache, {}, "f1", 0, 1)->at(0).id;
    for (std::int64_t i = 0; i < kCompiles; ++i)
      QCOMPARE(in_child([&] {
                 LookupRecord lookup;
                 lookup.layer = Layer::fx_graph;
                 lookup.key = "f1";
                 lookup.outcome = Outcome::hit;
                 lookup.time = 1000 + i;
                 if (!leave_lookup(store_, {"a build", {"make"}}, lookup, entry)) _exit(1);
               }),
               0);
    QCOMPARE(take_in_journals(store_, seconds(20)).value_or(-1), kCompiles);
    QCOMPARE(take_in_journals(store_, seconds(20)).value_or(-1), std::int64_t{0});
    QCOMPARE(history(store_).size(), std::size_t{kCompiles});
    QCOMPARE(cached_entries(**cache, {}, "f1", 0, 1)->at(0).hits, kCompiles);
    std::vector<std::string> left;
    os().list(store_ + "/journal", left);
    QCOMPARE(left, std::vector<std::string>{"taking.lock"});
  }

  void a_fork_starts_a_journal_and_connections_of_its_own() {
    auto cache = ArtifactCache::open(store_);
    QVERIFY((*cache)->put({.key = "f1", .bytes = "x"}));
    QVERIFY((*cache)->get({.key = "f1"}).hit());
    QCOMPARE(in_child([&] {
               if (!(*cache)->get({.key = "f1"}).hit()) _exit(1);
               if (!(*cache)->put({.key = "f2", .bytes = "y"})) _exit(2);
             }),
             0);
    QVERIFY((*cache)->get({.key = "f2"}).hit());
    QCOMPARE(take_in_journals(store_, seconds(20)).value_or(-1), std::int64_t{3});
    auto reader = Reader::open(store_);
    const auto runs = reader->runs();
    QCOMPARE(runs->size(), std::size_t{1});  // a process and its forks are one run
    QCOMPARE(reader->processes(runs->front().id)->size(), std::size_t{2});
  }

  void a_torn_or_damaged_frame_ends_the_reading() {
    {
      auto cache = ArtifactCache::open(store_);
      for (int i = 0; i < 5; ++i) static_cast<void>((*cache)->get({.key = "f" + std::to_string(i)}));
    }
    std::vector<std::string> names;
    os().list(store_ + "/journal", names);
    const std::string path = store_ + "/journal/" + names.front();
    const auto whole = read_file(path);
    QVERIFY(whole);
    const auto count = [](std::string_view bytes) {
      int frames = 0;
      read_journal(bytes, 0, [&](std::uint64_t, std::string_view) { return ++frames, true; });
      return frames;
    };
    QCOMPARE(count(*whole), 6);  // the process and its lookups
    const std::size_t end = read_journal(*whole, 0, [](std::uint64_t, std::string_view) { return true; });
    for (std::size_t n = 0; n + 8 <= end; ++n) QVERIFY(count(std::string_view(*whole).substr(0, n)) < 6);
    for (std::size_t n = kJournalHeader; n < end; n += 3) {
      std::string changed = *whole;
      changed[n] = static_cast<char>(changed[n] ^ 0x21);
      QVERIFY(count(changed) <= 6);
    }
  }
};

QTEST_APPLESS_MAIN(TestJournal)
#include "test_journal.moc"
