// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QDir>
#include <QFileInfo>
#include <QProcess>
#include <QString>
#include <QStringList>

namespace keyhole {

/// The folder of real recordings: $KEYHOLE_FIXTURES, else shared/fixtures beside the sources; empty where neither is.
inline QString recordings_folder() {
  for (const QString& folder :
       {qEnvironmentVariable("KEYHOLE_FIXTURES"), QString(KEYHOLE_SOURCE_DIR "/../shared/fixtures")}) {
    if (!folder.isEmpty() && QFileInfo::exists(folder + "/FORMATS.md")) return folder;
  }
  return {};
}

/// Files of that name pattern in all recordings, two levels deep.
inline QStringList recording_files(const QString& pattern) {
  QStringList out;
  const QDir root(recordings_folder());
  for (const QString& recording : root.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name)) {
    const QDir folder(root.filePath(recording));
    for (const QString& file : folder.entryList({pattern}, QDir::Files, QDir::Name)) out << folder.filePath(file);
    for (const QString& run : folder.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name)) {
      const QDir sub(folder.filePath(run));
      for (const QString& file : sub.entryList({pattern}, QDir::Files, QDir::Name)) out << sub.filePath(file);
    }
  }
  return out;
}

inline bool untar(const QString& archive, const QString& into) {
  QDir().mkpath(into);
  return QProcess::execute("tar", {"-xJf", archive, "-C", into}) == 0;
}

/// The decompressed bytes of an .xz file.
inline QByteArray unxz(const QString& file) {
  QProcess xz;
  xz.start("xz", {"-dc", file});
  xz.waitForFinished(60000);
  return xz.readAllStandardOutput();
}

}  // namespace keyhole
