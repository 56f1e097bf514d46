// SPDX-License-Identifier: Apache-2.0
// Input that is made to hurt, through the built `keyhole`: it answers with one line that says where, in little memory
// and time, keeps what stood before, and runs nothing.
#include <zlib.h>
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "child_process.h"
#include "keyhole/base/mega_cache_codec.h"
#include "packing.h"
#include "pickle_writer.h"

using keyhole::Packing;
using keyhole::test::Child;
using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

namespace {
constexpr long kMemory = 200;  // MiB, whatever the input's size

QByteArray bytes(const std::string& s) {
  return {s.data(), static_cast<qsizetype>(s.size())};
}
/// A pickle that runs `touch pickle-ran-it` where somebody loads it.
QByteArray command() {
  return QByteArray("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x13touch pickle-ran-it\x85R.");
}
}  // namespace

class TestHostileInput : public QObject {
  Q_OBJECT
  QByteArray trace_;

  static QString write(const Keyhole& keyhole, const QString& name, const QByteArray& content) {
    const QString path = keyhole.folder.filePath(name);
    QDir().mkpath(QFileInfo(path).path());
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(content) != content.size()) qFatal("cannot write");
    return path;
  }
  static Ran import(const Keyhole& keyhole, const QString& path, long& peak) {
    Child child({Keyhole::program(), "--store", keyhole.store(), "import", "--run", "r", path},
                [&] { (void)!::chdir(qPrintable(keyhole.folder.path())); });
    const Ran ran = child.wait();
    peak = child.peak_mib();
    return ran;
  }
  static int lookups(const Keyhole& keyhole) {
    return static_cast<int>(keyhole({"log", "--run", "r", "--json"}).json().array().size());
  }
  static bool ran_something(const Keyhole& keyhole) { return QFile::exists(keyhole.folder.filePath("pickle-ran-it")); }

 private slots:
  void initTestCase() {
    QProcess xz;
    const QDir folder(sample("warm-up"));
    xz.start("xz", {"-dc", folder.filePath(folder.entryList({"*.xz"}).value(0))});
    if (xz.waitForFinished()) trace_ = xz.readAllStandardOutput();
    if (trace_.isEmpty()) QSKIP("there is no xz to unpack the sample: hostile input was not tried");
  }

  void whatever_stands_behind_a_trace_leaves_the_trace_data() {
    QTest::addColumn<Packing>("packing");
    QTest::addColumn<QByteArray>("behind");
    QTest::addColumn<int>("times");
    QTest::addColumn<QByteArray>("said");
    const QByteArray zeros(1 << 20, '\0');
    const QByteArray lines = QByteArray("y\n").repeated(1 << 19);
    QTest::newRow("a bomb, gzip") << Packing::gzip << zeros << 1000
                                  << QByteArray("a record of 1048576000 bytes is passed over");
    QTest::newRow("a bomb, xz") << Packing::xz << zeros << 300
                                << QByteArray("a record of 314572800 bytes is passed over");
    QTest::newRow("a bomb, zstd") << Packing::zstd << zeros << 1000
                                  << QByteArray("a record of 1048576000 bytes is passed over");
    QTest::newRow("other lines") << Packing::gzip << lines << 64
                                 << QByteArray("33554432 lines are no record of a trace");
    QTest::newRow("half a line") << Packing::none << QByteArray("V1121 10:0") << 1 << QByteArray("ends in the middle");
    QTest::newRow("other output") << Packing::none << QByteArray("Traceback") << 1 << QByteArray("1 line is no record");
  }
  void whatever_stands_behind_a_trace_leaves_the_trace() {
    QFETCH(Packing, packing);
    QFETCH(QByteArray, behind);
    QFETCH(int, times);
    QFETCH(QByteArray, said);
    const Keyhole keyhole;
    const QByteArray member =
        bytes(keyhole::packed(behind.toStdString(), packing));  // each packing allows many in a file
    const QString path =
        write(keyhole, "trace.log", bytes(keyhole::packed(trace_.toStdString(), packing)) + member.repeated(times));
    long peak = 0;
    const Ran ran = import(keyhole, path, peak);
    QVERIFY2(ran.status == 1 && ran.err.count('\n') == 1 && ran.err.contains(said), ran.told());
    QVERIFY2(ran.err.contains("trace.log, byte " + QByteArray::number(trace_.size())), ran.told());
    QVERIFY2(peak < kMemory, QByteArray::number(peak).constData());
    QCOMPARE(lookups(keyhole), 3);
  }
  void a_line_of_two_gigabytes() {
    const Keyhole keyhole;
    const QString path = write(keyhole, "trace.log", trace_);
    if (!QFile(path).resize(2'147'483'648))
      QSKIP("no room for a sparse file of 2 GB: a line of that size was not tried");
    long peak = 0;
    const Ran ran = import(keyhole, path, peak);
    QVERIFY2(ran.status == 1 && ran.err.count('\n') == 1 && ran.err.contains("bytes is passed over"), ran.told());
    QVERIFY2(peak < kMemory, QByteArray::number(peak).constData());
    QCOMPARE(lookups(keyhole), 3);
  }
  void a_packed_trace_that_ends_early_keeps_what_unpacks_data() {
    QTest::addColumn<Packing>("packing");
    QTest::addColumn<qsizetype>("cut");
    for (const auto& [name, packing] :
         {std::pair("gzip", Packing::gzip), std::pair("xz", Packing::xz), std::pair("zstd", Packing::zstd)})
      for (const qsizetype percent : {60, 99})
        QTest::addRow("%s, %d %%", name, static_cast<int>(percent)) << packing << percent;
  }
  void a_packed_trace_that_ends_early_keeps_what_unpacks() {
    QFETCH(Packing, packing);
    QFETCH(qsizetype, cut);
    const Keyhole keyhole;
    const QByteArray whole = bytes(keyhole::packed(trace_.toStdString(), packing));
    long peak = 0;
    const Ran ran = import(keyhole, write(keyhole, "trace.log.z", whole.left(whole.size() * cut / 100)), peak);
    QVERIFY2(ran.status == 1 && ran.err.count('\n') == 1 && ran.err.contains("damaged: the compressed data ends early"),
             ran.told());
    QVERIFY2(ran.err.contains("trace.log.z, byte ") && ran.err.contains("what came before is kept"), ran.told());
    QVERIFY2(lookups(keyhole) >= 0, ran.told());
  }

  void a_pickle_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::addColumn<QByteArray>("said");
    QTest::newRow("that calls os.system") << command() << QByteArray("posix.system");
    QTest::newRow("that calls it and breaks off") << command().chopped(1) << QByteArray("posix.system");
    QTest::newRow("of depth 100000") << "\x80\x04" + QByteArray(100'000, ']') + QByteArray(99'999, 'a') + "."
                                     << QByteArray("pickle");
    QTest::newRow("of marks alone") << "\x80\x04" + QByteArray(100'000, '(') + "." << QByteArray("few values");
    QTest::newRow("of length 2^63") << QByteArray("\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x80x.", 13)
                                    << QByteArray("9223372036854775808 bytes");
    QTest::newRow("of a frame of 2^63") << QByteArray("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x80N.", 13)
                                        << QByteArray("pickle");
  }
  void a_pickle() {
    QFETCH(QByteArray, content);
    QFETCH(QByteArray, said);
    const Keyhole keyhole;
    long peak = 0;
    const Ran alone = import(keyhole, write(keyhole, "entry", content), peak);
    QVERIFY2(alone.status == 1 && alone.err.count('\n') == 1 && alone.err.contains(said), alone.told());
    write(keyhole, "cache/fxgraph/ab/fabc/entry", content);
    for (const QStringList& words : {QStringList{"import", "cache"}, QStringList{"why", "cache"}}) {
      const Ran ran = keyhole(words);
      QVERIFY2(ran.status == 1 && ran.err.count('\n') == 1 && ran.err.contains("entry, byte "), ran.told());
    }
    QVERIFY2(keyhole({"ls", "--json"}).json().array()[0].toObject()["state"].toString() == "damaged",
             "the entry is not listed");
    QVERIFY2(!ran_something(keyhole), "it was executed");
    QVERIFY(peak < kMemory);
  }
  void a_mega_cache_that_ends_early_keeps_what_is_whole() {
    namespace p = keyhole::pickled;
    const std::string entry =
        p::file(p::object("torch._inductor.output_code", "CompiledFxGraph",
                          {{"guards_expr", p::text("L['t0'] <= 8")}, {"_fx_graph_cache_key", p::text("fkey")}}));
    keyhole::MegaCacheWriter writer;
    writer.append({"inductor", {{"fone", entry}, {"ftwo", entry}}});
    const QByteArray whole = bytes(writer.blob());
    const Keyhole keyhole;
    long peak = 0;
    const Ran ran = import(keyhole, write(keyhole, "mega.bin", whole.chopped(20)), peak);
    QVERIFY2(ran.status == 1 && ran.err.count('\n') == 1, ran.told());
    QVERIFY2(ran.err.contains("mega.bin, byte ") && ran.err.contains("ends within an item"), ran.told());
    const QJsonArray entries = keyhole({"ls", "--json"}).json().array();
    QCOMPARE(entries.size(), 2);
    for (const QJsonValue& e : entries)
      QCOMPARE(e["state"].toString(), e["key"].toString() == "fone" ? QString("ok") : QString("damaged"));
    QByteArray turned = whole;
    turned[turned.size() - 5] = static_cast<char>(turned[turned.size() - 5] ^ 1);
    const Ran other = import(keyhole, write(keyhole, "turned.bin", turned), peak);
    QVERIFY2(other.status == 1 && other.err.count('\n') == 1 && other.err.contains("checksum"), other.told());
  }
};

QTEST_GUILESS_MAIN(TestHostileInput)
#include "test_hostile_input.moc"
