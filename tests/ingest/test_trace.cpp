// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/trace.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <QtTest>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "collecting_sink.h"
#include "keyhole/ingest/source.h"
#include "packing.h"
#include "recordings.h"
#include "trace_builder.h"

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

fs::path data(const char* name) {
  return fs::path(KEYHOLE_SOURCE_DIR) / "tests/data/traces" / name;
}

struct Reading {
  ComponentPool pool;
  CollectingSink sink;
  Result<TraceSummary> summary = TraceSummary();

  explicit Reading(const fs::path& path, const TraceOptions& options = {}) {
    summary = read_trace(path.string(), options, pool, sink);
  }
};

std::string shown(const LookupRecord& lookup) {
  std::string text = std::string(name_of(lookup.layer)) + "|" + lookup.compile.text() + "|" + lookup.key + "|" +
                     std::to_string(lookup.ordinal) + "|" + name_of(lookup.outcome) + "|" + lookup.status + "|" +
                     name_of(lookup.direction) + "|" + lookup.guard + "|" + lookup.reason + "|" +
                     std::to_string(lookup.time) + "|" + std::to_string(lookup.saved);
  for (const ComponentPtr component : lookup.components)
    text += "|" + component->name + component->digest.base32() + component->text;
  return text;
}

/// Everything that was handed over, but for what a whole trace alone can tell (costs).
std::vector<std::string> shown(const CollectingSink& sink) {
  std::vector<std::string> lines;
  for (const auto& process : sink.processes) {
    for (const auto& lookup : process.lookups) lines.push_back(process.record.identity + "|" + shown(lookup));
    for (const auto& text : process.texts) lines.push_back(text.compile.text() + name_of(text.kind) + text.text);
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

class TestTrace : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() {
    QVERIFY(folder_.isValid());
    train_ = read_whole(data("train_miss.log.xz").string(), 1 << 26).value();
  }
  void every_recording();
  void reads_a_training_step();
  void names_the_switch_of_caches_that_are_off();
  void reads_the_same_through_every_packing();
  void reads_a_cut_trace_as_far_as_it_goes();
  void reads_a_growing_trace();
  void withstands_changed_bytes();
  void passes_over_an_endless_line();
  void passes_over_a_compressed_bomb();
  void refuses_what_is_no_trace();
  void passes_over_foreign_lines();
  void can_be_ended_early();

 private:
  fs::path file(const std::string& content) {
    const fs::path path = folder_.filePath("t" + QString::number(++files_)).toStdString();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  QTemporaryDir folder_;
  std::string train_;
  int files_ = 0;
};

void TestTrace::every_recording() {
  const fs::path fixtures = recordings_folder().toStdString();
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

void TestTrace::reads_a_training_step() {
  const Reading reading(data("train_miss.log.xz"));
  QVERIFY(reading.summary);
  QCOMPARE(reading.sink.processes.size(), std::size_t{1});
  const auto& process = reading.sink.processes[0];
  QVERIFY(process.record.identity.ends_with(":" + std::to_string(process.record.pid)));
  QCOMPARE(process.record.cache_dir, std::string("/tmp/kh/run/p06_requires_grad/cache"));
  const auto versions = nlohmann::json::parse(process.record.versions_json);
  QCOMPARE(versions["torch"].get<std::string>(), std::string("2.13.0+cpu"));
  QVERIFY(versions["python"].get<std::string>().starts_with("3.11"));

  const auto fx = process.of(Layer::fx_graph);
  QCOMPARE(fx.size(), std::size_t{2});
  QCOMPARE(fx[0].direction, Direction::forward);
  QCOMPARE(fx[1].direction, Direction::backward);
  QVERIFY(fx[0].time > process.record.start && fx[1].time > fx[0].time);
  QVERIFY(fx[0].duration > 0 && fx[0].duration < 1'000'000'000);
  const auto aot = process.of(Layer::aot_autograd);
  QCOMPARE(aot.size(), std::size_t{1});
  // It holds both compiles and what is around them, and comes before them.
  QVERIFY(aot[0].cost > fx[0].cost + fx[1].cost);
  QVERIFY(aot[0].cost < fx[0].cost + fx[1].cost + 3'000'000'000);
  QVERIFY(aot[0].time < fx[0].time);

  QCOMPARE(process.compiles.size(), std::size_t{1});
  const CompileRecord& compile = process.compiles[0];
  QVERIFY(compile.finished && !compile.function.empty() && compile.line > 0);
  QVERIFY(compile.filename.ends_with("workloads.py"));
  QVERIFY(compile.total > compile.backend && compile.backend > 0);
  QVERIFY(compile.inductor > fx[0].cost + fx[1].cost - 100'000'000);  // forward and backward

  for (const TextKind kind : {TextKind::dynamo_graph, TextKind::aot_joint_graph, TextKind::aot_forward_graph,
                              TextKind::aot_backward_graph, TextKind::functorch_config, TextKind::inductor_config,
                              TextKind::dynamo_config, TextKind::dynamo_guards, TextKind::pre_grad_graph})
    QVERIFY2(process.of(kind).size() == 1, name_of(kind));
  QCOMPARE(process.of(TextKind::output_code).size(), std::size_t{2});
  QCOMPARE(process.of(TextKind::post_grad_graph).size(), std::size_t{2});
  QVERIFY(
      process.of(TextKind::dynamo_graph)[0].text.starts_with("class GraphModule(torch.nn.Module):\n    def forward("));
  QVERIFY(nlohmann::json::accept(process.of(TextKind::inductor_config)[0].text));
  QVERIFY(nlohmann::json::accept(process.of(TextKind::functorch_config)[0].text));
}

void TestTrace::names_the_switch_of_caches_that_are_off() {
  const Reading reading(data("caches_off.log.xz"));
  QVERIFY(reading.summary);
  const auto& process = reading.sink.processes.at(0);
  QCOMPARE(process.lookups.size(), std::size_t{2});
  for (const Layer layer : {Layer::fx_graph, Layer::aot_autograd}) {
    const auto rows = process.of(layer);
    QCOMPARE(rows.size(), std::size_t{1});
    QVERIFY(rows[0].cache_off && rows[0].key.empty() && rows[0].outcome == Outcome::bypass);
    QVERIFY(rows[0].reason.find("force_disable_caches") != std::string::npos);
  }
  QCOMPARE(process.of(Layer::fx_graph)[0].direction, Direction::inference);
  QVERIFY(process.of(Layer::fx_graph)[0].cost > 1'000'000'000);
}

void TestTrace::reads_the_same_through_every_packing() {
  const auto expected = shown(Reading(data("train_miss.log.xz")).sink);
  QVERIFY(expected.size() > 10);
  const std::size_t half = train_.size() / 2;
  for (const Packing packing : {Packing::none, Packing::gzip, Packing::xz, Packing::zstd}) {
    const Reading whole(file(packed(train_, packing)));
    QVERIFY(whole.summary && whole.sink.problems.empty());
    QVERIFY(shown(whole.sink) == expected);
    const Reading halves(file(packed(train_.substr(0, half), packing) + packed(train_.substr(half), packing)));
    QVERIFY(shown(halves.sink) == expected);
    QCOMPARE(halves.summary->bytes, std::uint64_t{train_.size()});
  }
}

void TestTrace::reads_a_cut_trace_as_far_as_it_goes() {
  const Reading whole(file(train_));
  const auto expected = shown(whole.sink);
  std::size_t least = 0;
  for (std::size_t cut = 1100; cut < train_.size(); cut += train_.size() / 120 + 1) {
    const fs::path path = file(train_.substr(0, cut));
    const Reading reading(path);
    QVERIFY(reading.summary);
    QVERIFY(reading.sink.problems.size() <= 1);
    for (const Problem& problem : reading.sink.problems)
      QVERIFY(problem.offset > 0 && problem.offset <= static_cast<std::int64_t>(cut) && !problem.hint.empty());
    const auto lines = shown(reading.sink);
    QVERIFY2(std::includes(expected.begin(), expected.end(), lines.begin(), lines.end()), std::to_string(cut).c_str());
    QVERIFY(lines.size() >= least);
    least = lines.size();
    const Reading growing(path, {.growing = true});
    QVERIFY(growing.sink.problems.empty());
    fs::remove(path);
  }
  QVERIFY(least > expected.size() - 5);
}

void TestTrace::reads_a_growing_trace() {
  const auto expected = shown(Reading(file(train_)).sink);
  std::mt19937 random(7);
  for (int round = 0; round < 4; ++round) {
    const fs::path path = file("");
    std::ofstream out(path, std::ios::binary | std::ios::app);
    ComponentPool pool;
    CollectingSink sink;
    auto reader = TraceReader::open(path.string(), {.growing = true}, pool, sink);
    QVERIFY(reader);
    std::size_t at = 0, before_the_end = 0;
    while (at < train_.size()) {
      const std::size_t n = std::min<std::size_t>(train_.size() - at, 1 + random() % (round == 0 ? 700 : 90'000));
      out.write(train_.data() + at, static_cast<std::streamsize>(n)).flush();
      at += n;
      const auto taken = (*reader)->poll();
      QVERIFY(taken);
      if (at > train_.size() / 2 && before_the_end == 0 && !sink.processes.empty())
        before_the_end = sink.processes[0].texts.size();
    }
    QVERIFY(before_the_end > 0);
    QVERIFY((*reader)->finish());
    QVERIFY(sink.problems.empty());
    QVERIFY(shown(sink) == expected);
    fs::remove(path);
  }
}

void TestTrace::withstands_changed_bytes() {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    std::string bytes = train_;
    for (int i = 0; i < 1 + round % 30; ++i) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, random() % 500);
          break;
        case 2:
          bytes.insert(at, 1 + random() % 40, "\"[{\\\n\t,:]}0"[random() % 12]);
          break;
        default:
          bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 300));
      }
    }
    const fs::path path = file(bytes);
    const Reading reading(path);
    if (reading.summary) QCOMPARE(reading.summary->problems, std::uint64_t{reading.sink.problems.size()});
    fs::remove(path);
  }
}

void TestTrace::passes_over_an_endless_line() {
  // A hole in the file: read as zero bytes, kept nowhere.
  constexpr std::int64_t kHole = std::int64_t{200} << 20;
  const fs::path path = file(train_);
  const int fd = ::open(path.c_str(), O_WRONLY);
  QVERIFY(fd >= 0);
  QCOMPARE(::pwrite(fd, "\n", 1, static_cast<off_t>(train_.size()) + kHole), ssize_t{1});
  QCOMPARE(::pwrite(fd, train_.data(), train_.size(), static_cast<off_t>(train_.size()) + kHole + 1),
           static_cast<ssize_t>(train_.size()));
  ::close(fd);
  struct rusage before {
  }, after{};
  getrusage(RUSAGE_SELF, &before);
  const Reading reading(path);
  getrusage(RUSAGE_SELF, &after);
  fs::remove(path);
  QVERIFY(reading.summary);
  QCOMPARE(reading.sink.problems.size(), std::size_t{1});
  QCOMPARE(reading.sink.problems[0].offset, static_cast<std::int64_t>(train_.size()));
  QVERIFY(reading.sink.problems[0].what.find(std::to_string(kHole)) != std::string::npos);
  QCOMPARE(reading.sink.processes[0].of(Layer::fx_graph).size(), std::size_t{4});  // what stands behind it is read
  QVERIFY2(after.ru_maxrss - before.ru_maxrss < 150 * 1024, std::to_string(after.ru_maxrss).c_str());
}

void TestTrace::passes_over_a_compressed_bomb() {
  const std::string zeros(std::size_t{32} << 20, '\0');
  for (const auto& [packing, count] : {std::pair{Packing::gzip, 5}, {Packing::zstd, 64}}) {  // zstd: 2 GiB
    std::string bomb = packed(train_, packing);
    const std::string block = packed(zeros, packing);
    for (int i = 0; i < count; ++i) bomb += block;
    bomb += packed("\n" + train_, packing);
    const fs::path path = file(bomb);
    struct rusage before {
    }, after{};
    getrusage(RUSAGE_SELF, &before);
    const Reading reading(path);
    getrusage(RUSAGE_SELF, &after);
    QVERIFY(reading.summary);
    QCOMPARE(reading.sink.problems.size(), std::size_t{1});
    const std::string size = std::to_string(static_cast<std::size_t>(count) * zeros.size());
    QVERIFY(reading.sink.problems[0].what.find(size) != std::string::npos);
    QCOMPARE(reading.sink.processes[0].of(Layer::fx_graph).size(), std::size_t{4});
    QVERIFY2(after.ru_maxrss - before.ru_maxrss < 150 * 1024, std::to_string(after.ru_maxrss).c_str());
  }
}

void TestTrace::refuses_what_is_no_trace() {
  std::mt19937 random(3);
  std::string noise(300'000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  const std::string log =
      "V1121 09:59:15.823000 15419 torch/_inductor/codecache.py:1646] [0/0] FX graph cache hash details for key f:\n";
  for (const std::string& content : {std::string(), std::string("\n"), std::string("{\"a\": 1}\n"), noise, log,
                                     std::string(3'000'000, 'x'), packed(noise, Packing::zstd)}) {
    const Reading reading(file(content));
    QVERIFY(!reading.summary);
    QCOMPARE(reading.summary.error().kind, ErrorKind::bad_input);
    QVERIFY(!reading.summary.error().hint.empty());
    QVERIFY(reading.sink.processes.empty());
    QVERIFY(!looks_like_trace(content.substr(0, 4096)));
  }
  QVERIFY(looks_like_trace(train_.substr(0, 4096)));
  QCOMPARE(Reading("/nowhere/at/all").summary.error().kind, ErrorKind::not_found);
}

void TestTrace::passes_over_foreign_lines() {
  const std::size_t second = train_.find("\nV", train_.size() / 2) + 1;
  const Reading reading(
      file(train_.substr(0, second) + "Traceback (most recent call last):\n  File x\n" + train_.substr(second)));
  QVERIFY(reading.summary);
  QCOMPARE(reading.sink.problems.size(), std::size_t{1});
  QCOMPARE(reading.sink.problems[0].offset, static_cast<std::int64_t>(second));
  QVERIFY(reading.sink.problems[0].what.starts_with("2 lines"));
  QVERIFY(shown(reading.sink) == shown(Reading(file(train_)).sink));
}

void TestTrace::can_be_ended_early() {
  std::string long_trace;
  while (long_trace.size() < 12'000'000) long_trace += train_;
  const fs::path path = file(long_trace);
  int calls = 0;
  const Reading reading(path, {.progress = [&](std::int64_t taken, std::int64_t size) {
                          return size == static_cast<std::int64_t>(long_trace.size()) && taken <= size && ++calls < 3;
                        }});
  QVERIFY(reading.summary);
  QCOMPARE(calls, 3);
  QVERIFY(reading.summary->bytes < long_trace.size() / 2);
  QVERIFY(reading.sink.problems.empty());
  QVERIFY(reading.sink.checkpoints > 0);
}

QTEST_GUILESS_MAIN(TestTrace)
#include "test_trace.moc"
