// SPDX-License-Identifier: Apache-2.0
// Traces of PyTorch 2.4 to 2.6, as its sources of then write them: other names of artifacts, times in seconds.
#include <QtTest>
#include <fstream>

#include "collecting_sink.h"
#include "keyhole/ingest/trace.h"
#include "trace_builder.h"

using namespace keyhole;

namespace {

const std::string kDigest = "h2yx2osczvbdvgyemi6whxcckgyuzarcdh3xzc54csp4wbuaxbq";
const std::string kKey = "fihyzsjpxqbuowy2c2pu634xou6tl5yimppg6lqjqyp4422ghnpq";

std::string payload(const std::string& more) {
  return R"({"key": ")" + kKey + "\", " + more + R"("components": ["[)" + kDigest + R"(] gm: x"]})";
}

}  // namespace

class TestOlderTraces : public QObject {
  Q_OBJECT

  CollectingSink read(const std::string& text) {
    const std::string path = folder_.filePath("dedicated_log_torch_trace_x7.log").toStdString();
    std::ofstream(path, std::ios::binary) << text;
    CollectingSink sink;
    if (const auto summary = read_trace(path, {}, pool_, sink); !summary) qFatal("%s", summary.error().line().c_str());
    return sink;
  }
  QTemporaryDir folder_;
  ComponentPool pool_;

 private slots:
  /// 2.5: the state stands in the payload of an artifact that is called a hash.
  void the_state_within_a_hash() {
    TraceBuilder t;
    t.opening();
    t.artifact("fx_graph_cache_hash", payload(R"("cache_state": "miss", )"));
    t.artifact("aotautograd_cache_hash", payload(R"("cache_state": "hit", "time_saved_ms": 1500.0, )"));
    const CollectingSink sink = read(t.text);
    QVERIFY(sink.problems.empty());
    const auto& process = sink.processes.at(0);
    const auto graph = process.of(Layer::fx_graph);
    QCOMPARE(graph.size(), std::size_t{1});
    QCOMPARE(graph[0].outcome, Outcome::miss);
    QCOMPARE(graph[0].key, kKey);
    QCOMPARE(graph[0].components.size(), std::size_t{1});
    const auto outer = process.of(Layer::aot_autograd);
    QCOMPARE(outer.size(), std::size_t{1});
    QCOMPARE(outer[0].outcome, Outcome::hit);
    QCOMPARE(outer[0].saved, Nanoseconds{1'500'000'000});
  }
  /// 2.4 recorded the key alone: no lookup is made up, and it is said once.
  void a_hash_without_a_state_is_no_lookup() {
    TraceBuilder t;
    t.opening();
    t.artifact("fx_graph_cache_hash", payload("")).artifact("fx_graph_cache_hash", payload(""));
    const CollectingSink sink = read(t.text);
    QVERIFY(sink.processes.at(0).of(Layer::fx_graph).empty());
    QCOMPARE(sink.problems.size(), std::size_t{1});
    QVERIFY(sink.problems[0].what.find("whether its cache hit") != std::string::npos);
  }
  void times_in_seconds() {
    TraceBuilder t;
    t.opening();
    t.record("compilation_metrics", R"({"frame_key": "1", "co_name": "forward", "start_time": 1795255377.249, )"
                                    R"("entire_frame_compile_time_s": 2.5, "backend_compile_time_s": 2.0})");
    const CollectingSink sink = read(t.text);
    const auto& compiles = sink.processes.at(0).compiles;
    QVERIFY(!compiles.empty() && compiles.back().finished);
    QCOMPARE(compiles.back().total, Nanoseconds{2'500'000'000});
    QCOMPARE(compiles.back().backend, Nanoseconds{2'000'000'000});
    QCOMPARE(compiles.back().start / 1'000'000, Nanoseconds{1795255377249});
  }
  /// What a later release may bring changes nothing of what is known.
  void records_that_nobody_knows() {
    TraceBuilder t;
    t.opening();
    t.artifact("fx_graph_cache_sideways", "[1, 2")
        .artifact("tomorrow", "{{{")
        .record("new_kind", R"({"a": [{}]})", "x");
    t.artifact("fx_graph_cache_miss", payload(R"("cache_state": "miss", "cache_new_field": {"a": [1, null]}, )"));
    const CollectingSink sink = read(t.text);
    QVERIFY(sink.problems.empty());
    QCOMPARE(sink.processes.at(0).of(Layer::fx_graph).size(), std::size_t{1});
  }
};

QTEST_APPLESS_MAIN(TestOlderTraces)
#include "test_older_traces.moc"
