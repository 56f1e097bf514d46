// SPDX-License-Identifier: Apache-2.0
// What `keyhole gc` throws out of the store's own cache, and that a later miss knows it. A compiler is the producer.
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "command.h"

using keyhole::test::Keyhole;
using keyhole::test::Ran;

class TestGc : public QObject {
  Q_OBJECT

  static void compile(const Keyhole& keyhole, int n) {
    const QString source = keyhole.folder.filePath(QString("f%1.cpp").arg(n));
    QFile file(source);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("int f" + QByteArray::number(n) + "() { return " + QByteArray::number(n) + "; }\n");
    file.close();
    QProcessEnvironment environment = keyhole.environment;
    environment.insert("KEYHOLE_STORE", keyhole.store());
    const Ran ran =
        keyhole::test::run(Keyhole::program(), {"cc", "--", "c++", "-c", source, "-o", source + ".o"}, environment);
    QVERIFY2(ran.status == 0, ran.told());
  }
  static int entries(const Keyhole& keyhole) {
    return static_cast<int>(keyhole({"ls", "--json"}).json().array().size());
  }

 private slots:
  void a_miss_of_what_was_thrown_out_is_evicted_data() {
    QTest::addColumn<QStringList>("limit");
    QTest::addColumn<QByteArray>("said");
    QTest::newRow("size") << QStringList{"--max-size", "0"} << QByteArray("size limit");
    QTest::newRow("age") << QStringList{"--max-age", "0s"} << QByteArray("age limit");
  }
  void a_miss_of_what_was_thrown_out_is_evicted() {
    QFETCH(QStringList, limit);
    QFETCH(QByteArray, said);
    const Keyhole keyhole;
    for (int n = 0; n < 3; ++n) compile(keyhole, n);
    QCOMPARE(entries(keyhole), 3);
    const Ran dry = keyhole(QStringList{"gc", "--dry-run", "--json"} + limit);
    QVERIFY2(dry.status == 0 && dry.json().object()["cache_entries"].toInt() == 3, dry.told());
    QCOMPARE(entries(keyhole), 3);
    const Ran gone = keyhole(QStringList{"gc", "--json"} + limit);
    QVERIFY2(gone.status == 0 && gone.json().object()["cache_entries"].toInt() == 3, gone.told());
    QCOMPARE(entries(keyhole), 0);
    compile(keyhole, 1);
    QJsonArray told = keyhole({"why", "--all", "--json"}).json().array();
    QVERIFY(!told.isEmpty());
    const QJsonObject last = told.last().toObject();
    QVERIFY2(last["verdict"].toString() == "evicted" && last["summary"].toString().toUtf8().contains(said) &&
                 last["fix"].toString().contains(limit[0]),
             QJsonDocument(last).toJson());
    compile(keyhole, 1);
    told = keyhole({"why", "--all", "--json"}).json().array();
    QCOMPARE(told.last()["verdict"].toString(), QString("hit"));
    // Only programs that look things up are runs.
    for (const QJsonValue& run : keyhole({"log", "--json"}).json().array()) QVERIFY(run["lookups"].toInt() > 0);
  }
};

QTEST_GUILESS_MAIN(TestGc)
#include "test_gc.moc"
