// SPDX-License-Identifier: Apache-2.0
// A disk that is full, a folder that may not be written, a store of another program or version: the built `keyhole`
// says so in one line, keeps what was committed, and goes on once there is room.
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "child_process.h"

using keyhole::test::Child;
using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

class TestBadDisk : public QObject {
  Q_OBJECT

  static QStringList words(const Keyhole& keyhole, const QStringList& arguments) {
    return QStringList{Keyhole::program(), "--store", keyhole.store()} + arguments;
  }
  static void says_one_line(const Ran& ran, const char* what) {
    QVERIFY2(ran.status == 1, ran.told());
    QVERIFY2(ran.err.startsWith("keyhole: ") && ran.err.count('\n') == 1 && ran.err.contains(what), ran.told());
  }
  static void import_whole(const Keyhole& keyhole) {
    const Ran ran = keyhole({"import", sample("warm-up")});
    QVERIFY2(ran.status == 0, ran.told());
    const Ran sound = keyhole({"verify", "--json"});
    QVERIFY2(sound.status == 0 && sound.json().object()["lookups"].toInt() == 3, sound.told());
  }
  /// A shell in a mount namespace of its own; nothing where that is not allowed.
  static std::optional<Ran> in_own_mounts(const Keyhole& keyhole, const QString& script) {
    if (Child({"unshare", "-rm", "true"}).wait().status != 0) return std::nullopt;
    return Child({"unshare", "-rm", "bash", "-c", script, "bash", Keyhole::program(), keyhole.folder.path(),
                  sample("warm-up")})
        .wait();
  }

 private slots:
  void a_file_that_may_not_grow() {
    int refused = 0;
    for (const rlim_t room : {0, 1, 20, 100, 200, 300, 400}) {
      const Keyhole keyhole;
      // Bounds every file that it writes; a pipe has no size.
      const QString command =
          "{ '" + words(keyhole, {"import", sample("warm-up")}).join("' '") + "' 2>&1 || echo \"status $?\"; } | cat";
      Child child({"bash", "-c", "ulimit -f " + QString::number(room) + "; trap '' XFSZ; " + command});
      const Ran ran = child.wait();
      if (ran.out.contains("status")) {
        ++refused;
        QVERIFY2(ran.out.contains("status 1") && ran.out.startsWith("keyhole: ") && ran.out.count('\n') == 2,
                 ran.told());
      }
      import_whole(keyhole);
      if (QTest::currentTestFailed()) return;
    }
    QVERIFY(refused >= 4);
  }
  void a_disk_that_is_full() {
    int refused = 0;
    for (const int room : {0, 8, 40, 160, 240, 320, 420}) {
      const Keyhole keyhole;
      const auto ran = in_own_mounts(
          keyhole,
          "mkdir $2/disk && mount -t tmpfs -o size=2m full $2/disk && head -c $((2097152 - " + QString::number(room) +
              "*1024)) /dev/zero > $2/disk/fill; $1 --store $2/disk/store import $3 2>&1; echo status $?; "
              "rm $2/disk/fill; $1 --store $2/disk/store import $3 && $1 --store $2/disk/store verify && echo whole");
      if (!ran) QSKIP("no mount namespace of its own: a full disk was not tried (a file that may not grow was)");
      QVERIFY2(ran->status == 0 && ran->out.contains("\nwhole"), ran->told());
      if (ran->out.contains("status 0")) continue;
      ++refused;
      const QByteArray said = ran->out.left(ran->out.indexOf("status 1"));
      QVERIFY2(ran->out.contains("status 1") && said.startsWith("keyhole: ") && said.count('\n') == 1, ran->told());
      QVERIFY2(said.contains("disk is full") || said.contains("No space left"), ran->told());
      QVERIFY2(said.contains("free some space"), ran->told());
    }
    QVERIFY(refused >= 4);
  }
  void a_folder_that_is_read_only() {
    const Keyhole keyhole;
    import_whole(keyhole);
    const auto ran = in_own_mounts(keyhole,
                                   "mount --bind $2 $2 && mount -o remount,bind,ro $2; cd /; for words in 'import '$3 "
                                   "'why' 'verify' 'log' 'gc --max-age 0s'; do "
                                   "echo \"== $words\"; $1 --store $2/store $words 2>&1; echo status $?; done; echo == "
                                   "new; $1 --store $2/new import $3 2>&1; echo status $?");
    if (!ran) QSKIP("no mount namespace of its own: a read-only folder was not tried");
    const QList<QByteArray> parts = ran->out.split('\n');
    QByteArray command;
    for (const QByteArray& line : parts) {
      if (line.startsWith("== ")) command = line.mid(3);
      if (!line.startsWith("status ")) continue;
      const bool writes = command.startsWith("import") || command == "new" || command.startsWith("gc");
      QVERIFY2(line == (writes ? "status 1" : "status 0"), command + ": " + ran->told());
    }
    QCOMPARE(ran->out.count("Read-only file system"), 3);
    QCOMPARE(ran->out.count("choose a folder that you may write"), 3);
  }

  /// SQLite's log is no log on NFS: whoever writes is told so and where to go; what is there is read all the same.
  void a_store_on_a_network_filesystem() {
    Keyhole keyhole;
    import_whole(keyhole);
    keyhole.environment.insert("LD_PRELOAD", KEYHOLE_FAKE_NETWORK);
    keyhole.environment.insert("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
    keyhole.environment.insert("FAKE_NETWORK", keyhole.store());
    for (const QStringList& command : {QStringList{"import", sample("after-change")},
                                       QStringList{"record", "--", "touch", keyhole.folder.filePath("ran")},
                                       QStringList{"gc", "--max-age", "0s"}, QStringList{"verify", "--repair"}}) {
      const Ran ran = keyhole(command);
      says_one_line(ran, "the store is on a network filesystem (NFS)");
      QVERIFY2(ran.err.contains("KEYHOLE_STORE") || ran.err.contains("--store"), ran.told());  // the way out
    }
    QVERIFY(!QFile::exists(keyhole.folder.filePath("ran")));  // a recording that cannot be kept is not begun
    for (const char* command : {"why", "log", "stats"}) {
      const Ran ran = keyhole({command});
      QVERIFY2(ran.status == 0 && !ran.out.isEmpty(), ran.told());
    }
    const Ran doctor = keyhole({"doctor"});
    QVERIFY2(doctor.out.contains("NFS"), doctor.told());
    keyhole.environment.insert("FAKE_NETWORK", "/nowhere");
    import_whole(keyhole);
  }

  void a_newer_store_is_read_and_never_written() {
    const Keyhole keyhole;
    import_whole(keyhole);
    QFile file(keyhole.store() + "/history.db");
    QVERIFY(file.open(QIODevice::ReadWrite));
    file.seek(60);  // user_version, big-endian: https://sqlite.org/fileformat.html#the_database_header
    file.write(QByteArray("\x00\x00\x27\x0f", 4));
    file.close();
    for (const QStringList& command :
         {QStringList{"import", sample("after-change")}, QStringList{"gc", "--max-age", "0s"},
          QStringList{"verify", "--repair"}, QStringList{"record", "--", "true"}})
      says_one_line(keyhole(command), "the store has format 9999");
    for (const char* command : {"why", "log", "stats"}) {
      const Ran ran = keyhole({command});
      QVERIFY2(ran.status == 0 && !ran.out.isEmpty(), ran.told());
      QVERIFY2(ran.err.count('\n') == 1 && ran.err.contains("format 9999") && ran.err.contains("is read, not written"),
               ran.told());
    }
  }
  void a_database_of_another_program_stays_as_it_is() {
    const Keyhole keyhole;
    QVERIFY(QDir().mkpath(keyhole.store()));
    QFile file(keyhole.store() + "/history.db");
    QVERIFY(file.open(QIODevice::WriteOnly));
    QByteArray page("SQLite format 3\0\x10\x00\x01\x01\x00\x40\x20\x20\x00\x00\x00\x01\x00\x00\x00\x01", 32);
    page.resize(4096);
    page[47] = 4;      // schema format
    page[59] = 1;      // UTF-8
    page[71] = 0x21;   // application_id of somebody else
    page[100] = 0x0d;  // an empty leaf
    page[105] = 0x10;
    file.write(page);
    file.close();
    for (const QStringList& command : {QStringList{"import", sample("warm-up")}, QStringList{"why"},
                                       QStringList{"verify", "--repair"}, QStringList{"gc", "--max-size", "0"}})
      says_one_line(keyhole(command), "another program");
    QVERIFY(file.open(QIODevice::ReadOnly));
    QVERIFY(file.readAll() == page);
  }
};

QTEST_GUILESS_MAIN(TestBadDisk)
#include "test_bad_disk.moc"
