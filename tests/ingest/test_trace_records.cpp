// SPDX-License-Identifier: Apache-2.0
// What single records of a trace become; the records are written as PyTorch's sources write them.
#include <QtTest>
#include <filesystem>
#include <fstream>

#include "collecting_sink.h"
#include "keyhole/ingest/trace.h"
#include "trace_builder.h"

using namespace keyhole;
using namespace std::string_literals;

Q_DECLARE_METATYPE(std::string)

namespace {

constexpr Nanoseconds kSecond = 1'000'000'000;
const std::string kDigest = "h2yx2osczvbdvgyemi6whxcckgyuzarcdh3xzc54csp4wbuaxbq";
const std::string kKey = "fihyzsjpxqbuowy2c2pu634xou6tl5yimppg6lqjqyp4422ghnpq";

/// `compilation_metrics` with the configurations as PyTorch prints them: JSON within JSON.
std::string metrics(const std::string& more = {}, const std::string& inductor = R"(\"fx_graph_cache\": true)",
                    const std::string& functorch = R"(\"enable_autograd_cache\": true)",
                    const std::string& compiler = R"(\"force_disable_caches\": false)") {
  return R"({"compile_id": "0/0", "co_name": "forward", "co_filename": "/app/model.py", "co_firstlineno": 33, )"
         R"("fail_type": null, "fail_reason": null, "restart_reasons": null, "start_time_us": 1795255377249000, )"
         R"("duration_us": 2500000, "some_ratio": NaN, "inductor_config": "{)" +
         inductor + R"(}", "functorch_config": "{)" + functorch + R"(}", "compiler_config": "{)" + compiler +
         R"(}", "aot_autograd_cumulative_compile_time_us": 2000000, "inductor_cumulative_compile_time_us": 1500000)" +
         (more.empty() ? "" : ", " + more) + "}";
}

}  // namespace

class TestTraceRecords : public QObject {
  Q_OBJECT
 private slots:
  void init() {
    QVERIFY(folder_.isValid());
    trace_ = TraceBuilder();
    trace_.opening();
  }
  void values_hold_anything();
  void malformed_components_are_counted();
  void a_recompile_is_a_lookup_of_dynamo();
  void compile_ids_begin_anew_after_a_reset();
  void a_graph_break_starts_over();
  void caches_off_data();
  void caches_off();
  void both_graphs_of_a_training_step_are_off();
  void an_unfinished_compile_says_nothing_of_switches();
  void another_backend_is_no_cache_off();
  void a_failed_compile_says_nothing_of_switches();
  void a_bypass_names_the_error_that_began_it();
  void several_processes_and_ranks();
  void a_forked_child_knows_its_parents_files();
  void time_zones_and_years();
  void without_events_the_files_year_is_taken();
  void what_could_not_be_saved();
  void precompile_records();
  void autotune_of_kernels();
  void remote_keys();
  void profiles();
  void symbols();
  void guards_and_the_lines_that_ask_for_them();
  void bundled_hits();
  void several_graphs_of_one_frame();
  void compiled_autograd();
  void older_prints_of_events();

 private:
  const CollectingSink& read(const std::string& name = "dedicated_log_torch_trace_x7.log") {
    const std::string path = folder_.filePath(QString::fromStdString(name)).toStdString();
    std::ofstream(path, std::ios::binary) << trace_.text;
    sink_ = CollectingSink();
    const auto summary = read_trace(path, {}, pool_, sink_);
    if (!summary) qFatal("%s", summary.error().line().c_str());
    return sink_;
  }
  const CollectingSink::Process& one() {
    read();
    if (sink_.processes.size() != 1) qFatal("not one process");
    return sink_.processes[0];
  }
  QTemporaryDir folder_;
  TraceBuilder trace_;
  ComponentPool pool_;
  CollectingSink sink_;
};

void TestTraceRecords::values_hold_anything() {
  const std::string escaped = R"(a\r\nb\tc\u0000d\u000be \"q\" \\ \u00e9 \ud83d\ude00 \ud800 ]: [x] z)";
  const std::string plain = "a\r\nb\tc\0d\ve \"q\" \\ \xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbd ]: [x] z"s;
  trace_.artifact("fx_graph_cache_miss", R"({"key": ")" + kKey + R"(", "components": ["[)" + kDigest + "] gm: " +
                                             escaped + R"(", "[)" + kDigest + R"(] system_info[a.b:c]: ", "[)" +
                                             kDigest + R"(] example_inputs[2]: x"], "cache_state": "miss"})");
  const std::string raw_text = "line\rone\n\ttab first\n\nnul \0 vt \v fs \x1c end\n"s;
  trace_.record("dynamo_output_graph", R"({"sizes": {}})", raw_text);
  trace_.record("compilation_metrics", metrics());
  const auto& process = one();
  QVERIFY(sink_.problems.empty());
  const auto components = process.of(Layer::fx_graph).at(0).components;
  QCOMPARE(components.size(), std::size_t{3});
  QCOMPARE(components[0]->name, std::string("gm"));
  QCOMPARE(components[0]->text, plain);
  QCOMPARE(components[0]->digest.base32(), kDigest);
  QCOMPARE(components[1]->name, std::string("system_info[a.b:c]"));
  QCOMPARE(components[1]->text, std::string());
  QCOMPARE(components[2]->name, std::string("example_inputs[2]"));
  QCOMPARE(process.of(TextKind::dynamo_graph).at(0).text, raw_text);
}

void TestTraceRecords::malformed_components_are_counted() {
  trace_.artifact("fx_graph_cache_miss", R"({"key": ")" + kKey + R"(", "components": ["no debug line", 7, "[)" +
                                             kDigest + R"(] gm: x"], "cache_state": "miss"})");
  const auto& process = one();
  QCOMPARE(process.of(Layer::fx_graph).at(0).components.size(), std::size_t{1});
  QCOMPARE(sink_.problems.size(), std::size_t{1});
  QVERIFY(sink_.problems[0].what.starts_with("2 components"));
}

void TestTraceRecords::a_recompile_is_a_lookup_of_dynamo() {
  trace_.record("compilation_metrics", metrics());
  trace_.compile(0, 1).artifact("recompile_reasons", "0/0: tensor 'x' size mismatch at index 0. expected 4, actual 5");
  trace_.record("dynamo_start", R"({"stack": []})").record("compilation_metrics", metrics());
  trace_.compile(0, 2).artifact("recompile_reasons", "[\n\"0/1: n == 2\\nUser stack\",\n\"0/0: n == 3\"\n]");
  trace_.record("dynamo_start", R"({"stack": []})");
  trace_.compile(0, 3).record("compilation_metrics", metrics(R"("recompile_reason": "0/2: y is None")"));
  const auto rows = one().of(Layer::dynamo);
  QCOMPARE(rows.size(), std::size_t{3});
  QCOMPARE(rows[0].reason, std::string("0/0: tensor 'x' size mismatch at index 0. expected 4, actual 5"));
  QCOMPARE(rows[0].outcome, Outcome::miss);
  QCOMPARE(rows[0].compile.text(), std::string("0/1"));
  QCOMPARE(rows[0].cost, 2500 * kSecond / 1000);
  // The order of the records: the third compile ended, the second never did.
  QCOMPARE(rows[1].reason, std::string("0/2: y is None"));
  QCOMPARE(rows[2].reason, std::string("0/1: n == 2\nUser stack\n0/0: n == 3"));
  QCOMPARE(rows[2].cost, Nanoseconds{-1});
  for (const auto& compile : sink_.processes[0].compiles)
    if (compile.id.frame_compile == 1) QCOMPARE(compile.recompile_reason, rows[0].reason);
}

void TestTraceRecords::compile_ids_begin_anew_after_a_reset() {
  for (int i = 0; i < 2; ++i) {
    if (i == 1) trace_.record("dynamo_start", R"({"stack": []})");
    trace_.artifact("aotautograd_cache_miss", R"({"key": "a", "cache_state": "miss", "components": []})");
    trace_.time = i == 0 ? "1121 10:02:59.000000" : "1121 10:03:59.000000";
    trace_.event("backend_compile", 'E', i == 0 ? "1795255379249000.0" : "1795255439249000.0");
  }
  const auto rows = one().of(Layer::aot_autograd);
  QCOMPARE(rows.size(), std::size_t{2});
  QCOMPARE(rows[0].ordinal, std::int64_t{0});
  QCOMPARE(rows[1].ordinal, std::int64_t{1});
  QCOMPARE(rows[0].cost, 2 * kSecond);
  // Two models that were both compiled as 0/0 are two compiles.
  QCOMPARE(rows[0].compile.attempt, std::int64_t{0});
  QCOMPARE(rows[1].compile.attempt, std::int64_t{1000});
  QCOMPARE(rows[1].compile.text(), std::string("0/0"));
}

void TestTraceRecords::a_graph_break_starts_over() {
  trace_.context = R"("frame_id": 0, "frame_compile_id": 0, "attempt": 1)";
  std::string ended = metrics();
  ended.replace(ended.find("null, \"start_time_us"), 4, R"(["call of print"])");
  trace_.record("compilation_metrics", ended);
  const auto& compiles = one().compiles;
  QCOMPARE(compiles.size(), std::size_t{2});
  QCOMPARE(compiles[0].id.attempt, std::int64_t{0});
  QVERIFY(compiles[0].finished);
  QCOMPARE(compiles[0].fail_reason, std::string("started over: call of print"));
  QVERIFY(compiles[1].finished && compiles[1].fail_reason.empty());
}

void TestTraceRecords::caches_off_data() {
  QTest::addColumn<std::string>("inductor");
  QTest::addColumn<std::string>("functorch");
  QTest::addColumn<std::string>("compiler");
  QTest::addColumn<std::string>("fx");  // what its reason says; empty: no row
  QTest::addColumn<std::string>("aot");
  const std::string on = R"(\"fx_graph_cache\": true)", autograd = R"(\"enable_autograd_cache\": true)",
                    free = R"(\"force_disable_caches\": false)", none;
  using s = std::string;
  QTest::newRow("forced") << on << autograd << s(R"(\"force_disable_caches\": true)") << s("force_disable_caches")
                          << s("force_disable_caches");
  QTest::newRow("fx") << s(R"(\"fx_graph_cache\": false)") << autograd << free << s("fx_graph_cache is False") << none;
  QTest::newRow("both") << s(R"(\"fx_graph_cache\": false)") << s(R"(\"enable_autograd_cache\": false)") << free
                        << s("fx_graph_cache is False") << s("enable_autograd_cache is False");
  QTest::newRow("unnamed") << on << autograd << free << s("names no switch") << none;
  QTest::newRow("bundled") << on << s(R"(\"enable_autograd_cache\": true, \"bundled_autograd_cache\": true)") << free
                           << none << none;
}

void TestTraceRecords::caches_off() {
  QFETCH(std::string, inductor);
  QFETCH(std::string, functorch);
  QFETCH(std::string, compiler);
  QFETCH(std::string, fx);
  QFETCH(std::string, aot);
  trace_.record("aot_inference_graph", "{}", "class g");
  trace_.time = "1121 10:03:00.249000";
  trace_.event("fx_graph_cache_disabled", 'i', "1795255378249000.0");
  trace_.record("compilation_metrics", metrics({}, inductor, functorch, compiler));
  const auto& process = one();
  for (const auto& [layer, reason] : {std::pair{Layer::fx_graph, fx}, {Layer::aot_autograd, aot}}) {
    const auto rows = process.of(layer);
    QCOMPARE(rows.size(), std::size_t{reason.empty() ? 0u : 1u});
    if (reason.empty()) continue;
    QVERIFY(rows[0].cache_off && rows[0].key.empty());
    QVERIFY2(rows[0].reason.find(reason) != std::string::npos, rows[0].reason.c_str());
  }
  if (fx.empty()) return;
  QCOMPARE(process.of(Layer::fx_graph)[0].direction, Direction::inference);
  QCOMPARE(process.of(Layer::fx_graph)[0].cost, 2 * kSecond);
}

void TestTraceRecords::both_graphs_of_a_training_step_are_off() {
  const std::string forced = R"(\"force_disable_caches\": true)";
  const std::string on = R"(\"fx_graph_cache\": true)", autograd = R"(\"enable_autograd_cache\": true)";
  trace_.record("aot_joint_graph", "{}", "j").record("aot_forward_graph", "{}", "f");
  trace_.event("fx_graph_cache_disabled", 'i', "1795255377249000.0");
  trace_.record("compilation_metrics", metrics({}, on, autograd, forced));
  trace_.event("entire_backward_compile", 'B', "1795255377249000.0");
  trace_.event("compile_fx.<locals>.bw_compiler", 'B', "1795255377249000.0");
  trace_.event("fx_graph_cache_disabled", 'i', "1795255377249000.0");
  trace_.event("compile_fx.<locals>.bw_compiler", 'E', "1795255377249000.0");
  trace_.event("entire_backward_compile", 'E', "1795255377249000.0");
  trace_.record("bwd_compilation_metrics", metrics({}, on, autograd, forced));
  const auto& process = one();
  const auto fx = process.of(Layer::fx_graph);
  QCOMPARE(fx.size(), std::size_t{2});
  QCOMPARE(fx[0].direction, Direction::forward);
  QCOMPARE(fx[1].direction, Direction::backward);
  QCOMPARE(process.of(Layer::aot_autograd).size(), std::size_t{1});
  QCOMPARE(process.compiles.size(), std::size_t{1});
  QCOMPARE(process.compiles[0].inductor, 3 * kSecond);  // both directions
  QCOMPARE(process.compiles[0].total, 2500 * kSecond / 1000);
}

void TestTraceRecords::an_unfinished_compile_says_nothing_of_switches() {
  trace_.record("aot_inference_graph", "{}", "class g");
  trace_.record("inductor_output_code", R"({"filename": "/c/ab/cabxyz.py"})", "code");
  trace_.event("fx_graph_cache_disabled", 'i', "1795255377249000.0");
  QVERIFY(one().lookups.empty());
  QCOMPARE(sink_.processes[0].record.cache_dir, std::string("/c"));
}

void TestTraceRecords::another_backend_is_no_cache_off() {
  trace_.record("aot_inference_graph", "{}", "class g");
  trace_.record("compilation_metrics",
                metrics({}, R"(\"fx_graph_cache\": false)", R"(\"enable_autograd_cache\": false)"));
  QVERIFY(one().lookups.empty());
}

/// A cache folder on a read-only disk: the compile ends in an error, before its lookup is written.
void TestTraceRecords::a_failed_compile_says_nothing_of_switches() {
  trace_.record("aot_inference_graph", "{}", "class g");
  trace_.record("inductor_output_code", R"({"filename": "/c/ab/cabxyz.py"})", "code");
  trace_.record("compilation_metrics", metrics(R"("fail_type": "InductorError", "fail_reason": "OSError: Read-only")"));
  QVERIFY(one().lookups.empty());
  QCOMPARE(sink_.processes[0].compiles[0].fail_reason, std::string("InductorError: OSError: Read-only"));
}

void TestTraceRecords::a_bypass_names_the_error_that_began_it() {
  const std::string traceback = R"J("cache_bypass_traceback": ["Traceback (most recent call last):",
    "  File \"autograd_cache.py\", line 594, in reducer_override", "    return self._reduce_tensor_subclass(obj)",
    "AttributeError: Can't pickle local object 'W.<locals>.f'", "", "The above exception was the direct cause of:",
    "Traceback (most recent call last):", "  File \"a.py\", line 1", "BypassFxGraphCache: Failed to pickle cache key"])J";
  const auto bypass = [&](const std::string& reason) {
    trace_.artifact("aotautograd_cache_bypass",
                    R"({"cache_state": "bypass", "cache_bypass_reason": ")" + reason + "\", " + traceback + "}");
  };
  bypass("Failed to pickle cache key");
  bypass("AttributeError: Can't pickle local object 'W.<locals>.f'");
  const auto rows = one().of(Layer::aot_autograd);
  QCOMPARE(rows.size(), std::size_t{2});
  QCOMPARE(rows[0].reason, std::string("Failed to pickle cache key (a tensor subclass): AttributeError: Can't pickle "
                                       "local object 'W.<locals>.f'"));
  QCOMPARE(rows[1].reason, std::string("AttributeError: Can't pickle local object 'W.<locals>.f'"));
}

void TestTraceRecords::several_processes_and_ranks() {
  const std::string lookup =
      R"({"key": ")" + kKey + R"(", "cache_state": "hit", "components": [], "time_saved_ns": 5})";
  trace_.artifact("fx_graph_cache_hit", lookup);
  trace_.pid = 4712;
  trace_.artifact("fx_graph_cache_hit", lookup);
  trace_.context += R"(, "rank": 3)";
  trace_.artifact("fx_graph_cache_hit", lookup);
  read("dedicated_log_torch_trace_rank_1_ab.log");
  QCOMPARE(sink_.processes.size(), std::size_t{2});
  QCOMPARE(sink_.processes[0].record.rank, std::optional(1));
  QCOMPARE(sink_.processes[1].record.rank, std::optional(3));
  QVERIFY(sink_.processes[0].record.identity != sink_.processes[1].record.identity);
  QCOMPARE(sink_.processes[0].lookups.size(), std::size_t{1});
  QCOMPARE(sink_.processes[1].lookups.size(), std::size_t{2});
  QCOMPARE(sink_.processes[1].lookups[1].ordinal, std::int64_t{1});
  // The same pid in another container: another beginning, another process.
  const std::string identity = sink_.processes[0].record.identity;
  trace_ = TraceBuilder();
  trace_.time = "1121 10:02:57.250000";
  trace_.opening();
  QVERIFY(one().record.identity != identity);
  read("dedicated_log_torch_trace_x.log");
  QCOMPARE(sink_.processes[0].record.rank, std::optional<int>());
}

void TestTraceRecords::a_forked_child_knows_its_parents_files() {
  trace_.pid = 4712;
  trace_.record("dynamo_start", R"({"stack": [{"line": 5, "name": "g", "filename": 1}]})");
  trace_.record("str", R"(["/app/other.py", 1])");
  trace_.compile(1, 0).record("dynamo_start", R"({"stack": [{"line": 6, "name": "h", "filename": 1}]})");
  trace_.pid = 4711;
  trace_.record("dynamo_start", R"({"stack": [{"line": 9, "name": "k", "filename": 1}]})");
  read();
  QCOMPARE(sink_.processes[1].compiles[0].filename, std::string("/app/model.py"));
  QCOMPARE(sink_.processes[1].compiles[1].filename, std::string("/app/other.py"));
  QCOMPARE(sink_.processes[0].compiles[1].filename, std::string("/app/model.py"));
  QCOMPARE(sink_.processes[0].compiles[1].function, std::string("k"));
}

void TestTraceRecords::time_zones_and_years() {
  struct Case {
    const char *first, *first_utc, *later;
    Nanoseconds expected;
  };
  // date -u -d 2026-11-21T10:02:57 +%s = 1795255377
  for (const Case& c :
       {Case{"1121 10:02:57.249000", "1795255377249123.5", "1121 10:02:58.500000", 1795255378'500'000'000},
        Case{"1121 15:32:57.249000", "1795255377249123.5", "1121 15:32:58.500000", 1795255378'500'000'000},
        Case{"1121 02:02:57.249000", "1795255377249123.5", "1121 02:02:58.500000", 1795255378'500'000'000},
        // New Year's Eve, two hours east of Greenwich: 2026-12-31T23:30 local is 21:30 UTC
        Case{"1231 23:30:00.000000", "1798752600000000.0", "0101 00:30:00.000000", 1798756200'000'000'000},
        // and seven hours west: 2026-12-31T20:00 local is 03:00 UTC of the new year
        Case{"1231 20:00:00.000000", "1798772400000000.0", "0101 01:00:00.000000", 1798790400'000'000'000},
        Case{"0229 12:00:00.000000", "1709208000000000.0", "0301 12:00:00.000000", 1709294400'000'000'000}}) {
    trace_ = TraceBuilder();
    trace_.time = c.first;
    trace_.event("dynamo", 'B', c.first_utc);
    trace_.record("describe_tensor", "{\"filler\": \"" + std::string(900, 'x') + "\"}");
    trace_.time = c.later;
    trace_.artifact("aotautograd_cache_hit", R"({"key": "a", "cache_state": "hit", "time_saved_ms": 926.5})");
    const auto row = one().lookups.at(0);
    QCOMPARE(row.time, c.expected);
    QCOMPARE(row.saved, 926'500'000);
  }
}

void TestTraceRecords::without_events_the_files_year_is_taken() {
  trace_ = TraceBuilder();
  trace_.time = "1231 23:00:00.000000";
  trace_.record("describe_tensor", "{\"filler\": \"" + std::string(1200, 'x') + "\"}");
  trace_.artifact("aotautograd_cache_hit", R"({"key": "a", "cache_state": "hit"})");
  const std::string path = folder_.filePath("old.log").toStdString();
  std::ofstream(path, std::ios::binary) << trace_.text;
  // Written last on 2025-01-01T00:30 UTC: its records of 31 December are of 2024.
  const auto when = std::chrono::file_clock::from_sys(std::chrono::sys_seconds(std::chrono::seconds(1735691400)));
  std::filesystem::last_write_time(path, when);
  CollectingSink sink;
  QVERIFY(read_trace(path, {}, pool_, sink));
  QCOMPARE(sink.processes.at(0).lookups.at(0).time, 1735686000 * kSecond);  // 2024-12-31T23:00
}

void TestTraceRecords::what_could_not_be_saved() {
  trace_.artifact("aotautograd_cache_miss", R"({"key": "a", "cache_state": "miss", "components": []})");
  trace_.artifact("aotautograd_cache_pickle_failure",
                  R"({"error": "cannot pickle 'X' object", "field": "compiled_fw"})");
  const auto rows = one().of(Layer::aot_autograd);
  QCOMPARE(rows.size(), std::size_t{1});
  QCOMPARE(rows[0].save_error, std::string("cannot pickle 'X' object (field compiled_fw)"));
}

void TestTraceRecords::precompile_records() {
  trace_.artifact("precompile_cache_bypass", "{\n\"_reason\": \"a local class\",\n\"traceback\": []\n}");
  trace_.artifact("dynamo_cache_bypass", R"({"entry": {}, "missing_backend": "b1"})");
  trace_.artifact("dynamo_cache_exception", R"({"key": "k", "error": "no module x"})");
  trace_.artifact("dynamo_cache_entries", R"({"num_entries": 0, "artifacts": {}})");
  const auto rows = one().of(Layer::dynamo);
  QCOMPARE(rows.size(), std::size_t{3});
  QCOMPARE(rows[0].reason, std::string("a local class"));
  QCOMPARE(rows[0].outcome, Outcome::bypass);
  QCOMPARE(rows[1].reason, std::string("backend b1 is missing"));
  QCOMPARE(rows[2].outcome, Outcome::error);
  QCOMPARE(rows[2].key, std::string("k"));
}

void TestTraceRecords::autotune_of_kernels() {
  trace_.artifact(
      "triton_kernel_info",
      R"({"triton_poi_fused_0": {"autotune_cache_state": "hit", "best_config": {"XBLOCK": 64}},)"
      R"( "triton_red_1": {"autotune_cache_state": "miss", "num_configs": 5, "compile_time_us": 7},)"
      R"( "triton_per_2": {"autotune_cache_state": "only 1 config", "only_config": {}},)"
      R"( "triton_per_3": {"autotune_cache_state": "force_disabled"}, "triton_x": {"compile_time_us": 1}})");
  const auto rows = one().of(Layer::autotune);
  QCOMPARE(rows.size(), std::size_t{3});
  QCOMPARE(rows[0].outcome, Outcome::hit);
  QCOMPARE(rows[0].key, std::string("triton_poi_fused_0"));
  QCOMPARE(rows[1].outcome, Outcome::miss);
  QVERIFY(rows[2].cache_off);
}

void TestTraceRecords::remote_keys() {
  trace_.record("compilation_metrics",
                metrics(R"("inductor_fx_remote_cache_hit_keys": "k1,k2", "inductor_fx_remote_cache_miss_keys": "k3")"));
  const auto rows = one().of(Layer::remote);
  QCOMPARE(rows.size(), std::size_t{3});
  QCOMPARE(rows[1].key, std::string("k2"));
  QCOMPARE(rows[1].outcome, Outcome::hit);
  QCOMPARE(rows[2].outcome, Outcome::miss);
}

void TestTraceRecords::profiles() {
  trace_.event("pgo.get_local_code_state", 'E', "1795255377249000.0",
               "{\n\"compile_id\": \"0/0\",\n\"cache_key\": \"job:None:\",\n\"cache_size_bytes\": 440\n}");
  trace_.event("pgo.get_remote_code_state", 'E', "1795255377249000.0", "{\n\"cache_key\": \"job:None:\"\n}");
  const auto& process = one();
  QCOMPARE(process.of(Layer::dynamo).at(0).status, std::string("pgo_hit"));
  QCOMPARE(process.of(Layer::dynamo).at(0).key, std::string("job:None:"));
  QCOMPARE(process.of(Layer::remote).at(0).outcome, Outcome::miss);
}

void TestTraceRecords::guards_and_the_lines_that_ask_for_them() {
  trace_.record(
      "guard_added_fast",
      R"x({"expr": "((s77//4)) > 3", "user_stack": [{"line": 3, "name": "<module>", "filename": 1}, {"line": 19, )x"
      R"x("name": "f", "filename": 1, "loc": "if x.shape[0]//4>3: a=1.0"}], "stack": []})x");
  trace_.record("guard_added_fast", R"({"expr": "s27*s77 <= 4096", "user_stack": [], "stack": []})");  // Inductor's own
  std::vector<TextRecord> guards;
  for (const TextRecord& t : one().texts) {
    if (t.kind == TextKind::dynamo_guards && !t.name.empty()) guards.push_back(t);
  }
  QCOMPARE(guards.size(), std::size_t{1});
  QCOMPARE(guards[0].text, std::string("((s77//4)) > 3"));
  QCOMPARE(guards[0].name, std::string("model.py:19: if x.shape[0]//4>3: a=1.0"));
}

void TestTraceRecords::symbols() {
  trace_.record("create_symbol",
                R"({"symbol": "s77", "val": "32", "vr": "[2, int_oo]", "source": "L['x'].size()[0]", )"
                R"("user_stack": [{"line": 1, "name": "m", "filename": 0, "loc": "run"}, )"
                R"({"line": 271, "name": "f", "filename": 1, "loc": "if x.shape[0] > 10:"}], "stack": []})");
  const auto& symbol = one().symbols.at(0);
  QCOMPARE(symbol.symbol, std::string("s77"));
  QCOMPARE(symbol.value, std::string("32"));
  QCOMPARE(symbol.source, std::string("L['x'].size()[0]"));
  QCOMPARE(symbol.user_file, std::string("/app/model.py"));
  QCOMPARE(symbol.user_line, std::int64_t{271});
  QCOMPARE(symbol.user_code, std::string("if x.shape[0] > 10:"));
}

void TestTraceRecords::bundled_hits() {
  trace_.artifact("fx_graph_bundled_cache_hit", "{}");
  trace_.artifact("aotautograd_cache_hit", R"({"key": "a", "cache_state": "hit", "time_saved_ms": 5.0})");
  trace_.record("inductor_output_code", R"({"filename": "/c/ab/cabxyz.py"})", "code");
  trace_.record("compilation_metrics",
                metrics({}, R"(\"fx_graph_cache\": true)", R"(\"bundled_autograd_cache\": true)"));
  const auto& process = one();
  QCOMPARE(process.lookups.size(), std::size_t{2});
  QCOMPARE(process.of(Layer::fx_graph).at(0).status, std::string("bundled_hit"));
  QCOMPARE(process.of(Layer::fx_graph).at(0).outcome, Outcome::hit);
}

void TestTraceRecords::several_graphs_of_one_frame() {
  for (const char* key : {"a1", "a2"}) {
    trace_.artifact("aotautograd_cache_miss", std::string(R"({"key": ")") + key + R"(", "cache_state": "miss"})");
    trace_.time = "1121 10:02:58.249000";
  }
  trace_.event("backend_compile", 'E', "1795255380249000.0");
  const auto rows = one().of(Layer::aot_autograd);
  QCOMPARE(rows.size(), std::size_t{2});
  QCOMPARE(rows[0].cost, kSecond);
  QCOMPARE(rows[1].cost, 2 * kSecond);
}

void TestTraceRecords::compiled_autograd() {
  trace_.context = R"("compiled_autograd_id": 1, "frame_id": 2, "frame_compile_id": 1, "attempt": 0)";
  trace_.record("aot_inference_graph", "{}", "class g");
  trace_.artifact("fx_graph_cache_hit", R"({"key": ")" + kKey + R"(", "cache_state": "hit", "time_saved_ns": 5})");
  trace_.record("compilation_metrics", metrics({}, "", R"(\"enable_autograd_cache\": false)"));
  const auto& process = one();
  QCOMPARE(process.lookups.size(), std::size_t{1});
  QCOMPARE(process.lookups[0].compile.text(), std::string("!1/2/1"));
}

void TestTraceRecords::older_prints_of_events() {
  // Before PyTorch printed payloads with a line for each member.
  trace_ = TraceBuilder();
  trace_.time = "1121 12:02:57.249000";
  trace_.record(
      "chromium_event", "{}",
      R"({"name": "dynamo", "ts": 1795255377249000.0, "args": {"a": "\"ph\": \"E\""}, "ph": "B", "cat": "x"})");
  trace_.record("describe_tensor", "{\"filler\": \"" + std::string(900, 'x') + "\"}");
  trace_.artifact("aotautograd_cache_hit", R"({"key": "a", "cache_state": "hit"})");
  QCOMPARE(one().lookups.at(0).time, 1795255377'249'000'000);
  QCOMPARE(sink_.processes[0].record.start, 1795255377'249'000'000);
}

QTEST_GUILESS_MAIN(TestTraceRecords)
#include "test_trace_records.moc"
