// SPDX-License-Identifier: Apache-2.0
#include "guard_findings.h"

#include <algorithm>

#include "keyhole/guard/expression.h"
#include "keyhole/key/tensor_metadata.h"
#include "sympy_text.h"

namespace keyhole::explain_detail {
namespace {

/// Symbols in the order of the symbolic inputs: `L['t0']` is the first of them (SPEC 14: hints).
std::vector<std::string> symbolic_inputs(const std::vector<ComponentPtr>& components) {
  std::vector<std::string> out;
  for (const ComponentPtr c : components) {
    if (c->name.rfind("example_inputs[", 0) != 0) continue;
    if (const auto symbol = parse_symbol_text(c->text)) out.emplace_back(*symbol);
  }
  return out;
}

struct Position {
  std::string symbol;
  const SymbolRecord* record = nullptr;
};

/// Which symbol each `t<i>` is. An AOTAutograd lookup that recorded no components has the symbolic inputs of the graphs
/// within; without any, the symbols in the order of their creation.
std::vector<Position> positions(const Case& c) {
  std::vector<std::string> names = symbolic_inputs(c.subject.record.components);
  for (const Case& inner : c.inner) {
    if (names.empty()) names = symbolic_inputs(inner.subject.record.components);
  }
  if (names.empty()) {
    for (const LookupRow& row : c.compile) {
      if (names.empty()) names = symbolic_inputs(row.record.components);
    }
  }
  if (names.empty()) {
    for (const SymbolRecord& s : c.symbols) names.push_back(s.symbol);
  }
  std::vector<Position> out;
  for (std::string& name : names) {
    Position p{std::move(name), nullptr};
    for (const SymbolRecord& s : c.symbols) {
      if (s.symbol == p.symbol) p.record = &s;
    }
    out.push_back(std::move(p));
  }
  return out;
}

std::string json_value(const std::string& value) {
  if (value == "True") return "true";
  if (value == "False") return "false";
  const bool number = !value.empty() && value.find_first_not_of("0123456789+-.e") == std::string::npos;
  return number ? value : '"' + value + '"';
}

GuardFinding evaluate(const std::string& expression, RowId entry, const Hints& hints,
                      const std::vector<Position>& where) {
  GuardFinding f;
  f.entry = entry;
  f.expression = expression;
  f.hints = "{}";
  const GuardExplanation e = explain_guard(expression, hints);
  const GuardClause* decides = e.failing.empty() ? nullptr : &e.clauses[e.failing.front()];
  const auto show = [&](const std::vector<GuardHint>& used) {
    std::string json;
    for (const GuardHint& h : used) {
      if (h.value.empty()) continue;
      json += (json.empty() ? "" : ", ") + ('"' + h.name + "\": ") + json_value(h.value);
      if (h.name.size() < 2 || h.name[0] != 't') continue;
      const std::size_t i = static_cast<std::size_t>(std::strtoul(h.name.c_str() + 1, nullptr, 10));
      if (i >= where.size() || where[i].record == nullptr) continue;
      const SymbolRecord& s = *where[i].record;
      f.source += (f.source.empty() ? "" : ", ") + s.source;
      if (!f.user_line.empty() || s.user_file.empty()) continue;
      f.user_line = s.user_file.substr(s.user_file.find_last_of('/') + 1);
      if (s.user_line >= 0) f.user_line += ':' + std::to_string(s.user_line);
      if (!s.user_code.empty()) f.user_line += ": " + s.user_code;
    }
    f.hints = '{' + json + '}';
  };
  if (decides != nullptr) {
    f.failing_clause = decides->text;
    f.error = decides->error;
    show(decides->hints);
    const bool missing =
        std::any_of(decides->hints.begin(), decides->hints.end(), [](const GuardHint& h) { return h.value.empty(); });
    if (missing) f.failing_clause.clear();  // no size is known: which clause fails cannot be told
  } else {
    f.error = e.error;
    for (const GuardClause& clause : e.clauses) show(clause.hints);
    f.user_line.clear();
    f.source.clear();
  }
  return f;
}

/// What the compile that made an entry asked of its sizes, line by line of the program.
void find_line(const Case& c, const Hints& hints, const std::vector<Position>& where, GuardFinding& f) {
  if (f.failing_clause.empty() || !c.texts) return;
  std::vector<std::string> asked_of;  // the symbols of the clause
  if (const auto clause = GuardExpression::parse(f.failing_clause)) {
    for (const std::string& name : clause->names()) {
      const std::size_t i = name.size() > 1 ? std::strtoul(name.c_str() + 1, nullptr, 10) : where.size();
      if (name[0] == 't' && i < where.size()) asked_of.push_back(where[i].symbol);
    }
  }
  bool recorded = false;
  for (const LookupRow& row : c.same_key) {
    if (row.record.outcome == Outcome::hit) continue;
    for (const TextRecord& guard : c.texts(row, TextKind::dynamo_guards)) {
      if (guard.name.empty()) continue;  // all of Dynamo's guards in one
      recorded = true;
      const auto condition = GuardExpression::parse(python_of_sympy(guard.text));
      if (!condition) continue;
      const std::vector<std::string> names = condition->names();
      const bool same_sizes = !names.empty() && std::all_of(names.begin(), names.end(), [&](const std::string& n) {
        return std::find(asked_of.begin(), asked_of.end(), n) != asked_of.end();
      });
      const auto holds = condition->evaluate(hints);
      if (!same_sizes || !holds || *holds) continue;
      f.user_line = guard.name;
      f.asks_here = true;
      return;
    }
  }
  if (recorded) f.user_line.clear();  // none of the program's own conditions fails: another line is no help
}

}  // namespace

std::vector<GuardFinding> find_guards(const Case& c) {
  const std::vector<Position> where = positions(c);
  Hints hints;
  bool complete = true;
  for (const Position& p : where) {
    const auto value =
        p.record != nullptr ? parse_hint(p.record->value) : Result<HintValue>(fail(ErrorKind::not_found, "no value"));
    if (!value) complete = false;
    if (complete) hints.append(*value);  // a position is only right if all before it are known
    if (value) hints.set(p.symbol, *value);
  }
  std::vector<GuardFinding> out;
  const auto add = [&](const std::string& expression, RowId entry) {
    if (expression.empty()) return;
    for (GuardFinding& f : out) {
      if (f.expression == expression) {
        if (f.entry == 0) f.entry = entry;
        return;
      }
    }
    out.push_back(evaluate(expression, entry, hints, where));
    find_line(c, hints, where, out.back());
  };
  add(c.subject.record.guard, 0);
  for (const SeenEntry& e : c.entries) {
    if (e.entry.record.state != EntryState::ok) continue;
    if (!c.subject.cache_dir.empty() && !e.snapshot.record.location.empty() &&
        e.snapshot.record.location != c.subject.cache_dir)
      continue;
    add(e.entry.record.guard, e.entry.id);
  }
  std::stable_sort(out.begin(), out.end(), [](const GuardFinding& a, const GuardFinding& b) {
    return a.failing_clause.empty() < b.failing_clause.empty();
  });
  return out;
}

std::string guard_sentence(const GuardFinding& f) {
  if (f.failing_clause.empty()) return {};
  std::string out = f.failing_clause + " fails";
  if (f.hints.size() > 2) {
    std::string hints = f.hints.substr(1, f.hints.size() - 2);
    hints.erase(std::remove(hints.begin(), hints.end(), '"'), hints.end());
    for (std::size_t at = hints.find(": "); at != std::string::npos; at = hints.find(": ", at))
      hints.replace(at, 2, " = ");
    out += " for " + hints;
    if (!f.source.empty()) out += " (" + f.source + ")";
  }
  if (!f.user_line.empty()) out += (f.asks_here ? ", asked by " : ", a size first used at ") + f.user_line;
  return out;
}

}  // namespace keyhole::explain_detail
