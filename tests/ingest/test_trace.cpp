// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "collecting_sink.h"
#include "fixtures.h"
#include "keyhole/ingest/source.h"
#include "keyhole/ingest/trace.h"

namespace fs = std::filesystem;
using namespace keyhole;

namespace {

/// The traces of one process folder; where a trace is there plain and compressed, the compressed one.
std::vector<fs::path> traces_in(const fs::path& folder) {
  std::map<std::string, fs::path> found;
  for (const auto& file : fs::directory_iterator(folder)) {
    const std::string name = file.path().filename().string();
    if (name.find("torch_trace") == std::string::npos) continue;
    fs::path& kept = found[name.substr(0, name.find(".log"))];
    if (kept.empty() || file.path().extension() == ".xz") kept = file.path();
  }
  std::vector<fs::path> paths;
  for (const auto& [name, path] : found) paths.push_back(path);
  return paths;
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

/// A lookup as PyTorch wrote it (record.json) and as the reader gave it.
void same(const nlohmann::json& event, const LookupRecord& lookup, const std::string& where) {
  const std::string state = text_of(event, "state");
  const bool guard_miss = text_of(event, "cache_status_detailed") == "guard_miss";
  const std::string outcome = state == "miss" && guard_miss ? "guard_miss" : state;
  QVERIFY2(outcome == name_of(lookup.outcome), (where + " " + outcome + " " + name_of(lookup.outcome)).c_str());
  QVERIFY2(text_of(event, "key") == lookup.key, where.c_str());
  const std::string id = text_of(event, "compile_id");  // with the attempt behind _, where the record tells it
  const std::size_t attempt = id.find('_');
  QVERIFY2(id.substr(0, attempt) == lookup.compile.text(), where.c_str());
  if (attempt != std::string::npos) QCOMPARE(lookup.compile.attempt, std::stoll(id.substr(attempt + 1)));
  if (event.contains("components")) QCOMPARE(lookup.components.size(), event["components"].get<std::size_t>());
  if (event.contains("cache_status_guard_expr")) QCOMPARE(lookup.guard, text_of(event, "cache_status_guard_expr"));
  if (event.contains("time_saved_ns")) QCOMPARE(lookup.saved, event["time_saved_ns"].get<std::int64_t>());
  if (event.contains("time_saved_ms"))
    QCOMPARE(lookup.saved, static_cast<std::int64_t>(event["time_saved_ms"].get<double>() * 1e6));
  if (event.contains("time_taken_ns")) QCOMPARE(lookup.cost, event["time_taken_ns"].get<std::int64_t>());
  if (event.contains("cache_event_time") && lookup.layer == Layer::fx_graph)
    QCOMPARE(lookup.time, event["cache_event_time"].get<std::int64_t>());
  if (event.contains("cache_bypass_reason")) QCOMPARE(lookup.reason, text_of(event, "cache_bypass_reason"));
  QVERIFY2(lookup.time > 1'795'000'000'000'000'000, where.c_str());
}

}  // namespace

class TestTrace : public QObject {
  Q_OBJECT
 private slots:
  void everyRecording();
};

void TestTrace::everyRecording() {
  const fs::path fixtures = fixtures_folder();
  if (fixtures.empty()) QSKIP("no recordings: set KEYHOLE_FIXTURES");
  int compared = 0, events = 0;
  for (const auto& scenario : fs::directory_iterator(fixtures)) {
    const fs::path record_path = scenario.path() / "record.json";
    if (!fs::exists(record_path)) continue;
    const auto record = nlohmann::json::parse(std::ifstream(record_path));
    for (const auto& [name, truth] : record["processes"].items()) {
      if (!truth.contains("events")) continue;
      ComponentPool pool;
      CollectingSink sink;
      for (const fs::path& path : traces_in(scenario.path() / name)) {
        const auto summary = read_trace(path.string(), {}, pool, sink);
        QVERIFY2(summary, summary ? "" : summary.error().line().c_str());
      }
      QVERIFY2(sink.problems.empty(), scenario.path().c_str());
      std::map<Layer, std::vector<LookupRecord>> lookups;
      for (const auto& process : sink.processes)
        for (const auto& lookup : process.lookups)
          if (!lookup.cache_off) lookups[lookup.layer].push_back(lookup);
      std::map<Layer, std::size_t> seen;
      for (const auto& event : truth["events"]) {
        const Layer layer = event["level"] == "aot" ? Layer::aot_autograd : Layer::fx_graph;
        const std::string where = scenario.path().filename().string() + "/" + name + " " + name_of(layer);
        QVERIFY2(seen[layer] < lookups[layer].size(), where.c_str());
        same(event, lookups[layer][seen[layer]++], where);
        if (QTest::currentTestFailed()) return;
        ++events;
      }
      for (const auto& [layer, rows] : lookups)
        if (layer == Layer::aot_autograd || layer == Layer::fx_graph) QCOMPARE(rows.size(), seen[layer]);
      ++compared;
    }
  }
  QVERIFY(compared > 100);
  QVERIFY(events > 200);
}

QTEST_GUILESS_MAIN(TestTrace)
#include "test_trace.moc"
