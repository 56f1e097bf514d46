// SPDX-License-Identifier: Apache-2.0
// What history costs: a further lookup of a known graph must stay under 1 KB, all that a run brings with it included.
#include <QTest>

#include "keyhole/db/recorder.h"
#include "keyhole/db/store.h"
#include "keyhole/ingest/trace.h"
#include "replay.h"
#include "temporary_folder.h"

using namespace keyhole;
using keyhole::test::Replay;
using keyhole::test::TemporaryFolder;

namespace {

/// Bytes of history.db with its log written back.
std::int64_t store_size(const std::string& store) {
  auto db = open_history(store);
  if (!db) return -1;
  db->value("PRAGMA wal_checkpoint(TRUNCATE)");
  FileInfo info;
  return os().stat(store + "/history.db", info) == 0 ? info.size : -1;
}

void print_tables(const std::string& store) {
  auto db = open_history(store);
  if (!db) return;
  Query q(*db, "SELECT name, sum(pgsize), sum(payload), sum(ncell) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 24");
  while (q.next())
    qInfo("%-28s %8lld bytes, payload %8lld, %6lld cells", std::string(q.text(0)).c_str(),
          static_cast<long long>(q.integer(1)), static_cast<long long>(q.integer(2)),
          static_cast<long long>(q.integer(3)));
}

}  // namespace

class TestSize : public QObject {
  Q_OBJECT

 private slots:
  void a_further_lookup_of_a_known_graph_costs_under_1_kb() {
    ComponentPool pool;
    Replay recording;
    const auto read = read_trace(KEYHOLE_SOURCE_DIR "/tests/data/db/train.log.xz", {}, pool, recording);
    VERIFY_OK(read);
    const auto fx = static_cast<std::int64_t>(recording.lookups(Layer::fx_graph));
    QCOMPARE(fx, 2);

    const TemporaryFolder folder;
    const std::string store = folder / "s";
    const auto record = [&](int from, int to) {
      for (int n = from; n < to; ++n) {
        auto r = Recorder::open(store);
        VERIFY_OK(r);
        const Nanoseconds start = 1'770'000'000'000'000'000 + n * 61'234'567'891LL;
        RunRecord run;
        run.name = "run" + std::to_string(n);
        run.argv = {"python", "train.py", "--steps", "100"};
        run.cwd = "/home/user/project";
        run.env_json = R"({"TORCHINDUCTOR_CACHE_DIR":"/var/cache/inductor","OMP_NUM_THREADS":"2"})";
        run.git_commit = "0123456789abcdef0123456789abcdef01234567";
        run.versions_json = R"({"torch":"2.13.0","python":"3.11.2"})";
        run.start = start;
        run.end = start + 4'700'000'000;
        run.exit_status = 0;
        VERIFY_OK((*r)->begin_run(run));
        recording.play(**r, n, n % 101, pool);
        VERIFY_OK((*r)->commit());
      }
    };
    record(0, 1);
    const auto before = store_size(store);
    record(1, 201);
    const auto after = store_size(store);
    const auto each = (after - before) / (200 * fx);
    print_tables(store);
    qInfo("first run %lld bytes, then %lld bytes a FX lookup over 200 runs", static_cast<long long>(before),
          static_cast<long long>(each));
    QVERIFY2(each < 1000, qPrintable(QString::number(each)));

    // The same again adds nothing.
    record(150, 201);
    QCOMPARE(store_size(store), after);
  }
};

QTEST_GUILESS_MAIN(TestSize)
#include "test_size.moc"
