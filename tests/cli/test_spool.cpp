// SPDX-License-Identifier: Apache-2.0
#include "spool.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

using namespace keyhole;
using namespace keyhole::cli;

class TestSpool : public QObject {
  Q_OBJECT
  static void write(const std::string& path, const char* text) {
    QFile file(QString::fromStdString(path));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(text);
  }
  static std::string value_of(const Spool& spool, const std::string& name) {
    for (const auto& [key, value] : spool.environment())
      if (key == name) return value;
    return {};
  }
  static RunRecord some_run() {
    RunRecord run;
    run.name = "warm-up";
    run.argv = {"python", "train.py", "\xff not UTF-8"};
    run.env_json = R"({"TORCH_LOGS":"+inductor"})";
    run.start = 1'700'000'000'123'456'789;
    return run;
  }

 private slots:
  void init() {
    qunsetenv("TORCH_TRACE");
    qunsetenv("TORCH_LOGS_OUT");
  }
  void a_spool_is_abandoned_only_when_its_recorder_is_gone() {
    const QTemporaryDir folder;
    const std::string store = folder.filePath("deep/store").toStdString();
    QVERIFY(Spool::abandoned(store).empty());
    {
      auto spool = Spool::create(store, some_run());
      QVERIFY2(spool.has_value(), spool ? "" : spool.error().line().c_str());
      write(value_of(*spool, "TORCH_TRACE") + "/b.log", "b");
      write(value_of(*spool, "TORCH_TRACE") + "/a.log", "a");
      QVERIFY(Spool::abandoned(store).empty());
    }
    std::vector<Spool> left = Spool::abandoned(store);
    QCOMPARE(left.size(), std::size_t{1});
    QCOMPARE(left[0].run().name, std::string("warm-up"));
    QCOMPARE(left[0].run().start, some_run().start);
    QCOMPARE(left[0].run().env_json, some_run().env_json);
    QCOMPARE(left[0].trace_files().size(), std::size_t{2});
    QVERIFY(left[0].trace_files()[0].ends_with("/a.log"));
    QVERIFY(left[0].log_file().empty());
    QVERIFY(Spool::abandoned(store).empty());  // we hold it now
    left[0].remove();
    QVERIFY(!QDir(QString::fromStdString(store) + "/spool").exists());
  }
  void a_users_own_settings_are_kept() {
    const QTemporaryDir folder;
    const std::string own = folder.filePath("own").toStdString();
    QVERIFY(QDir().mkpath(QString::fromStdString(own)));
    write(own + "/older.log", "of another run");
    qputenv("TORCH_TRACE", own.c_str());
    qputenv("TORCH_LOGS_OUT", (own + "/older.log").c_str());
    auto spool = Spool::create(folder.filePath("store").toStdString(), some_run());
    QVERIFY(spool.has_value());
    QVERIFY(spool->environment().empty());
    QVERIFY(spool->trace_files().empty());
    QVERIFY(spool->log_file().empty());
    write(own + "/newer.log", "of this run");
    QCOMPARE(spool->trace_files(), std::vector<std::string>{own + "/newer.log"});
    spool->remove();
    QVERIFY(QFile::exists(QString::fromStdString(own) + "/newer.log"));
  }
  void a_damaged_description_is_left_alone() {
    const QTemporaryDir folder;
    const std::string store = folder.path().toStdString();
    QVERIFY(QDir().mkpath(folder.filePath("spool/1-1")));
    write(store + "/spool/1-1/run.json", "{\"name\": 3}");
    QVERIFY(Spool::abandoned(store).empty());
    QVERIFY(QFile::exists(folder.filePath("spool/1-1/run.json")));
  }
};

QTEST_APPLESS_MAIN(TestSpool)
#include "test_spool.moc"
