// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/artifact_cache.h"

#include "blobs.h"
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

bool sound_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string_view::npos) return false;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const auto part = name.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

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
    if (!sound_name(file.name))
      return fail(ErrorKind::usage, "a file of a bundle needs a relative name without '..'", file.name);
  return {};
}

Result<std::vector<NamedFile>> load_files(Db& db, const std::string& store, std::int64_t entry, bool distrust) {
  std::vector<NamedFile> files;
  Query q(db,
          "SELECT f.name, " KEYHOLE_BLOB_COLUMNS
          " FROM bundle_file f "
          "JOIN blob b ON b.id = f.blob WHERE f.entry = ? ORDER BY f.position",
          entry);
  while (q.next()) {
    auto bytes = load_blob(db, store, BlobRow(q, 1), distrust);
    if (!bytes) return tl::unexpected(bytes.error());
    files.push_back({std::string(q.text(0)), std::move(*bytes)});
  }
  if (!db.ok()) return tl::unexpected(db.error());
  return files;
}

/// Tries the entries of the key; fills `result` and gives whether the search is over.
bool search_store(Db& db, const ArtifactCache::Impl& cache, const LookupRequest& request, GuardedSearch& search,
                  CacheLookup& result) {
  Query q(db,
          "SELECT e.id, e.name, e.guard, e.files, e.metadata, e.cost, " KEYHOLE_BLOB_COLUMNS
          " FROM entry e JOIN blob b ON b.id = e.blob WHERE e.layer = ? AND e.key = ? ORDER BY e.name, e.guard",
          number(request.layer), request.key);
  while (q.next()) {
    const std::string_view guard = q.text(2);
    if (!search.offer(guard)) continue;
    FoundEntry found{q.integer(0), std::string(q.text(1)), std::string(guard), {}, std::string(q.text(4)), {},
                     q.integer(5)};
    auto bytes = load_blob(db, cache.store, BlobRow(q, 6), cache.options.distrust);
    auto files = bytes && q.integer(3) != 0 ? load_files(db, cache.store, found.id, cache.options.distrust)
                                            : Result<std::vector<NamedFile>>();
    if (bytes && files && static_cast<std::int64_t>(files->size()) != q.integer(3))
      files = fail(ErrorKind::corrupt, "files of the bundle are missing");
    if (!bytes || !files) {
      result.reason = "entry " + found.name + ": " + (bytes ? files.error() : bytes.error()).line();
      search.withdraw();
      continue;
    }
    found.bytes = std::move(*bytes);
    found.files = std::move(*files);
    result.local = true;
    result.entry = std::move(found);
    if (request.accept && !request.accept(result.entry)) search.refuse();
    return true;
  }
  return false;
}

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
  if (options.record && !options.only_read) static_cast<void>(take_in_journals(*cache, std::chrono::milliseconds(50), false));
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
    Reading reading(*impl_);
    if (auto& db = reading.db()) {
      done = search_store(*db, *impl_, request, search, result);
      if (!db->ok()) {
        broken = true;
        result.reason = db->error().kind == ErrorKind::busy ? "lock_timeout" : db->error().line();
      }
    } else {
      broken = true;
      result.reason = db.error().kind == ErrorKind::busy ? "lock_timeout" : db.error().line();
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
  LookupEvent event;
  event.layer = lookup.layer;
  event.outcome = lookup.outcome;
  event.time = lookup.time != kUnknownTime ? lookup.time : os().now();
  event.duration = lookup.duration;
  event.saved = lookup.saved;
  event.compile = lookup.compile;
  event.key = lookup.key;
  event.status = lookup.status;
  event.guard = lookup.guard;
  event.reason = lookup.reason;
  event.load_error = lookup.load_error;
  event.cache_off = lookup.cache_off;
  journal->lookup(event, runs_of(lookup.components));
}

Result<Stored> ArtifactCache::put(const NewEntry& entry) {
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
    Query(db,
          "INSERT INTO entry(layer, key, name, guard, blob, files, metadata, cost, created, size) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
          number(entry.layer), entry.key, stored.name, entry.guard, *blob,
          static_cast<std::int64_t>(entry.files.size()), entry.metadata, entry.cost, os().now(), size)
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
