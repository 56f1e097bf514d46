// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QObject>
#include <QStringList>
#include <atomic>
#include <memory>

#include "keyhole/base/error.h"

class QThread;

namespace keyhole::inspector {

/// Takes traces, cache folders, mega-cache files and logs into a store, on a thread of its own with its own Recorder.
/// Each path that holds lookups becomes a run of that name, as in `keyhole import`.
class ImportJob : public QObject {
  Q_OBJECT
 public:
  ImportJob(QString store, QStringList paths, QObject* parent = nullptr);
  ~ImportJob() override;  ///< cancels, and waits for it

  void start();
  /// finished() follows soon; what was committed stays.
  void cancel() { cancelled_ = true; }
  [[nodiscard]] const QString& store() const { return store_; }

 Q_SIGNALS:
  /// At most some 20 times a second. `seconds_left`: negative where it cannot be told yet.
  void progress(const QString& path, qint64 done, qint64 total, double seconds_left);
  void failed(const keyhole::Error& error);  ///< one path could not be taken in; the others go on
  void finished(const QString& summary, bool cancelled);

 private:
  void run();

  QString store_;
  QStringList paths_;
  std::unique_ptr<QThread> thread_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace keyhole::inspector
