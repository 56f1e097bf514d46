// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/artifact_cache.h"

#include "blobs.h"
#include "entry_sum.h"
#include "impl.h"
#include "keyhole/base/os.h"
#include "keyhole/base/pool.h"
#include "keyhole/cache/guarded_search.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/key/hash.h"
#include "wire.h"

namespace keyhole {
namespace {

std::int64_t number(Layer layer) {
  return static_cast<std::int64_t>(layer);
}

std::string_view bytes_of(const Digest& d) {
  return {reinterpret_cast<const char*>(d.bytes.data()), d.bytes.size()};
}

}  // namespace

bool sound_file_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string_view::npos) return false;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const auto part = name.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

namespace {

/// The compact hash of the content: of the bytes alone, as PyTorch names its files, where there is no bundle.
std::string name_of(const PreparedBlob& bytes, std::span<const NamedFile> files,
                    std::span<const PreparedBlob> contents) {
  if (files.empty()) return kCompact.key_of(bytes.hash);
  wire::Writer all;
  all.digest(bytes.hash);
  for (std::size_t i = 0; i < files.size(); ++i) {
    all.text(files[i].name);
    all.digest(contents[i].hash);
  }
  return kCompact.key({all.bytes()});
}

Result<void> check(const NewEntry& entry) {
  if (entry.key.empty()) return fail(ErrorKind::usage, "an entry needs a key");
  for (const auto& file : entry.files)
    if (!sound_file_name(file.name))
      return fail(ErrorKind::usage, "a file of a bundle needs a relative name without '..'", file.name);
  return {};
}

Result<std::vector<NamedFile>> load_files(Db& db, const std::string& store, std::int64_t entry, bool distrust,
                                          EntrySum& sum) {
  std::vector<NamedFile> files;
  Query q(db,
          "SELECT f.name, " KEYHOLE_BLOB_COLUMNS
          " FROM bundle_file f "
          "JOIN blob b ON b.id = f.blob WHERE f.entry = ? ORDER BY f.position",
          entry);
  while (q.next()) {
    const BlobRow row(q, 1);
    auto bytes = load_blob(db, store, row, distrust);
    if (!bytes) return tl::unexpected(bytes.error());
    sum.file(q.text(0), row.hash);
    files.push_back({std::string(q.text(0)), std::move(*bytes)});
  }
  if (!db.ok()) return tl::unexpected(db.error());
  return files;
}

constexpr std::size_t kMostRecalled = std::size_t{64} << 10;  // above it reading costs more than asking the store

/// Tries the entries of one key, in memory or in the store; fills `result`.
class Candidates {
 public:
  Candidates(const ArtifactCache::Impl& cache, const LookupRequest& request, GuardedSearch& search, CacheLookup& result)
      : cache_(cache), request_(request), search_(search), result_(result) {}

  /// Gives whether the search is over: where it is not, nothing was changed.
  bool recall(const KnownKey& known) {
    GuardedSearch search = search_;
    for (const auto& e : known.entries) {
      if (!search.offer(e.guard)) continue;
      if (!e.bytes) return false;
      search_ = search;
      serve({e.id, e.name, e.guard, *e.bytes, e.metadata, {}, e.cost});
      return true;
    }
    return false;
  }

  /// Gives whether the search is over. `stale`: what was known, of which contents still hold; null: nothing. `fresh`
  /// (null: not wanted) becomes what is to be known, without entries where that is nothing.
  bool read(Db& db, const KnownKey* stale, KnownKey* fresh) {
    Query q(db,
            "SELECT e.id, e.name, e.guard, e.files, e.metadata, e.cost, e.checksum, " KEYHOLE_BLOB_COLUMNS
            " FROM entry e JOIN blob b ON b.id = e.blob WHERE e.layer = ? AND e.key = ? ORDER BY e.name, e.guard",
            number(request_.layer), request_.key);
    bool known = fresh != nullptr;
    while (q.next()) {
      const std::string_view guard = q.text(2);
      const bool holds = search_.offer(guard);
      if (!holds && !known) continue;
      FoundEntry found{q.integer(0), std::string(q.text(1)), std::string(guard), {}, std::string(q.text(4)), {},
                       q.integer(5)};
      const BlobRow row(q, 7);
      if (holds) {
        if (auto loaded = load(db, q.integer(3), q.integer(6), row, stale, found); !loaded) {
          result_.reason = "entry " + found.name + ": " + loaded.error().line();
          search_.withdraw();
          known = false;
          continue;
        }
        known = known && found.files.empty() && found.bytes.size() <= kMostRecalled;
      }
      if (known)
        fresh->entries.push_back({found.id, found.name, found.guard, found.metadata, found.cost, row.hash,
                                  holds ? std::make_shared<const std::string>(found.bytes) : nullptr});
      if (!holds) continue;
      if (fresh != nullptr && !known) fresh->entries.clear();
      serve(std::move(found));
      return true;
    }
    if (fresh != nullptr) fresh->entries.clear();
    return false;
  }

 private:
  Result<void> load(Db& db, std::int64_t files, std::int64_t checksum, const BlobRow& row, const KnownKey* stale,
                    FoundEntry& into) {
    if (const auto content = stale != nullptr ? stale->content(row.hash) : nullptr) {
      into.bytes = *content;
    } else {
      auto bytes = load_blob(db, cache_.store, row, cache_.options.distrust);
      if (!bytes) return tl::unexpected(bytes.error());
      into.bytes = std::move(*bytes);
    }
    EntrySum sum(request_.layer, request_.key, into.name, into.guard, into.metadata, into.cost, row.hash);
    if (files != 0) {
      auto loaded = load_files(db, cache_.store, into.id, cache_.options.distrust, sum);
      if (!loaded) return tl::unexpected(loaded.error());
      if (static_cast<std::int64_t>(loaded->size()) != files)
        return fail(ErrorKind::corrupt, "files of the bundle are missing");
      into.files = std::move(*loaded);
    }
    if (!sum.fits(checksum))
      return fail(ErrorKind::corrupt, "what the entry says does not match its checksum", {},
                  "run `keyhole verify --repair`");
    return {};
  }

  void serve(FoundEntry found) {
    result_.local = true;
    result_.entry = std::move(found);
    if (request_.accept && !request_.accept(result_.entry)) search_.refuse();
  }

  const ArtifactCache::Impl& cache_;
  const LookupRequest& request_;
  GuardedSearch& search_;
  CacheLookup& result_;
};

const Hints& no_hints() {
  static const Hints none;
  return none;
}

}  // namespace

ArtifactCache::ArtifactCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ArtifactCache::~ArtifactCache() = default;

Result<std::unique_ptr<ArtifactCache>> ArtifactCache::open(const std::string& store, const CacheOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->store = store;
  impl->options = options;
  if (!options.only_read) {
    Writing writing(*impl);
    if (!writing.ok()) return tl::unexpected(writing.error());
  }
  std::unique_ptr<ArtifactCache> cache(new ArtifactCache(std::move(impl)));
  if (options.record && !options.only_read)
    static_cast<void>(take_in_journals(*cache, std::chrono::milliseconds(50), false));
  return cache;
}

const std::string& ArtifactCache::store() const {
  return impl_->store;
}
const CacheOptions& ArtifactCache::options() const {
  return impl_->options;
}

CacheLookup ArtifactCache::get(const LookupRequest& request) {
  const Nanoseconds time = os().now(), begin = os().monotonic();
  GuardedSearch search(request.hints != nullptr ? *request.hints : no_hints(), request.skip_guards,
                       impl_->options.torch_compat);
  CacheLookup result;
  bool done = false, broken = false;
  if (request.local) {
    const auto failed = [&](const Error& error) {
      broken = true;
      result.reason = error.kind == ErrorKind::busy ? "lock_timeout" : error.line();
    };
    Impl::Process& process = impl_->process();
    const Presence presence(process);
    Candidates candidates(*impl_, request, search, result);
    const bool recalls = impl_->options.recall_limit > 0 && !impl_->options.distrust;
    const std::uint64_t hash = recalls ? Recall::hash_of(request.layer, request.key) : 0;
    const auto known = recalls ? process.recall.find(hash, request.layer, request.key) : nullptr;
    const auto state = known ? process.log_state(*impl_) : std::nullopt;
    if (known && state && *state == known->state) done = candidates.recall(*known);
    if (!done) {
      const bool again = known || (recalls && process.recall.again(hash));
      KnownKey fresh;
      const auto before = again && !state ? process.log_state(*impl_) : state;
      {
        Reading reading(*impl_);
        if (auto& db = reading.db()) {
          done = candidates.read(*db, known.get(), before ? &fresh : nullptr);
          if (!db->ok()) failed(db->error());
        } else {
          failed(db.error());
        }
      }
      if (!fresh.entries.empty() && process.log_state(*impl_) == before) {
        fresh.state = *before;
        process.recall.keep(hash, request.layer, request.key, std::make_shared<const KnownKey>(std::move(fresh)));
      }
    }
  }
  if (!done && request.beyond) {
    if (auto found = request.beyond(); found && search.offer(found->guard)) {
      result.entry = std::move(*found);
      result.entry.id = 0;
      if (request.accept && !request.accept(result.entry)) search.refuse();
    }
  }
  result.status = search.status();
  result.guard = search.guard();
  result.outcome = search.outcome();
  if (result.outcome == Outcome::hit) {
    if (!result.local) broken = false;
  } else {
    result.local = false;
    result.entry = {};
    if (!search.error().empty())
      result.reason = "the guard cannot be evaluated: " + search.error();
    else if (broken)
      result.outcome = Outcome::error;
  }

  if (Journal* journal = impl_->process().journal.get()) {
    LookupEvent event;
    event.layer = request.layer;
    event.outcome = result.outcome;
    event.time = time;
    event.duration = os().monotonic() - begin;
    event.saved = result.hit() ? result.entry.cost : -1;
    event.entry = result.entry.id;
    event.compile = request.compile;
    event.key = request.key;
    event.status = result.status;
    event.guard = result.guard;
    if (result.outcome == Outcome::error)
      event.reason = result.reason;
    else
      event.load_error = result.reason;
    if (result.hit() && result.local)
      journal->lookup(event, {});
    else
      journal->lookup(event, runs_of(request.components));
  }
  return result;
}

void ArtifactCache::note(const LookupRecord& lookup) {
  Journal* journal = impl_->process().journal.get();
  if (journal == nullptr) return;
  LookupEvent event = event_of(lookup);
  if (event.time == kUnknownTime) event.time = os().now();
  journal->lookup(event, runs_of(lookup.components));
}

Result<Stored> ArtifactCache::put(const NewEntry& entry) {
  std::int64_t put_size = 0;  // of what was stored anew, at most
  const auto attempt = [&]() -> Result<std::pair<Stored, std::int64_t>> {
    if (auto sound = check(entry); !sound) return tl::unexpected(sound.error());
    const PreparedBlob bytes = prepare_blob(entry.bytes, impl_->options);
    std::vector<PreparedBlob> contents;
    contents.reserve(entry.files.size());
    std::int64_t size = static_cast<std::int64_t>(bytes.size);
    for (const auto& file : entry.files) {
      contents.push_back(prepare_blob(file.bytes, impl_->options));
      size += static_cast<std::int64_t>(file.bytes.size());
    }
    put_size = static_cast<std::int64_t>(bytes.stored().size());
    for (const auto& content : contents) put_size += static_cast<std::int64_t>(content.stored().size());
    Stored stored{name_of(bytes, entry.files, contents), false};
    if (auto written = write_blob_file(impl_->store, bytes); !written) return tl::unexpected(written.error());
    for (const auto& content : contents)
      if (auto written = write_blob_file(impl_->store, content); !written) return tl::unexpected(written.error());
    std::vector<std::pair<Digest, std::string>> groups;
    for (const auto& run : runs_of(entry.components)) groups.emplace_back(run.digest, encode_run(run));

    Writing writing(*impl_);
    if (!writing.ok()) return tl::unexpected(writing.error());
    Db& db = writing.db();
    Transaction transaction(db);
    const auto blob = db.ok() ? insert_blob(db, impl_->store, bytes) : Result<std::int64_t>(tl::unexpected(db.error()));
    if (!blob) return tl::unexpected(blob.error());
    std::vector<std::int64_t> file_blobs;
    for (const auto& content : contents) {
      const auto id = insert_blob(db, impl_->store, content);
      if (!id) return tl::unexpected(id.error());
      file_blobs.push_back(*id);
    }
    EntrySum sum(entry.layer, entry.key, stored.name, entry.guard, entry.metadata, entry.cost, bytes.hash);
    for (std::size_t i = 0; i < contents.size(); ++i) sum.file(entry.files[i].name, contents[i].hash);
    Query(db,
          "INSERT INTO entry(layer, key, name, guard, blob, files, metadata, cost, created, size, checksum) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
          number(entry.layer), entry.key, stored.name, entry.guard, *blob,
          static_cast<std::int64_t>(entry.files.size()), entry.metadata, entry.cost, os().now(), size, sum.value())
        .run();
    stored.added = db.ok() && db.changes() > 0;
    std::int64_t id = db.last_insert_id();
    if (!stored.added) {
      Query q(db, "SELECT id FROM entry WHERE layer = ? AND key = ? AND name = ? AND guard = ?", number(entry.layer),
              entry.key, stored.name, entry.guard);
      id = q.next() ? q.integer(0) : 0;
    } else {
      for (std::size_t i = 0; i < file_blobs.size(); ++i)
        Query(db, "INSERT INTO bundle_file(entry, position, name, blob) VALUES (?, ?, ?, ?)", id,
              static_cast<std::int64_t>(i), entry.files[i].name, file_blobs[i])
            .run();
      for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::string_view digest = bytes_of(groups[i].first);
        if (!Query(db, "SELECT 1 FROM component_group WHERE digest = ?", Blob{digest}).next())
          Query(db, "INSERT INTO component_group(digest, members) VALUES (?, ?)", Blob{digest},
                Blob{compress(groups[i].second)})
              .run();
        Query(db, "INSERT INTO entry_group SELECT ?, ?, id FROM component_group WHERE digest = ?", id,
              static_cast<std::int64_t>(i), Blob{digest})
            .run();
      }
    }
    if (auto committed = transaction.commit(); !committed) return tl::unexpected(committed.error());
    return std::pair{std::move(stored), id};
  };

  auto outcome = attempt();
  if (Journal* journal = impl_->process().journal.get()) {
    PutEvent event;
    event.layer = entry.layer;
    event.time = os().now();
    event.cost = entry.cost;
    event.entry = outcome ? outcome->second : 0;
    event.key = entry.key;
    const std::string error = outcome ? std::string() : outcome.error().line();
    event.save_error = error;
    journal->put(event, runs_of(entry.components));
  }
  if (!outcome) return tl::unexpected(outcome.error());
  if (impl_->options.max_size >= 0 && outcome->first.added) trim(*this, outcome->second, put_size);
  return std::move(outcome->first);
}

Result<std::vector<ComponentPtr>> ArtifactCache::components(std::int64_t entry, ComponentPool& pool) {
  Reading reading(*impl_);
  auto& db = reading.db();
  if (!db) return tl::unexpected(db.error());
  std::vector<ComponentPtr> components;
  Query q(*db,
          "SELECT g.members FROM entry_group e JOIN component_group g ON g.id = e.component_group WHERE e.entry = ? "
          "ORDER BY e.position",
          entry);
  while (q.next()) {
    const auto members = decompress(q.text(0));
    if (!members || !decode_run(*members, pool, components))
      return fail(ErrorKind::corrupt, "the components of an entry cannot be read", "entry " + std::to_string(entry),
                  "run `keyhole verify --repair`");
  }
  if (!db->ok()) return tl::unexpected(db->error());
  return components;
}

Result<std::int64_t> ArtifactCache::remove(Layer layer, std::string_view key) {
  return remove_entries(*impl_, layer, key);
}

}  // namespace keyhole
