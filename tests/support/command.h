// SPDX-License-Identifier: Apache-2.0
// Runs programs as a user does, and keeps what they said.
#pragma once

#include <QByteArray>
#include <QDir>
#include <QJsonDocument>
#include <QProcess>
#include <QProcessEnvironment>
#include <QString>
#include <QStringList>
#include <QTemporaryDir>

namespace keyhole::test {

struct Ran {
  int status = -1;  ///< exit status; 128 + signal where one killed it; -1: it did not start or took too long
  QByteArray out, err;
  [[nodiscard]] QJsonDocument json() const { return QJsonDocument::fromJson(out); }
  /// For QVERIFY2: what happened, in full.
  [[nodiscard]] QByteArray told() const {
    return "exit status " + QByteArray::number(status) + "\nstdout: " + out.left(4000) + "\nstderr: " + err.left(4000);
  }
};

inline Ran run(const QString& program, const QStringList& arguments, const QProcessEnvironment& environment,
               int milliseconds = 120'000, const QString& folder = {}) {
  QProcess process;
  process.setProcessEnvironment(environment);
  if (!folder.isEmpty()) process.setWorkingDirectory(folder);
  process.start(program, arguments);
  Ran ran;
  const bool ended = process.waitForFinished(milliseconds);
  if (!ended && process.state() != QProcess::NotRunning) {
    process.kill();
    process.waitForFinished();
    ran.err = "(took too long) ";
  } else if (ended) {
    ran.status = process.exitStatus() == QProcess::CrashExit ? 128 + process.exitCode() : process.exitCode();
  }
  ran.out = process.readAllStandardOutput();
  ran.err += process.readAllStandardError();
  return ran;
}

/// The `keyhole` that was built beside the test, on a store of its own that is gone afterwards.
class Keyhole {
 public:
  Keyhole() : environment(QProcessEnvironment::systemEnvironment()) {
    for (const auto& name : environment.keys())  // what the tester has set is no part of the test
      if (name.startsWith("TORCH") || name.startsWith("KEYHOLE_STORE") || name == "NO_COLOR") environment.remove(name);
    environment.insert("TZ", "UTC");
  }

  [[nodiscard]] Ran operator()(QStringList arguments, int milliseconds = 120'000) const {
    arguments.prepend(store());
    arguments.prepend("--store");
    return run(program(), arguments, environment, milliseconds, folder.path());
  }
  [[nodiscard]] static QString program() { return QStringLiteral(KEYHOLE_BIN_DIR "/keyhole"); }
  [[nodiscard]] QString store() const { return folder.filePath("store"); }

  QTemporaryDir folder;
  QProcessEnvironment environment;
};

/// The recording that comes with the source.
inline QString sample(const QString& run) {
  return QStringLiteral(KEYHOLE_SOURCE_DIR "/resources/sample/") + run;
}

}  // namespace keyhole::test
