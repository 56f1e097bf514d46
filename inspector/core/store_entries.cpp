// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>

#include "inspector/core/format.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/ingest/inductor_entry.h"
#include "store_source.h"

namespace keyhole::inspector {
namespace {

constexpr std::size_t kUsersOfEntry = 100;
constexpr std::size_t kMostFound = 1'000'000;
constexpr std::int64_t kMostShown = 4'000'000;  // bytes of a file that are read to be shown

}  // namespace

Result<Reader*> StoreSource::entry_reader() {
  // Another process may have put its first entry since.
  const bool cache = QFileInfo::exists(text_of(folder_ + "/cache.db"));
  if (!entry_reader_ || cache != reads_cache_) {
    auto reader = Reader::open_with_cache(folder_);
    if (!reader) return tl::unexpected(reader.error());
    reader->save_memory();
    if (stop_) reader->stop_when(stop_);
    entry_reader_.emplace(std::move(*reader));
    reads_cache_ = cache;
  }
  return &*entry_reader_;
}

std::int64_t StoreSource::entries_version() const {
  return version_of({"/history.db", "/history.db-wal", "/cache.db", "/cache.db-wal"});
}

Result<void> StoreSource::search_words(Reader& reader, FilterNode& node) {
  for (FilterNode& child : node.children)
    if (auto searched = search_words(reader, child); !searched) return searched;
  if (node.kind != FilterNode::Kind::term || node.term.field != Field::any || node.term.op == Op::regex) return {};
  keyhole::EntryQuery query;
  bool exact = true;
  query.filter = store_filter(node, exact, Listed::entries);
  query.sort = keyhole::Field::id;
  query.limit = kMostFound;
  auto places = reader.entry_places(query);
  if (!places) return tl::unexpected(places.error());
  auto ids = std::make_shared<std::unordered_set<RowId>>();
  for (const EntryPlace& place : *places) ids->insert(place.entry);
  node.term.also = std::move(ids);
  return {};
}

void StoreSource::read_file(EntryDetails& d) const {
  if (!d.snapshot) return;
  const SnapshotRecord& seen = d.snapshot->record;
  const std::string folder = seen.read_from.empty() ? seen.location : seen.read_from;
  const std::string path = folder + "/" + d.entry.record.path;
  const auto size_of = [](const std::string& file) -> std::int64_t {
    struct stat s {};
    return ::stat(file.c_str(), &s) == 0 && S_ISREG(s.st_mode) ? std::int64_t(s.st_size) : -1;
  };
  for (const std::string& need : d.entry.record.needs) d.files.push_back({need, size_of(folder + "/" + need)});
  const QJsonObject meta = QJsonDocument::fromJson(QByteArray::fromStdString(d.entry.record.metadata_json)).object();
  for (const QJsonValue& file : meta[QStringLiteral("files")].toArray())
    d.files.push_back({file.toString().toStdString(), size_of(path + "/" + file.toString().toStdString())});
  for (const QJsonValue& kernel : meta[QStringLiteral("triton_kernels")].toArray()) {
    const QJsonObject files = kernel.toObject()[QStringLiteral("files")].toObject();
    for (auto it = files.begin(); it != files.end(); ++it)
      d.files.push_back(
          {kernel.toObject()[QStringLiteral("hash")].toString().toStdString() + "/" + it.key().toStdString(),
           it->toInteger(-1)});
  }
  const Layer layer = d.entry.record.layer;
  if (layer != Layer::fx_graph && layer != Layer::aot_autograd) {
    const std::int64_t size = size_of(path);
    QFile file(text_of(path));
    if (layer == Layer::code && size >= 0 && size < kMostShown && file.open(QIODevice::ReadOnly)) {
      const QByteArray bytes = file.readAll();
      if (!bytes.left(4096).contains('\0'))
        d.own_texts.emplace_back(QFileInfo(file.fileName()).fileName().toStdString(), bytes.toStdString());
    }
    return;
  }
  auto detail = read_entry_detail(path);
  if (!detail) {
    d.file_note = detail.error().line();
    return;
  }
  for (auto& text : detail->texts) d.own_texts.emplace_back(std::move(text.title), std::move(text.text));
  d.would_run = std::move(detail->would_run);
  d.suspicious = std::move(detail->suspicious);
  d.tree = std::move(detail->tree);
  d.file_note = detail->problem;
}

// Of a filter that SQL cannot decide alone (a regular expression): what passes SQL's part is read in steps until there
// is enough.
Result<std::vector<EntryPlace>> StoreSource::matching_entries(Reader& reader, const EntryQuery& query,
                                                              std::size_t enough) {
  constexpr std::size_t kStep = 10'000;
  EntryWalk& walk = entry_walk_;
  if (const std::int64_t now = entries_version(); walk.version != now) {
    walk = {now, query.filter, {}, 0, false};
    if (auto searched = search_words(reader, walk.filter); !searched) return tl::unexpected(searched.error());
  }
  bool exact = true;
  keyhole::EntryQuery asked;
  asked.filter = store_filter(query.filter, exact, Listed::entries);
  asked.sort = store_field(query.sort);
  asked.descending = query.descending;
  asked.limit = kStep;
  while (!walk.ended && walk.found.size() < enough) {
    asked.skip = walk.skip;
    auto places = reader.entry_places(asked);
    if (!places) return tl::unexpected(places.error());
    auto rows = reader.entries(*places);
    if (!rows) return tl::unexpected(rows.error());
    for (const EntryRow& row : *rows)
      if (matches(walk.filter, row)) walk.found.push_back({row.id, row.location_id});
    walk.skip += std::int64_t(places->size());
    walk.ended = places->size() < kStep;
  }
  return walk.found;
}

Result<RowCount> StoreSource::count_entries(const EntryQuery& query, const Ticket& ticket) {
  auto reader = entry_reader();
  if (!reader) return tl::unexpected(reader.error());
  bool exact = true;
  const keyhole::Filter filter = store_filter(query.filter, exact, Listed::entries);
  if (exact) {
    auto n = (*reader)->count_entries(filter);
    if (!n) return tl::unexpected(n.error());
    return RowCount{*n, true};
  }
  if (!entry_query_ || !same_query(*entry_query_, query)) entry_walk_ = {};
  entry_query_ = query;
  constexpr std::size_t kMore = 4'000;
  auto found = matching_entries(**reader, query, entry_walk_.found.size() + kMore);
  if (!found) return tl::unexpected(found.error());
  return RowCount{std::int64_t(found->size()), entry_walk_.ended || ticket.stale()};
}

Result<std::vector<EntryRow>> StoreSource::entries(const EntryQuery& query, std::int64_t first, std::size_t limit) {
  auto reader = entry_reader();
  if (!reader) return tl::unexpected(reader.error());
  if (!entry_query_ || !same_query(*entry_query_, query)) {
    entry_blocks_.clear();
    entry_walk_ = {};
  }
  entry_query_ = query;
  bool exact = true;
  keyhole::EntryQuery asked;
  asked.filter = store_filter(query.filter, exact, Listed::entries);
  if (!exact) {
    auto found = matching_entries(**reader, query, std::size_t(first) + limit);
    if (!found) return tl::unexpected(found.error());
    found->erase(found->begin(), found->begin() + std::min<std::ptrdiff_t>(first, std::ptrdiff_t(found->size())));
    if (found->size() > limit) found->resize(limit);
    return (*reader)->entries(*found);
  }
  asked.sort = store_field(query.sort);
  asked.descending = query.descending;
  auto places = entry_blocks_.ids(entries_version(), first, limit, [&](std::int64_t skip, std::size_t most) {
    asked.skip = skip;
    asked.limit = most;
    return (*reader)->entry_places(asked);
  });
  if (!places) return tl::unexpected(places.error());
  return (*reader)->entries(*places);
}

// What the store's own cache holds is taken out of it only where it is a text.
void StoreSource::read_cached(Reader& reader, EntryDetails& d) const {
  if (auto files = reader.cached_files(d.entry.id)) {
    for (const auto& [name, size] : files->files) d.files.push_back({name, size});
    d.last_use = files->last_use;
    d.hits = files->hits;
  }
  auto cache = ArtifactCache::open(folder_, {.record = false, .only_read = true});
  if (!cache) {
    d.file_note = cache.error().line();
    return;
  }
  const auto add_text = [&](const std::string& title, std::string bytes) {
    const std::string_view head = std::string_view(bytes).substr(0, 4096);
    if (!bytes.empty() && bytes.size() < kMostShown && head.find('\0') == std::string_view::npos &&
        QString::fromUtf8(bytes.data(), qsizetype(head.size())).count(QChar::ReplacementCharacter) < 3)
      d.own_texts.emplace_back(title, std::move(bytes));
  };
  auto contents = cached_contents(**cache, -d.entry.id, kMostShown);
  if (!contents) {
    d.file_note = contents.error().line();
    return;
  }
  for (NamedFile& file : *contents)
    add_text(file.name.empty() ? std::string("content") : file.name, std::move(file.bytes));
}

Result<EntryDetails> StoreSource::entry(RowId id, RowId location) {
  auto reader = entry_reader();
  if (!reader) return tl::unexpected(reader.error());
  auto rows = (*reader)->entries({{id, location}});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return fail(ErrorKind::not_found, "this entry is no longer in the store");
  EntryDetails details;
  details.entry = std::move(rows->front());
  const EntryRecord& record = details.entry.record;
  if (details.entry.snapshot != 0)
    if (auto snapshot = (*reader)->snapshot(details.entry.snapshot)) details.snapshot = std::move(*snapshot);
  if (auto users = reader_.lookups_with_key(record.layer, record.key, 0, kUsersOfEntry))
    details.users = std::move(*users);
  for (const LookupRow& user : details.users) {
    if (!user.record.compile.known()) continue;
    if (auto texts = reader_.texts(user.process, user.record.compile); texts && !texts->empty()) {
      details.texts = std::move(*texts);
      break;
    }
  }
  if (id < 0)
    read_cached(**reader, details);
  else
    read_file(details);
  return details;
}

}  // namespace keyhole::inspector
