// SPDX-License-Identifier: Apache-2.0
#include "keyhole/explain/ranks.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "baseline.h"
#include "causes.h"
#include "change.h"
#include "evidence.h"

namespace keyhole {

RankMatrix rank_matrix(const std::vector<LookupRow>& lookups) {
  RankMatrix out;
  std::set<int> ranks;
  for (const LookupRow& l : lookups) {
    if (l.rank) ranks.insert(*l.rank);
  }
  out.ranks.assign(ranks.begin(), ranks.end());

  using Place = std::tuple<Layer, CompileId, Direction, std::size_t>;
  std::map<Place, std::size_t> places;
  // Distinct keys of one place are several graphs; the same key again is another try.
  std::map<std::tuple<RowId, Layer, CompileId, Direction>, std::vector<std::string>> tried;
  std::vector<std::vector<const LookupRow*>> rows;
  for (const LookupRow& l : lookups) {
    if (!l.rank) continue;
    const Direction direction = explain_detail::direction_of(l);
    auto& keys = tried[{l.process, l.record.layer, l.record.compile, direction}];
    auto known = std::find(keys.begin(), keys.end(), l.record.key);
    if (known == keys.end()) known = keys.insert(keys.end(), l.record.key);
    const auto nth = static_cast<std::size_t>(known - keys.begin());
    const auto [at, fresh] = places.emplace(Place{l.record.layer, l.record.compile, direction, nth}, out.rows.size());
    if (fresh) {
      RankRow row;
      row.layer = l.record.layer;
      row.direction = direction;
      row.compile_id = l.record.compile.text();
      row.function = l.function;
      row.nth = nth;
      row.cells.resize(out.ranks.size());
      out.rows.push_back(std::move(row));
      rows.emplace_back(out.ranks.size(), nullptr);
    }
    const auto column =
        static_cast<std::size_t>(std::lower_bound(out.ranks.begin(), out.ranks.end(), *l.rank) - out.ranks.begin());
    out.rows[at->second].cells[column] = RankCell{l.id, l.record.outcome, l.record.key};
    rows[at->second][column] = &l;
  }

  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    std::map<std::string, std::size_t> votes;
    for (const LookupRow* l : rows[i]) {
      if (l != nullptr && !l->record.key.empty()) ++votes[l->record.key];
    }
    out.rows[i].keys_differ = votes.size() > 1;
    if (votes.size() < 2) continue;
    const auto most =
        std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    const LookupRow* reference = nullptr;
    const LookupRow* other = nullptr;
    // With no majority the lowest rank is the reference.
    const bool tie =
        std::count_if(votes.begin(), votes.end(), [&](const auto& v) { return v.second == most->second; }) > 1;
    for (const LookupRow* l : rows[i]) {
      if (l == nullptr || l->record.components.empty()) continue;
      const bool common =
          tie ? reference == nullptr || l->record.key == reference->record.key : l->record.key == most->first;
      if (common && reference == nullptr) reference = l;
      if (!common && other == nullptr) other = l;
    }
    if (reference == nullptr || other == nullptr) continue;
    Case c;
    c.subject = *other;
    explain_detail::Evidence evidence(c, *reference);
    out.rows[i].split =
        explain_detail::find_causes(c, *reference,
                                    explain_detail::differences(reference->record.components, other->record.components),
                                    evidence)
            .causes;
  }
  return out;
}

}  // namespace keyhole
