// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/import_job.h"

#include <QElapsedTimer>
#include <QThread>

#include "inspector/core/format.h"
#include "inspector/core/session.h"
#include "keyhole/db/recorder.h"
#include "keyhole/ingest/import.h"

namespace keyhole::inspector {
namespace {

constexpr qint64 kProgressMilliseconds = 50;

bool holds_lookups(SourceKind kind) {
  return kind == SourceKind::trace || kind == SourceKind::torch_log || kind == SourceKind::folder ||
         kind == SourceKind::vllm_factors;
}

}  // namespace

ImportJob::ImportJob(QString store, QStringList paths, QObject* parent)
    : QObject(parent), store_(std::move(store)), paths_(std::move(paths)) {
  qRegisterMetaType<keyhole::Error>();
}

ImportJob::~ImportJob() {
  cancel();
  if (thread_) thread_->wait();
}

void ImportJob::start() {
  thread_.reset(QThread::create([this] {
    give_way();
    run();
  }));
  thread_->start();
}

void ImportJob::run() {
  auto recorder = Recorder::open(store_.toStdString());
  if (!recorder) {
    Q_EMIT failed(recorder.error());
    Q_EMIT finished(QString(), false);
    return;
  }
  Recorder& to = **recorder;
  ComponentPool pool;
  std::int64_t lookups = 0, entries = 0, problems = 0, unchanged = 0, taken_in = 0;
  for (const QString& path : paths_) {
    if (cancelled_) break;
    const std::string name = path.toStdString();
    if (holds_lookups(detect(name))) {
      RunRecord run;
      run.name = name;
      if (auto begun = to.begin_run(run); !begun) {
        Q_EMIT failed(begun.error());
        break;
      }
    }
    QElapsedTimer since_start, since_signal;
    since_start.start();
    since_signal.start();
    ImportOptions options;
    options.source_taken = [&](const std::string& identity) { return to.source_taken(identity); };
    options.note_source = [&](const std::string& identity, std::int64_t size) { to.note_source(identity, size); };
    options.progress = [&](std::int64_t done, std::int64_t total) {
      if (since_signal.elapsed() >= kProgressMilliseconds) {
        since_signal.restart();
        const double spent = double(since_start.elapsed()) / 1000;
        const double left = done > 0 && spent > 0.5 ? spent * double(total - done) / double(done) : -1;
        Q_EMIT progress(path, done, total, left);
      }
      return !cancelled_;
    };
    auto taken = import_path(name, options, pool, to);
    if (!taken) {
      Q_EMIT failed(taken.error());
      continue;
    }
    ++taken_in;
    lookups += taken->lookups, entries += taken->entries, problems += taken->problems, unchanged += taken->unchanged;
  }
  if (auto committed = to.commit(); !committed) Q_EMIT failed(committed.error());
  if (taken_in == 0 && !cancelled_) {
    Q_EMIT finished(QString(), false);  // why was said
    return;
  }
  QStringList parts{plural(lookups, QStringLiteral("lookup"), QStringLiteral("lookups")),
                    plural(entries, QStringLiteral("entry"), QStringLiteral("entries"))};
  if (unchanged > 0)
    parts << plural(unchanged, QStringLiteral("source known already"), QStringLiteral("sources known already"));
  if (problems > 0) parts << plural(problems, QStringLiteral("problem"), QStringLiteral("problems"));
  Q_EMIT finished(parts.join(QStringLiteral(", ")), cancelled_);
}

}  // namespace keyhole::inspector
