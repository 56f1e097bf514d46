// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <nlohmann/json.hpp>

#include "keyhole/explain/told.h"

namespace keyhole {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& s) {
  return s.empty() ? Json(nullptr) : Json(s);
}
Json id_or_null(RowId id) {
  return id > 0 ? Json(id) : Json(nullptr);
}
/// As many decimals as the figure means something with.
Json number(double value, int decimals) {
  const double unit = std::pow(10.0, decimals);
  return std::round(value * unit) / unit;
}

Json object_of(const Told& t) {
  const LookupRow& row = t.lookup;
  const Explanation& e = t.explanation;
  Json out;
  out["lookup"] = row.id;
  out["run"] = text_or_null(row.run_name);
  out["layer"] = name_of(row.record.layer);
  out["compile_id"] = text_or_null(row.record.compile.text());
  out["key"] = text_or_null(row.record.key);
  out["outcome"] = name_of(row.record.outcome);
  out["verdict"] = name_of(e.verdict);
  out["summary"] = e.summary;
  out["fix"] = text_or_null(e.fix);
  out["cost_seconds"] = number(e.cost_seconds, 6);
  if (e.baseline) {
    out["baseline"] = {{"lookup", id_or_null(e.baseline->id)},      {"entry", id_or_null(-e.baseline->id)},
                       {"run", text_or_null(e.baseline->run_name)}, {"key", text_or_null(e.baseline->record.key)},
                       {"score", number(e.baseline_score, 3)},      {"reason", e.baseline_reason}};
  } else {
    out["baseline"] = nullptr;
  }
  out["candidates"] = Json::array();
  for (const Scored& s : e.candidates) {
    out["candidates"].push_back({{"lookup", id_or_null(s.lookup)},
                                 {"entry", id_or_null(-s.lookup)},
                                 {"score", number(s.score, 3)},
                                 {"reason", s.reason}});
  }
  out["causes"] = Json::array();
  for (const Cause& c : e.causes) {
    out["causes"].push_back({{"component", c.component},
                             {"before", text_or_null(c.before)},
                             {"after", text_or_null(c.after)},
                             {"role", name_of(c.role)},
                             {"class", c.cause_class},
                             {"certainty", name_of(c.certainty)},
                             {"note", text_or_null(c.note)}});
  }
  out["guards"] = Json::array();
  for (const GuardFinding& g : e.guards) {
    Json hints = Json::parse(g.hints, nullptr, false);
    out["guards"].push_back({{"entry", id_or_null(g.entry)},
                             {"expression", g.expression},
                             {"failing_clause", text_or_null(g.failing_clause)},
                             {"hints", hints.is_object() ? std::move(hints) : Json::object()},
                             {"source", text_or_null(g.source)},
                             {"user_line", text_or_null(g.user_line)},
                             {"error", text_or_null(g.error)}});
  }
  out["chain"] = Json::array();
  for (const ChainLink& l : e.chain) {
    out["chain"].push_back({{"layer", name_of(l.layer)}, {"outcome", name_of(l.outcome)}, {"lookup", l.lookup}});
  }
  return out;
}

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const Told& told, int indent) {
  return dump(object_of(told), indent);
}

std::string to_json(const std::vector<Told>& told, int indent) {
  Json out = Json::array();
  for (const Told& t : told) out.push_back(object_of(t));
  return dump(out, indent);
}

}  // namespace keyhole
