// SPDX-License-Identifier: Apache-2.0
// The artifact cache against what it would be replaced by, in one run:
//   get   a bare prepared SELECT on a table of its own (same page size, mmap, codec; and as SQLite comes), and
//         open+read+close of a file; each in processes of their own
//   put   a temporary file, fsync and rename
//   many processes   PyTorch's file layout (fxgraph/<2>/<key>/<name>, temporary file and rename, no fsync), and
//   diskcache
//                    (Python; named by --python, left out where it is not installed)
// keyhole_cache_bench [--folder F] [--python P] [--seconds S]
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "keyhole/base/checksum.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/guard/expression.h"
#include "keyhole/key/hash.h"

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using keyhole::ArtifactCache;

namespace {

constexpr int kKeys = 400;
constexpr const char* kGuard = "L['t0']*L['t1'] <= 2147483647 and 2 <= L['t0'] and L['t1'] == 8";

double microseconds(Clock::duration d) {
  return std::chrono::duration<double, std::micro>(d).count();
}

std::string noise(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (auto& b : bytes) b = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24);
  return bytes;
}
std::string key_of(int i) {
  return keyhole::kFxGraph.key({std::to_string(i)});
}

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

struct Times {
  std::vector<double> us;
  double at(double q) {
    if (us.empty()) return 0;
    std::sort(us.begin(), us.end());
    return us[std::min(us.size() - 1, static_cast<std::size_t>(q * static_cast<double>(us.size())))];
  }
  [[nodiscard]] double mean() const {
    return std::accumulate(us.begin(), us.end(), 0.0) / static_cast<double>(std::max<std::size_t>(1, us.size()));
  }
};

Times measure(int n, const std::function<void(int)>& operation) {
  Times times;
  times.us.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    const auto begin = Clock::now();
    operation(i);
    times.us.push_back(microseconds(Clock::now() - begin));
  }
  return times;
}

std::string read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  if (fd < 0 || fstat(fd, &info) != 0) die("cannot read " + path);
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  if (read(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) die("short read");
  close(fd);
  return bytes;
}

void write_file(const std::string& path, std::string_view bytes, bool durable) {
  const std::string temporary = path + "." + std::to_string(getpid()) + ".tmp";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    die("cannot write " + path);
  if (durable && fsync(fd) != 0) die("fsync");
  close(fd);
  if (rename(temporary.c_str(), path.c_str()) != 0) die("rename");
}

std::unique_ptr<ArtifactCache> open_cache(const std::string& store, bool durable) {
  auto cache = ArtifactCache::open(store, {.durable = durable});
  if (!cache) die(cache.error().line());
  return std::move(*cache);
}

/// The least that SQLite can do: one table, one statement.
class BareTable {
 public:
  BareTable(const std::string& path, bool tuned) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) die("sqlite");
    if (tuned) exec("PRAGMA page_size = 8192; PRAGMA mmap_size = 2147418112");
    exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE IF NOT EXISTS t(key TEXT PRIMARY KEY, codec INTEGER, data BLOB)");
    sqlite3_prepare_v2(db_, "SELECT codec, data FROM t WHERE key = ?", -1, &get_, nullptr);
    sqlite3_prepare_v2(db_, "INSERT INTO t VALUES (?, 0, ?)", -1, &put_, nullptr);
  }
  ~BareTable() {
    sqlite3_finalize(get_);
    sqlite3_finalize(put_);
    sqlite3_close(db_);
  }
  void exec(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) die(sqlite3_errmsg(db_));
  }
  void put(const std::string& key, std::string_view bytes) {
    sqlite3_bind_text(put_, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
    sqlite3_bind_blob(put_, 2, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
    if (sqlite3_step(put_) != SQLITE_DONE) die(sqlite3_errmsg(db_));
    sqlite3_reset(put_);
  }
  std::string get(const std::string& key) {
    sqlite3_bind_text(get_, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
    if (sqlite3_step(get_) != SQLITE_ROW) die("not there");
    std::string bytes;
    if (sqlite3_column_int(get_, 0) == 0)
      bytes.assign(static_cast<const char*>(sqlite3_column_blob(get_, 1)),
                   static_cast<std::size_t>(sqlite3_column_bytes(get_, 1)));
    sqlite3_reset(get_);
    return bytes;
  }

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt *get_ = nullptr, *put_ = nullptr;
};

/// What a get costs at least on these tables: the two statements of ArtifactCache::get and its checksum, without guard,
/// record of the lookup, or what makes it safe to be called.
class LeastGet {
 public:
  explicit LeastGet(const std::string& store) {
    if (sqlite3_open_v2((store + "/cache.db").c_str(), &db_, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr) !=
        SQLITE_OK)
      die("sqlite");
    sqlite3_exec(db_, "PRAGMA mmap_size = 2147418112", nullptr, nullptr, nullptr);
    sqlite3_prepare_v2(db_,
                       "SELECT b.id, b.stored, b.checksum FROM entry e JOIN blob b ON b.id = e.blob "
                       "WHERE e.layer = ? AND e.key = ? ORDER BY e.name, e.guard",
                       -1, &entry_, nullptr);
    sqlite3_prepare_v2(db_, "SELECT data FROM chunk WHERE id >= ? AND id < ? ORDER BY id", -1, &chunks_, nullptr);
  }
  ~LeastGet() {
    sqlite3_finalize(entry_);
    sqlite3_finalize(chunks_);
    sqlite3_close(db_);
  }
  std::string get(const std::string& key) {
    sqlite3_bind_int(entry_, 1, static_cast<int>(keyhole::Layer::fx_graph));
    sqlite3_bind_text(entry_, 2, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
    if (sqlite3_step(entry_) != SQLITE_ROW) die("not there");
    const auto blob = sqlite3_column_int64(entry_, 0);
    const auto stored = static_cast<std::size_t>(sqlite3_column_int64(entry_, 1));
    sqlite3_bind_int64(chunks_, 1, blob * 1024);
    sqlite3_bind_int64(chunks_, 2, (blob + 1) * 1024);
    std::string bytes;
    bytes.reserve(stored);
    std::uint32_t checksum = 0;
    while (bytes.size() < stored && sqlite3_step(chunks_) == SQLITE_ROW) {
      const std::string_view chunk(static_cast<const char*>(sqlite3_column_blob(chunks_, 0)),
                                   static_cast<std::size_t>(sqlite3_column_bytes(chunks_, 0)));
      checksum = keyhole::crc32c(chunk, checksum);
      bytes += chunk;
    }
    if (checksum != static_cast<std::uint32_t>(sqlite3_column_int64(entry_, 2))) die("damaged");
    sqlite3_reset(chunks_);
    sqlite3_reset(entry_);
    return bytes;
  }

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt *entry_ = nullptr, *chunks_ = nullptr;
};

using Get = std::function<std::size_t(const std::string& key)>;

/// A new process opens what `open` opens and gets each key once (`rounds` 1: the first time; more: only the last round
/// counts). The very first get is left out: it opens the connection.
void in_a_process(Times& times, const std::vector<std::string>& keys, int rounds, const std::function<Get()>& open) {
  auto* us = static_cast<double*>(
      mmap(nullptr, keys.size() * sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t pid = fork();
  if (pid == 0) {
    const Get get = open();
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto begin = Clock::now();
        if (get(keys[i * 7919 % keys.size()]) == 0) die("nothing was read");
        us[i] = microseconds(Clock::now() - begin);
      }
    }
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (status != 0) die("a process failed");
  times.us.insert(times.us.end(), us + 1, us + keys.size());
  munmap(us, keys.size() * sizeof(double));
}

void gets(const std::string& folder) {
  std::printf(
      "get: median us (mean). first: each key once, in a process that has just opened the store. again: the third "
      "time.\nleast: only the two statements and the checksum. SELECT: tuned (8 KiB pages, mmap); defaults: as SQLite "
      "comes.\n%8s %14s %14s %14s %14s %14s %14s %9s %9s %9s %9s\n",
      "", "keyhole first", "again", "least", "SELECT", "defaults", "file", "first/S", "first/f", "again/S", "again/f");
  for (const std::size_t kib : {16, 64, 256, 1024}) {
    const std::string place = folder + "/one" + std::to_string(kib);
    const int keys = kib > 256 ? 40 : kib > 64 ? 100 : kib > 16 ? kKeys / 2 : kKeys;
    fs::create_directories(place + "/files");
    std::vector<std::string> names;
    for (int i = 0; i < keys; ++i) names.push_back(key_of(i));
    {
      auto cache = open_cache(place + "/store", false);
      BareTable tuned(place + "/tuned.db", true), plain(place + "/plain.db", false);
      for (int i = 0; i < keys; ++i) {
        const std::string bytes = noise(kib << 10, static_cast<unsigned>(i));
        if (!cache->put({.key = names[i], .guard = kGuard, .bytes = bytes})) die("put");
        tuned.put(names[i], bytes);
        plain.put(names[i], bytes);
        write_file(place + "/files/" + names[i], bytes, false);
      }
    }  // closed: the logs are in the files, as after the program that filled the cache
    const auto ours = [&]() -> Get {
      const std::shared_ptr<ArtifactCache> cache = open_cache(place + "/store", false);
      return [cache](const std::string& key) {
        static const keyhole::Hints hints({64, 8});
        const auto found = cache->get({.key = key, .hints = &hints});
        return found.hit() ? found.entry.bytes.size() : 0;
      };
    };
    const auto least = [&]() -> Get {
      return [store = std::make_shared<LeastGet>(place + "/store")](const std::string& key) {
        return store->get(key).size();
      };
    };
    const auto select = [&](bool is_tuned) {
      return [&, is_tuned]() -> Get {
        return [table = std::make_shared<BareTable>(place + (is_tuned ? "/tuned.db" : "/plain.db"), is_tuned)](
                   const std::string& key) { return table->get(key).size(); };
      };
    };
    const auto file = [&]() -> Get {
      return [&place](const std::string& key) { return read_file(place + "/files/" + key).size(); };
    };
    // In turns, so that what else runs on the machine meets all of them alike.
    Times first, again, floor, tuned, plain, files;
    for (int turn = 0; turn < 7; ++turn) {
      in_a_process(first, names, 1, ours);
      in_a_process(again, names, 3, ours);
      if (kib <= 256) in_a_process(floor, names, 1, least);  // above, the content is a file
      in_a_process(tuned, names, 1, select(true));
      in_a_process(plain, names, 1, select(false));
      in_a_process(files, names, 1, file);
    }
    std::printf("%4zu KiB", kib);
    for (Times* times : {&first, &again, &floor, &tuned, &plain, &files})
      std::printf(" %6.1f (%5.1f)", times->at(.5), times->mean());
    for (Times* times : {&first, &again})
      std::printf(" %9.2f %9.2f", times->at(.5) / tuned.at(.5), times->at(.5) / files.at(.5));
    std::printf("\n");
  }
}

void puts_of_one(const std::string& folder) {
  std::printf("\n%10s %18s %18s %18s %18s %8s\n", "put", "keyhole FULL", "keyhole NORMAL", "file + fsync",
              "file, no fsync", "/fsync");
  for (const std::size_t kib : {16, 64, 256}) {
    const std::string place = folder + "/put" + std::to_string(kib);
    fs::create_directories(place + "/files");
    auto full = open_cache(place + "/full", true), normal = open_cache(place + "/normal", false);
    Times a, b, c, d;
    const int n = 60;
    for (int turn = 0; turn < 5; ++turn) {
      std::vector<std::string> contents;
      for (int i = 0; i < n; ++i) contents.push_back(noise(kib << 10, static_cast<unsigned>(turn * 1000 + i + 7)));
      const auto into = [&](ArtifactCache& cache) {
        return [&, turn](int i) {
          if (!cache.put(
                  {.key = key_of(turn * n + i), .guard = kGuard, .bytes = contents[static_cast<std::size_t>(i)]}))
            die("put");
        };
      };
      const auto to_file = [&](bool durable) {
        return [&, durable, turn](int i) {
          write_file(place + "/files/" + (durable ? "d" : "n") + key_of(turn * n + i),
                     contents[static_cast<std::size_t>(i)], durable);
        };
      };
      for (auto [times, operation] : {std::pair<Times*, std::function<void(int)>>{&a, into(*full)},
                                      {&b, into(*normal)},
                                      {&c, to_file(true)},
                                      {&d, to_file(false)}}) {
        auto part = measure(n, operation);
        times->us.insert(times->us.end(), part.us.begin(), part.us.end());
      }
    }
    std::printf("%6zu KiB %9.1f (%6.0f) %9.1f (%6.0f) %9.1f (%6.0f) %9.1f (%6.0f) %8.2f\n", kib, a.at(.5), a.at(.99),
                b.at(.5), b.at(.99), c.at(.5), c.at(.99), d.at(.5), d.at(.99), a.at(.5) / c.at(.5));
  }
}

/// What the workers tell the parent, in shared memory.
struct Tally {
  std::atomic<std::int64_t> operations, errors;
  std::atomic<std::int64_t> get[128], put[128];  // by logarithm of the time: 8 steps an octave, from 1 us
};

int bucket(double us) {
  return std::clamp(static_cast<int>(8 * std::log2(std::max(1.0, us))), 0, 127);
}
double percentile(const std::atomic<std::int64_t>* histogram, double q) {
  std::int64_t all = 0, seen = 0;
  for (int i = 0; i < 128; ++i) all += histogram[i];
  for (int i = 0; i < 128; ++i)
    if ((seen += histogram[i]) >= static_cast<std::int64_t>(q * static_cast<double>(all)) && all > 0)
      return std::exp2((i + 1) / 8.0);
  return 0;
}

struct Peer {
  std::function<bool(const std::string& key)> get;
  std::function<bool(const std::string& key, std::string_view bytes)> put;
};

/// Nine gets to a put; the kernel's first compile of a key is one miss and one put.
void work(Tally& tally, int worker, double seconds, const Peer& peer) {
  const std::string bytes = noise(32 << 10, static_cast<unsigned>(worker + 1));
  unsigned seed = static_cast<unsigned>(worker * 7919 + 13);
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (std::int64_t i = 0; Clock::now() < end; ++i) {
    seed = seed * 1664525U + 1013904223U;
    const auto begin = Clock::now();
    const bool is_put = (seed >> 16) % 10 == 0;
    const bool ok = is_put ? peer.put(key_of(1000000 + worker * 1000000 + static_cast<int>(i)), bytes)
                           : peer.get(key_of(static_cast<int>((seed >> 8) % kKeys)));
    const double us = microseconds(Clock::now() - begin);
    ++(is_put ? tally.put : tally.get)[bucket(us)];
    ++tally.operations;
    if (!ok) ++tally.errors;
  }
}

void report(const char* name, int processes, double seconds, const Tally& tally) {
  std::printf("%-14s %9d %11.0f %12.0f %12.0f %12.0f %9lld\n", name, processes,
              static_cast<double>(tally.operations) / seconds, percentile(tally.get, .5), percentile(tally.get, .99),
              percentile(tally.put, .99), static_cast<long long>(tally.errors));
  std::fflush(stdout);
}

void many(const char* name, int processes, double seconds, const std::function<Peer()>& open) {
  auto* tally =
      static_cast<Tally*>(mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::vector<pid_t> pids;
  for (int w = 0; w < processes; ++w) {
    const pid_t pid = fork();
    if (pid == 0) {
      work(*tally, w, seconds, open());
      _exit(0);
    }
    pids.push_back(pid);
  }
  for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
  report(name, processes, seconds, *tally);
  munmap(tally, sizeof(Tally));
}

Peer torch_layout(const std::string& root) {
  const auto folder = [root](const std::string& key) { return root + "/fxgraph/" + key.substr(1, 2) + "/" + key; };
  return {[folder](const std::string& key) {
            std::vector<std::string> names;
            if (keyhole::os().list(folder(key), names) != 0 || names.empty()) return false;
            return !read_file(folder(key) + "/" + names.front()).empty();
          },
          [folder](const std::string& key, std::string_view bytes) {
            fs::create_directories(folder(key));
            write_file(folder(key) + "/" + keyhole::sha256_hash(bytes), bytes, false);
            return true;
          }};
}

Peer ours(const std::string& store) {
  std::shared_ptr<ArtifactCache> cache = open_cache(store, false);
  return {[cache](const std::string& key) {
            const keyhole::Hints hints({64, 8});
            return cache->get({.key = key, .hints = &hints}).hit();
          },
          [cache](const std::string& key, std::string_view bytes) {
            return cache->put({.key = key, .guard = kGuard, .bytes = bytes}).has_value();
          }};
}

void many_processes(const std::string& folder, const std::string& python, double seconds) {
  std::printf("\n32 KiB, nine gets to a put\n%-14s %9s %11s %12s %12s %12s %9s\n", "", "processes", "op/s",
              "get p50 us", "get p99 us", "put p99 us", "failed");
  for (const int processes : {1, 2, 4, 8, 32}) {
    const std::string place = folder + "/many" + std::to_string(processes);
    {
      const auto layout = torch_layout(place + "/torch");
      const auto cache = ours(place + "/store");
      for (int i = 0; i < kKeys; ++i) {
        const auto bytes = noise(32 << 10, static_cast<unsigned>(i));
        layout.put(key_of(i), bytes);
        cache.put(key_of(i), bytes);
      }
    }
    many("keyhole", processes, seconds, [&] { return ours(place + "/store"); });
    many("PyTorch files", processes, seconds, [&] { return torch_layout(place + "/torch"); });
    if (!python.empty()) {
      const std::string command = python + " " KEYHOLE_BENCH_DIR "/diskcache_peer.py " + place + "/diskcache " +
                                  std::to_string(processes) + " " + std::to_string(seconds);
      std::fflush(stdout);
      if (std::system(command.c_str()) != 0) std::printf("diskcache: left out\n");
    }
    keyhole::remove_folder(place);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = "/tmp/keyhole-cache-bench-" + std::to_string(getpid()), python;
  double seconds = 3;  // 0: one process only
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--folder")
      folder = argv[i + 1];
    else if (option == "--python")
      python = argv[i + 1];
    else if (option == "--seconds")
      seconds = std::atof(argv[i + 1]);
  }
  fs::create_directories(folder);
  gets(folder);
  puts_of_one(folder);
  if (seconds > 0) many_processes(folder, python, seconds);
  keyhole::remove_folder(folder);
  return 0;
}
