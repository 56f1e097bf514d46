// SPDX-License-Identifier: Apache-2.0
// Many processes on one store: a cold start, puts and gets at once, kills at random moments.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <QtTest>
#include <thread>

#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/guard/expression.h"

using namespace keyhole;

namespace {

std::string content(int key, int variant) {
  std::string bytes(20000 + key * 37, '\0');
  unsigned seed = static_cast<unsigned>(key * 1000 + variant);
  for (auto& b : bytes) b = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24);
  return bytes;
}
std::string guard(int variant) {
  return "L['t0'] == " + std::to_string(variant);
}

/// Puts and gets at random; exits with the line of the first thing that is wrong.
#define CHECK_OR_EXIT(condition)                   \
  do {                                             \
    if (!(condition)) _exit(1 + (__LINE__ & 127)); \
  } while (false)
void work(const std::string& store, int seed, int rounds, const CacheOptions& options) {
  auto opened = ArtifactCache::open(store, options);
  if (!opened) {
    fprintf(stderr, "open: %s\n", opened.error().line().c_str());
    _exit(200);
  }
  auto& cache = **opened;
  std::srand(static_cast<unsigned>(seed));
  for (int i = 0; i < rounds; ++i) {
    const int key = std::rand() % 20, variant = std::rand() % 3;
    const std::string name = "f" + std::to_string(key);
    const Hints hints({variant});
    auto found = cache.get({.key = name, .hints = &hints});
    if (found.reason == "lock_timeout") continue;
    if (!found.hit()) {
      if (!found.reason.empty()) fprintf(stderr, "get: %s\n", found.reason.c_str());
      CHECK_OR_EXIT(found.reason.empty());
      const auto stored = cache.put({.key = name, .guard = guard(variant), .bytes = content(key, variant)});
      if (!stored) fprintf(stderr, "put: %s\n", stored.error().line().c_str());
      CHECK_OR_EXIT(stored.has_value());
      found = cache.get({.key = name, .hints = &hints});
      CHECK_OR_EXIT(found.hit() || found.reason == "lock_timeout");
    }
    if (found.hit()) CHECK_OR_EXIT(found.entry.bytes == content(key, variant));
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

class TestProcesses : public QObject {
  Q_OBJECT
 private slots:
  void mixed_work_data() {
    QTest::addColumn<int>("processes");
    for (const int n : {1, 8, 16, 32}) QTest::addRow("%d processes, cold start", n) << n;
  }
  void mixed_work() {
    QFETCH(int, processes);
    QTemporaryDir folder;
    const std::string store = folder.filePath("store").toStdString();
    std::vector<pid_t> pids;
    for (int p = 0; p < processes; ++p) {
      const pid_t pid = fork();
      if (pid == 0) {
        work(store, p, 60, {});
        _exit(0);
      }
      pids.push_back(pid);
    }
    for (const pid_t pid : pids) QCOMPARE(wait_for(pid), 0);
    const auto verified = verify_cache(store, false);
    QVERIFY(verified);
    for (const auto& problem : verified->problems) QFAIL((problem.source + ": " + problem.what).c_str());
    QVERIFY(verified->entries <= 60);
  }

  void kill_9_at_any_moment() {
    QTemporaryDir folder;
    const std::string store = folder.filePath("store").toStdString();
    for (int round = 0; round < 25; ++round) {
      std::vector<pid_t> pids;
      for (int p = 0; p < 3; ++p) {
        const pid_t pid = fork();
        if (pid == 0) {
          CacheOptions options;
          options.inline_limit = 20200;  // some keys are rows, some are files
          work(store, round * 10 + p, 100000, options);
          _exit(0);
        }
        pids.push_back(pid);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(3 + round * 5 % 60));
      for (const pid_t pid : pids) kill(pid, SIGKILL);
      for (const pid_t pid : pids) QCOMPARE(wait_for(pid), -SIGKILL);
      if (round % 8 == 3) {
        auto cache = ArtifactCache::open(store);
        QVERIFY(cache);
        QVERIFY((*cache)->remove(Layer::fx_graph, ""));
      }
    }
    auto cache = ArtifactCache::open(store);
    QVERIFY2(cache, cache ? "" : cache.error().line().c_str());
    for (int key = 0; key < 20; ++key) {
      for (int variant = 0; variant < 3; ++variant) {
        const Hints hints({variant});
        const auto found = (*cache)->get({.key = "f" + std::to_string(key), .hints = &hints});
        QVERIFY2(found.reason.empty(), found.reason.c_str());
        if (found.hit()) QVERIFY(found.entry.bytes == content(key, variant));
      }
    }
    // Only what a killed put wrote before its row may be left over: files that nothing names.
    const auto verified = verify_cache(store, true);
    QVERIFY(verified);
    for (const auto& problem : verified->problems)
      QVERIFY2(problem.what == "nothing names this file", (problem.source + ": " + problem.what).c_str());
  }

  /// Eight at work, one after another killed and replaced: what was acknowledged is served, whoever died meanwhile.
  /// KEYHOLE_KILL_SECONDS: for how long.
  void killed_one_by_one() {
    constexpr int kKeys = 4000, kWorkers = 8;
    QTemporaryDir folder;
    const std::string store = folder.filePath("store").toStdString();
    void* shared = mmap(nullptr, kKeys, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    QVERIFY(shared != MAP_FAILED);
    auto* stored = static_cast<std::atomic<char>*>(shared);
    const auto start = [&](unsigned seed) {
      const pid_t pid = fork();
      if (pid != 0) return pid;
      CacheOptions options;
      options.inline_limit = 20200;
      auto cache = ArtifactCache::open(store, options);
      if (!cache) _exit(10);
      for (;;) {
        const int key = static_cast<int>((seed = seed * 1664525U + 1013904223U) >> 8) % kKeys;
        const std::string name = "f" + std::to_string(key);
        const bool there = stored[key] != 0;
        const auto found = (*cache)->get({.key = name});
        if (found.reason == "lock_timeout") continue;  // said so, and a miss
        if (!found.reason.empty()) _exit(11);
        if (found.hit() ? found.entry.bytes != content(key % 100, key) : there) _exit(12);
        if (found.hit()) continue;
        if (!(*cache)->put({.key = name, .bytes = content(key % 100, key)})) _exit(13);
        stored[key] = 1;
      }
    };
    std::vector<pid_t> pids;
    unsigned seed = 0;
    while (pids.size() < kWorkers) pids.push_back(start(++seed));
    const char* given = std::getenv("KEYHOLE_KILL_SECONDS");
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(given != nullptr ? std::atoi(given) : 3);
    int kills = 0;
    for (; std::chrono::steady_clock::now() < until; ++kills) {
      std::this_thread::sleep_for(std::chrono::microseconds(1000 + 7919 * (kills % 17)));
      pid_t& victim = pids[static_cast<std::size_t>(kills * 5 % kWorkers)];
      kill(victim, SIGKILL);
      QCOMPARE(wait_for(victim), -SIGKILL);  // else it had ended by itself, with what it had seen
      victim = start(++seed);
    }
    for (const pid_t pid : pids) kill(pid, SIGKILL);
    for (const pid_t pid : pids) QCOMPARE(wait_for(pid), -SIGKILL);
    auto cache = ArtifactCache::open(store);
    QVERIFY2(cache, cache ? "" : cache.error().line().c_str());
    int acknowledged = 0;
    for (int key = 0; key < kKeys; ++key) {
      if (stored[key] == 0) continue;
      ++acknowledged;
      QVERIFY((*cache)->get({.key = "f" + std::to_string(key)}).entry.bytes == content(key % 100, key));
    }
    munmap(shared, kKeys);
    qInfo("%d kills, %d puts acknowledged and served", kills, acknowledged);
    QVERIFY(acknowledged > 0);
    const auto verified = verify_cache(store, true);
    QVERIFY(verified);
    for (const auto& problem : verified->problems)
      QVERIFY2(problem.what == "nothing names this file", (problem.source + ": " + problem.what).c_str());
  }

  void threads_share_a_cache() {
    QTemporaryDir folder;
    auto cache = ArtifactCache::open(folder.filePath("store").toStdString());
    QVERIFY(cache);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          const int key = (t * 7 + i) % 13;
          const std::string name = "f" + std::to_string(key);
          if (!(*cache)->get({.key = name}).hit() && !(*cache)->put({.key = name, .bytes = content(key, 0)})) ++wrong;
          if ((*cache)->get({.key = name}).entry.bytes != content(key, 0)) ++wrong;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    QCOMPARE(wrong.load(), 0);
  }
};

QTEST_APPLESS_MAIN(TestProcesses)
#include "test_processes.moc"
