// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <QTest>

#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"
#include "keyhole/db/store.h"
#include "keyhole/db/upkeep.h"
#include "keyhole/ingest/trace.h"
#include "replay.h"
#include "temporary_folder.h"

using namespace keyhole;
using keyhole::test::Replay;
using keyhole::test::TemporaryFolder;

class TestUpkeep : public QObject {
  Q_OBJECT

 private slots:
  void initTestCase() {
    VERIFY_OK(read_trace(KEYHOLE_SOURCE_DIR "/tests/data/db/train.log.xz", {}, pool_, recording_));
  }

  void a_sound_store_has_no_faults() {
    const TemporaryFolder folder;
    record(folder.path(), 3);
    for (const bool repair : {false, true}) {
      const auto report = verify_history(folder.path(), repair);
      VERIFY_OK(report);
      QVERIFY2(report->faults.empty(), report->faults.empty() ? "" : report->faults.front().what.c_str());
      QCOMPARE(report->lookups, 9 + dynamo_);
      QVERIFY(report->texts > 500 && report->component_sets >= 4);
    }
  }

  void what_is_wrong_is_found_and_mended_data() {
    QTest::addColumn<QByteArray>("sql");
    QTest::newRow("counter") << QByteArray("UPDATE run SET hits = 99 WHERE id = 1");
    QTest::newRow("text") << QByteArray("UPDATE text SET body = x'00112233' WHERE id = (SELECT max(id) FROM text)");
    QTest::newRow("component") << QByteArray("DELETE FROM component WHERE id = 5");
    QTest::newRow("process") << QByteArray("DELETE FROM process WHERE id = 2");
    QTest::newRow("run") << QByteArray("DELETE FROM run WHERE id = 2");
    QTest::newRow("key") << QByteArray("DELETE FROM key WHERE id = 1");
  }
  void what_is_wrong_is_found_and_mended() {
    QFETCH(QByteArray, sql);
    const TemporaryFolder folder;
    record(folder.path(), 3);
    {
      auto db = open_history(folder.path());
      VERIFY_OK(db);
      QVERIFY(db->exec(sql.constData()));
    }
    const auto found = verify_history(folder.path(), false);
    VERIFY_OK(found);
    QVERIFY(!found->faults.empty() && !found->faults.front().mended);
    VERIFY_OK(verify_history(folder.path(), true));
    const auto after = verify_history(folder.path(), false);
    VERIFY_OK(after);
    QVERIFY2(after->faults.empty(), after->faults.empty() ? "" : after->faults.front().what.c_str());
  }

  void a_broken_page_costs_only_what_was_on_it() {
    const TemporaryFolder folder;
    record(folder.path(), 40);
    FileInfo info;
    os().stat(folder / "history.db", info);
    // A page of the lookup table, overwritten.
    std::int64_t page = 0;
    {
      auto db = open_history(folder.path());
      VERIFY_OK(db);
      page = db->value("SELECT pageno FROM dbstat WHERE name = 'lookup' AND pagetype = 'leaf' LIMIT 1").value_or(0);
    }
    QVERIFY(page > 1);
    const int fd = os().open(folder / "history.db", O_WRONLY);
    const std::string rubbish(4096, '\x5a');
    QCOMPARE(::pwrite(fd, rubbish.data(), rubbish.size(), (page - 1) * 4096), 4096);
    os().close(fd);
    const auto found = verify_history(folder.path(), false);
    VERIFY_OK(found);
    QVERIFY(!found->faults.empty());
    const auto mended = verify_history(folder.path(), true);
    VERIFY_OK(mended);
    QVERIFY(!mended->set_aside.empty());
    const auto after = verify_history(folder.path(), false);
    VERIFY_OK(after);
    QVERIFY2(after->faults.empty(), after->faults.empty() ? "" : after->faults.front().what.c_str());
    QVERIFY2(after->lookups > 20 && after->lookups < 120 + dynamo_, qPrintable(QString::number(after->lookups)));
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    QCOMPARE(reader->runs()->size(), std::size_t{40});
  }

  void a_backup_is_whole_while_others_write() {
    const TemporaryFolder folder;
    record(folder / "s", 3);
    auto writer = Recorder::open(folder / "s");
    VERIFY_OK(writer);
    RunRecord unfinished;
    unfinished.name = "unfinished";
    VERIFY_OK((*writer)->begin_run(unfinished));
    os().mkdir(folder / "copy");
    VERIFY_OK(backup_history(folder / "s", folder / "copy/history.db"));
    QVERIFY(!backup_history(folder / "s", folder / "copy/history.db"));
    auto reader = Reader::open(folder / "copy");
    VERIFY_OK(reader);
    QCOMPARE(reader->runs()->size(), std::size_t{3});
    QVERIFY(verify_history(folder / "copy", false)->faults.empty());
  }

  void forgotten_runs_give_their_space_back() {
    const TemporaryFolder folder;
    record(folder.path(), 30);
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    const auto kept_text = [&](Reader& r) {
      ComponentPool pool;
      std::string all;
      const auto run = *r.run_named("run0");
      const auto lookups = *r.lookups_of_run(run->id);
      for (const auto& l : lookups) {
        const auto components = r.components(l.component_set, pool);
        for (const auto* c : *components) all += c->name + c->text;
        all += l.record.key;
      }
      return all;
    };
    const std::string before = kept_text(*reader);
    std::vector<RowId> ids;
    const auto runs = *reader->runs();
    for (const auto& run : runs)
      if (run.record.name != "run0") ids.push_back(run.id);
    auto recorder = Recorder::open(folder.path());  // remembers ids that are about to go
    VERIFY_OK(recorder);
    recording_.play(**recorder, 29, 29, pool_);
    VERIFY_OK((*recorder)->commit());
    const auto report = forget_runs(folder.path(), ids);
    VERIFY_OK(report);
    QCOMPARE(report->runs, 29);
    QVERIFY2(report->bytes_after < report->bytes_before, qPrintable(QString::number(report->bytes_after)));
    const auto verified = verify_history(folder.path(), false);
    VERIFY_OK(verified);
    QVERIFY2(verified->faults.empty(), verified->faults.empty() ? "" : verified->faults.front().what.c_str());
    auto later = Reader::open(folder.path());
    VERIFY_OK(later);
    QCOMPARE(later->runs()->size(), std::size_t{1});
    QVERIFY(kept_text(*later) == before);
    // Whoever recorded meanwhile stores anew what it remembered and what is gone.
    RunRecord again;
    again.name = "again";
    VERIFY_OK((*recorder)->begin_run(again));
    recording_.play(**recorder, 77, 29, pool_);
    VERIFY_OK((*recorder)->commit());
    const auto whole = verify_history(folder.path(), false);
    VERIFY_OK(whole);
    QVERIFY2(whole->faults.empty(), whole->faults.empty() ? "" : whole->faults.front().what.c_str());
  }

  void a_damaged_cache_is_set_aside_and_the_history_stays() {
    const TemporaryFolder folder;
    record(folder.path(), 1);
    QVERIFY(!set_cache_aside(folder.path()));
    VERIFY_OK(write_file_atomic(folder / "cache.db", "rubbish"));
    const auto aside = set_cache_aside(folder.path());
    VERIFY_OK(aside);
    QCOMPARE(*read_file(*aside), std::string("rubbish"));
    QVERIFY(Reader::open(folder.path())->runs()->size() == 1);
  }

 private:
  void record(const std::string& store, int runs) {
    auto recorder = Recorder::open(store, false);
    VERIFY_OK(recorder);
    for (int n = 0; n < runs; ++n) {
      RunRecord run;
      run.name = "run" + std::to_string(n);
      VERIFY_OK((*recorder)->begin_run(run));
      recording_.play(**recorder, n, n % 5, pool_);
      VERIFY_OK((*recorder)->commit());
    }
  }

  ComponentPool pool_;
  Replay recording_;
  static constexpr int dynamo_ = 0;  // lookups of other layers in the recording
};

QTEST_GUILESS_MAIN(TestUpkeep)
#include "test_upkeep.moc"
