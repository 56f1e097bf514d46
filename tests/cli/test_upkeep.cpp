// SPDX-License-Identifier: Apache-2.0
// Upkeep, lists and gates of the built `keyhole`, on the sample recording.
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "command.h"

using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

class TestUpkeep : public QObject {
  Q_OBJECT

  static void import_sample(const Keyhole& keyhole) {
    for (const char* run : {"warm-up", "after-change"}) {
      const Ran ran = keyhole({"import", "--run", run, sample(run)});
      QVERIFY2(ran.status == 0, ran.told());
    }
  }
  static QByteArray some_bytes(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.read(16) : QByteArray();
  }

 private slots:
  void help_has_an_example_data() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"verify", "backup", "gc", "search", "ls", "stats", "guards", "ranks", "doctor",
                             "expect-hit", "compare", "predict", "export"})
      QTest::newRow(name) << name;
  }
  void help_has_an_example() {
    QFETCH(QString, name);
    const Ran ran = Keyhole()({name, "--help"});
    QVERIFY2(ran.status == 0 && ran.out.contains("Example:\n  keyhole ") && ran.out.contains("--json"), ran.told());
  }
  void wrong_usage_is_one_line_and_status_2_data() {
    QTest::addColumn<QStringList>("arguments");
    for (const char* line :
         {"verify --frobnicate", "backup", "gc", "gc --max-size big", "gc --max-age 30", "gc --max-age -3d", "search",
          "ls --layer frobnicate", "stats x", "guards", "guards fabcd --hint s0=five", "ranks x", "doctor x",
          "expect-hit x", "compare a", "compare a b --fail-on frobnicate"})
      QTest::newRow(line) << QString(line).split(' ');
  }
  void wrong_usage_is_one_line_and_status_2() {
    QFETCH(QStringList, arguments);
    const Keyhole keyhole;
    const Ran ran = keyhole(arguments);
    QVERIFY2(ran.status == 2 && ran.err.startsWith("keyhole: ") && ran.err.count('\n') == 1, ran.told());
  }
  void without_a_store_each_says_what_to_do_data() {
    QTest::addColumn<QStringList>("arguments");
    for (const char* line : {"verify", "backup copy.db", "gc --max-age 30d", "search x", "ls", "stats", "guards fabcd",
                             "ranks", "expect-hit", "compare a b"})
      QTest::newRow(line) << QString(line).split(' ');
  }
  void without_a_store_each_says_what_to_do() {
    QFETCH(QStringList, arguments);
    const Keyhole keyhole;
    const Ran ran = keyhole(arguments);
    QVERIFY2(ran.status == 1 && ran.err.count('\n') == 1 && ran.err.contains("keyhole record -- "), ran.told());
    QVERIFY2(!QDir(keyhole.store()).exists(), "looking made a store");
  }

  void a_sound_store_verifies_and_a_damaged_one_is_mended() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran sound = keyhole({"verify", "--json"});
    QVERIFY2(sound.status == 0 && sound.json().object()["sound"].toBool(), sound.told());
    QCOMPARE(sound.json().object()["lookups"].toInt(), 6);
    QFile cache(keyhole.store() + "/cache.db");
    QVERIFY(cache.open(QIODevice::WriteOnly));
    cache.write(QByteArray(8192, 'x'));
    cache.close();
    const Ran damaged = keyhole({"verify"});
    QVERIFY2(damaged.status == 1 && !damaged.err.isEmpty() && damaged.err.count('\n') == 1, damaged.told());
    const Ran mended = keyhole({"verify", "--repair"});
    QVERIFY2(mended.status == 0, mended.told());
    const Ran again = keyhole({"verify", "--json"});
    QVERIFY2(again.status == 0 && again.json().object()["lookups"].toInt() == 6, again.told());
  }
  void a_backup_is_a_store_of_its_own() {
    const Keyhole keyhole;
    import_sample(keyhole);
    QVERIFY(QDir().mkpath(keyhole.folder.filePath("copy")));
    const QString file = keyhole.folder.filePath("copy/history.db");
    const Ran ran = keyhole({"backup", file});
    QVERIFY2(ran.status == 0 && some_bytes(file).startsWith("SQLite format 3"), ran.told());
    QCOMPARE(keyhole({"log", "--json", "--store", keyhole.folder.filePath("copy")}).out,
             keyhole({"log", "--json"}).out);
    const Ran twice = keyhole({"backup", file});
    QVERIFY2(twice.status == 2 && twice.err.count('\n') == 1, twice.told());
  }
  void gc_forgets_what_is_old_but_the_newest_run() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran dry = keyhole({"gc", "--max-size", "0", "--dry-run", "--json"});
    QVERIFY2(dry.status == 0 && dry.json().object()["runs"].toArray() == QJsonArray{"warm-up"}, dry.told());
    QCOMPARE(keyhole({"log", "--json"}).json().array().size(), 2);
    const Ran gone = keyhole({"gc", "--max-size", "0", "--json"});
    QVERIFY2(gone.status == 0 && gone.json().object()["lookups"].toInt() == 3, gone.told());
    const QJsonArray left = keyhole({"log", "--json"}).json().array();
    QCOMPARE(left.size(), 1);
    QCOMPARE(left[0].toObject()["run"].toString(), QString("after-change"));
    QCOMPARE(keyhole({"verify"}).status, 0);
    const Ran nothing = keyhole({"gc", "--max-size", "5GiB", "--json"});
    QVERIFY2(nothing.json().object()["runs"].toArray().isEmpty(), nothing.told());
  }
  void search_finds_the_flag_and_says_where() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const QJsonArray found = keyhole({"search", "EPILOGUE_FUSION", "--json"}).json().array();
    QVERIFY(!found.isEmpty());
    QVERIFY(found[0].toObject().contains("kind") && found[0].toObject().contains("excerpt"));
    QCOMPARE(keyhole({"search", "no such text anywhere"}).out, QByteArray("nothing found\n"));
  }
  void stats_count_by_layer() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran all = keyhole({"stats", "--json"});
    int lookups = 0;
    for (const QJsonValue& layer : all.json().object()["layers"].toArray()) {
      const QJsonObject row = layer.toObject();
      lookups += row["lookups"].toInt();
      QCOMPARE(row["hits"].toInt() + row["misses"].toInt() + row["guard_misses"].toInt() + row["bypasses"].toInt() +
                   row["errors"].toInt(),
               row["lookups"].toInt());
    }
    QVERIFY2(lookups == 6 && all.json().object()["history_bytes"].toInt() > 0, all.told());
    const Ran one = keyhole({"stats", "--run", "warm-up"});
    QVERIFY2(one.status == 0 && one.out.contains("fx_graph"), one.told());
  }
  void ls_of_a_store_without_entries_says_how_to_get_some() {
    const Keyhole keyhole;
    import_sample(keyhole);
    QVERIFY(keyhole({"ls"}).out.startsWith("no entries; "));
    QCOMPARE(keyhole({"ls", "--json"}).json().array().size(), 0);
  }
  void ranks_of_a_run() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran ran = keyhole({"ranks", "--json"});
    QVERIFY2(ran.status == 0 && ran.json().object()["graphs"].isArray(), ran.told());
  }
  void expect_hit_fails_where_the_run_missed() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran ran = keyhole({"expect-hit", "--json"});
    QVERIFY2(ran.status == 3, ran.told());
    QCOMPARE(ran.json().object()["missed"].toArray().size(), 3);
    QVERIFY(keyhole({"expect-hit"}).out.contains("inductor_config[epilogue_fusion]"));
  }
  void compare_fails_on_what_the_earlier_run_did_not_miss() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const QJsonObject told = keyhole({"compare", "warm-up", "after-change", "--json"}).json().object();
    const int fresh = static_cast<int>(told["new_misses"].toArray().size());
    QCOMPARE(told["misses_after"].toInt(), 3);
    QCOMPARE(fresh, 3 - told["misses_before"].toInt());
    QCOMPARE(keyhole({"compare", "warm-up", "after-change", "--fail-on", "new-miss"}).status, fresh ? 3 : 0);
    QCOMPARE(keyhole({"compare", "warm-up", "warm-up", "--fail-on", "new-miss"}).status, 0);
  }
  void doctor_names_a_cache_that_is_off() {
    Keyhole keyhole;
    keyhole.environment.insert("TORCHINDUCTOR_CACHE_DIR", keyhole.folder.path());
    QCOMPARE(keyhole({"doctor"}).status, 0);
    keyhole.environment.insert("TORCHINDUCTOR_FX_GRAPH_CACHE", "0");
    const Ran ran = keyhole({"doctor", "--json"});
    QVERIFY2(ran.status == 1 && !ran.json().object()["warm_start"].toBool(true), ran.told());
    bool named = false;
    for (const QJsonValue& finding : ran.json().object()["findings"].toArray())
      named = named || (finding.toObject()["what"].toString().contains("TORCHINDUCTOR_FX_GRAPH_CACHE") &&
                        !finding.toObject()["advice"].toString().isEmpty());
    QVERIFY2(named, ran.told());
  }
  void doctor_names_a_folder_that_is_not_there() {
    Keyhole keyhole;
    keyhole.environment.insert("TORCHINDUCTOR_CACHE_DIR", keyhole.folder.filePath("nowhere"));
    const Ran ran = keyhole({"doctor"});
    QVERIFY2(ran.status == 1 && ran.out.contains("nowhere is not there"), ran.told());
  }
};

QTEST_GUILESS_MAIN(TestUpkeep)
#include "test_upkeep.moc"
