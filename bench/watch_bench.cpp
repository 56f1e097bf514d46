// SPDX-License-Identifier: Apache-2.0
// watch_bench FOLDER [SECONDS]: what an inspector that watches a store costs the one who writes it. A process puts
// 1,000 artifacts of 4 KiB a second and records a lookup of each; its processor time is taken with and without a window
// open on the history of the same store (in a process of its own), in turns. The goal: at most 2 % more.
#include <sys/resource.h>

#include <QApplication>
#include <QDir>
#include <QProcess>
#include <QStandardPaths>
#include <QThread>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "inspector/ui/main_window.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/db/recorder.h"

using namespace keyhole;
using namespace keyhole::inspector;

namespace {

constexpr int kPutsASecond = 1'000;

int write(const std::string& store, int seconds) {
  auto cache = ArtifactCache::open(store, {.record = false});
  auto recorder = Recorder::open(store);
  if (!cache || !recorder) return 1;
  RunRecord run;
  run.name = "writer " + std::to_string(getpid());
  if (!(*recorder)->begin_run(run)) return 1;
  ProcessRecord process;
  process.identity = run.name;
  process.pid = getpid();
  const auto id = (*recorder)->process(process);
  const auto start = std::chrono::steady_clock::now();
  std::string bytes(4096, 'x');
  for (int i = 0; i < seconds * kPutsASecond; ++i) {
    std::this_thread::sleep_until(start + std::chrono::microseconds(1'000'000 / kPutsASecond) * i);
    LookupRecord lookup;
    lookup.layer = Layer::code;
    lookup.key = "c" + run.name + std::to_string(i);
    lookup.time =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    lookup.cost = 1'000'000;
    bytes.replace(0, lookup.key.size(), lookup.key);
    NewEntry entry;
    entry.layer = lookup.layer;
    entry.key = lookup.key;
    entry.bytes = bytes;
    if (!(*cache)->put(entry)) return 1;
    (*recorder)->lookup(id, lookup);
    if (i % 100 == 99 && !(*recorder)->commit()) return 1;
  }
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto s = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  std::printf("%.6f\n", s(used.ru_utime) + s(used.ru_stime));
  return 0;
}

int watch(QApplication& app, const QString& store) {
  QStandardPaths::setTestModeEnabled(true);
  apply_theme(app, Scheme::light);
  MainWindow window;
  window.show();
  window.open_store(store);
  window.workspace().go(PageId::history);
  return QApplication::exec();
}

double written(const QString& program, const QString& store, int seconds) {
  QProcess writer;
  writer.start(program, {QStringLiteral("--write"), store, QString::number(seconds)});
  writer.waitForFinished(-1);
  return writer.readAllStandardOutput().trimmed().toDouble();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--write") return write(argv[2], std::atoi(argv[3]));
  qputenv("QT_QPA_PLATFORM", "offscreen");
  QApplication app(argc, argv);
  if (argc == 3 && std::string(argv[1]) == "--watch") return watch(app, QString::fromLocal8Bit(argv[2]));
  if (argc < 2) {
    std::fprintf(stderr, "usage: watch_bench FOLDER [SECONDS]\n");
    return 2;
  }
  const QString program = QCoreApplication::applicationFilePath(),
                store = QDir(QString::fromLocal8Bit(argv[1])).filePath(QStringLiteral("watched"));
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 8;
  written(program, store, 1);  // makes the store
  std::vector<double> alone, watched;
  for (int round = 0; round < 5; ++round) {
    alone.push_back(written(program, store, seconds));
    QProcess window;
    window.start(program, {QStringLiteral("--watch"), store});
    QThread::msleep(1'000);
    watched.push_back(written(program, store, seconds));
    window.kill();
    window.waitForFinished();
    std::printf("round %d: %.3f s alone, %.3f s watched\n", round + 1, alone.back(), watched.back());
  }
  std::printf("processor time of a writer of %d puts in %d s, median of 5: %.3f s alone, %.3f s watched, %+.1f %%\n",
              seconds * kPutsASecond, seconds, median(alone), median(watched),
              100 * (median(watched) / median(alone) - 1));
  return 0;
}
