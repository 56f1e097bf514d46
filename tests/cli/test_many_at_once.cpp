// SPDX-License-Identifier: Apache-2.0
// One store and many processes of the built `keyhole`: writers, a backup, a sweep, and those that are killed.
#include <QJsonArray>
#include <QJsonObject>
#include <QRandomGenerator>
#include <QtTest>
#include <deque>

#include "child_process.h"

using keyhole::test::Child;
using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

class TestManyAtOnce : public QObject {
  Q_OBJECT

  static QStringList words(const Keyhole& keyhole, const QStringList& arguments) {
    return QStringList{Keyhole::program(), "--store", keyhole.store()} + arguments;
  }
  static QStringList import(const Keyhole& keyhole, const QString& run, const char* what = "warm-up") {
    return words(keyhole, {"import", "--run", run, sample(what)});
  }
  static void is_sound(const Keyhole& keyhole) {
    const Ran ran = keyhole({"verify"});
    QVERIFY2(ran.status == 0, ran.told());
  }
  static int runs(const Keyhole& keyhole) { return static_cast<int>(keyhole({"log", "--json"}).json().array().size()); }

 private slots:
  void sixteen_writers_make_and_fill_one_store() {
    const Keyhole keyhole;
    std::deque<Child> writers;
    for (int i = 0; i < 16; ++i)
      writers.emplace_back(import(keyhole, QString("run%1").arg(i), i % 2 ? "after-change" : "warm-up"));
    for (Child& writer : writers) {
      const Ran ran = writer.wait();
      QVERIFY2(ran.status == 0 && ran.err.isEmpty(), ran.told());
    }
    is_sound(keyhole);
    QVERIFY(runs(keyhole) >= 2);  // one source is one run, whoever comes first names it
    int lookups = 0;
    for (const QJsonValue& run : keyhole({"log", "--json"}).json().array()) lookups += run["lookups"].toInt();
    QCOMPARE(lookups, 6);
  }

  void a_backup_and_a_sweep_beside_writers() {
    const Keyhole keyhole;
    QCOMPARE(Child(import(keyhole, "first")).wait().status, 0);
    for (int round = 0; round < 3; ++round) {
      const QString copy = keyhole.folder.filePath(QString("copy%1").arg(round));
      QVERIFY(QDir().mkpath(copy));
      Child writer(import(keyhole, QString("run%1").arg(round), "after-change"));
      Child sweep(words(keyhole, {"gc", "--max-size", "0"}));
      Child backup(words(keyhole, {"backup", copy + "/history.db"}));
      for (Child* child : {&writer, &sweep, &backup}) {
        const Ran ran = child->wait();
        QVERIFY2(ran.status == 0 && ran.err.isEmpty(), ran.told());
      }
      const Ran whole = keyhole({"verify", "--store", copy});
      QVERIFY2(whole.status == 0, whole.told());
      is_sound(keyhole);
    }
  }

  void ended_at_any_moment_it_leaves_a_sound_store_data() {
    QTest::addColumn<bool>("recording");
    QTest::addColumn<int>("number");
    QTest::newRow("import, SIGKILL") << false << SIGKILL;
    QTest::newRow("import, SIGINT") << false << SIGINT;
    QTest::newRow("import, SIGTERM") << false << SIGTERM;
    QTest::newRow("record, SIGKILL") << true << SIGKILL;
  }
  void ended_at_any_moment_it_leaves_a_sound_store() {
    QFETCH(bool, recording);
    QFETCH(int, number);
    const Keyhole keyhole;
    QRandomGenerator random(7);
    // What a program traces, as it would: a file that appears in the folder that TORCH_TRACE names.
    const QString trace = QDir(sample("warm-up")).filePath(QDir(sample("warm-up")).entryList({"*.xz"}).value(0));
    const QString program = "xz -dc '" + trace + "' > \"$TORCH_TRACE/dedicated_log_torch_trace_x.log\"; sleep 0.2";
    int killed = 0;
    for (int i = 0; i < 20; ++i) {
      Child child(recording ? words(keyhole, {"record", "--", "sh", "-c", program})
                            : import(keyhole, QString("run%1").arg(i)));
      ::usleep(random.bounded(recording ? 300'000 : 60'000));
      child.signal(number);
      const Ran ran = child.wait();
      QVERIFY2(ran.status == 128 + number || ran.status == 0, ran.told());
      killed += ran.status != 0;
      if (QFile::exists(keyhole.store() + "/history.db")) is_sound(keyhole);
      if (QTest::currentTestFailed()) return;
    }
    QVERIFY2(killed > 0, QByteArray::number(killed).constData());
    QCOMPARE(Child(import(keyhole, "whole")).wait().status, 0);
    is_sound(keyhole);
    int lookups = 0;
    for (const QJsonValue& run : keyhole({"log", "--json"}).json().array()) lookups += run["lookups"].toInt();
    QVERIFY(lookups >= 3);
  }

  void what_reads_no_further_ends_it_quietly() {
    const Keyhole keyhole;
    for (const char* run : {"warm-up", "after-change"}) QCOMPARE(Child(import(keyhole, run, run)).wait().status, 0);
    const QString command =
        "'" + Keyhole::program() + "' --store '" + keyhole.store() + "' why --all --json | head -c 1";
    const Ran ran = Child({"bash", "-c", "set -o pipefail; " + command}).wait();
    QVERIFY2(ran.err.isEmpty() && ran.out.size() == 1, ran.told());
  }
};

QTEST_GUILESS_MAIN(TestManyAtOnce)
#include "test_many_at_once.moc"
