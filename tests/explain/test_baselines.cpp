// SPDX-License-Identifier: Apache-2.0
// Which earlier lookup a miss is compared with.
#include <QtTest>
#include <ctime>

#include "cases.h"

using namespace keyhole;
using namespace keyhole::testing;

namespace {

const std::string kInput = tensor("[8, 16]", "(16, 1)");
const std::vector<std::string> kOther = {
    "convolution = torch.ops.aten.convolution.default(arg0_1, arg1_1, None, [1, 1])",
    "view = torch.ops.aten.view.default(convolution, [8, 64])",
    "var_mean = torch.ops.aten.var_mean.correction(view, [1])", "rsqrt = torch.ops.aten.rsqrt.default(var_mean)",
    "return (rsqrt,)"};

Parts mlp(const Parts& with = {}) {
  return usual(graph(2, kMlp), {kInput, kInput}, with);
}

}  // namespace

class TestBaselines : public QObject {
  Q_OBJECT
 private slots:
  void the_same_graph_goes_before_the_same_environment() {
    World w;
    const LookupRow upgrade = w.lookup("A", mlp({{"torch_version", "old"},
                                                 {"inductor_config[a]", "1"},
                                                 {"inductor_config[b]", "1"},
                                                 {"cpp_runtime_thread_count", "8"}}));
    LookupRow other = w.lookup("B", usual(graph(2, kOther), {kInput, kInput}));
    other.line = 90;
    Case c = pair(upgrade, w.lookup("C", mlp()));
    c.candidates.push_back(other);
    const Explanation e = explain(c);
    QCOMPARE(e.baseline->run_name, std::string("A"));
    QCOMPARE(e.candidates.size(), std::size_t{2});
    QVERIFY(e.candidates[0].score > e.candidates[1].score);
    QVERIFY2(e.baseline_reason.find("same graph") != std::string::npos, e.baseline_reason.c_str());
  }
  void of_two_runs_of_the_same_graph_the_one_with_fewer_changes() {
    World w;
    const LookupRow near = w.lookup("A", mlp());
    const LookupRow far = w.lookup("B", mlp({{"inductor_config[epilogue_fusion]", "False"}}));
    Case c = pair(near, w.lookup("C", mlp({{"inductor_config[max_autotune]", "True"}})));
    c.candidates.push_back(far);
    QCOMPARE(explain(c).baseline->run_name, std::string("A"));
  }
  void of_equals_the_newest() {
    World w;
    Case c = pair(w.lookup("A", mlp()), w.lookup("Z", mlp({{"cache_key_tag", "x"}})));
    for (const char* run : {"B", "C"}) c.candidates.push_back(w.lookup(run, mlp()));
    c.subject = w.lookup("D", mlp({{"cache_key_tag", "x"}}));
    QCOMPARE(explain(c).baseline->run_name, std::string("C"));
  }
  /// Rank 1 is compared with the run before, not with what rank 0 hit a moment ago; and there with its own rank.
  void the_run_before_goes_before_another_rank() {
    World w;
    LookupRow other = w.lookup("A", mlp());
    LookupRow own = w.lookup("A", mlp());
    LookupRow beside = w.lookup("B", mlp());
    Case c = pair(other, w.lookup("B", mlp({{"cache_key_tag", "x"}})));
    other.rank = beside.rank = 0;
    own.rank = c.subject.rank = 1;
    beside.process = 90;
    c.candidates = {own, other, beside};
    QCOMPARE(explain(c).baseline->id, own.id);
    c.candidates = {beside};
    QCOMPARE(explain(c).baseline->run_name, std::string("B"));
  }
  /// A function of which no line stayed was "never seen", though its name, line and compile id were the same.
  void a_rewritten_function_is_the_same_function() {
    World w;
    LookupRow before = w.lookup("A", mlp());
    LookupRow after = w.lookup("B", usual(graph(2, kOther), {kInput, kInput}));
    for (LookupRow* row : {&before, &after}) row->function = "train_step";
    Explanation e = explain(pair(before, after));
    QCOMPARE(e.verdict, Verdict::key_differs);
    QCOMPARE(e.causes[0].component, std::string("gm"));
    QCOMPARE(e.causes[0].cause_class, std::string("graph"));
    after.line = 34;  // lines were added above it
    QCOMPARE(explain(pair(before, after)).verdict, Verdict::key_differs);
    // `forward` at another line is the method of another class; and another function is another one.
    before.function = after.function = "forward";
    QCOMPARE(explain(pair(before, after)).verdict, Verdict::never_seen);
    before.function = "train_step";
    after.function = "validate";
    after.line = before.line;
    QCOMPARE(explain(pair(before, after)).verdict, Verdict::never_seen);
    // After a reset another model has the same compile id in the same process.
    after.function = before.function;
    after.process = before.process;
    QCOMPARE(explain(pair(before, after)).verdict, Verdict::never_seen);
  }
  /// The rest of a function behind a graph break is named by a line of it, which every edit above moves.
  void the_rest_of_a_function_is_the_same_wherever_it_begins() {
    World w;
    LookupRow before = w.lookup("A", mlp());
    LookupRow after = w.lookup("B", usual(graph(2, kOther), {kInput, kInput}));
    before.function = "torch_dynamo_resume_in_step_at_6";
    after.function = "torch_dynamo_resume_in_step_at_9";
    QCOMPARE(explain(pair(before, after)).verdict, Verdict::key_differs);
    after.function = "torch_dynamo_resume_in_validate_at_6";
    QCOMPARE(explain(pair(before, after)).verdict, Verdict::never_seen);
  }
  void a_compile_that_started_over_has_the_same_id() {
    World w;
    LookupRow before = w.lookup("A", mlp());
    before.record.compile.attempt = 1;
    const Explanation e = explain(pair(before, w.lookup("B", mlp({{"cache_key_tag", "x"}}))));
    QVERIFY2(e.baseline_reason.find("same compile id") != std::string::npos, e.baseline_reason.c_str());
  }
  void another_model_is_no_baseline() {
    World w;
    LookupRow other = w.lookup("A", usual(graph(2, kOther), {kInput, kInput}));
    other.line = 300;
    other.filename = "/src/other.py";
    const Explanation e = explain(pair(other, w.lookup("B", mlp())));
    QCOMPARE(e.verdict, Verdict::never_seen);
    QVERIFY(!e.baseline);
    QVERIFY(e.causes.empty());
    QCOMPARE(e.candidates.size(), std::size_t{1});
  }
  void a_changed_version_of_the_same_function_is_one() {
    World w;
    auto lines = kOther;
    lines[0] = kMlp[0];
    lines[1] = kMlp[1];
    const Explanation e = explain(pair(w.lookup("A", usual(graph(2, lines), {kInput, kInput})), w.lookup("B", mlp())));
    QCOMPARE(e.verdict, Verdict::key_differs);
  }
  void models_that_share_a_function_of_a_library_are_told_apart_by_their_graphs() {
    World w;
    LookupRow other = w.lookup("A", usual(graph(2, kOther), {kInput, kInput}));
    LookupRow me = w.lookup("B", mlp());
    other.filename = me.filename = "/env/site-packages/torch/nn/modules/container.py";
    QCOMPARE(explain(pair(other, me)).verdict, Verdict::never_seen);
  }
  void forward_is_never_compared_with_backward() {
    World w;
    const Parts backward = mlp({{"fx_kwargs[is_backward]", "True"}, {"fx_kwargs[is_inference]", "False"}});
    const Parts forward = mlp({{"fx_kwargs[is_inference]", "False"}, {"cache_key_tag", "x"}});
    QCOMPARE(explain(pair(w.lookup("A", backward), w.lookup("B", forward))).verdict, Verdict::never_seen);
    QCOMPARE(explain(pair(w.lookup("A", forward), w.lookup("B", backward))).verdict, Verdict::never_seen);
    QCOMPARE(explain(pair(w.lookup("A", mlp()), w.lookup("B", forward))).verdict,
             Verdict::key_differs);  // inference and training
    LookupRow a = w.lookup("A", mlp());
    LookupRow b = w.lookup("B", mlp({{"cache_key_tag", "x"}}));
    a.record.direction = Direction::backward;  // where only the record tells it
    b.record.direction = Direction::forward;
    QCOMPARE(explain(pair(a, b)).verdict, Verdict::never_seen);
  }
  void the_same_compile_id_decides_between_equal_graphs() {
    World w;
    LookupRow first = w.lookup("A", mlp());
    LookupRow second = w.lookup("A", mlp());
    second.record.compile.frame = 1;
    LookupRow me = w.lookup("B", mlp({{"cache_key_tag", "x"}}));
    me.record.compile.frame = 1;
    Case c = pair(first, me);
    c.candidates = {second, first};
    QCOMPARE(explain(c).baseline->id, second.id);
    c.subject.record.compile.frame = 0;
    QCOMPARE(explain(c).baseline->id, first.id);
  }
  void the_user_may_choose() {
    World w;
    const LookupRow best = w.lookup("A", mlp());
    const LookupRow other = w.lookup("B", usual(graph(2, kOther), {kInput, kInput}));
    Case c = pair(best, w.lookup("C", mlp({{"cache_key_tag", "x"}})));
    c.candidates.push_back(other);
    c.against = other.id;
    const Explanation e = explain(c);
    QCOMPARE(e.baseline->id, other.id);
    QCOMPARE(e.verdict, Verdict::key_differs);
  }
  void a_lookup_of_another_layer_is_no_baseline() {
    World w;
    QCOMPARE(explain(pair(w.lookup("A", mlp(), {}, Layer::aot_autograd), w.lookup("B", mlp({{"cache_key_tag", "x"}}))))
                 .verdict,
             Verdict::never_seen);
  }
  void large_graphs_and_many_candidates_take_little_time() {
    World w;
    std::vector<std::string> lines;
    for (int i = 0; i < 3000; ++i)
      lines.push_back("mul_" + std::to_string(i) + " = torch.ops.aten.mul.Tensor(arg0_1, " + std::to_string(i % 977) +
                      ".25);  x = None");
    const LookupRow before = w.lookup("A", usual(graph(2, lines), {kInput, kInput}));
    lines[1500] = "sigmoid = torch.ops.aten.sigmoid.default(arg0_1)";
    Case c = pair(before, w.lookup("B", usual(graph(2, lines), {kInput, kInput})));
    for (int i = 0; i < 60; ++i) {
      lines[static_cast<std::size_t>(i)] = "tanh = torch.ops.aten.tanh.default(arg0_1)";
      c.candidates.push_back(w.lookup("C" + std::to_string(i), usual(graph(2, lines), {kInput, kInput})));
    }
    c.subject = w.lookup("D", usual(graph(2, lines), {kInput, kInput}, {{"cache_key_tag", "x"}}));
    const std::clock_t begin = std::clock();
    const Explanation e = explain(c);
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    QVERIFY2(seconds < 2, qPrintable(QString::number(seconds)));  // 0.03 s; sanitizers take their time
    QCOMPARE(e.verdict, Verdict::key_differs);
    QCOMPARE(roots(e), std::vector<std::string>{"cache_key_tag"});
  }
};

QTEST_APPLESS_MAIN(TestBaselines)
#include "test_baselines.moc"
