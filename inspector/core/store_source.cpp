// SPDX-License-Identifier: Apache-2.0
// The one place where the window meets the store.
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "inspector/core/format.h"
#include "inspector/core/source.h"
#include "inspector/core/statistics.h"
#include "lookup_pager.h"
#include "keyhole/db/query.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/store.h"
#include "keyhole/explain/loader.h"
#include "keyhole/explain/summary.h"

namespace keyhole::inspector {
namespace {

constexpr std::size_t kUsersOfEntry = 100;
constexpr std::size_t kKeysCompared = 500;
constexpr std::size_t kBatch = 2'000;
// What the overview and the timeline take in at once. More would keep both waiting for seconds; a filter on the time, or on
// the run, leads to the older ones.
constexpr std::size_t kNewest = 300'000;

class StoreSource : public Source {
 public:
  StoreSource(std::string folder, Reader reader) : folder_(std::move(folder)), reader_(std::move(reader)) {}

  // What the file system says of the log: it changes with every commit, and asking takes no lock.
  Result<std::int64_t> version() override {
    std::uint64_t sum = 0;
    for (const char* name : {"/history.db", "/history.db-wal"}) {
      struct stat s {};
      if (::stat((folder_ + name).c_str(), &s) != 0) continue;
      for (const std::int64_t part : {std::int64_t(s.st_mtim.tv_sec), std::int64_t(s.st_mtim.tv_nsec), std::int64_t(s.st_size)})
        sum = sum * 1'000'003 + std::uint64_t(part);
    }
    return std::int64_t(sum >> 1U);
  }

  Result<std::int64_t> count(const LookupQuery& query, const Ticket& ticket) override {
    bool exact = true;
    const keyhole::Filter filter = store_filter(query.filter, exact);
    if (exact) return reader_.count(filter);
    auto ids = scan(query, ticket);
    if (!ids) return tl::unexpected(ids.error());
    return std::int64_t((*ids)->size());
  }

  Result<std::vector<LookupRow>> rows(const LookupQuery& query, std::int64_t first, std::size_t limit) override {
    bool exact = true;
    const keyhole::Filter filter = store_filter(query.filter, exact);
    if (exact) return pager_.rows(reader_, filter, query, *version(), first, limit);
    auto ids = scan(query, {});
    if (!ids) return tl::unexpected(ids.error());
    std::vector<LookupRow> page;
    for (auto i = std::size_t(first); i < (*ids)->size() && page.size() < limit; ++i) {
      auto row = reader_.lookup((**ids)[i]);
      if (!row) return tl::unexpected(row.error());
      if (*row) page.push_back(std::move(**row));
    }
    return page;
  }

  Result<TimelinePtr> timeline(const FilterNode& filter, bool aligned, const Ticket& ticket) override {
    auto runs = reader_.runs();
    if (!runs) return tl::unexpected(runs.error());
    TimelineBuilder builder(*runs);
    auto seen = each_newest(filter, kNewest, ticket, [&](const LookupRow& row) { builder.add(row); });
    if (!seen) return tl::unexpected(seen.error());
    return std::move(builder).finish(aligned);
  }

  Result<Overview> overview(const FilterNode& filter, const Ticket& ticket) override {
    auto runs = reader_.runs();
    if (!runs) return tl::unexpected(runs.error());
    OverviewBuilder builder;
    auto seen = each_newest(filter, kNewest, ticket, [&](const LookupRow& row) { builder.add(row); });
    if (!seen) return tl::unexpected(seen.error());
    Overview overview = std::move(builder).finish(std::move(*runs), !filter.children.empty());
    overview.newest_only = *seen;
    return overview;
  }

  Result<std::vector<CauseCost>> causes(const FilterNode& filter, std::size_t limit, const Ticket& ticket) override {
    FilterNode missed;
    missed.children = {parse_filter(QStringLiteral("-outcome:hit")).root, filter};
    std::vector<std::pair<RowId, RowId>> chosen;  // run, lookup
    if (auto seen = each_newest(missed, limit, ticket, [&](const LookupRow& row) { chosen.emplace_back(row.run, row.id); }); !seen)
      return tl::unexpected(seen.error());
    std::reverse(chosen.begin(), chosen.end());
    ComponentPool pool;
    CaseLoader loader(reader_, pool);
    std::map<RowId, std::vector<Told>> by_run;
    for (const auto& [run, lookup] : chosen) {
      if (ticket.stale()) return std::vector<CauseCost>{};
      auto told = loader.tell(lookup);
      if (!told) return tl::unexpected(told.error());
      by_run[run].push_back(std::move(*told));
    }
    std::vector<CauseCost> costs;
    std::map<std::tuple<std::string, std::string, std::string, Verdict>, std::size_t> seen;
    for (const auto& [run, told] : by_run) {
      for (const CauseTotal& total : summarise(told).causes) {
        const Verdict verdict = total.component.empty() ? total.verdict : Verdict::key_differs;
        const auto [it, is_new] = seen.try_emplace({total.component, total.before, total.after, verdict}, costs.size());
        if (is_new) {
          CauseCost cost;
          cost.cause.component = total.component, cost.cause.before = total.before, cost.cause.after = total.after;
          cost.cause.cause_class = total.cause_class;
          cost.verdict = total.verdict;
          cost.summary = total.summary;
          costs.push_back(std::move(cost));
        }
        CauseCost& cost = costs[it->second];
        cost.misses += std::int64_t(total.misses);
        cost.seconds += total.seconds;
        cost.lookups.insert(cost.lookups.end(), total.lookups.begin(), total.lookups.end());
      }
    }
    std::stable_sort(costs.begin(), costs.end(), [](const CauseCost& x, const CauseCost& y) { return x.seconds > y.seconds; });
    return costs;
  }

  Result<std::vector<RunRow>> runs() override { return reader_.runs(); }
  Result<std::optional<LookupRow>> lookup(RowId id) override { return reader_.lookup(id); }
  Result<std::vector<LookupRow>> with_key_prefix(const std::string& prefix, std::size_t limit) override {
    return reader_.lookups_with_key_prefix(prefix, limit);
  }

  Result<Explanation> explanation(RowId lookup, std::optional<RowId> against) override {
    ComponentPool pool;
    CaseLoader loader(reader_, pool);
    auto told = loader.tell(lookup, against);
    if (!told) return tl::unexpected(told.error());
    return std::move(told->explanation);
  }

  Result<KeyBreakdown> breakdown(RowId id, const Ticket& ticket) override;
  Result<KeyDifference> difference(RowId before, RowId after) override;
  Result<CompileTexts> texts(RowId id) override;
  Result<std::int64_t> count_entries(const EntryQuery& query, const Ticket& ticket) override;
  Result<std::vector<EntryRow>> entries(const EntryQuery& query, std::int64_t first, std::size_t limit) override;
  Result<EntryDetails> entry(RowId id) override;
  Result<std::vector<Problem>> problems(RowId run) override { return reader_.problems(run); }

 private:
  // Calls `use` with the newest `limit` lookups that pass, the newest first. Whether there were more.
  template <class Use>
  Result<bool> each_newest(const FilterNode& filter, std::size_t limit, const Ticket& ticket, Use use) {
    bool exact = true;
    keyhole::LookupQuery query;
    query.filter = store_filter(filter, exact);
    query.sort = keyhole::Field::id;
    query.descending = true;
    query.limit = kBatch;
    std::size_t seen = 0;
    while (!ticket.stale()) {
      auto page = reader_.page(query);
      if (!page) return tl::unexpected(page.error());
      for (const LookupRow& row : page->rows) {
        if (!exact && !matches(filter, row)) continue;
        if (seen++ == limit) return true;
        use(row);
      }
      if (!page->next) break;
      query.after = page->next;
    }
    return false;
  }

  // The ids of what passes a filter that SQL cannot decide alone (a regular expression), in the order of the query.
  Result<const std::vector<RowId>*> scan(const LookupQuery& query, const Ticket& ticket);

  Result<const std::vector<EntryRow>*> all_entries();
  Result<std::vector<const EntryRow*>> select(const EntryQuery& query);

  std::string folder_;
  Reader reader_;
  LookupPager pager_;
  std::int64_t scanned_at_ = -1;
  std::optional<LookupQuery> scanned_for_;
  std::vector<RowId> scanned_;
  std::int64_t entries_read_at_ = -1;
  std::vector<EntryRow> entries_;
  std::vector<SnapshotRow> snapshots_;
};

Result<const std::vector<RowId>*> StoreSource::scan(const LookupQuery& query, const Ticket& ticket) {
  const std::int64_t now = *version();
  if (scanned_for_ && scanned_at_ == now && same_query(*scanned_for_, query)) return &scanned_;
  bool exact = true;
  keyhole::LookupQuery asked;
  asked.filter = store_filter(query.filter, exact);
  asked.sort = store_field(query.sort);
  asked.descending = query.descending;
  asked.limit = kBatch;
  scanned_for_.reset();
  scanned_.clear();
  while (!ticket.stale()) {
    auto page = reader_.page(asked);
    if (!page) return tl::unexpected(page.error());
    for (const LookupRow& row : page->rows)
      if (matches(query.filter, row)) scanned_.push_back(row.id);
    if (!page->next) {
      scanned_for_ = query;
      scanned_at_ = now;
      break;
    }
    asked.after = page->next;
  }
  return &scanned_;
}

Result<KeyBreakdown> StoreSource::breakdown(RowId id, const Ticket& ticket) {
  auto row = reader_.lookup(id);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return fail(ErrorKind::not_found, "lookup " + std::to_string(id) + " is no longer in the store");
  KeyBreakdown result;
  result.pool = std::make_shared<ComponentPool>();
  result.lookup = std::move(**row);
  if (result.lookup.component_set == 0) return result;
  auto components = reader_.components(result.lookup.component_set, *result.pool);
  if (!components) return tl::unexpected(components.error());
  for (const ComponentPtr c : *components) result.components.push_back({c, -1, -1});

  // The other component sets of the layer, the most used first. Only what differs from ours is read, which is little.
  auto tallies = reader_.tally(keyhole::Field::component_set,
                               keyhole::Filter::where(keyhole::Field::layer, Compare::equal, std::int64_t(result.lookup.record.layer)),
                               kKeysCompared);
  if (!tallies) return tl::unexpected(tallies.error());
  std::set<RowId> sets;
  for (const Tally& tally : *tallies)
    if (const auto* set = std::get_if<std::int64_t>(&tally.value); set && *set != 0 && *set != result.lookup.component_set) sets.insert(*set);
  std::map<std::string_view, std::pair<std::int64_t, std::set<Digest>>> others;  // by name: how many differ, their values
  for (const RowId set : sets) {
    if (ticket.stale()) return result;
    auto changes = reader_.difference(result.lookup.component_set, set, *result.pool);
    if (!changes) return tl::unexpected(changes.error());
    for (const ComponentChange& change : *changes) {
      if (!change.before) continue;
      auto& [differing, values] = others[change.before->name];
      ++differing;
      if (change.after) values.insert(change.after->digest);
    }
  }
  result.keys = std::int64_t(sets.size()) + 1;
  for (ComponentShare& share : result.components) {
    const auto it = others.find(share.component->name);
    share.shared_by = std::int64_t(sets.size()) - (it == others.end() ? 0 : it->second.first);
    share.values = 1 + (it == others.end() ? 0 : std::int64_t(it->second.second.size()));
  }
  return result;
}

Result<KeyDifference> StoreSource::difference(RowId before, RowId after) {
  KeyDifference result;
  result.pool = std::make_shared<ComponentPool>();
  for (auto [id, row] : {std::pair{before, &result.before}, std::pair{after, &result.after}}) {
    auto found = reader_.lookup(id);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return fail(ErrorKind::not_found, "lookup " + std::to_string(id) + " is no longer in the store");
    *row = std::move(**found);
  }
  if (result.before.component_set == 0 || result.after.component_set == 0) return result;
  auto changes = reader_.difference(result.before.component_set, result.after.component_set, *result.pool);
  if (!changes) return tl::unexpected(changes.error());
  result.changes = std::move(*changes);
  return result;
}

Result<CompileTexts> StoreSource::texts(RowId id) {
  auto row = reader_.lookup(id);
  if (!row) return tl::unexpected(row.error());
  CompileTexts result;
  if (!*row || !(*row)->record.compile.known()) return result;
  auto texts = reader_.texts((*row)->process, (*row)->record.compile);
  if (!texts) return tl::unexpected(texts.error());
  result.texts = std::move(*texts);
  if (auto symbols = reader_.symbols((*row)->process, (*row)->record.compile)) result.symbols = std::move(*symbols);
  return result;
}

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
  entries_read_at_ = now;
  return &entries_;
}

Result<std::vector<const EntryRow*>> StoreSource::select(const EntryQuery& query) {
  auto all = all_entries();
  if (!all) return tl::unexpected(all.error());
  std::vector<const EntryRow*> found;
  for (const EntryRow& entry : **all)
    if (matches(query.filter, entry)) found.push_back(&entry);
  std::sort(found.begin(), found.end(),
            [&](const EntryRow* a, const EntryRow* b) { return comes_before(*a, *b, query.sort, query.descending); });
  return found;
}

Result<std::int64_t> StoreSource::count_entries(const EntryQuery& query, const Ticket&) {
  auto found = select(query);
  if (!found) return tl::unexpected(found.error());
  return std::int64_t(found->size());
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
  if (it == entries_.end()) return fail(ErrorKind::not_found, "entry " + std::to_string(id) + " is no longer in the store");
  EntryDetails details;
  details.entry = *it;
  for (const SnapshotRow& s : snapshots_)
    if (s.id == it->snapshot) details.snapshot = s;
  if (auto users = reader_.lookups_with_key(it->record.layer, it->record.key, 0, kUsersOfEntry)) details.users = std::move(*users);
  for (const LookupRow& user : details.users) {
    if (!user.record.compile.known()) continue;
    if (auto texts = reader_.texts(user.process, user.record.compile); texts && !texts->empty()) {
      details.texts = std::move(*texts);
      break;
    }
  }
  return details;
}

}  // namespace

Result<std::unique_ptr<Source>> open_store(const std::string& folder) {
  auto reader = Reader::open(folder);
  if (!reader) return tl::unexpected(reader.error());
  return std::make_unique<StoreSource>(folder, std::move(*reader));
}

QString default_store_folder() { return text_of(default_store()); }

}  // namespace keyhole::inspector
