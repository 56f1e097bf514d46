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
  /// Common subexpressions are merged behind Dynamo: the printed graph and the program are equal, a flag is not.
  void a_flag_behind_an_equal_graph_is_named() {
    World w;
    const LookupRow a = w.lookup("A", mlp());
    const LookupRow b = w.lookup("B", mlp(), {{"gm", "other nodes"}});
    Case c = pair(a, b);
    c.texts = [id = b.id](const LookupRow& row, TextKind kind) {
      std::vector<TextRecord> out;
      if (kind == TextKind::dynamo_graph)
        out.push_back({{}, kind, "", "def forward(self, L_x_: \"f32[8]\"):\n    return (L_x_,)\n"});
      if (kind == TextKind::functorch_config)
        out.push_back({{}, kind, "", std::string("{\n\"cse\": ") + (row.id == id ? "false" : "true") + "\n}"});
      return out;
    };
    const Explanation e = explain(c);
    QVERIFY2(says(e.summary, "torch._functorch.config.cse true → false") && !says(e.summary, "changed"),
             e.summary.c_str());
    QVERIFY2(says(e.fix, "set it back"), e.fix.c_str());
  }
  /// A batch norm that no longer trains becomes other operations: the program that Dynamo captured is still alike.
  void what_was_decomposed_otherwise_is_compared_by_the_program() {
    World w;
    LookupRow a = w.lookup("A", usual(graph(2, kMlp), {kInput, kInput}));
    LookupRow b = w.lookup("B", usual(graph(2, {"var = torch.ops.aten.var_mean.correction(arg0_1, [0])",
                                                "rsqrt = torch.ops.aten.rsqrt.default(var)",
                                                "sub = torch.ops.aten.sub.Tensor(arg1_1, rsqrt)", "return (sub,)"}),
                                      {kInput, kInput}));
    a.filename = b.filename = "/lib/python3.11/site-packages/torch/nn/modules/container.py";
    Case c = pair(a, b);
    QCOMPARE(explain(c).verdict, Verdict::never_seen);
    bool same_program = true;
    c.texts = [&same_program, id = b.id](const LookupRow& row, TextKind kind) {
      std::vector<TextRecord> out;
      const std::string last = row.id == id ? "False" : "True";
      const std::string body = same_program || row.id == id
                                   ? "    x = torch._C._nn.linear(L_x_, w)\n    y = torch.batch_norm(x, " + last +
                                         ")\n    z = torch.relu(y)\n    return (z,)\n"
                                   : "    return (torch.fft.fft(L_x_),)\n";
      if (kind == TextKind::dynamo_graph)
        out.push_back({{}, kind, "", "def forward(self, L_x_: \"f32[8]\"):\n" + body});
      return out;
    };
    QCOMPARE(explain(c).verdict, Verdict::key_differs);
    QVERIFY2(says(explain(c).baseline_reason, "program"), explain(c).baseline_reason.c_str());
    same_program = false;
    QCOMPARE(explain(c).verdict, Verdict::never_seen);
  }
  void an_identifier_behind_a_number_that_counts() {
    World w;
    const LookupRow a = w.lookup("A", mlp({{"cache_key_tag", "node00-6b54c103"}}));
    const LookupRow b = w.lookup("B", mlp({{"cache_key_tag", "node01-bc2cd1ef"}}));
    Case c = pair(b, w.lookup("C", mlp({{"cache_key_tag", "node02-100fe62f"}})));
    c.candidates.push_back(a);
    QCOMPARE(explain(c).causes.front().cause_class, std::string("instability:uuid"));
  }
  void a_tag_that_no_two_runs_share_is_said_to_be_one() {
    World w;
    const LookupRow a = w.lookup("A", mlp({{"cache_key_tag", "job-8812345"}}));
    const LookupRow b = w.lookup("B", mlp({{"cache_key_tag", "job-8812399"}}));
    Case c = pair(b, w.lookup("C", mlp({{"cache_key_tag", "job-8813001"}})));
    QVERIFY2(!says(explain(c).fix, "each of"), explain(c).fix.c_str());
    c.candidates.push_back(a);
    QVERIFY2(says(explain(c).fix, "it differed in each of 3 runs"), explain(c).fix.c_str());
  }
  /// The entry is gone, and the folder cannot be written now: the next run will miss as well.
  void what_could_not_be_written_now_is_told_beside_the_cause() {
    World w;
    const LookupRow before = w.lookup("A", mlp());
    Case c = pair(before, w.lookup("B", mlp()));
    c.candidates.clear();
    c.same_key = {before};
    c.snapshots = {empty_folder(before.record.time + 1)};
    QVERIFY(!says(explain(c).fix, "stored"));
    c.subject.record.save_error = "NotADirectoryError: [Errno 20] Not a directory: '/cache/fxgraph/n4'";
    QCOMPARE(explain(c).verdict, Verdict::evicted);
    QVERIFY2(says(explain(c).fix, "could not be stored: NotADirectoryError"), explain(c).fix.c_str());
  }
  /// The graph's entry is damaged: nobody took it away from AOTAutograd's.
  void the_fix_of_a_lost_dependency_follows_its_fate() {
    World w;
    const LookupRow before = w.lookup("A", mlp());
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.subject.record.status = "hit";
    const LookupRow lost = w.lookup("B", mlp());
    c.compile = {lost, c.subject};
    Case inner = pair(before, lost);
    inner.candidates.clear();
    inner.same_key = {before};
    inner.snapshots = {empty_folder(before.record.time + 1)};
    c.inner = {inner};
    QCOMPARE(explain(c).verdict, Verdict::dependent_missing);
    QVERIFY2(says(explain(c).fix, "together"), explain(c).fix.c_str());
    c.inner[0].subject.record.load_error = "EOFError: Ran out of input";
    QCOMPARE(explain(c).verdict, Verdict::dependent_missing);
    QVERIFY2(says(explain(c).fix, "remove the damaged entry"), explain(c).fix.c_str());
  }
  /// A call with many arguments of which the last changed: both sides must not be cut to the same text.
  void what_differs_at_the_end_of_a_long_line_stays_in_sight() {
    World w;
    const auto line = [](const char* last) {
      std::string out =
          "attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default(arg0_1";
      for (int i = 0; i < 30; ++i) out += ", getitem_" + std::to_string(i);
      return std::vector<std::string>{out + ", 0.0, " + last + ")", "return (attention,)"};
    };
    const Explanation e = explain(pair(w.lookup("A", usual(graph(2, line("True")), {kInput, kInput})),
                                       w.lookup("B", usual(graph(2, line("False")), {kInput, kInput}))));
    QVERIFY2(says(e.summary, "True)` → ") && says(e.summary, "False)`"), e.summary.c_str());
    QVERIFY2(says(e.causes.front().before, "True)") && says(e.causes.front().after, "False)"),
             e.causes.front().after.c_str());
  }
  /// Of a function of a library the name tells it apart where many models do not have one: optimizers' step.
  void a_library_function_of_its_own_is_compared_however_much_changed() {
    World w;
    LookupRow a = w.lookup("A", usual(graph(2, {"add = torch.ops.aten.add.Tensor(arg0_1, arg1_1, alpha = -0.001)",
                                                "copy_ = torch.ops.aten.copy_.default(arg0_1, add)", "return ()"}),
                                      {kInput, kInput}));
    LookupRow b = w.lookup(
        "B", usual(graph(3, {"neg = torch.ops.aten.neg.default(arg2_1)", "mul = torch.ops.aten.mul.Tensor(arg1_1, neg)",
                             "sum_1 = torch.ops.aten.sum.default(mul)", "return (sum_1,)"}),
                   {kInput, kInput, tensor("[]", "()")}));
    a.filename = b.filename = "/lib/python3.11/site-packages/torch/optim/sgd.py";
    a.function = b.function = "step";
    QCOMPARE(explain(pair(a, b)).verdict, Verdict::key_differs);
    a.function = b.function = "forward";
    QCOMPARE(explain(pair(a, b)).verdict, Verdict::never_seen);
  }
  /// torch._dynamo.config.caching_precompile puts a name of its own into every key.
  void a_compile_that_precompile_named() {
    World w;
    const auto parts = [](const std::string& id, const std::string& hidden) {
      return Parts{{"aot_config", "(0, True, [LocalSource(local_name='x')], True, False, " + id + ")"},
                   {"gm", graph(1, kMlp) + hidden}};
    };
    const std::string one = "'__compiled_fn_3_be810054_2a4a_442f_9a70_1c7a01fab0fe'";
    const std::string two = "'__compiled_fn_3_90e3aa04_28e4_44b4_990e_696a49cb1416'";
    const LookupRow off = w.lookup("A", parts("None", ""), {}, Layer::aot_autograd);
    const LookupRow on = w.lookup("B", parts(one, ""), {{"gm", "package"}}, Layer::aot_autograd);
    const LookupRow again = w.lookup("C", parts(two, ""), {{"gm", "package"}}, Layer::aot_autograd);
    Explanation e = explain(pair(on, again));
    QCOMPARE(e.causes.front().component, std::string("aot_config"));
    QCOMPARE(e.causes.front().cause_class, std::string("instability:uuid"));
    QVERIFY2(says(e.fix, "caching_precompile"), e.fix.c_str());
    e = explain(pair(off, on));
    QCOMPARE(roots(e), std::vector<std::string>{"aot_config"});
    QCOMPARE(e.causes.front().cause_class, std::string("config"));
    QVERIFY2(says(e.fix, "caching_precompile"), e.fix.c_str());
  }
  /// The default trace has Dynamo's configuration alone.
  void precompile_is_told_by_the_configuration() {
    World w;
    const LookupRow before = w.lookup("A", mlp());
    LookupRow inner = w.lookup("B", mlp());
    inner.record.outcome = Outcome::hit;
    Case c;
    c.subject = w.lookup("B", {}, {}, Layer::aot_autograd);
    c.compile = {c.subject, inner};
    Case within = pair(before, inner);
    within.candidates.clear();
    within.same_key = {before};
    c.inner = {within};
    bool first = true;
    c.texts = [&first, id = c.subject.id](const LookupRow& row, TextKind kind) {
      std::vector<TextRecord> out;
      if (kind == TextKind::dynamo_config)
        out.push_back({{}, kind, "", row.id == id || first ? R"({"caching_precompile": true})" : "{}"});
      return out;
    };
    QVERIFY2(says(explain(c).summary, "names every compile anew"), explain(c).summary.c_str());
    first = false;
    QVERIFY2(says(explain(c).summary, "caching_precompile=True"), explain(c).summary.c_str());
  }
  /// ",".join of a set: the same words in another order, in each of three runs.
  void words_of_a_set_in_another_order() {
    World w;
    const std::string name = "inductor_config[max_autotune_gemm_backends]";
    const LookupRow a = w.lookup("A", mlp({{name, "ATEN,CPP,TRITON"}}));
    const LookupRow b = w.lookup("B", mlp({{name, "CPP,ATEN,TRITON"}}));
    Case c = pair(b, w.lookup("C", mlp({{name, "TRITON,ATEN,CPP"}})));
    QCOMPARE(explain(c).causes.front().cause_class, std::string("config"));  // of two it may be a choice
    c.candidates.push_back(a);
    const Explanation e = explain(c);
    QCOMPARE(e.causes.front().cause_class, std::string("instability:order"));
    QVERIFY2(says(e.summary, "has another order in every run"), e.summary.c_str());
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
