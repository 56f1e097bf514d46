// SPDX-License-Identifier: Apache-2.0
// What a person reads of rarer lookups: the remote cache, attempts that were given up, several reasons at once, sizes
// that became symbols.
#include <QtTest>

#include "cases.h"
#include "keyhole/explain/summary.h"

using namespace keyhole;
using namespace keyhole::testing;

namespace {

const std::string kInput = tensor("[8, 16]", "(16, 1)");
Parts mlp(const Parts& with = {}) {
  return usual(graph(2, kMlp), {kInput, kInput}, with);
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

SnapshotRow empty_folder(Nanoseconds time) {
  SnapshotRow s;
  s.id = 1;
  s.record.location = "/cache";
  s.record.time = time;
  return s;
}

/// A remote lookup of this key.
LookupRow remote(World& w, const std::string& run, const std::string& key) {
  LookupRow row = w.lookup(run, {}, {}, Layer::remote);
  row.record.key = key;
  return row;
}

}  // namespace

class TestSentences : public QObject {
  Q_OBJECT
 private slots:
  /// A remote cache is no folder, and PyTorch takes one that is out of reach for a miss.
  void of_the_remote_cache_no_folder_is_told() {
    World w;
    const LookupRow before = remote(w, "A", "fkey");
    Case c;
    c.subject = remote(w, "B", "fkey");
    c.compile = {c.subject};
    c.same_key = {before};
    c.snapshots = {empty_folder(before.record.time + 1)};
    Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::unknown);
    QVERIFY2(!says(e.summary, "folder") && says(e.summary, "remote cache"), e.summary.c_str());
    QVERIFY2(says(e.fix, "out of reach"), e.fix.c_str());
    c.same_key[0].record.outcome = Outcome::hit;
    e = explain(c);
    QCOMPARE(e.verdict, Verdict::evicted);
    QVERIFY2(!says(e.summary, "folder") && says(e.summary, "served it in run A"), e.summary.c_str());
  }
  void a_remote_miss_is_told_by_the_graph_lookup_of_its_key() {
    World w;
    const LookupRow before = w.lookup("A", mlp());
    const LookupRow graph = w.lookup("B", mlp({{"inductor_config[max_autotune]", "True"}}));
    Case c;
    c.subject = remote(w, "B", graph.record.key);
    c.compile = {graph, c.subject};
    c.inner = {pair(before, graph)};
    const Explanation e = explain(c);
    QVERIFY2(says(e.summary, "max_autotune"), e.summary.c_str());
    QCOMPARE(roots(e), std::vector<std::string>{"inductor_config[max_autotune]"});

    Told inner;
    inner.lookup = graph;
    inner.explanation = explain(c.inner[0]);
    Told outer;
    outer.lookup = c.subject;
    outer.explanation = e;
    const RunSummary s = summarise({inner, outer});
    QCOMPARE(s.causes.size(), std::size_t{1});
    QCOMPARE(s.causes[0].misses, std::size_t{2});
  }
  void what_neither_the_folder_nor_the_remote_cache_holds() {
    World w;
    const LookupRow before = w.lookup("A", mlp());
    Case c = pair(before, w.lookup("B", mlp()));
    c.candidates.clear();
    c.same_key = {before};
    c.snapshots = {empty_folder(before.record.time + 1)};
    QCOMPARE(explain(c).verdict, Verdict::evicted);
    QVERIFY(!says(explain(c).summary, "remote"));
    c.compile.push_back(remote(w, "B", c.subject.record.key));
    QVERIFY2(says(explain(c).summary, "the remote cache did not have it either"), explain(c).summary.c_str());
  }
  void a_remote_cache_that_cannot_be_made_asks_for_its_package() {
    World w;
    Case c;
    c.subject = remote(w, "B", "");
    c.subject.record.outcome = Outcome::error;
    c.subject.record.reason = "Unable to create cache: RuntimeError: redis not available but required for remote cache";
    QCOMPARE(explain(c).verdict, Verdict::io_error);
    QVERIFY2(says(explain(c).fix, "package redis"), explain(c).fix.c_str());
  }
  /// Dynamo gives an attempt up in each run alike: AOTAutograd was asked, and nothing was ever stored under the key.
  void an_attempt_that_started_over_was_never_saved() {
    World w;
    const LookupRow before = w.lookup("A", {}, {}, Layer::aot_autograd);
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.compile = {c.subject};
    c.same_key = {before};
    c.snapshots = {empty_folder(before.record.time + 1)};
    c.failure = [](const LookupRow&) {
      return std::string("started over: <class 'torch._dynamo.exc.TensorifyScalarRestartAnalysis'>");
    };
    c.compile_of = [=](const LookupRow&) { return std::vector<LookupRow>{before}; };
    QCOMPARE(explain(c).verdict, Verdict::never_saved);
    QVERIFY2(says(explain(c).summary, "started over"), explain(c).summary.c_str());
    LookupRow within = before;
    within.record.layer = Layer::fx_graph;  // that attempt came to its end
    c.compile_of = [=](const LookupRow&) { return std::vector<LookupRow>{before, within}; };
    QCOMPARE(explain(c).verdict, Verdict::evicted);

    c.same_key.clear();
    c.compile_row = CompileRow{};
    c.compile_row->record.fail_reason = c.failure(before);
    const Explanation first = explain(c);
    QVERIFY2(says(first.summary, "torch._dynamo.exc.TensorifyScalarRestartAnalysis") && !says(first.summary, "<class"),
             first.summary.c_str());
    QVERIFY2(says(first.fix, "next attempt"), first.fix.c_str());
  }
  void a_compile_that_failed_asks_for_no_more_logging() {
    World w;
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.compile = {c.subject};
    c.compile_row = CompileRow{};
    c.compile_row->record.fail_reason = "BackendCompilerFailed: KeyError: 'x'";
    QVERIFY2(says(explain(c).fix, "what failed stores nothing"), explain(c).fix.c_str());
  }
  /// A frame that was compiled before several times gives a reason for each.
  void of_several_recompile_reasons_the_newest() {
    World w;
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::dynamo);
    c.subject.record.reason =
        "1/1: group['lr'] == 0.001  # (_dynamo/output_graph.py:3375 in remove_tensorify_specialized_graphargs)\n"
        "1/0: group['lr'] == 0.002  # for group in groups:  # optim/sgd.py:118 in step";
    QCOMPARE(explain(c).summary, std::string("recompiled: the guard `group['lr'] == 0.001` of compile 1/1 failed"));
  }
  void a_race_within_a_run_is_called_one() {
    World w;
    LookupRow other = w.lookup("B", mlp());
    Case c = pair(other, w.lookup("B", mlp()));
    c.candidates.clear();
    other.process = c.subject.process + 1;
    other.record.time = c.subject.record.time - 1'000'000'000;
    c.same_key = {other};
    QCOMPARE(explain(c).verdict, Verdict::race);
    QVERIFY2(says(explain(c).summary, "another process (of this run)"), explain(c).summary.c_str());
    // Another rank that looked up something else was as cold, and tells nothing of why these two missed.
    LookupRow third = w.lookup("B", mlp({{"cpp_runtime_thread_count", "1"}}));
    third.process = c.subject.process + 2;
    c.candidates = {third};
    QVERIFY2(!says(explain(c).summary, "differ"), explain(c).summary.c_str());
    LookupRow earlier = w.lookup("A", mlp({{"cpp_runtime_thread_count", "1"}}));
    c.candidates = {earlier};
    QVERIFY2(says(explain(c).summary, "both differ from run A"), explain(c).summary.c_str());
  }
  /// dynamic=True makes sizes inputs of the graph: the program is the same.
  void a_graph_that_grew_by_its_sizes_is_no_changed_program() {
    World w;
    const auto with_sizes = [&](const std::string& shape) { return tensor(shape, "(16, 1)"); };
    const LookupRow fixed = w.lookup("A", usual(graph(2, kMlp), {kInput, with_sizes("[8, 16]")}));
    const LookupRow sizes = w.lookup("B", usual(graph(3, kMlp), {kInput, with_sizes("[s77, 16]"), "s77"}));
    const Explanation e = explain(pair(fixed, sizes));
    QCOMPARE(e.causes.front().component, std::string("gm"));
    QVERIFY2(says(e.fix, "are symbols now"), e.fix.c_str());
    const Explanation back = explain(pair(sizes, fixed));
    QVERIFY2(says(back.fix, "are fixed now"), back.fix.c_str());
    const LookupRow more = w.lookup("B", usual(graph(3, kMlp), {kInput, kInput, kInput}));
    QVERIFY2(says(explain(pair(fixed, more)).fix, "the program changed"), explain(pair(fixed, more)).fix.c_str());
  }
  void what_keeps_a_graph_out_of_the_cache_data() {
    QTest::addColumn<QString>("reason");
    QTest::addColumn<QString>("fix");
    QTest::newRow("numpy") << "Unsupported call_function target <Wrapped method <original sum>>. Function module: "
                              "torch._dynamo.utils, Function name: wrapped_sum"
                           << "NumPy";
    QTest::newRow("autocast") << "Unsupported call_function target <function _enter_autocast>. Function module: "
                                 "torch.amp.autocast_mode, Function name: _enter_autocast"
                              << "around the call";
    QTest::newRow("other") << "Unsupported call_function target <function f>. Function module: m, Function name: f"
                           << "custom operator";
  }
  void what_keeps_a_graph_out_of_the_cache() {
    QFETCH(QString, reason);
    QFETCH(QString, fix);
    World w;
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.subject.record.outcome = Outcome::bypass;
    c.subject.record.reason = reason.toStdString();
    QVERIFY2(says(explain(c).fix, fix.toStdString()), explain(c).fix.c_str());
  }
};

QTEST_APPLESS_MAIN(TestSentences)
#include "test_sentences.moc"
