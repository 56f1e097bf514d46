// SPDX-License-Identifier: Apache-2.0
// The one place where the window meets the store. store_source.cpp: lookups, explanations, keys; store_census.cpp: what
// is summed up over all of them; store_entries.cpp: what the caches hold; store_compiles.cpp: runs of compilers.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <unordered_set>

#include "inspector/core/census.h"
#include "inspector/core/source.h"
#include "keyhole/db/query.h"
#include "keyhole/db/reader.h"
#include "lookup_pager.h"

namespace keyhole::inspector {

class StoreSource : public Source {
 public:
  StoreSource(std::string folder, Reader reader) : folder_(std::move(folder)), reader_(std::move(reader)) {}

  // What the file system says of the log: it changes with every commit, and asking takes no lock.
  Result<std::int64_t> version() override;
  std::string version_note() override { return reader_.version_note(); }
  void work_for(const Ticket& ticket) override {
    stop_ = [ticket] { return ticket.stale(); };
    reader_.stop_when(stop_);
    if (entry_reader_) entry_reader_->stop_when(stop_);
  }

  Result<std::optional<std::int64_t>> position(const LookupQuery& query, RowId lookup) override;
  Result<RowCount> count(const LookupQuery& query, const Ticket& ticket) override;
  Result<std::vector<LookupRow>> rows(const LookupQuery& query, std::int64_t first, std::size_t limit) override;
  Result<TimelinePtr> timeline(const FilterNode& filter, bool aligned, std::optional<TimeSpan> window,
                               const Ticket& ticket) override;
  Result<Overview> overview(const FilterNode& filter, const Ticket& ticket) override;

  Result<std::vector<CauseCost>> causes(const FilterNode& filter, std::size_t limit, const Ticket& ticket) override;
  Result<std::vector<RunRow>> newest_runs(std::size_t limit) override { return reader_.newest_runs(limit); }
  Result<std::optional<RunRow>> run_named(const std::string& name) override { return reader_.run_named(name); }
  Result<std::optional<LookupRow>> lookup(RowId id) override { return reader_.lookup(id); }
  Result<RowId> last_lookup() override { return reader_.last_lookup(); }
  Result<std::vector<LookupRow>> with_key_prefix(const std::string& prefix, std::size_t limit) override {
    return reader_.lookups_with_key_prefix(prefix, limit);
  }

  Result<Explanation> explanation(RowId lookup, std::optional<RowId> against) override;
  Result<KeyBreakdown> breakdown(RowId id, const Ticket& ticket) override;
  Result<Changing> changing(Layer layer, const Ticket& ticket) override;
  Result<KeyDifference> difference(RowId before, RowId after) override;
  Result<CompileTexts> texts(RowId id) override;
  Result<std::vector<CompileJob>> compile_jobs(std::size_t limit, const Ticket& ticket) override;
  Result<CompileJobDetails> compile_job(RowId lookup) override;
  Result<RowCount> count_entries(const EntryQuery& query, const Ticket& ticket) override;
  Result<std::vector<EntryRow>> entries(const EntryQuery& query, std::int64_t first, std::size_t limit) override;
  Result<EntryDetails> entry(RowId id, RowId location) override;
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
    query.limit = 2'000;
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

  // Rows of a filter that SQL cannot decide alone (a regular expression): what passes SQL's part is walked as far as
  // needed.
  Result<std::vector<LookupRow>> matching_rows(const LookupQuery& query, std::int64_t first, std::size_t limit);

  // All lookups of a filter, read in steps of ids from the newest to the oldest; later ones are added as they come.
  struct Reading {
    FilterNode filter;
    keyhole::Filter asked;
    bool exact = true;
    std::int64_t version = -1;
    RowId top = 0;           // the highest id that was read
    RowId below = 0;         // what has a lower id or this one is not read yet
    std::int64_t whole = 0;  // lookups of the store, whatever their filter
    Census census;
    [[nodiscard]] bool complete() const { return below == 0; }
  };
  Result<Reading*> read_on(const FilterNode& filter, const Ticket& ticket);
  Result<void> bring_up_to_date(std::unique_ptr<Reading>& reading, const FilterNode& filter, std::int64_t version_now);
  Result<void> read_points(Reading& reading, RowId first, RowId last);
  // What `read` gives, without what SQL let pass that the filter does not.
  template <class Read>
  Result<std::vector<LookupPoint>> points_passing(const Reading& reading, Read read) {
    Result<std::vector<LookupPoint>> points = read();
    if (!points || reading.exact) return points;
    std::vector<RowId> ids;
    for (const LookupPoint& p : *points) ids.push_back(p.id);
    auto rows = reader_.lookups(ids);
    if (!rows) return tl::unexpected(rows.error());
    std::unordered_set<RowId> passing;
    for (const LookupRow& row : *rows)
      if (matches(reading.filter, row)) passing.insert(row.id);
    std::erase_if(*points, [&](const LookupPoint& p) { return !passing.contains(p.id); });
    return points;
  }

  // With the entries of cache.db.
  Result<Reader*> entry_reader();
  // Gives the words of a filter the entries that hold them, for what SQL cannot decide alone.
  Result<void> search_words(Reader& reader, FilterNode& node);
  Result<std::vector<EntryPlace>> matching_entries(Reader& reader, const EntryQuery& query, std::size_t enough);
  [[nodiscard]] std::int64_t version_of(std::initializer_list<const char*> names) const;
  [[nodiscard]] std::int64_t entries_version() const;
  void read_cached(Reader& reader, EntryDetails& details) const;
  void read_file(EntryDetails& details) const;

  std::string folder_;
  Reader reader_;
  LookupPager pager_;
  std::vector<std::unique_ptr<Reading>> readings_;  // the one asked for last in front
  struct Walk {
    LookupQuery query;
    std::int64_t version = -1;
    std::vector<RowId> found;
    std::optional<Cursor> after;
    bool ended = false;
  } walk_;
  std::optional<Reader> entry_reader_;
  bool reads_cache_ = false;
  IdBlocks<EntryPlace> entry_blocks_;
  std::optional<EntryQuery> entry_query_;
  struct EntryWalk {
    std::int64_t version = -1;
    FilterNode filter;  // with the words that were searched
    std::vector<EntryPlace> found;
    std::int64_t skip = 0;
    bool ended = false;
  } entry_walk_;
  std::function<bool()> stop_;
};

}  // namespace keyhole::inspector
