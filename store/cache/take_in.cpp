// SPDX-License-Identifier: Apache-2.0
// From the journals into the history (lookups, through the Recorder) and into cache.db (last uses).
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <unordered_map>

#include "blobs.h"
#include "impl.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/recorder.h"
#include "wire.h"

namespace keyhole {
namespace {

constexpr std::string_view kSuffix = ".khj";
constexpr std::size_t kJournalsAtOnce = 64;  // of one transaction; each is an open file meanwhile

class File {
 public:
  File(const std::string& path, int flags) : fd_(os().open(path, flags)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) os().close(fd_);
  }
  [[nodiscard]] bool lock(int operation) const { return fd_ >= 0 && os().flock(fd_, operation | LOCK_NB) == 0; }

 private:
  int fd_;
};

std::optional<Layer> layer_of(std::uint64_t n) {
  if (n < 1 || n > static_cast<std::uint64_t>(Layer::remote)) return {};
  return static_cast<Layer>(n);
}

/// One journal on its way into the history.
class TakingIn {
 public:
  TakingIn(ArtifactCache& cache, Recorder& recorder, std::int64_t until)
      : cache_(cache), recorder_(recorder), until_(until) {}

  /// Takes in what is behind `taken` and gives the offset reached.
  std::size_t run(std::string_view file, std::size_t taken) {
    // From the start: the process, its components and its misses stand before.
    return read_journal(file, 0, [&](std::uint64_t kind, std::string_view body) {
      fresh_ = static_cast<std::size_t>(body.data() - file.data()) > taken;
      if (fresh_ && os().monotonic() > until_) {
        out_of_time_ = true;
        return false;
      }
      wire::Reader reader(body);
      switch (kind) {
        case 1:
          process(reader);
          break;
        case 2:
          group(body);
          break;
        case 3:
          lookup(reader);
          break;
        case 4:
          put(reader);
          break;
        default:
          break;  // of a newer version
      }
      return true;
    });
  }

  struct Use {
    Nanoseconds last = 0;
    std::int64_t hits = 0;
  };
  [[nodiscard]] const std::map<std::int64_t, Use>& uses() const { return uses_; }
  [[nodiscard]] std::int64_t events() const { return events_; }
  [[nodiscard]] bool out_of_time() const { return out_of_time_; }

 private:
  void process(wire::Reader& in) {
    ProcessRecord process;
    RunRecord run;
    process.identity = in.text();
    process.host = in.text();
    process.pid = in.integer();
    process.start = run.start = in.integer();
    run.name = in.text();
    for (auto n = in.number(); n > 0 && in.ok(); --n) run.argv.emplace_back(in.text());
    run.cwd = in.text();
    if (const auto rank = in.number(); rank > 0) process.rank = static_cast<int>(rank - 1);
    process.cache_dir = in.text();
    if (!in.ok()) return;
    static_cast<void>(recorder_.begin_run(run));  // a failure is remembered and told by commit()
    process_ = recorder_.process(process);
  }

  void group(std::string_view body) {
    std::vector<ComponentPtr> members;
    wire::Reader reader(body);
    const Digest digest = reader.digest();
    if (decode_run(body, pool_, members)) groups_[digest] = std::move(members);
  }

  std::vector<ComponentPtr> components(wire::Reader& in) {
    std::vector<ComponentPtr> all;
    for (auto n = in.number(); n > 0 && in.ok(); --n) {
      const auto members = groups_.find(in.digest());
      if (members == groups_.end()) return {};  // one that had no room on the disk: rather none than a part
      all.insert(all.end(), members->second.begin(), members->second.end());
    }
    return all;
  }

  void lookup(wire::Reader& in) {
    LookupRecord record;
    const auto layer = layer_of(in.number());
    const auto outcome = in.number();
    record.ordinal = static_cast<std::int64_t>(in.number());
    record.time = in.integer();
    record.duration = in.integer();
    record.saved = in.integer();
    const std::int64_t entry = in.integer();
    for (std::int64_t* part : {&record.compile.frame, &record.compile.frame_compile, &record.compile.attempt,
                               &record.compile.compiled_autograd})
      *part = in.integer();
    for (std::string* text : {&record.key, &record.status, &record.guard, &record.reason, &record.load_error})
      *text = in.text();
    record.cache_off = in.number() != 0;
    record.components = components(in);
    if (!in.ok() || !layer || outcome < 1 || outcome > static_cast<std::uint64_t>(Outcome::error) || !process_) return;
    record.layer = *layer;
    record.outcome = static_cast<Outcome>(outcome);
    if (record.outcome != Outcome::hit) misses_[{record.layer, record.key}] = record;
    if (!fresh_) return;
    ++events_;
    if (record.outcome == Outcome::hit && entry != 0) {
      auto& use = uses_[entry];
      use.last = std::max(use.last, record.time);
      ++use.hits;
      record.components = of_entry(entry);
    }
    recorder_.lookup(*process_, record);
  }

  /// Adds to the miss before it what the compile cost, what the key was made of, and why it could not be saved.
  void put(wire::Reader& in) {
    const auto layer = layer_of(in.number());
    const auto ordinal = static_cast<std::int64_t>(in.number());
    const bool looked_up = in.number() != 0;
    static_cast<void>(in.integer());  // its time
    const Nanoseconds cost = in.integer();
    static_cast<void>(in.integer());  // the entry
    const std::string key(in.text());
    const std::string save_error(in.text());
    auto given = components(in);
    if (!in.ok() || !layer || !looked_up || !fresh_) return;
    const auto miss = misses_.find({*layer, key});
    if (miss == misses_.end() || miss->second.ordinal != ordinal || !process_) return;
    LookupRecord& record = miss->second;
    record.cost = cost;
    record.save_error = save_error;
    if (!given.empty()) record.components = std::move(given);
    recorder_.lookup(*process_, record);
  }

  const std::vector<ComponentPtr>& of_entry(std::int64_t entry) {
    auto [found, added] = entries_.try_emplace(entry);
    if (added)
      if (auto components = cache_.components(entry, pool_)) found->second = std::move(*components);
    return found->second;
  }

  ArtifactCache& cache_;
  Recorder& recorder_;
  std::int64_t until_;
  bool fresh_ = false, out_of_time_ = false;
  std::int64_t events_ = 0;
  std::optional<RecordSink::ProcessId> process_;
  ComponentPool pool_;
  std::unordered_map<Digest, std::vector<ComponentPtr>> groups_;
  std::map<std::int64_t, std::vector<ComponentPtr>> entries_;
  std::map<std::pair<Layer, std::string>, LookupRecord> misses_;
  std::map<std::int64_t, Use> uses_;
};

/// A journal whose events the history has, not yet cache.db.
struct Taken {
  std::string name;
  std::size_t reached = 0;
  bool remove = false;  ///< its process is dead, and all of it is in
  std::map<std::int64_t, TakingIn::Use> uses;
  std::unique_ptr<File> owner;  ///< locked
};

/// The last uses and how far each file was taken, as one transaction: a hit is counted once.
Result<void> note_uses(ArtifactCache::Impl& cache, const std::vector<Taken>& group) {
  Writing writing(cache);
  if (!writing.ok()) return tl::unexpected(writing.error());
  Db& db = writing.db();
  Transaction transaction(db);
  for (const Taken& taken : group) {
    for (const auto& [entry, use] : taken.uses)
      Query(db,
            "INSERT INTO use(entry, last, hits) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM entry WHERE id = ?1) "
            "ON CONFLICT DO UPDATE SET last = max(last, excluded.last), hits = hits + excluded.hits",
            entry, use.last, use.hits)
          .run();
    note_taken(db, taken.name, static_cast<std::int64_t>(taken.reached));
  }
  return transaction.commit();
}

/// Removes the files that are done with, then what cache.db knows of them.
void remove_done(ArtifactCache::Impl& cache, const std::string& folder, const std::vector<Taken>& group) {
  if (std::none_of(group.begin(), group.end(), [](const Taken& taken) { return taken.remove; })) return;
  for (const Taken& taken : group)
    if (taken.remove) os().unlink(folder + "/" + taken.name);
  Writing writing(cache);
  if (!writing.ok()) return;
  Transaction transaction(writing.db());
  for (const Taken& taken : group)
    if (taken.remove) Query(writing.db(), "DELETE FROM journal WHERE name = ?", taken.name).run();
  static_cast<void>(transaction.commit());
}

}  // namespace

std::int64_t taken_of(Db& db, std::string_view name) {
  Query q(db, "SELECT taken FROM journal WHERE name = ?", name);
  return q.next() ? q.integer(0) : 0;
}

void note_taken(Db& db, std::string_view name, std::int64_t taken) {
  Query(db, "INSERT INTO journal(name, taken) VALUES (?, ?) ON CONFLICT DO UPDATE SET taken = excluded.taken", name,
        taken)
      .run();
}

Result<std::int64_t> take_in_journals(ArtifactCache& cache, std::chrono::milliseconds budget, bool of_the_living) {
  auto& impl = cache.impl();
  static_cast<void>(pass_on_tombstones(impl));  // what could not be told now is told the next time
  const std::string folder = impl.store + "/journal";
  std::vector<std::string> names;
  if (os().list(folder, names) != 0 || names.empty()) return 0;
  const std::int64_t until = os().monotonic() + std::chrono::nanoseconds(budget).count();
  const File turn(folder + "/taking.lock", O_RDWR | O_CREAT);
  if (!turn.lock(LOCK_EX)) return 0;

  std::unique_ptr<Recorder> recorder;
  std::int64_t events = 0;
  // Most journals hold the one lookup of a compile: a transaction for each would cost a hundred times what is in it.
  std::vector<Taken> group;
  const auto close_group = [&]() -> Result<void> {
    if (group.empty()) return {};
    if (auto committed = recorder->commit(); !committed) return committed;
    if (auto noted = note_uses(impl, group); !noted) return noted;
    remove_done(impl, folder, group);
    group.clear();
    return {};
  };
  for (const auto& name : names) {
    if (!name.ends_with(kSuffix)) continue;
    if (os().monotonic() > until) break;
    auto owner = std::make_unique<File>(folder + "/" + name, O_RDONLY);
    const bool dead = owner->lock(LOCK_SH);
    if (!dead && !of_the_living) continue;
    const auto bytes = read_file(folder + "/" + name);
    if (!bytes) continue;
    const std::size_t taken = [&] {
      Reading reading(impl);
      return reading.db() ? static_cast<std::size_t>(taken_of(*reading.db(), name)) : 0;
    }();
    if (!recorder) {
      auto opened = Recorder::open(impl.store);
      if (!opened) return tl::unexpected(opened.error());
      recorder = std::move(*opened);
    }
    TakingIn taking(cache, *recorder, until);
    const std::size_t reached = taking.run(*bytes, taken);
    const bool done = dead && !taking.out_of_time();
    events += taking.events();
    if (taking.events() > 0 || reached > taken || done)
      group.push_back({name, reached, done, taking.uses(), std::move(owner)});
    if (group.size() >= kJournalsAtOnce)
      if (auto closed = close_group(); !closed) return tl::unexpected(closed.error());
  }
  if (auto closed = close_group(); !closed) return tl::unexpected(closed.error());
  return events;
}

Result<std::int64_t> take_in_journals(const std::string& store, std::chrono::milliseconds budget) {
  std::vector<std::string> names;
  if (os().list(store + "/journal", names) != 0) return 0;
  bool any = false;
  for (const auto& name : names) any = any || name.ends_with(kSuffix);
  if (!any) return 0;
  auto cache = ArtifactCache::open(store, {.record = false});
  if (!cache) return tl::unexpected(cache.error());
  return take_in_journals(**cache, budget);
}

}  // namespace keyhole
