// SPDX-License-Identifier: Apache-2.0
#include "why_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "format.h"

namespace keyhole::cli {
namespace {

constexpr std::size_t kShownCauses = 5;
constexpr std::size_t kSideWidth = 60;  ///< of an old or a new value, unless -v

std::string place_of(const LookupRow& lookup) {
  std::string text = name_of(lookup.record.layer);
  if (const std::string id = lookup.record.compile.text(); !id.empty()) text += " " + id;
  if (lookup.record.direction == Direction::backward) text += " backward";
  if (lookup.rank) text += fmt::format(" rank {}", *lookup.rank);
  return text;
}

std::string side(const std::string& text, bool verbose) {
  if (text.empty()) return "(none)";
  return shorten(text, verbose ? std::string::npos : kSideWidth);
}

std::string change_text(const std::string& component, const std::string& before, const std::string& after,
                        bool verbose) {
  if (before.empty() && after.empty()) return printable(component);
  return fmt::format("{}  {} → {}", printable(component), side(before, verbose), side(after, verbose));
}

/// "2 misses: aot_autograd 0/0, fx_graph 0/0"; of many, the first few.
std::string places_text(const CauseTotal& cause, const std::vector<Told>& told, bool verbose) {
  const bool bypassed = !cause.lookups.empty() && std::any_of(told.begin(), told.end(), [&](const Told& t) {
    return t.lookup.id == cause.lookups.front() && t.lookup.record.outcome == Outcome::bypass;
  });
  const auto count = static_cast<std::int64_t>(cause.misses);
  std::string text = bypassed ? count_text(count, "bypass", "bypasses") : count_text(count, "miss", "misses");
  std::size_t shown = 0;
  for (const RowId id : cause.lookups) {
    const auto found = std::find_if(told.begin(), told.end(), [&](const Told& t) { return t.lookup.id == id; });
    if (found == told.end()) continue;
    if (shown == 3 && !verbose) {
      text += ", …";
      break;
    }
    text += (shown++ ? ", " : ": ") + place_of(found->lookup);
  }
  return text;
}

struct CauseRow {
  std::string seconds, what, fix, where, against;
};

std::string rows_text(const std::vector<CauseRow>& rows, const Terminal& terminal) {
  std::size_t seconds = 0, left = 0, right = 0;
  for (const CauseRow& row : rows) {
    seconds = std::max(seconds, columns(row.seconds));
    left = std::max({left, columns(row.what), columns(row.fix)});
    right = std::max({right, columns(row.where), columns(row.against)});
  }
  const std::size_t indent = 2 + seconds + 2;
  const bool side_by_side = terminal.width == 0 ? left <= 100 : indent + left + 3 + right <= terminal.width;
  const auto cut = [&](const std::string& text) {
    return terminal.width > indent + 8 ? shorten(text, terminal.width - indent) : text;
  };
  const std::string gap(indent, ' ');
  std::string out;
  for (const CauseRow& row : rows) {
    out += fmt::format("  {}{}  ", std::string(seconds - columns(row.seconds), ' '), row.seconds);
    const auto line = [&](const std::string& text, Style style, const std::string& beside) {
      if (beside.empty() || !side_by_side) return terminal.paint(cut(text), style) + "\n";
      return terminal.paint(text, style) + std::string(left - columns(text), ' ') + "   " +
             terminal.paint(beside, Style::dim) + "\n";
    };
    out += line(row.what, Style::bold, row.where);
    if (!row.fix.empty() || (side_by_side && !row.against.empty()))
      out += gap + line(row.fix, Style::plain, row.against);
    if (side_by_side) continue;
    for (const std::string* text : {&row.where, &row.against})
      if (!text->empty()) out += gap + terminal.paint(cut(*text), Style::dim) + "\n";
  }
  return out;
}

std::string seconds_of(const Explanation& e) {
  return e.cost_seconds > 0 ? seconds_text(e.cost_seconds) : "";
}

std::string class_of(const Explanation& e) {
  return e.causes.empty() ? "" : e.causes.front().cause_class;
}

void add_details(std::string& out, const Explanation& e, const Terminal& terminal) {
  const auto heading = [&](const char* text) { out += terminal.paint(fmt::format("  {}\n", text), Style::dim); };
  if (!e.causes.empty()) heading("causes");
  for (const Cause& c : e.causes)
    out += fmt::format("    {:<11} {}  [{}, {}]{}\n", c.role == Role::root ? "root" : "consequence",
                       change_text(c.component, c.before, c.after, true), c.cause_class,
                       c.certainty == Certainty::proven ? "proven" : "inferred",
                       c.note.empty() ? "" : "  " + printable(c.note));
  if (!e.guards.empty()) heading("guards");
  for (const GuardFinding& g : e.guards) {
    out += fmt::format("    {}\n", printable(g.expression));
    if (!g.failing_clause.empty())
      out += fmt::format("      fails: {}  with {}{}\n", printable(g.failing_clause), printable(g.hints),
                         g.user_line.empty() ? "" : "  at " + printable(g.user_line));
    if (!g.error.empty()) out += fmt::format("      {}\n", printable(g.error));
  }
  if (!e.candidates.empty()) heading("candidates for the baseline");
  for (const Scored& s : e.candidates)
    out += fmt::format("    lookup {}  {:.2f}  {}\n", s.lookup, s.score, printable(s.reason));
  if (!e.chain.empty()) heading("the other layers of this compile");
  for (const ChainLink& link : e.chain)
    out += fmt::format("    {} {} (lookup {})\n", name_of(link.layer), name_of(link.outcome), link.lookup);
}

}  // namespace

std::string run_title(const RunRow& run, Nanoseconds now) {
  const std::string program = run.record.argv.empty() ? run.record.name : program_text(run.record.argv);
  const std::string time = run.record.start == kUnknownTime ? "" : ", " + time_text(run.record.start, now);
  return shorten(program, 80) + time;
}

std::string causes_text(const RunSummary& summary, const std::vector<Told>& told, const TextOptions& options) {
  std::vector<CauseRow> rows;
  const std::size_t shown = options.verbose ? summary.causes.size() : std::min(summary.causes.size(), kShownCauses);
  for (std::size_t i = 0; i < shown; ++i) {
    const CauseTotal& c = summary.causes[i];
    CauseRow row;
    row.seconds = c.seconds > 0 ? seconds_text(c.seconds) : "-";
    const bool by_component = !c.component.empty() && (!c.before.empty() || !c.after.empty());
    row.what = by_component ? change_text(c.component, c.before, c.after, options.verbose)
                            : shorten(c.summary.empty() ? name_of(c.verdict) : c.summary,
                                      options.verbose ? std::string::npos : 110);
    row.fix = printable(c.fix);
    row.where = places_text(c, told, options.verbose);
    if (!c.baseline_run.empty())
      row.against = fmt::format("against run {}: {}", printable(c.baseline_run), printable(c.baseline_reason));
    rows.push_back(std::move(row));
  }
  std::string out = rows_text(rows, options.terminal);
  if (shown < summary.causes.size())
    out += fmt::format("  and {}: -v\n", count_text(static_cast<std::int64_t>(summary.causes.size() - shown), "cause"));
  return out;
}

std::string why_run_text(const std::string& title, const RunSummary& summary, const std::vector<Told>& told,
                         const TextOptions& options) {
  const auto n = [](std::size_t count) { return static_cast<std::int64_t>(count); };
  std::string out = options.terminal.paint(title, Style::bold) + ": ";
  out += fmt::format("{}, {}, {}", count_text(n(summary.lookups), "lookup"), count_text(n(summary.hits), "hit"),
                     count_text(n(summary.misses), "miss", "misses"));
  if (summary.bypasses) out += ", " + count_text(n(summary.bypasses), "bypass", "bypasses");
  if (summary.causes.size() == 1 && summary.misses > 2) out += ", 1 cause";
  if (summary.seconds_lost > 0)
    out += ", " + options.terminal.paint(seconds_text(summary.seconds_lost) + " lost", Style::bad);
  if (summary.seconds_saved > 0) out += fmt::format(", {} saved", seconds_text(summary.seconds_saved));
  out += "\n";

  out += causes_text(summary, told, options);
  if (options.verbose && !told.empty()) out += "\n" + why_all_text(told, options);
  return out;
}

std::string why_lookup_text(const Told& told, const TextOptions& options) {
  const Explanation& e = told.explanation;
  const LookupRow& l = told.lookup;
  const bool hit = e.verdict == Verdict::hit;
  std::string out = options.terminal.paint(place_of(l), Style::bold) + ": " +
                    options.terminal.paint(name_of(e.verdict), hit ? Style::good : Style::bad);
  if (const std::string text = class_of(e); !text.empty()) out += fmt::format(" ({})", printable(text));
  if (const std::string text = seconds_of(e); !text.empty()) out += fmt::format(", {} lost", text);
  out += fmt::format("   lookup {} of run {}{}\n", l.id, printable(l.run_name),
                     l.function.empty() ? "" : fmt::format(", {}()", printable(l.function)));
  out += "  " + printable(e.summary) + "\n";
  if (!e.fix.empty()) out += "  " + printable(e.fix) + "\n";
  if (e.baseline)
    out += options.terminal.paint(
        fmt::format("  compared with lookup {} of run {}: {}, {:.2f}\n", e.baseline->id,
                    printable(e.baseline->run_name), printable(e.baseline_reason), e.baseline_score),
        Style::dim);
  if (options.verbose) add_details(out, e, options.terminal);
  return out;
}

std::string why_all_text(const std::vector<Told>& told, const TextOptions& options) {
  std::size_t number = 0, place = 0, verdict = 0, lost = 0;
  for (const Told& t : told) {
    number = std::max(number, std::to_string(t.lookup.id).size());
    place = std::max(place, columns(place_of(t.lookup)));
    verdict = std::max(verdict, columns(name_of(t.explanation.verdict)));
    lost = std::max(lost, columns(seconds_of(t.explanation)));
  }
  std::string out;
  for (const Told& t : told) {
    const Explanation& e = t.explanation;
    const std::string head = fmt::format("{:>{}}  {}  ", t.lookup.id, number, padded(place_of(t.lookup), place));
    const std::string what = padded(name_of(e.verdict), verdict);
    const std::string cost = std::string(lost - columns(seconds_of(e)), ' ') + seconds_of(e) + (lost ? "  " : "");
    const std::size_t used = columns(head) + columns(what) + 2 + columns(cost);
    const std::string text = options.terminal.width > used + 8 ? shorten(e.summary, options.terminal.width - used)
                                                               : shorten(e.summary, std::string::npos);
    out += head + options.terminal.paint(what, e.verdict == Verdict::hit ? Style::good : Style::bad) + "  " + cost +
           text + "\n";
  }
  return out;
}

}  // namespace keyhole::cli
