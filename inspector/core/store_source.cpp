// SPDX-License-Identifier: Apache-2.0
#include "store_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <tuple>

#include "inspector/core/format.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/store.h"
#include "keyhole/explain/loader.h"
#include "keyhole/explain/summary.h"

namespace keyhole::inspector {
namespace {

constexpr std::size_t kKeysCompared = 500;
constexpr std::size_t kLookupsCompared = 1'000;
constexpr std::size_t kBatch = 2'000;
constexpr std::chrono::milliseconds kTakingIn{200};

}  // namespace

// What the file system says of files that change with every commit.
std::int64_t StoreSource::version_of(std::initializer_list<const char*> names) const {
  std::uint64_t sum = 0;
  for (const char* name : names) {
    struct stat s {};
    if (::stat((folder_ + name).c_str(), &s) != 0) continue;
    for (const std::int64_t part :
         {std::int64_t(s.st_mtim.tv_sec), std::int64_t(s.st_mtim.tv_nsec), std::int64_t(s.st_size)})
      sum = sum * 1'000'003 + std::uint64_t(part);
  }
  return std::int64_t(sum >> 1U);
}

Result<std::int64_t> StoreSource::version() {
  return version_of({"/history.db", "/history.db-wal"});
}

Result<std::optional<std::int64_t>> StoreSource::position(const LookupQuery& query, RowId lookup) {
  using F = keyhole::Filter;
  bool exact = true;
  const F filter = store_filter(query.filter, exact);
  auto row = reader_.lookup(lookup);
  if (!row) return tl::unexpected(row.error());
  if (query.sort != LookupColumn::time || !exact || !*row || !matches(query.filter, **row)) return std::nullopt;
  const Nanoseconds time = (*row)->record.time;
  if (time == kUnknownTime) return std::nullopt;
  const Compare before = query.descending ? Compare::greater : Compare::less;
  std::int64_t rows = 0;
  std::vector<F> stretches{
      F::where(keyhole::Field::time, before, time),
      F::all_of({F::where(keyhole::Field::time, Compare::equal, time), F::where(keyhole::Field::id, before, lookup)})};
  if (!query.descending) {  // those without a time come first
    F known;
    known.kind = F::Kind::compare;
    known.field = keyhole::Field::time;
    known.compare = Compare::known;
    stretches.push_back(F::none_of({known}));
  }
  for (F& stretch : stretches) {
    auto n = reader_.count(F::all_of({std::move(stretch), filter}));
    if (!n) return tl::unexpected(n.error());
    rows += *n;
  }
  return rows;
}

Result<RowCount> StoreSource::count(const LookupQuery& query, const Ticket& ticket) {
  if (query.filter.children.empty() && query.filter.kind == FilterNode::Kind::all) {
    auto all = reader_.count({});
    if (!all) return tl::unexpected(all.error());
    return RowCount{*all, true};
  }
  auto reading = read_on(query.filter, ticket);
  if (!reading) return tl::unexpected(reading.error());
  return RowCount{(*reading)->census.lookups(), (*reading)->complete()};
}

Result<std::vector<LookupRow>> StoreSource::rows(const LookupQuery& query, std::int64_t first, std::size_t limit) {
  bool exact = true;
  const keyhole::Filter filter = store_filter(query.filter, exact);
  if (exact) return pager_.rows(reader_, filter, query, *version(), first, limit);
  return matching_rows(query, first, limit);
}

Result<std::vector<CauseCost>> StoreSource::causes(const FilterNode& filter, std::size_t limit, const Ticket& ticket) {
  FilterNode missed;
  missed.children = {parse_filter(QStringLiteral("-outcome:hit")).root, filter};
  std::vector<std::pair<RowId, RowId>> chosen;  // run, lookup
  if (auto seen =
          each_newest(missed, limit, ticket, [&](const LookupRow& row) { chosen.emplace_back(row.run, row.id); });
      !seen)
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
  std::stable_sort(costs.begin(), costs.end(),
                   [](const CauseCost& x, const CauseCost& y) { return x.seconds > y.seconds; });
  return costs;
}

Result<Explanation> StoreSource::explanation(RowId lookup, std::optional<RowId> against) {
  ComponentPool pool;
  CaseLoader loader(reader_, pool);
  auto told = loader.tell(lookup, against);
  if (!told) return tl::unexpected(told.error());
  return std::move(told->explanation);
}

Result<std::vector<LookupRow>> StoreSource::matching_rows(const LookupQuery& query, std::int64_t first,
                                                          std::size_t limit) {
  if (const std::int64_t now = *version(); walk_.version != now || !same_query(walk_.query, query))
    walk_ = {query, now, {}, {}, false};
  bool exact = true;
  keyhole::LookupQuery asked;
  asked.filter = store_filter(query.filter, exact);
  asked.sort = store_field(query.sort);
  asked.descending = query.descending;
  asked.limit = kBatch;
  while (!walk_.ended && walk_.found.size() < std::size_t(first) + limit) {
    asked.after = walk_.after;
    auto page = reader_.page(asked);
    if (!page) return tl::unexpected(page.error());
    for (const LookupRow& row : page->rows)
      if (matches(query.filter, row)) walk_.found.push_back(row.id);
    walk_.after = page->next;
    walk_.ended = !page->next;
  }
  if (std::size_t(first) >= walk_.found.size()) return std::vector<LookupRow>{};
  const auto begin = walk_.found.begin() + first;
  return reader_.lookups({begin, begin + std::min<std::ptrdiff_t>(std::ptrdiff_t(limit), walk_.found.end() - begin)});
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

  // The newest other component sets of the layer. Only what differs from ours is read, which is little.
  using F = keyhole::Filter;
  F known;
  known.kind = F::Kind::compare;
  known.field = keyhole::Field::component_set;
  known.compare = Compare::known;
  keyhole::LookupQuery newest;
  newest.filter =
      F::all_of({F::where(keyhole::Field::layer, Compare::equal, std::int64_t(result.lookup.record.layer)), known});
  newest.sort = keyhole::Field::time;
  newest.descending = true;
  newest.limit = kKeysCompared * 4;
  auto page = reader_.page(newest);
  if (!page) return tl::unexpected(page.error());
  std::set<RowId> sets;
  for (const LookupRow& other : page->rows)
    if (other.component_set != result.lookup.component_set && sets.size() < kKeysCompared)
      sets.insert(other.component_set);
  std::map<std::string_view, std::pair<std::int64_t, std::set<Digest>>>
      others;  // by name: how many differ, their values
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

Result<Changing> StoreSource::changing(Layer layer, const Ticket& ticket) {
  keyhole::LookupQuery query;
  keyhole::Filter known;
  known.kind = keyhole::Filter::Kind::compare;
  known.field = keyhole::Field::component_set;
  known.compare = Compare::known;
  query.filter = keyhole::Filter::all_of(
      {keyhole::Filter::where(keyhole::Field::layer, Compare::equal, std::int64_t(layer)), known});
  query.sort = keyhole::Field::time;
  query.descending = true;
  query.limit = kLookupsCompared;
  auto page = reader_.page(query);
  if (!page) return tl::unexpected(page.error());
  Changing result;
  result.lookups = std::int64_t(page->rows.size());
  ComponentPool pool;
  struct Seen {
    Changing::Row row;
    std::set<Digest> values;
  };
  std::map<std::string, Seen> by_name;
  std::map<std::tuple<std::string, std::string, std::string, Direction, int>, const LookupRow*>
      later;  // of the same compile
  for (const LookupRow& row : page->rows) {
    if (ticket.stale()) break;
    const LookupRow*& next =
        later[{row.function, row.filename, row.record.compile.text(), row.record.direction, row.rank.value_or(-1)}];
    const LookupRow* after = std::exchange(next, &row);
    if (!after) continue;
    ++result.compared;
    if (after->component_set == row.component_set) continue;
    auto changes = reader_.difference(row.component_set, after->component_set, pool);
    if (!changes) return tl::unexpected(changes.error());
    for (const ComponentChange& change : *changes) {
      Seen& seen = by_name[change.after ? change.after->name : change.before->name];
      if (seen.row.changes++ == 0) {
        seen.row.before = change.before ? change.before->text : "";
        seen.row.after = change.after ? change.after->text : "";
        seen.row.lookup = after->id;
      }
      for (const ComponentPtr c : {change.before, change.after})
        if (c) seen.values.insert(c->digest);
    }
  }
  for (auto& [name, seen] : by_name) {
    seen.row.component = name;
    seen.row.values = std::int64_t(seen.values.size());
    result.rows.push_back(std::move(seen.row));
  }
  std::stable_sort(result.rows.begin(), result.rows.end(),
                   [](const auto& a, const auto& b) { return a.changes > b.changes; });
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

Result<std::unique_ptr<Source>> open_store(const std::string& folder) {
  // What compiles noted of the store's own cache; a store that cannot be written is read as it is.
  // Three threads open a store: one takes in, and the others wait, for it may be what makes the history.
  static std::mutex taking;
  struct stat s {};
  if (const std::lock_guard lock(taking); ::stat((folder + "/cache.db").c_str(), &s) == 0)
    static_cast<void>(take_in_journals(folder, kTakingIn));
  auto reader = Reader::open(folder);
  if (!reader) return tl::unexpected(reader.error());
  reader->save_memory();
  return std::make_unique<StoreSource>(folder, std::move(*reader));
}

QString default_store_folder() {
  return text_of(default_store());
}

}  // namespace keyhole::inspector