// SPDX-License-Identifier: Apache-2.0
// watch_bench FOLDER [SECONDS]: what an inspector that watches a store costs the one who writes it. A process puts
// 1,000 artifacts of 4 KiB a second and records a lookup of each, for about SECONDS (120); meanwhile a window, in a
// process of its own, opens the history of the same store and closes it again, in turns. The writer's processor time a
// put is taken of each turn, from one checkpoint of cache.db to the next: a checkpoint costs as much as hundreds of
// puts, and would otherwise fall into one turn and not into the other. Prints the difference in blocks of four turns
// (alone, watched, watched, alone) and its 95 % interval. The goal: at most 2 % more. A FOLDER on a tmpfs keeps the
// noise of a disk out.
//
// Instructions are counted more exactly than time: valgrind --tool=callgrind watch_bench --write STORE COUNTER 2000,
// alone, and beside (echo; sleep 600) | watch_bench --watch STORE.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <QApplication>
#include <QDir>
#include <QProcess>
#include <QSocketNotifier>
#include <QStandardPaths>
#include <QThread>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
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

using Puts = std::atomic<std::int64_t>;

// How many puts the writer has done, for another process to see.
Puts* shared_count(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(Puts)) != 0) return nullptr;
  void* memory = ::mmap(nullptr, sizeof(Puts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<Puts*>(memory);
}

int write(const std::string& store, const std::string& count_file, std::int64_t most) {
  Puts* puts = shared_count(count_file);
  auto cache = ArtifactCache::open(store, {.record = false});
  auto recorder = Recorder::open(store);
  if (!cache || !recorder || puts == nullptr) return 1;
  RunRecord run;
  run.name = "writer " + std::to_string(getpid());
  if (!(*recorder)->begin_run(run)) return 1;
  ProcessRecord process;
  process.identity = run.name;
  process.pid = getpid();
  const auto id = (*recorder)->process(process);
  const auto start = std::chrono::steady_clock::now();
  std::string bytes(4096, 'x');
  for (int i = 0; ::getppid() != 1 && i != most; ++i) {
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
    puts->store(i + 1, std::memory_order_relaxed);
  }
  return 0;
}

// Opens the store at a line on its standard input, and closes it at the next.
int watch(QApplication& app, const QString& store) {
  QStandardPaths::setTestModeEnabled(true);
  apply_theme(app, Scheme::light);
  MainWindow window;
  window.show();
  QSocketNotifier told(STDIN_FILENO, QSocketNotifier::Read);
  QObject::connect(&told, &QSocketNotifier::activated, &app, [&] {
    char line = 0;
    if (::read(STDIN_FILENO, &line, 1) != 1) return QApplication::quit();
    if (window.workspace().session()) return window.workspace().close();
    window.open_store(store);
    window.workspace().go(PageId::history);
  });
  return QApplication::exec();
}

// The end of the present checkpoint cycle of cache.db, as far as the file system tells it.
void wait_for_checkpoint(const std::string& store) {
  struct stat before {};
  struct stat now {};
  ::stat((store + "/cache.db").c_str(), &before);
  for (int i = 0; i < 20'000; ++i) {
    ::stat((store + "/cache.db").c_str(), &now);
    if (now.st_mtim.tv_sec != before.st_mtim.tv_sec || now.st_mtim.tv_nsec != before.st_mtim.tv_nsec) break;
    ::usleep(1'000);
  }
  ::usleep(150'000);  // until it is written, and the puts that waited are made up for
}

double processor_seconds(pid_t process) {
  clockid_t clock{};
  timespec t{};
  if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &t) != 0) return 0;
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 4 && std::string(argv[1]) == "--write")
    return write(argv[2], argv[3], argc > 4 ? std::atoll(argv[4]) : -1);
  qputenv("QT_QPA_PLATFORM", "offscreen");
  QApplication app(argc, argv);
  if (argc == 3 && std::string(argv[1]) == "--watch") return watch(app, QString::fromLocal8Bit(argv[2]));
  if (argc < 2) {
    std::fprintf(stderr, "usage: watch_bench FOLDER [SECONDS]\n");
    return 2;
  }
  const QDir folder(QString::fromLocal8Bit(argv[1]));
  const QString program = QCoreApplication::applicationFilePath(), store = folder.filePath(QStringLiteral("watched")),
                count_file = folder.filePath(QStringLiteral("puts"));
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 120;
  Puts* puts = shared_count(count_file.toStdString());
  if (puts == nullptr) return 1;
  QProcess writer, window;
  window.setProcessChannelMode(QProcess::ForwardedErrorChannel);
  writer.start(program, {QStringLiteral("--write"), store, count_file});
  window.start(program, {QStringLiteral("--watch"), store});
  if (!writer.waitForStarted() || !window.waitForStarted()) return 1;
  const auto toggle = [&] {
    window.write("\n");
    window.waitForBytesWritten();
  };
  const std::string path = store.toStdString();
  QThread::msleep(15'000);  // until the writer is warm and the store has some size
  wait_for_checkpoint(path);
  const auto start = std::chrono::steady_clock::now();
  struct Turn {
    bool watched;
    double microseconds;  // of the processor, a put
  };
  std::vector<Turn> turns;
  // Alone, watched, watched, alone, …: what grows with the store falls on both alike.
  bool watched = false;
  for (int turn = 0; std::chrono::steady_clock::now() - start < std::chrono::seconds(seconds) || turn % 4 != 0;
       ++turn) {
    if (const bool wanted = turn % 4 == 1 || turn % 4 == 2; wanted != watched) {
      toggle();
      watched = wanted;
      wait_for_checkpoint(path);  // opening a store is not watching it
    }
    const double before = processor_seconds(writer.processId());
    const auto puts_before = puts->load();
    wait_for_checkpoint(path);
    const double used = processor_seconds(writer.processId()) - before;
    const auto done = puts->load() - puts_before;
    if (done <= 0) {
      std::fprintf(stderr, "the writer stopped\n");
      return 1;
    }
    turns.push_back({watched, 1e6 * used / double(done)});
    std::printf("%s: %lld puts, %.1f us each\n", watched ? "watched" : "alone  ", static_cast<long long>(done),
                turns.back().microseconds);
  }
  writer.kill();
  window.kill();
  writer.waitForFinished();
  window.waitForFinished();
  // Blocks of four: what grows or falls evenly meanwhile cancels.
  const std::size_t blocks = turns.size() / 4;
  double alone = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < blocks; ++i) {
    double without = 0, with = 0;
    for (std::size_t k = 4 * i; k < 4 * i + 4; ++k) (turns[k].watched ? with : without) += turns[k].microseconds / 2;
    const double more = 100 * (with / without - 1);
    alone += without / double(blocks);
    sum += more, squares += more * more;
  }
  const double n = double(blocks), mean = sum / n;
  const double deviation = std::sqrt(std::max(0.0, squares - n * mean * mean) / std::max(1.0, n - 1));
  const double half = 1.96 * deviation / std::sqrt(n);
  std::printf(
      "%zu blocks of four turns: %.1f us of processor time a put alone; watched %+.2f %%, 95 %% interval %+.2f to "
      "%+.2f\n",
      blocks, alone, mean, mean - half, mean + half);
  return 0;
}
