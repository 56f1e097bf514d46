// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QTest>

#include "keyhole/db/reader.h"
#include "keyhole/db/recorder.h"
#include "keyhole/db/store.h"
#include "keyhole/db/upkeep.h"
#include "temporary_folder.h"

using namespace keyhole;
using keyhole::test::TemporaryFolder;

namespace {

void run_sql(const std::string& file, const char* sql) {
  sqlite3* db = nullptr;
  sqlite3_open(file.c_str(), &db);
  char* message = nullptr;
  if (sqlite3_exec(db, sql, nullptr, nullptr, &message) != SQLITE_OK) qFatal("%s", message);
  sqlite3_close(db);
}

RunRecord named(const std::string& name) {
  RunRecord run;
  run.name = name;
  return run;
}

/// One run of a few lookups; several processes do it at once.
Result<void> record_some(const std::string& store, int who, int lookups) {
  auto r = Recorder::open(store);
  if (!r) return tl::make_unexpected(r.error());
  if (auto run = (*r)->begin_run(named("run" + std::to_string(who))); !run) return tl::make_unexpected(run.error());
  ProcessRecord p;
  p.identity = "trace:" + std::to_string(who);
  const auto process = (*r)->process(p);
  ComponentPool pool;
  for (int i = 0; i < lookups; ++i) {
    LookupRecord l;
    l.key = "f" + std::to_string(i % 50) + std::string(40, 'k');
    l.ordinal = i / 50;
    l.time = 1000 + i;
    Digest d;
    d.bytes[0] = static_cast<std::uint8_t>(i);
    l.components = {pool.intern("gm", Digest{}, "graph"),
                    pool.intern("inductor_config[x]", d, std::to_string(i % 256))};
    (*r)->lookup(process, l);
    if (i % 20 == 19) (*r)->checkpoint();
  }
  return (*r)->commit();
}

int children_that_fail(int count, const std::function<bool(int)>& work) {
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work(i) ? 0 : 1);
    children.push_back(child);
  }
  int failed = 0;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
  return failed;
}

}  // namespace

class TestStore : public QObject {
  Q_OBJECT

 private slots:
  void where_the_store_is_by_default() {
    qputenv("KEYHOLE_STORE", "/a");
    QCOMPARE(default_store(), std::string("/a"));
    qunsetenv("KEYHOLE_STORE");
    qputenv("XDG_DATA_HOME", "/b");
    QCOMPARE(default_store(), std::string("/b/keyhole"));
    qunsetenv("XDG_DATA_HOME");
    qputenv("HOME", "/c");
    QCOMPARE(default_store(), std::string("/c/.local/share/keyhole"));
  }

  void nothing_there_is_not_found() {
    const TemporaryFolder folder;
    const auto reader = Reader::open(folder / "none");
    QVERIFY(!reader);
    QVERIFY(reader.error().kind == ErrorKind::not_found);
    FileInfo info;
    QVERIFY(os().stat(folder / "none", info) != 0);  // asking makes nothing
  }

  void another_programs_file_is_refused_and_left_alone() {
    const TemporaryFolder folder;
    run_sql(folder / "history.db", "CREATE TABLE theirs(x); INSERT INTO theirs VALUES (1)");
    const auto before = read_file(folder / "history.db");
    const auto recorder = Recorder::open(folder.path());
    QVERIFY(!recorder);
    QVERIFY(recorder.error().kind == ErrorKind::bad_input);
    const auto reader = Reader::open(folder.path());
    QVERIFY(!reader);
    QVERIFY(reader.error().kind == ErrorKind::bad_input);
    QVERIFY(*read_file(folder / "history.db") == *before);
  }

  void no_sqlite_file_is_refused() {
    const TemporaryFolder folder;
    VERIFY_OK(write_file_atomic(folder / "history.db", std::string(9000, 'x')));
    const auto reader = Reader::open(folder.path());
    QVERIFY(!reader);
    QVERIFY(reader.error().kind == ErrorKind::bad_input);
    QVERIFY(!Recorder::open(folder.path()));
  }

  void a_newer_store_is_read_and_not_written() {
    const TemporaryFolder folder;
    VERIFY_OK(record_some(folder.path(), 1, 5));
    run_sql(folder / "history.db", "PRAGMA user_version = 999");
    const auto recorder = Recorder::open(folder.path());
    QVERIFY(!recorder);
    QVERIFY(recorder.error().kind == ErrorKind::unsupported);
    auto reader = Reader::open(folder.path());
    VERIFY_OK(reader);
    QCOMPARE(reader->runs()->size(), std::size_t{1});
    auto db = open_history_to_read(folder.path());
    VERIFY_OK(db);
    QVERIFY(version_note(*db).find("999") != std::string::npos);
    run_sql(folder / "history.db", "UPDATE meta SET value = 999 WHERE name = 'readable_from'");
    const auto refused = Reader::open(folder.path());
    QVERIFY(!refused);
    QVERIFY(refused.error().kind == ErrorKind::unsupported);
  }

  void a_network_filesystem_is_refused_with_the_way_out() {
    class Nfs : public Os {
     public:
      int statfs(const std::string&, FilesystemInfo& info) override {
        info.magic = 0x6969;
        return 0;
      }
    } nfs;
    const TemporaryFolder folder;
    Os* before = replace_os(&nfs);
    const auto recorder = Recorder::open(folder / "s");
    replace_os(before);
    QVERIFY(!recorder);
    QVERIFY(recorder.error().kind == ErrorKind::unsupported);
    QVERIFY(recorder.error().line().find("NFS") != std::string::npos);
    QVERIFY(recorder.error().hint.find("KEYHOLE_STORE") != std::string::npos);
  }

  void a_folder_that_may_not_be_written_is_still_read() {
    const TemporaryFolder folder;
    const std::string store = folder / "s";
    VERIFY_OK(record_some(store, 1, 5));
    // Root may write everywhere: a child that is nobody tries.
    ::chmod(folder.path().c_str(), 0755);
    ::chmod(store.c_str(), 0555);
    ::chmod((store + "/history.db").c_str(), 0444);
    const int failed = children_that_fail(1, [&](int) {
      if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return false;
      auto reader = Reader::open(store);
      if (!reader || reader->runs()->size() != 1) return false;
      const auto recorder = Recorder::open(store);
      return !recorder && recorder.error().kind == ErrorKind::io && !recorder.error().hint.empty();
    });
    ::chmod(store.c_str(), 0755);
    QCOMPARE(failed, 0);
  }

  void a_connection_does_not_cross_fork() {
    const TemporaryFolder folder;
    auto recorder = Recorder::open(folder.path());
    VERIFY_OK(recorder);
    const int failed = children_that_fail(1, [&](int) {
      const auto run = (*recorder)->begin_run(named("child"));
      return !run && run.error().kind == ErrorKind::usage;
    });
    QCOMPARE(failed, 0);
    VERIFY_OK((*recorder)->begin_run(named("parent")));
    VERIFY_OK((*recorder)->commit());
  }

  void thirty_two_processes_start_on_no_store_at_all() {
    const TemporaryFolder folder;
    const std::string store = folder / "s";
    QCOMPARE(children_that_fail(32, [&](int who) { return record_some(store, who, 2).has_value(); }), 0);
    auto reader = Reader::open(store);
    VERIFY_OK(reader);
    QCOMPARE(reader->runs()->size(), std::size_t{32});
  }

  void sixteen_processes_record_at_once() {
    const TemporaryFolder folder;
    const std::string store = folder / "s";
    constexpr int kLookups = 400;
    QCOMPARE(children_that_fail(16, [&](int who) { return record_some(store, who, kLookups).has_value(); }), 0);
    auto reader = Reader::open(store);
    VERIFY_OK(reader);
    const auto runs = reader->runs();
    VERIFY_OK(runs);
    QCOMPARE(runs->size(), std::size_t{16});
    for (const auto& run : *runs) QCOMPARE(run.lookups, kLookups);
    const auto report = verify_history(store, false);
    VERIFY_OK(report);
    QVERIFY2(report->faults.empty(), report->faults.empty() ? "" : report->faults.front().what.c_str());
    QCOMPARE(report->lookups, 16 * kLookups);
    QCOMPARE(report->component_sets, 256);  // what all sixteen saw is stored once
  }

  void a_locked_store_is_busy_after_five_seconds() {
    const TemporaryFolder folder;
    VERIFY_OK(record_some(folder.path(), 1, 1));
    auto holder = open_history(folder.path());
    VERIFY_OK(holder);
    const Transaction lock(*holder);
    auto recorder = Recorder::open(folder.path());
    VERIFY_OK(recorder);
    const auto began = os().monotonic();
    const auto run = (*recorder)->begin_run(named("waits"));
    QVERIFY(!run);
    QVERIFY(run.error().kind == ErrorKind::busy);
    const double seconds = static_cast<double>(os().monotonic() - began) / 1e9;
    QVERIFY2(seconds > 4.5 && seconds < 8, qPrintable(QString::number(seconds)));
  }

  void a_temporary_store_leaves_nothing() {
    std::string path;
    {
      auto temporary = TemporaryStore::make();
      VERIFY_OK(temporary);
      path = temporary->path();
      auto recorder = Recorder::open(path, false);
      VERIFY_OK(recorder);
      VERIFY_OK((*recorder)->begin_run(named("x")));
      VERIFY_OK((*recorder)->commit());
      auto reader = Reader::open(path);
      VERIFY_OK(reader);
      QCOMPARE(reader->runs()->size(), std::size_t{1});
    }
    FileInfo info;
    QVERIFY(os().stat(path, info) != 0);
  }

  void a_source_is_known_again() {
    const TemporaryFolder folder;
    auto recorder = Recorder::open(folder.path());
    VERIFY_OK(recorder);
    QCOMPARE((*recorder)->source_taken("abc"), 0);
    (*recorder)->note_source("abc", 100);
    (*recorder)->note_source("abc", 50);
    VERIFY_OK((*recorder)->commit());
    auto again = Recorder::open(folder.path());
    VERIFY_OK(again);
    QCOMPARE((*again)->source_taken("abc"), 100);
  }
};

QTEST_GUILESS_MAIN(TestStore)
#include "test_store.moc"
