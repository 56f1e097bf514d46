// SPDX-License-Identifier: Apache-2.0
// Forgetting runs while others record: everybody gets a turn, what is used again stays, and a kill leaves a sound
// store.
#include <sys/wait.h>
#include <unistd.h>

#include <QTest>
#include <functional>

#include "fault_vfs.h"
#include "keyhole/base/os.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"
#include "keyhole/db/sqlite.h"
#include "keyhole/db/upkeep.h"
#include "keyhole/ingest/trace.h"
#include "replay.h"
#include "temporary_folder.h"

using namespace keyhole;
using keyhole::test::Fault;
using keyhole::test::Replay;
using keyhole::test::TemporaryFolder;

namespace {

/// Every look at the clock finds a turn over; what would be slept is spent on `meanwhile`.
class Hurry : public Os {
 public:
  std::int64_t monotonic() override { return clock_ += 30'000'000; }
  void sleep(std::int64_t) override {
    ++pauses;
    if (meanwhile) meanwhile();
  }
  std::function<void()> meanwhile;
  int pauses = 0;

 private:
  std::int64_t clock_ = 0;
};

class Replaced {
 public:
  explicit Replaced(Os& os) { replace_os(&os); }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  ~Replaced() { replace_os(nullptr); }
};

}  // namespace

class TestForget : public QObject {
  Q_OBJECT

  void record(const std::string& store, int from, int to) {
    auto recorder = Recorder::open(store, false);
    VERIFY_OK(recorder);
    for (int n = from; n < to; ++n) play(**recorder, n);
    VERIFY_OK((*recorder)->commit());
  }
  void play(Recorder& recorder, int n) {
    RunRecord run;
    run.name = "run" + std::to_string(n);
    VERIFY_OK(recorder.begin_run(run));
    recording_.play(recorder, n, n, pool_, n);
  }
  static std::vector<RowId> runs_but(const std::string& store, const std::string& kept) {
    std::vector<RowId> ids;
    const auto runs = *Reader::open(store)->runs();
    for (const auto& run : runs)
      if (run.record.name != kept) ids.push_back(run.id);
    return ids;
  }
  /// All that a run's lookups were made of.
  static std::string content(const std::string& store, const std::string& name) {
    auto reader = Reader::open(store);
    if (!reader) return reader.error().line();
    ComponentPool pool;
    std::string all;
    const auto run = *reader->run_named(name);
    const auto lookups = *reader->lookups_of_run(run->id);
    for (const auto& l : lookups) {
      all += l.record.key;
      const auto components = reader->components(l.component_set, pool);
      if (!components) return components.error().line();
      for (const auto* c : *components) all += c->name + c->text;
      const auto texts = *reader->texts(l.process, l.record.compile);
      for (const auto& t : texts) all += t.name + t.text;
    }
    return all;
  }
  static void is_sound(const std::string& store) {
    const auto verified = verify_history(store, false);
    VERIFY_OK(verified);
    QVERIFY2(verified->faults.empty(), verified->faults.empty() ? "" : verified->faults.front().what.c_str());
  }

 private slots:
  void initTestCase() {
    const auto read = read_trace(KEYHOLE_SOURCE_DIR "/tests/data/db/train.log.xz", {}, pool_, recording_);
    VERIFY_OK(read);
  }

  void whoever_waits_gets_the_lock_after_a_bounded_number_of_rows() {
    const TemporaryFolder folder;
    record(folder.path(), 0, 60);
    const auto going = runs_but(folder.path(), "run0");
    auto other = Db::open(folder / "history.db", {.busy_ms = 0});
    VERIFY_OK(other);
    const auto rows = [&] {
      return other
          ->value(
              "SELECT (SELECT count(*) FROM lookup) + (SELECT count(*) FROM compile_text) + "
              "(SELECT count(*) FROM symbol) + (SELECT count(*) FROM compile) + (SELECT count(*) FROM text) + "
              "(SELECT count(*) FROM component) + (SELECT count(*) FROM component_group) + "
              "(SELECT count(*) FROM component_set) + (SELECT count(*) FROM trail)")
          .value_or(-1);
    };
    std::int64_t before = rows(), most = 0, refused = 0;
    Hurry hurry;
    hurry.meanwhile = [&] {
      if (!other->exec("BEGIN IMMEDIATE; COMMIT")) ++refused;
      const auto now = rows();
      most = std::max(most, before - now);
      before = now;
    };
    const Replaced os(hurry);
    const auto report = forget_runs(folder.path(), going);
    VERIFY_OK(report);
    QCOMPARE(report->runs, 59);
    QCOMPARE(refused, 0);
    QVERIFY2(hurry.pauses > 59, QByteArray::number(hurry.pauses).constData());
    QVERIFY2(most > 0 && most <= 1000, QByteArray::number(qlonglong(most)).constData());
    is_sound(folder.path());
  }

  void what_is_recorded_meanwhile_is_whole() {
    const TemporaryFolder folder, fresh;
    record(folder.path(), 0, 12);
    record(fresh.path(), 0, 12);
    const auto going = runs_but(folder.path(), "run0");
    auto recorder = Recorder::open(folder.path(), false);  // remembers ids of what goes
    VERIFY_OK(recorder);
    play(**recorder, 11);
    VERIFY_OK((*recorder)->commit());
    Hurry hurry;
    int n = 0;
    hurry.meanwhile = [&] {
      // Under other names the same again: everything is found, and some of it is about to go.
      RunRecord run;
      run.name = "again" + std::to_string(n);
      VERIFY_OK((*recorder)->begin_run(run));
      recording_.play(**recorder, 1000 + n, 1 + n % 11, pool_, 1 + n % 11);
      VERIFY_OK((*recorder)->commit());
      ++n;
    };
    {
      const Replaced os(hurry);
      VERIFY_OK(forget_runs(folder.path(), going));
    }
    QVERIFY(n > 20);
    is_sound(folder.path());
    QCOMPARE(content(folder.path(), "run0"), content(fresh.path(), "run0"));
    auto apart = Recorder::open(fresh.path(), false);
    VERIFY_OK(apart);
    for (int i = 0; i < n; ++i) {
      RunRecord run;
      run.name = "again" + std::to_string(i);
      VERIFY_OK((*apart)->begin_run(run));
      recording_.play(**apart, 1000 + i, 1 + i % 11, pool_, 1 + i % 11);
    }
    VERIFY_OK((*apart)->commit());
    for (int i = 0; i < n; ++i) {
      const std::string name = "again" + std::to_string(i);
      QVERIFY2(content(folder.path(), name) == content(fresh.path(), name), name.c_str());
    }
    auto db = Db::open(folder / "history.db", {});
    QCOMPARE(db->value("SELECT count(*) FROM kept").value_or(-1), 0);
    QCOMPARE(db->value("SELECT value FROM meta WHERE name = 'sweeping'").value_or(-1), 0);
  }

  void only_one_sweeps() {
    const TemporaryFolder folder;
    record(folder.path(), 0, 8);
    const auto going = runs_but(folder.path(), "run0");
    Hurry hurry;
    std::optional<ErrorKind> other;
    hurry.meanwhile = [&] {
      if (const auto second = forget_runs(folder.path(), {}); !second) other = second.error().kind;
    };
    const Replaced os(hurry);
    VERIFY_OK(forget_runs(folder.path(), going));
    QVERIFY(other == ErrorKind::busy);
  }

  void killed_anywhere_it_leaves_a_sound_store_and_goes_on() {
    const TemporaryFolder origin;
    record(origin.path(), 0, 6);
    const auto going = runs_but(origin.path(), "run0");
    const std::string kept = content(origin.path(), "run0");
    int points = 0;
    bool done = false;
    for (long at = 1; !done; at += 1 + at / 12, ++points) {
      const TemporaryFolder folder;
      VERIFY_OK(backup_history(origin.path(), folder / "history.db"));
      const pid_t child = ::fork();
      if (child == 0) {
        Fault::install(Fault::Kind::kill, at);
        static Hurry hurry;  // in front of the fault's own: a kill strikes in SQLite's files
        replace_os(&hurry);
        ::_exit(forget_runs(folder.path(), going) ? 0 : 3);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      QVERIFY2(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == Fault::kExitStatus),
               QByteArray::number(status).constData());
      done = WEXITSTATUS(status) == 0;
      is_sound(folder.path());
      if (QTest::currentTestFailed()) return;
      VERIFY_OK(forget_runs(folder.path(), runs_but(folder.path(), "run0")));
      is_sound(folder.path());
      QVERIFY(content(folder.path(), "run0") == kept);
      auto db = Db::open(folder / "history.db", {});
      QCOMPARE(db->value("SELECT count(*) FROM component_set WHERE id NOT IN (SELECT component_set FROM lookup WHERE "
                         "component_set IS NOT NULL)")
                   .value_or(-1),
               0);
      if (QTest::currentTestFailed()) return;
    }
    qInfo("killed at %d operations", points - 1);
    QVERIFY(points > 20);
  }

 private:
  ComponentPool pool_;
  Replay recording_;
};

QTEST_GUILESS_MAIN(TestForget)
#include "test_forget.moc"
