// SPDX-License-Identifier: Apache-2.0
// An import is killed at every write, sync, truncation, deletion and rename that it makes.
#include <sys/wait.h>
#include <unistd.h>

#include <QTest>

#include "fault_vfs.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"
#include "keyhole/db/upkeep.h"
#include "keyhole/ingest/trace.h"
#include "replay.h"
#include "temporary_folder.h"

using namespace keyhole;
using keyhole::test::Fault;
using keyhole::test::Replay;
using keyhole::test::TemporaryFolder;

namespace {

constexpr int kRuns = 3;

struct Outcome3 {
  int status = 0;     // exit status of the child
  int committed = 0;  // runs that it saw committed before it ended
};

/// Imports all runs, telling each commit. 0: done; 3: the store refused, in good order.
int import_all(const std::string& store, const Replay& recording, ComponentPool& pool, int report_to) {
  auto r = Recorder::open(store, report_to >= 0);  // what is repeated after a crash need not reach the disk
  if (!r) return 3;
  for (int n = 0; n < kRuns; ++n) {
    RunRecord run;
    run.name = "run" + std::to_string(n);
    if (!(*r)->begin_run(run)) return 3;
    recording.play(**r, n, n, pool);
    const auto done = (*r)->commit();
    if (!done) return done.error().kind == ErrorKind::io ? 3 : 4;
    const char byte = 'c';
    if (report_to >= 0 && ::write(report_to, &byte, 1) != 1) return 5;
  }
  return 0;
}

Outcome3 import_in_child(const std::string& store, const Replay& recording, ComponentPool& pool, Fault::Kind kind,
                         long at) {
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) qFatal("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe_ends[0]);
    Fault::install(kind, at);
    ::_exit(import_all(store, recording, pool, pipe_ends[1]));
  }
  ::close(pipe_ends[1]);
  Outcome3 outcome;
  for (char byte; ::read(pipe_ends[0], &byte, 1) == 1;) ++outcome.committed;
  ::close(pipe_ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

/// All that the store holds, as one text to compare.
std::string content(const std::string& store) {
  auto reader = Reader::open(store);
  if (!reader) return reader.error().line();
  std::string all;
  ComponentPool pool;
  const auto runs = reader->runs();
  for (const auto& run : *runs) {
    all += run.record.name + " " + std::to_string(run.lookups) + "\n";
    const auto lookups = reader->lookups_of_run(run.id);
    for (const auto& l : *lookups) {
      all += l.record.key + l.record.status + std::to_string(l.record.time) + l.function;
      const auto components = reader->components(l.component_set, pool);
      for (const auto* c : *components) all += c->name + c->digest.hex() + c->text;
      const auto texts = reader->texts(l.process, l.record.compile);
      all += std::to_string(texts->size()) + "\n";
    }
  }
  return all;
}

}  // namespace

class TestCrash : public QObject {
  Q_OBJECT

 private slots:
  void initTestCase() {
    const auto read = read_trace(KEYHOLE_SOURCE_DIR "/tests/data/db/train.log.xz", {}, pool_, recording_);
    VERIFY_OK(read);
    const TemporaryFolder folder;
    QCOMPARE(import_all(folder / "s", recording_, pool_, -1), 0);
    expected_ = content(folder / "s");
    QVERIFY(expected_.size() > 10000);
  }

  void any_step_data() {
    QTest::addColumn<int>("kind");
    QTest::newRow("kill -9") << static_cast<int>(Fault::Kind::kill);
    QTest::newRow("power cut") << static_cast<int>(Fault::Kind::power_cut);
    QTest::newRow("disk full") << static_cast<int>(Fault::Kind::full);
    QTest::newRow("input/output error") << static_cast<int>(Fault::Kind::broken);
  }

  /// Kill -9 is tried at every step; the others, which cost the same, at every fifth.
  void any_step() {
    QFETCH(int, kind);
    const auto fault = static_cast<Fault::Kind>(kind);
    const int stride = fault == Fault::Kind::kill ? 1 : 5;
    int tried = 0;
    for (long at = 1;; at += stride, ++tried) {
      const TemporaryFolder folder;
      const std::string store = folder / "s";
      const Outcome3 outcome = import_in_child(store, recording_, pool_, fault, at);
      if (outcome.status == 0) break;
      const bool killed = fault == Fault::Kind::kill || fault == Fault::Kind::power_cut;
      QVERIFY2(outcome.status == (killed ? Fault::kExitStatus : 3),
               qPrintable(QString("step %1: exit status %2").arg(at).arg(outcome.status)));
      if (auto reader = Reader::open(store); reader) {
        const auto report = verify_history(store, false);
        VERIFY_OK(report);
        QVERIFY2(report->faults.empty(), report->faults.empty() ? "" : report->faults.front().what.c_str());
        const auto runs = reader->runs();
        VERIFY_OK(runs);
        if (fault != Fault::Kind::power_cut)
          QVERIFY2(static_cast<int>(runs->size()) >= outcome.committed, qPrintable(QString("step %1").arg(at)));
      } else {
        QVERIFY2(reader.error().kind == ErrorKind::not_found && outcome.committed == 0, reader.error().line().c_str());
      }
      QCOMPARE(import_all(store, recording_, pool_, -1), 0);
      QVERIFY2(content(store) == expected_, qPrintable(QString("step %1: the repeated import differs").arg(at)));
    }
    qInfo("%d points tried", tried);
    QVERIFY(tried > 20);
  }

 private:
  ComponentPool pool_;
  Replay recording_;
  std::string expected_;
};

QTEST_GUILESS_MAIN(TestCrash)
#include "test_crash.moc"
