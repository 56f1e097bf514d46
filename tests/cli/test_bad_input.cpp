// SPDX-License-Identifier: Apache-2.0
// What others hand us may be cut, foreign or hostile: each is one clear line and exit status 1, what could be read is
// kept, and nothing in it is executed.
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "command.h"

using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

class TestBadInput : public QObject {
  Q_OBJECT

  static void write(const QString& path, const QByteArray& bytes) {
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    QCOMPARE(file.write(bytes), bytes.size());
  }
  /// The sample's trace, unpacked by the tool of the system.
  static QByteArray trace() {
    QProcess xz;
    const QDir folder(sample("warm-up"));
    xz.start("xz", {"-dc", folder.filePath(folder.entryList({"*.xz"}).value(0))});
    return xz.waitForFinished() ? xz.readAllStandardOutput() : QByteArray();
  }
  static void says_one_line(const Ran& ran) {
    QVERIFY2(ran.status == 1, ran.told());
    QVERIFY2(ran.err.startsWith("keyhole: ") && ran.err.count('\n') == 1, ran.told());
  }

 private slots:
  void a_trace_that_ends_within_a_record_keeps_what_was_whole() {
    const QByteArray whole = trace();
    if (whole.isEmpty()) QSKIP("there is no xz to unpack the sample: truncated traces were not tried");
    const Keyhole keyhole;
    const QString file = keyhole.folder.filePath("cut.log");
    write(file, whole.left(whole.size() * 3 / 4));
    const Ran ran = keyhole({"import", "--run", "cut", file});
    says_one_line(ran);
    QVERIFY2(ran.err.contains("ends in the middle of a record"), ran.told());
    QVERIFY2(!keyhole({"log", "--run", "cut", "--json"}).json().array().isEmpty(), "what was whole is lost");
    QCOMPARE(keyhole({"verify"}).status, 0);
  }
  /// What is spelt wrongly is named, with what may have been meant.
  void what_is_spelt_wrongly_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<QByteArray>("line");
    QTest::newRow("subcommand") << QStringList{"whyy"}
                                << QByteArray("there is no subcommand whyy; did you mean why? see keyhole --help");
    QTest::newRow("nothing near") << QStringList{"frobnicate"}
                                  << QByteArray("there is no subcommand frobnicate; see keyhole --help");
    QTest::newRow("option") << QStringList{"why", "--al"}
                            << QByteArray("there is no option --al; did you mean --all? see keyhole why --help");
    QTest::newRow("no value") << QStringList{"why", "--run"}
                              << QByteArray("--run needs a value; see keyhole why --help");
    QTest::newRow("too many") << QStringList{"diff", "a", "b", "c"}
                              << QByteArray("too many arguments: c; see keyhole diff --help");
  }
  void what_is_spelt_wrongly() {
    QFETCH(QStringList, words);
    QFETCH(QByteArray, line);
    const Keyhole keyhole;
    const Ran ran = keyhole(words);
    QVERIFY2(ran.status == 2 && ran.err == "keyhole: " + line + "\n", ran.told());
  }
  void a_path_that_is_not_there_is_called_one() {
    const Keyhole keyhole;
    QCOMPARE(keyhole({"import", "--run", "warm", sample("warm-up")}).status, 0);
    const Ran ran = keyhole({"why", "traces/yesterday"});
    says_one_line(ran);
    QVERIFY2(ran.err.contains("no file or folder traces/yesterday"), ran.told());
  }
  /// Given in the place of what lies in it or beside it: the line says what it is and what to give.
  void what_was_given_by_mistake_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("what");
    QTest::newRow("tar") << QByteArray(257, 'x') + QByteArray("ustar  ") + QByteArray(300, '\0')
                         << QByteArray("tar xf");
    QTest::newRow("zip") << QByteArray("PK\x03\x04") + QByteArray(100, '\0') << QByteArray("zip archive");
    QTest::newRow("tlparse") << QByteArray("{\"string_table\":[null]}\n") << QByteArray("raw.log");
    QTest::newRow("database") << QByteArray("SQLite format 3\0", 16) + QByteArray(100, '\0') << QByteArray("--store");
  }
  void what_was_given_by_mistake() {
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, what);
    const Keyhole keyhole;
    const QString file = keyhole.folder.filePath("given");
    write(file, bytes);
    const Ran ran = keyhole({"why", file});
    says_one_line(ran);
    QVERIFY2(ran.err.contains(what), ran.told());
  }
  void what_is_nothing_we_know_data() {
    QTest::addColumn<QByteArray>("bytes");
    QByteArray random(100'000, Qt::Uninitialized);
    quint32 state = 1;
    for (char& c : random) c = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
    QTest::newRow("random bytes") << random;
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("zeros") << QByteArray(100'000, '\0');
    QTest::newRow("a pickle that would call os.system") << QByteArray(
        "\x80\x02"
        "cposix\nsystem\nX\x12\x00\x00\x00touch pickle-ran-it\x85R.");
    QTest::newRow("a pickle with a length of 2^63") << QByteArray(
        "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"
        "x.",
        13);
    QTest::newRow("a deep pickle") << QByteArray("\x80\x04") + QByteArray(100'000, '(') + ".";
    QTest::newRow("a damaged gzip") << QByteArray("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10) +
                                           QByteArray(500, 'x');
  }
  void what_is_nothing_we_know() {
    QFETCH(QByteArray, bytes);
    const Keyhole keyhole;
    const QString file = keyhole.folder.filePath("bad");
    write(file, bytes);
    says_one_line(keyhole({"import", file}));
    QVERIFY2(!QFile::exists(keyhole.folder.filePath("pickle-ran-it")), "the pickle was executed");
  }
  void a_gzip_bomb_ends_soon() {
    const Keyhole keyhole;
    const QString file = keyhole.folder.filePath("bomb.gz");
    const Ran made =
        keyhole::test::run("sh", {"-c", "head -c 300000000 /dev/zero | gzip -1 > " + file}, keyhole.environment);
    QVERIFY2(made.status == 0, made.told());
    says_one_line(keyhole({"import", file}, 60'000));
  }
  void a_store_that_is_another_programs_database_is_left_alone() {
    const Keyhole keyhole;
    QVERIFY(QDir().mkpath(keyhole.store()));
    const QString file = keyhole.store() + "/history.db";
    QByteArray header("SQLite format 3\0\x10\x00\x01\x01\x00\x40\x20\x20", 24);
    write(file, header + QByteArray(4072, '\0'));
    QFile before(file);
    QVERIFY(before.open(QIODevice::ReadOnly));
    const QByteArray bytes = before.readAll();
    says_one_line(keyhole({"import", sample("warm-up")}));
    before.seek(0);
    QCOMPARE(before.readAll(), bytes);
  }
  void a_folder_that_may_not_be_written_is_said() {
    const Keyhole keyhole;
    write(keyhole.folder.filePath("file"), "x");
    const Ran ran = keyhole({"--store", keyhole.folder.filePath("file/store"), "import", sample("warm-up")});
    QVERIFY2(ran.status != 0 && ran.err.startsWith("keyhole: ") && ran.err.count('\n') == 1, ran.told());
  }
  void a_store_from_a_newer_version_is_not_written() {
    const Keyhole keyhole;
    QCOMPARE(keyhole({"import", sample("warm-up")}).status, 0);
    QFile file(keyhole.store() + "/history.db");
    QVERIFY(file.open(QIODevice::ReadWrite));
    file.seek(60);  // user_version, big-endian: https://sqlite.org/fileformat.html#the_database_header
    file.write(QByteArray("\x00\x00\x27\x0f", 4));
    file.close();
    says_one_line(keyhole({"import", sample("after-change")}));
  }
};

QTEST_GUILESS_MAIN(TestBadInput)
#include "test_bad_input.moc"
