// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <QDir>
#include <QFileInfo>
#include <QTemporaryDir>
#include <QtTest>
#include <functional>
#include <set>
#include <string>

#include "fault_vfs.h"

namespace keyhole::test {

/// Tells the parent that the thing of this number was acknowledged.
using Say = std::function<void(int thing)>;

/// What a child exits with where it was served something wrong.
constexpr int kWrong = 4;

struct Scenario {
  /// Uses an empty folder, in a child that is struck at some step. Leaves by _exit(kWrong) when it is served wrongly.
  std::function<void(const std::string& root, const Say& say)> act;
  /// Looks at the folder afterwards. What is wrong; empty: nothing.
  std::function<std::string(const std::string& root, const std::set<int>& acknowledged)> check;
};

inline void add_fault_kinds() {
  QTest::addColumn<int>("kind");
  QTest::newRow("kill") << static_cast<int>(Fault::Kind::kill);
  QTest::newRow("power cut") << static_cast<int>(Fault::Kind::power_cut);
  QTest::newRow("full disk") << static_cast<int>(Fault::Kind::full);
  QTest::newRow("failing disk") << static_cast<int>(Fault::Kind::broken);
}

/// Strikes at the first steps and then at ever fewer, until the act comes to its end.
inline void strike(const Scenario& scenario, Fault::Kind kind, int least) {
  bool finished = false;
  int struck = 0;
  for (long at = 1; !finished; at += 1 + at / 12, ++struck) {
    // In memory where that is a folder: nothing here asks what a disk keeps, and hundreds of syncs would be waited for.
    const QFileInfo memory("/dev/shm");
    QTemporaryDir folder((memory.isWritable() ? memory.filePath() : QDir::tempPath()) + "/keyhole-struck-XXXXXX");
    const std::string root = folder.path().toStdString();
    int ends[2];
    QCOMPARE(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      Fault::install(kind, at);
      scenario.act(root, [&](int thing) {
        const auto byte = static_cast<unsigned char>(thing);
        if (write(ends[1], &byte, 1) != 1) _exit(3);
      });
      _exit(Fault::instance().count < at ? 0 : 1);
    }
    close(ends[1]);
    std::set<int> acknowledged;
    for (unsigned char byte; read(ends[0], &byte, 1) == 1;) acknowledged.insert(byte);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    const auto where = QStringLiteral("step %1: ").arg(at);
    QVERIFY2(WIFEXITED(status), qPrintable(where + "died of a signal"));
    const int code = WEXITSTATUS(status);
    QVERIFY2(code != kWrong, qPrintable(where + "something wrong was served"));
    QVERIFY2(code == 0 || code == 1 || code == Fault::kExitStatus, qPrintable(where + QString::number(code)));
    finished = code == 0;
    const std::string wrong = scenario.check(root, acknowledged);
    QVERIFY2(wrong.empty(), qPrintable(where + QString::fromStdString(wrong)));
  }
  QVERIFY2(struck >= least, qPrintable(QString::number(struck)));
}

}  // namespace keyhole::test
