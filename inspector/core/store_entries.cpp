// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>

#include "inspector/core/format.h"
#include "inspector/core/statistics.h"
#include "keyhole/ingest/inductor_entry.h"
#include "store_source.h"

namespace keyhole::inspector {
namespace {

constexpr std::size_t kUsersOfEntry = 100;
constexpr std::size_t kMostFound = 100'000;

}  // namespace

Result<const std::vector<EntryRow>*> StoreSource::all_entries() {
  const std::int64_t now = *version();
  if (now == entries_read_at_) return &entries_;
  auto snapshots = reader_.snapshots();
  if (!snapshots) return tl::unexpected(snapshots.error());
  entries_.clear();
  // A file that several snapshots saw is shown once, as the newest saw it.
  std::set<std::pair<std::string, std::string>> seen;
  for (auto it = snapshots->rbegin(); it != snapshots->rend(); ++it) {
    auto of_snapshot = reader_.entries_of_snapshot(it->id);
    if (!of_snapshot) return tl::unexpected(of_snapshot.error());
    for (EntryRow& entry : *of_snapshot)
      if (seen.emplace(it->record.location, entry.record.path).second) entries_.push_back(std::move(entry));
  }
  snapshots_ = std::move(*snapshots);
  found_.clear();
  entries_read_at_ = now;
  return &entries_;
}

Result<void> StoreSource::search_words(FilterNode& node) {
  for (FilterNode& child : node.children)
    if (auto searched = search_words(child); !searched) return searched;
  if (node.kind != FilterNode::Kind::term || node.term.field != Field::any || node.term.op != Op::contains ||
      node.term.text.size() < 2)
    return {};
  const std::string word = node.term.text.toStdString();
  auto& known = found_[word];
  if (!known) {
    auto hits = reader_.search(word, kMostFound);
    if (!hits) return tl::unexpected(hits.error());
    auto ids = std::make_shared<std::unordered_set<RowId>>();
    std::set<std::pair<Layer, std::string>> keys;
    for (const SearchHit& hit : *hits) {
      if (hit.kind == SearchHit::Kind::entry) ids->insert(hit.id);
      if (hit.kind != SearchHit::Kind::text) continue;
      // The entries of the compile whose graph or code holds the word.
      auto row = reader_.lookup(hit.id);
      if (!row || !*row || !(*row)->record.compile.known()) continue;
      auto all = reader_.lookups_of_compile((*row)->process, (*row)->record.compile);
      if (!all) return tl::unexpected(all.error());
      for (const LookupRow& l : *all)
        if (!l.record.key.empty()) keys.emplace(l.record.layer, l.record.key);
    }
    for (const EntryRow& entry : entries_)
      if (keys.contains({entry.record.layer, entry.record.key})) ids->insert(entry.id);
    known = std::move(ids);
  }
  node.term.also = known;
  return {};
}

void StoreSource::read_file(EntryDetails& d) const {
  const std::string folder =
      d.snapshot.record.read_from.empty() ? d.snapshot.record.location : d.snapshot.record.read_from;
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
    constexpr std::int64_t kMostShown = 4'000'000;
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

Result<std::vector<const EntryRow*>> StoreSource::select(const EntryQuery& query) {
  auto all = all_entries();
  if (!all) return tl::unexpected(all.error());
  FilterNode filter = query.filter;
  if (auto searched = search_words(filter); !searched) return tl::unexpected(searched.error());
  std::vector<const EntryRow*> found;
  for (const EntryRow& entry : **all)
    if (matches(filter, entry)) found.push_back(&entry);
  std::sort(found.begin(), found.end(),
            [&](const EntryRow* a, const EntryRow* b) { return comes_before(*a, *b, query.sort, query.descending); });
  return found;
}

Result<RowCount> StoreSource::count_entries(const EntryQuery& query, const Ticket&) {
  auto found = select(query);
  if (!found) return tl::unexpected(found.error());
  return RowCount{std::int64_t(found->size()), true};
}

Result<std::vector<EntryRow>> StoreSource::entries(const EntryQuery& query, std::int64_t first, std::size_t limit) {
  auto found = select(query);
  if (!found) return tl::unexpected(found.error());
  std::vector<EntryRow> page;
  for (auto i = std::size_t(first); i < found->size() && page.size() < limit; ++i) page.push_back(*(*found)[i]);
  return page;
}

Result<EntryDetails> StoreSource::entry(RowId id) {
  auto all = all_entries();
  if (!all) return tl::unexpected(all.error());
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const EntryRow& e) { return e.id == id; });
  if (it == entries_.end())
    return fail(ErrorKind::not_found, "entry " + std::to_string(id) + " is no longer in the store");
  EntryDetails details;
  details.entry = *it;
  for (const SnapshotRow& s : snapshots_)
    if (s.id == it->snapshot) details.snapshot = s;
  if (auto users = reader_.lookups_with_key(it->record.layer, it->record.key, 0, kUsersOfEntry))
    details.users = std::move(*users);
  for (const LookupRow& user : details.users) {
    if (!user.record.compile.known()) continue;
    if (auto texts = reader_.texts(user.process, user.record.compile); texts && !texts->empty()) {
      details.texts = std::move(*texts);
      break;
    }
  }
  read_file(details);
  return details;
}

}  // namespace keyhole::inspector
