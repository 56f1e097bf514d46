// SPDX-License-Identifier: Apache-2.0
// The verdict. What PyTorch says of the lookup comes first, then what is known of the key, then the comparison of
// components with a baseline; what the evidence does not carry is unknown.
#include "keyhole/explain/explain.h"

#include <algorithm>
#include <array>

#include "bypass.h"
#include "causes.h"
#include "causes_compile.h"
#include "comparison.h"
#include "graph_text.h"
#include "guard_findings.h"
#include "same_key.h"
#include "words.h"

namespace keyhole {

const char* name_of(Verdict verdict) {
  static constexpr std::array<const char*, 20> kNames = {"unknown",          "hit",
                                                         "cache_off",        "bypass",
                                                         "never_seen",       "key_differs",
                                                         "identity_only",    "components_not_recorded",
                                                         "guard_failed",     "env_validation",
                                                         "entry_unreadable", "dependent_missing",
                                                         "never_saved",      "evicted",
                                                         "other_location",   "autotune_miss",
                                                         "io_error",         "race",
                                                         "recompile",        "unknown"};
  const auto i = static_cast<std::size_t>(verdict);
  return i < kNames.size() ? kNames[i] : "unknown";
}
const char* name_of(Role role) {
  return role == Role::root ? "root" : "consequence";
}
const char* name_of(Certainty certainty) {
  return certainty == Certainty::proven ? "proven" : "inferred";
}

namespace {

using namespace explain_detail;

double seconds(Nanoseconds ns) {
  return ns > 0 ? static_cast<double>(ns) * 1e-9 : 0;
}

std::string seconds_text(Nanoseconds ns) {
  const double s = seconds(ns);
  const long long tenths = static_cast<long long>(s * 10 + 0.5);
  return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + " s";
}

/// Seconds lost by this lookup and by no other: of a compile that several misses led to, each counts its own part.
double own_cost(const Case& c) {
  const LookupRecord& me = c.subject.record;
  if (me.outcome == Outcome::hit) return 0;
  const auto& rows = c.compile;
  const auto self = std::find_if(rows.begin(), rows.end(), [&](const LookupRow& r) { return r.id == c.subject.id; });
  if (me.layer == Layer::fx_graph) {
    // The same key missed again in this compile: AOTAutograd tried to load it first, the second miss led to the
    // compile.
    if (self != rows.end() && me.cost <= 0) return 0;
    for (auto i = self; self != rows.end() && i != rows.end(); ++i) {
      if (i != self && i->record.layer == me.layer && !me.key.empty() && i->record.key == me.key && is_miss(*i) &&
          i->record.cost >= me.cost)
        return 0;
    }
    return seconds(me.cost);
  }
  if (me.layer == Layer::aot_autograd) {
    Nanoseconds inner = 0;
    for (const LookupRow& r : rows) {
      if (r.record.layer == Layer::fx_graph && r.record.outcome != Outcome::hit && r.record.cost > 0)
        inner += r.record.cost;
    }
    Nanoseconds all = me.cost;
    if (all <= 0 && c.compile_row) all = c.compile_row->record.backend;
    return seconds(std::max<Nanoseconds>(0, all - inner));
  }
  if (me.layer == Layer::dynamo) {
    if (!c.compile_row) return seconds(me.cost);
    const CompileRecord& r = c.compile_row->record;
    const Nanoseconds all = me.cost > 0 ? me.cost : r.total;
    return seconds(std::max<Nanoseconds>(0, all - std::max<Nanoseconds>(0, r.backend)));
  }
  return seconds(me.cost);
}

/// `source`: what was compiled, where a compiler was asked; else empty.
void put_comparison(Comparison& found, std::string_view source, Explanation& e) {
  put_candidates(found.ranked, e);
  if (found.verdict == Verdict::never_seen) {
    if (!source.empty()) {
      e.summary = "no earlier compile of " + std::string(source) + " is on record";
      return;
    }
    e.summary = found.ranked.empty() ? "no lookup of a comparable graph is on record"
                                     : "no comparable graph is on record: the nearest is another one (" +
                                           found.ranked.front().reason + ")";
    return;
  }
  const Baseline& best = found.ranked.front();
  put_baseline(*best.row, best.score, best.reason, e);
  if (found.verdict == Verdict::identity_only) {
    e.summary = "every recorded component is equal to the baseline's, and yet the key differs";
    return;
  }
  e.summary = tell_causes(found.causes);
  e.causes = std::move(found.causes.causes);
  e.fix = fix_of_causes(e.causes);
}

std::string run_phrase(const LookupRow& row) {
  return row.run_name.empty() ? std::string() : " (run " + row.run_name + ")";
}

std::string layer_phrase(Layer layer) {
  return layer == Layer::fx_graph ? "fx_graph" : layer == Layer::aot_autograd ? "aot_autograd" : name_of(layer);
}

/// AOTAutograd's entry was found; what it points to was not.
void tell_dependent(const Case& c, Explanation& e) {
  e.verdict = Verdict::dependent_missing;
  const LookupRow* lost = nullptr;
  for (const LookupRow& r : c.compile) {
    if (r.record.layer == Layer::fx_graph && is_miss(r) && lost == nullptr) lost = &r;
  }
  e.summary = "the AOTAutograd entry was found, but an FX graph entry that it needs was not";
  if (lost == nullptr) return;
  e.summary =
      "the AOTAutograd entry was found, but the " +
      (lost->record.direction == Direction::unknown ? std::string("FX graph")
                                                    : std::string(name_of(lost->record.direction)) + " FX graph") +
      " entry that it needs (" + lost->record.key.substr(0, 8) + "…) was not";
  for (const Case& inner : c.inner) {
    if (inner.subject.id != lost->id) continue;
    if (const auto fate = fate_of_key(inner)) {
      e.summary += ": " + std::string(name_of(fate->verdict)) + ", " + fate->what;
      // Nobody took the two apart where the graph's entry is damaged or was never written.
      if (fate->verdict != Verdict::evicted && fate->verdict != Verdict::unknown)
        e.fix = fate->fix.empty() ? fix_of_verdict(fate->verdict) : fate->fix;
    }
    break;
  }
  e.summary = shorten(e.summary, kSummaryLimit);
}

void tell_guards(const Case& c, Explanation& e) {
  e.verdict = Verdict::guard_failed;
  e.guards = find_guards(c);
  if (e.guards.empty()) {
    e.summary = "entries exist under the key, but none has guards that hold; which is not recorded";
    return;
  }
  const GuardFinding& first = e.guards.front();
  const std::string sentence = guard_sentence(first);
  const std::string several =
      e.guards.size() > 1 ? "; " + std::to_string(e.guards.size() - 1) + " more entries fail too" : "";
  if (!sentence.empty()) {
    e.summary = shorten("guard " + sentence, kSummaryLimit - characters(several)) + several;
  } else {
    e.summary = "guard not met: " + first.expression + (first.error.empty() ? "" : " (" + first.error + ")") + several;
  }
  e.summary = shorten(e.summary, kSummaryLimit);
}

/// PyTorch reports guard_miss too when it found an entry whose external libraries differ.
bool guards_all_hold(const std::vector<GuardFinding>& guards) {
  return !guards.empty() && std::all_of(guards.begin(), guards.end(), [](const GuardFinding& g) {
    return g.failing_clause.empty() && g.error.empty();
  });
}

bool explain_outcome(const Case& c, Explanation& e) {
  const LookupRecord& r = c.subject.record;
  if (r.cache_off) {
    e.verdict = Verdict::cache_off;
    const std::string reason = normalise_reason(r.reason);
    e.summary = shorten("the cache was switched off, nothing was looked up" + (reason.empty() ? "" : ": " + reason),
                        kSummaryLimit);
    e.fix = fix_of_bypass(reason);
    if (e.fix.empty())
      e.fix = "unset TORCHINDUCTOR_FORCE_DISABLE_CACHES, or set torch._inductor.config.fx_graph_cache = True";
    return true;
  }
  if (r.outcome == Outcome::hit) {
    e.verdict = Verdict::hit;
    e.summary = "served" + (r.saved > 0 ? ", saved " + seconds_text(r.saved) : std::string());
    return true;
  }
  if (r.outcome == Outcome::bypass) {
    const std::string reason = normalise_reason(r.reason);
    e.verdict = says_cache_off(reason) ? Verdict::cache_off : Verdict::bypass;
    e.summary =
        shorten(reason.empty() ? std::string("not cacheable; the reason is not recorded") : "not cacheable: " + reason,
                kSummaryLimit);
    if (e.verdict == Verdict::cache_off) e.summary = shorten("switched off: " + reason, kSummaryLimit);
    if (r.layer != Layer::code && r.layer != Layer::cuda) e.fix = fix_of_bypass(reason);
    return true;
  }
  if (r.layer == Layer::dynamo) {
    std::string reason = r.reason;
    if (reason.empty() && c.compile_row) reason = c.compile_row->record.recompile_reason;
    if (reason.empty()) {
      e.verdict = Verdict::never_seen;
      e.summary = "first compile of this frame";
      return true;
    }
    e.verdict = Verdict::recompile;
    const std::string failed = c.compile_row ? c.compile_row->record.fail_reason : std::string();
    const std::size_t limit = failed.find("recompile_limit");
    e.summary = shorten((limit == std::string::npos ? "recompiled: "
                                                    : "not compiled any more, recompile_limit is reached; the last: ") +
                            recompile_sentence(reason),
                        kSummaryLimit);
    const std::string_view first = std::string_view(reason).substr(0, reason.find('\n'));
    e.fix = fix_of_recompile(limit == std::string::npos ? first : std::string_view(failed).substr(limit));
    if (e.fix.empty()) e.fix = fix_of_verdict(e.verdict);
    return true;
  }
  return false;
}

/// What PyTorch itself reports of an entry that it found.
bool explain_found(const Case& c, Explanation& e) {
  const LookupRecord& r = c.subject.record;
  const LookupRow* earlier = nullptr;
  for (const LookupRow& row : c.same_key) {
    if (earlier == nullptr && (row.process != c.subject.process || !(row.record.compile == r.compile))) earlier = &row;
  }
  if (r.outcome == Outcome::error && r.load_error.empty()) {
    e.verdict = Verdict::io_error;
    e.summary = shorten(
        "the lookup failed: " + (r.reason.empty() ? std::string("no reason recorded") : normalise_reason(r.reason)),
        kSummaryLimit);
    if (r.layer == Layer::remote) {
      e.fix = r.reason.find("redis not available") != std::string::npos
                  ? "install the Python package redis where the program runs, or switch the remote cache off"
                  : "see that the remote cache answers (TORCHINDUCTOR_REDIS_URL); PyTorch went on without it";
      return true;
    }
  } else if (r.status == "hit") {
    tell_dependent(c, e);
  } else if (r.outcome == Outcome::guard_miss || r.status == "guard_miss") {
    tell_guards(c, e);
    if (guards_all_hold(e.guards)) {
      e.verdict = Verdict::env_validation;
      e.summary = shorten(
          "the entry was found and its guards hold; it was refused for other external libraries (libdevice, extern "
          "kernels) or a guard on a value that was not recorded",
          kSummaryLimit);
    }
  } else {
    return false;
  }
  if (e.fix.empty()) e.fix = fix_of_verdict(e.verdict);
  if (earlier != nullptr) put_baseline(*earlier, 1, "same key", e);
  return true;
}

/// Of two that missed a key at once: why neither found it.
void tell_common_cause(const Case& c, Explanation& e) {
  if (c.subject.record.components.empty()) return;
  Comparison found = compare_with_baseline(c);
  if (found.verdict != Verdict::key_differs) return;
  const LookupRow& baseline = *found.ranked.front().row;
  if (baseline.run == c.subject.run) return;  // another rank of it was as cold, and tells nothing of why this one was
  e.summary += "; both differ from " +
               (baseline.run_name.empty() ? std::string("an earlier lookup") : "run " + baseline.run_name) + ": ";
  e.summary += tell_causes(found.causes, kSummaryLimit - std::min(kSummaryLimit, characters(e.summary)));
  e.summary = shorten(e.summary, kSummaryLimit);
  e.causes = std::move(found.causes.causes);
}

void explain_miss(const Case& c, Explanation& e) {
  const LookupRecord& r = c.subject.record;
  if (r.status == "compile_failed") {
    e.verdict = Verdict::never_saved;
    e.summary = shorten("the compiler failed, so there is nothing to keep: " + r.save_error, kSummaryLimit);
    return;
  }
  if (explain_found(c, e)) return;
  if (const auto fate = fate_of_key(c)) {
    e.verdict = fate->verdict;
    e.summary = shorten(fate->what, kSummaryLimit);
    e.fix = fate->fix.empty() ? fix_of_verdict(e.verdict) : fate->fix;
    if (fate->earlier != nullptr) put_baseline(*fate->earlier, 1, "same key" + run_phrase(*fate->earlier), e);
    if (fate->verdict == Verdict::race) tell_common_cause(c, e);
    return;
  }
  if (r.layer == Layer::autotune) {
    const bool graph_hit = std::any_of(c.compile.begin(), c.compile.end(), [](const LookupRow& l) {
      return l.record.layer == Layer::fx_graph && l.record.outcome == Outcome::hit;
    });
    if (graph_hit || r.components.empty()) {
      e.verdict = Verdict::autotune_miss;
      e.summary = graph_hit ? "the graph was served, its autotune result was not"
                            : "no autotune result is stored under this key";
      e.fix = fix_of_verdict(e.verdict);
      return;
    }
  }
  if (r.components.empty()) {
    if (r.layer == Layer::aot_autograd || !c.inner.empty()) {
      explain_by_inner(c, e);
      return;
    }
    e.verdict = Verdict::components_not_recorded;
    e.summary = "the " + layer_phrase(r.layer) + " lookup recorded no components";
    e.fix =
        r.layer == Layer::fx_graph ? "record with TORCH_TRACE, or with TORCH_LOGS=\"+torch._inductor.codecache\"" : "";
    return;
  }
  Comparison found = compare_with_baseline(c);
  e.verdict = found.verdict;
  put_comparison(found, source_of(c.subject), e);
  if (is_compile_layer(c.subject)) {
    e.fix = e.causes.empty() ? std::string() : fix_of_compile_cause(e.causes.front());
    return;
  }
  if (e.fix.empty()) e.fix = fix_of_verdict(e.verdict);
}

/// Nothing to compare with, because the run before had the cache switched off.
void tell_off_before(const Case& c, Explanation& e) {
  if (e.verdict != Verdict::never_seen || !c.compiled_without_cache) return;
  const auto row = c.compiled_without_cache();
  if (!row) return;
  const std::string reason = normalise_reason(row->record.reason);
  e.summary = shorten((row->run_name.empty() ? "the run before" : "run " + row->run_name) +
                          " compiled it with the cache switched off, so nothing was stored" +
                          (reason.empty() ? "" : ": " + reason),
                      kSummaryLimit);
  e.fix = "warm up with the cache on";
}

/// What was compiled in place of the miss was not stored: the next run will miss too, whatever is done about the cause.
void tell_not_written(const Case& c, Explanation& e) {
  const std::string& error = c.subject.record.save_error;
  if (error.empty() || is_compile_layer(c.subject)) return;
  e.fix += (e.fix.empty() ? "" : "; ") + ("what was compiled now could not be stored: " + shorten(error, 120));
}

}  // namespace

Explanation explain(const Case& c) {
  Explanation e;
  e.lookup = c.subject.id;
  for (const LookupRow& row : c.compile) {
    if (row.id != c.subject.id) e.chain.push_back({row.record.layer, row.record.outcome, row.id});
  }
  e.cost_seconds = own_cost(c);
  if (!explain_outcome(c, e)) {
    explain_miss(c, e);
    tell_off_before(c, e);
    tell_not_written(c, e);
  }
  return e;
}

}  // namespace keyhole
