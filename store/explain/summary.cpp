// SPDX-License-Identifier: Apache-2.0
#include "keyhole/explain/summary.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace keyhole {
namespace {

bool served(const Told& t) {
  return t.explanation.verdict == Verdict::hit;
}

/// What makes two misses one: the first cause, or the verdict with what it says where there is none.
std::string group_of(const Told& t) {
  const Explanation& e = t.explanation;
  if (!e.causes.empty()) {
    const Cause& c = e.causes.front();
    // The position of an input means nothing across graphs.
    const std::string component = c.component.rfind("example_inputs[", 0) == 0 ? "example_inputs" : c.component;
    return component + '\x1f' + c.cause_class + '\x1f' + c.before + '\x1f' + c.after;
  }
  const bool by_reason =
      e.verdict == Verdict::bypass || e.verdict == Verdict::cache_off || e.verdict == Verdict::recompile;
  return std::string(name_of(e.verdict)) + '\x1f' + (by_reason ? e.summary : std::string());
}

/// The inner lookup that tells the cause of an outer one; null where the outer one speaks for itself.
const Told* teller(const Told& t, const std::unordered_map<RowId, const Told*>& by_id) {
  const Verdict v = t.explanation.verdict;
  if (t.lookup.record.layer == Layer::remote) {  // the folder was asked for the same key before
    for (const ChainLink& l : t.explanation.chain) {
      const auto found = by_id.find(l.lookup);
      if (found != by_id.end() && l.layer == Layer::fx_graph && !served(*found->second) &&
          !t.lookup.record.key.empty() && found->second->lookup.record.key == t.lookup.record.key)
        return found->second;
    }
    return nullptr;
  }
  if (t.lookup.record.layer != Layer::aot_autograd) return nullptr;
  const bool own = v == Verdict::bypass || v == Verdict::cache_off || v == Verdict::guard_failed;
  for (const ChainLink& l : t.explanation.chain) {
    const auto found = by_id.find(l.lookup);
    if (found == by_id.end() || l.layer != Layer::fx_graph || served(*found->second)) continue;
    const Told& inner = *found->second;
    if (v == Verdict::dependent_missing || inner.explanation.verdict == v) return &inner;
    const bool same_component = !t.explanation.causes.empty() && !inner.explanation.causes.empty() &&
                                t.explanation.causes.front().component == inner.explanation.causes.front().component;
    if (!own && same_component) return &inner;
  }
  return nullptr;
}

double weight(const Told& t) {
  return t.explanation.cost_seconds + (t.explanation.causes.empty() ? 0 : 1e6);
}

}  // namespace

RunSummary summarise(const std::vector<Told>& told) {
  RunSummary out;
  std::unordered_map<RowId, const Told*> by_id;
  for (const Told& t : told) by_id.emplace(t.lookup.id, &t);
  std::map<std::string, std::size_t> groups;
  std::vector<const Told*> best;
  for (const Told& t : told) {
    ++out.lookups;
    if (served(t)) {
      ++out.hits;
      // AOTAutograd's saving holds that of the graphs within.
      const bool inner = t.lookup.record.layer == Layer::fx_graph &&
                         std::any_of(t.explanation.chain.begin(), t.explanation.chain.end(), [&](const ChainLink& l) {
                           const auto found = by_id.find(l.lookup);
                           return l.layer == Layer::aot_autograd && found != by_id.end() && served(*found->second) &&
                                  found->second->lookup.record.saved > 0;
                         });
      if (!inner && t.lookup.record.saved > 0) out.seconds_saved += static_cast<double>(t.lookup.record.saved) * 1e-9;
      continue;
    }
    ++(t.lookup.record.outcome == Outcome::bypass ? out.bypasses : out.misses);
    out.seconds_lost += t.explanation.cost_seconds;
    const Told* inner = teller(t, by_id);
    const std::string group = group_of(inner != nullptr ? *inner : t);
    const auto [at, fresh] = groups.emplace(group, out.causes.size());
    if (fresh) {
      out.causes.emplace_back();
      best.push_back(nullptr);
    }
    CauseTotal& total = out.causes[at->second];
    total.seconds += t.explanation.cost_seconds;
    ++total.misses;
    total.lookups.push_back(t.lookup.id);
    const Told* speaks = inner != nullptr ? inner : &t;
    if (best[at->second] == nullptr || weight(*speaks) > weight(*best[at->second])) best[at->second] = speaks;
  }
  for (std::size_t i = 0; i < out.causes.size(); ++i) {
    CauseTotal& total = out.causes[i];
    const Explanation& e = best[i]->explanation;
    total.verdict = e.verdict;
    total.summary = e.summary;
    total.fix = e.fix;
    if (!e.causes.empty()) {
      const Cause& c = e.causes.front();
      total.component = c.component;
      total.before = c.before;
      total.after = c.after;
      total.cause_class = c.cause_class;
    }
    if (e.baseline) {
      total.baseline_run = e.baseline->run_name;
      total.baseline_reason = e.baseline_reason;
    }
  }
  std::stable_sort(out.causes.begin(), out.causes.end(),
                   [](const CauseTotal& a, const CauseTotal& b) { return a.seconds > b.seconds; });
  return out;
}

}  // namespace keyhole
