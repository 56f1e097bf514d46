// SPDX-License-Identifier: Apache-2.0
// Every row of `keyhole doctor`, each in the situation that it is for.
#include <QDateTime>
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "child_process.h"

using keyhole::test::Child;
using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

class TestDoctor : public QObject {
  Q_OBJECT

  /// With a cache folder that is in order; `home` is where the tests may put things.
  static void in_order(Keyhole& keyhole) {
    const QString cache = keyhole.folder.filePath("cache");
    QVERIFY(QDir().mkpath(cache));
    keyhole.environment.insert("TORCHINDUCTOR_CACHE_DIR", cache);
    keyhole.environment.insert("PATH", keyhole.folder.filePath("bin") + ":" + qEnvironmentVariable("PATH"));
  }
  /// The finding of that check; empty where doctor has none.
  static QJsonObject finding(const Keyhole& keyhole, const QString& check, const QString& what = {}) {
    const Ran ran = keyhole({"doctor", "--json"});
    for (const QJsonValue& f : ran.json().object()["findings"].toArray())
      if (f["check"].toString() == check && f["what"].toString().contains(what)) return f.toObject();
    return {};
  }
  static void write(const QString& path, const QByteArray& content) {
    QVERIFY(QDir().mkpath(QFileInfo(path).path()));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(content);
  }

 private slots:
  void a_debug_variable_changes_keys_and_switches_nothing_off() {
    Keyhole keyhole;
    in_order(keyhole);
    QVERIFY(finding(keyhole, "provenance").isEmpty());
    keyhole.environment.insert("TORCH_COMPILE_DEBUG", "1");
    const QJsonObject found = finding(keyhole, "provenance", "TORCH_COMPILE_DEBUG=1");
    QVERIFY(found["why"].toString().contains("switches no cache off"));
    QVERIFY(found["why"].toString().contains("provenance_tracking_level"));
    QVERIFY(finding(keyhole, "cache_off").isEmpty());
    keyhole.environment.insert("INDUCTOR_PROVENANCE", "0");  // goes before it
    QVERIFY(finding(keyhole, "provenance").isEmpty());
  }
  void caches_that_the_environment_switches_off_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<QString>("value");
    QTest::newRow("all") << "TORCHINDUCTOR_FORCE_DISABLE_CACHES"
                         << "1";
    QTest::newRow("all, of torch.compile") << "TORCH_COMPILE_FORCE_DISABLE_CACHES"
                                           << "1";
    QTest::newRow("fx_graph") << "TORCHINDUCTOR_FX_GRAPH_CACHE"
                              << "0";
    QTest::newRow("aot_autograd") << "TORCHINDUCTOR_AUTOGRAD_CACHE"
                                  << "0";
    QTest::newRow("triton") << "TRITON_ALWAYS_COMPILE"
                            << "1";
  }
  void caches_that_the_environment_switches_off() {
    QFETCH(QString, name);
    QFETCH(QString, value);
    Keyhole keyhole;
    in_order(keyhole);
    keyhole.environment.insert(name, value == "1" ? "0" : "1");
    QVERIFY(finding(keyhole, "cache_off").isEmpty());
    keyhole.environment.insert(name, value);
    QCOMPARE(finding(keyhole, "cache_off", name)["spoils"].toBool(), true);
  }
  void caches_that_a_config_switched_off_in_the_last_run() {
    Keyhole keyhole;
    in_order(keyhole);
    const Ran ran = keyhole({"import", "--run", "off", KEYHOLE_SOURCE_DIR "/tests/data/traces/caches_off.log.xz"});
    QVERIFY2(ran.status == 0, ran.told());
    const QJsonObject found = finding(keyhole, "cache_off", "was off in run off");
    QVERIFY(found["spoils"].toBool() && !found["advice"].toString().isEmpty());
  }
  void another_pytorch_than_in_the_last_run() {
    Keyhole keyhole;
    in_order(keyhole);
    QCOMPARE(keyhole({"import", "--run", "r", sample("warm-up")}).status, 0);
    write(keyhole.folder.filePath("bin/python"), "#!/bin/sh\n");
    QVERIFY(QFile::setPermissions(keyhole.folder.filePath("bin/python"),
                                  QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner));
    const QString version = keyhole.folder.filePath("lib/python3.11/site-packages/torch/version.py");
    write(version, "__version__ = '2.12.0'\ndebug = False\n");
    const QJsonObject found = finding(keyhole, "versions");
    QVERIFY2(found["what"].toString().contains("2.12.0 here"), QJsonDocument(found).toJson());
    QVERIFY(found["what"].toString().contains("PyTorch 2.13.0"));
    write(version, "__version__ = '2.13.0+cpu'\n");
    QVERIFY(finding(keyhole, "versions").isEmpty());
  }
  void a_clock_that_is_behind() {
    Keyhole keyhole;
    in_order(keyhole);
    const QString file = keyhole.folder.filePath("cache/fxgraph/ab/fabc/entry");
    write(file, "x");
    QVERIFY(finding(keyhole, "clock").isEmpty());
    QFile entry(file);
    QVERIFY(entry.open(QIODevice::ReadWrite));
    QVERIFY(entry.setFileTime(QDateTime::currentDateTime().addDays(2), QFileDevice::FileModificationTime));
    entry.close();
    QVERIFY(finding(keyhole, "clock")["what"].toString().contains("behind the newest file"));
  }
  void folders_without_room_or_right_to_write() {
    const Keyhole keyhole;
    if (Child({"unshare", "-rm", "true"}).wait().status != 0)
      QSKIP("no mount namespace of its own: full and read-only folders were not tried");
    const QString script =
        "mkdir $2/disk && mount -t tmpfs -o size=2m full $2/disk && mkdir $2/disk/cache && export "
        "TORCHINDUCTOR_CACHE_DIR=$2/disk/cache && "
        "$1 --store $2/disk/store import $3 && $1 --store $2/disk/store doctor --json > $2/full; "
        "mount -o remount,ro $2/disk; $1 --store $2/disk/store doctor --json > $2/read_only; true";
    const Ran ran = Child({"unshare", "-rm", "bash", "-c", script, "bash", Keyhole::program(), keyhole.folder.path(),
                           sample("warm-up")})
                        .wait();
    QVERIFY2(ran.status == 0, ran.told());
    const auto found = [&](const char* file, const char* check, const char* what) {
      QFile report(keyhole.folder.filePath(file));
      if (!report.open(QIODevice::ReadOnly)) return false;
      for (const QJsonValue& f : QJsonDocument::fromJson(report.readAll()).object()["findings"].toArray())
        if (f["check"].toString() == check && f["what"].toString().contains(what)) return true;
      return false;
    };
    QVERIFY(found("full", "folder", " free"));
    QVERIFY(found("full", "store", " free"));
    QVERIFY(found("read_only", "folder", "read-only"));
    QVERIFY(found("read_only", "store", "cannot be written: Read-only file system"));
  }
};

QTEST_GUILESS_MAIN(TestDoctor)
#include "test_doctor.moc"
