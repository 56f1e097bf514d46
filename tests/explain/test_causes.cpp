// SPDX-License-Identifier: Apache-2.0
// Each class of cause with a case that has it and one that has not, roots and what follows from them.
#include <QtTest>

#include "cases.h"

using namespace keyhole;
using namespace keyhole::testing;

namespace {

const std::string kWeight = tensor("[32, 16]", "(16, 1)");
const std::string kInput = tensor("[8, 16]", "(16, 1)");

std::vector<std::string> mlp_with(std::size_t line, const std::string& text) {
  std::vector<std::string> lines = kMlp;
  lines[line] = text;
  return lines;
}

/// The explanation of a second run whose components differ from the first one's as told.
struct Pair {
  World world;
  Case c;
  Pair(const Parts& before, const Parts& after, const std::map<std::string, std::string>& hidden = {},
       Layer layer = Layer::fx_graph)
      : c(pair(world.lookup("A", before, {}, layer), world.lookup("B", after, hidden, layer))) {}
  [[nodiscard]] Explanation operator()() const { return explain(c); }
};

Parts base(const Parts& with = {}) {
  return usual(graph(2, kMlp), {kWeight, kInput}, with);
}

void dynamo(Case& c, std::string before, std::string after) {
  const RowId subject = c.subject.id;
  c.texts = [=](const LookupRow& row, TextKind kind) {
    std::vector<TextRecord> out;
    if (kind == TextKind::dynamo_graph) out.push_back({{}, kind, "", row.id == subject ? after : before});
    return out;
  };
}

}  // namespace

class TestCauses : public QObject {
  Q_OBJECT
 private slots:
  /// dynamic=True: two more inputs (the sizes), and the graph was told as the cause.
  void sizes_that_became_symbols_are_the_cause() {
    World w;
    const std::string weight = tensor("[32, 16]", "(16, 1)");
    const LookupRow before = w.lookup("A", usual(graph(2, kMlp), {weight, tensor("[8, 16]", "(16, 1)")}));
    auto lines = kMlp;
    lines[3] = "mul = torch.ops.aten.mul.Tensor(relu, arg2_1);  relu = None";
    const LookupRow after = w.lookup("B", usual(graph(3, lines), {weight, "('s77',)", tensor("[s77, 16]", "(16, 1)")},
                                                {{"fx_kwargs[static_input_idxs]", "[0]"}}));
    const Explanation e = explain(pair(before, after));
    QCOMPARE(e.causes[0].component, std::string("example_inputs[2]"));
    QCOMPARE(e.causes[0].cause_class, std::string("shape"));
    QCOMPARE(e.causes[0].before, std::string("[8, 16]"));
    QCOMPARE(e.causes[0].after, std::string("[s77, 16]"));
    QCOMPARE(roots(e), std::vector<std::string>{"example_inputs[2]"});
  }
  void a_tensor_more_is_another_graph() {
    World w;
    const std::string x = tensor("[8, 16]", "(16, 1)");
    const Explanation e = explain(pair(w.lookup("A", usual(graph(2, kMlp), {x, x})),
                                       w.lookup("B", usual(graph(3, kMlp), {x, "('s77',)", x, x}))));
    QCOMPARE(e.causes[0].component, std::string("gm"));
  }
  void deterministic_algorithms_set_inductors_flag() {
    World w;
    const std::string x = tensor("[8, 16]", "(16, 1)");
    const Explanation e =
        explain(pair(w.lookup("A", usual(graph(2, kMlp), {x})),
                     w.lookup("B", usual(graph(2, kMlp), {x},
                                         {{"deterministic_algorithms_settings", "(True, False, True)"},
                                          {"inductor_config[deterministic]", "True"}}))));
    QCOMPARE(roots(e), std::vector<std::string>{"deterministic_algorithms_settings"});
  }
  /// Frozen weights: the forward hands fewer values to its backward. That was told as "names of values".
  void other_results_of_the_graph_are_not_names() {
    World w;
    const std::string x = tensor("[8, 16]", "(16, 1)");
    auto fewer = kMlp;
    auto more = kMlp;
    more.back() = "return (mul, arg0_1, arg1_1, addmm)";
    fewer.back() = "return (mul, addmm)";
    const Explanation e =
        explain(pair(w.lookup("A", usual(graph(2, more), {x})), w.lookup("B", usual(graph(2, fewer), {x}))));
    QVERIFY2(e.summary.find("the values that it returns") != std::string::npos, e.summary.c_str());
  }
  void a_component_by_itself_data() {
    QTest::addColumn<QString>("component");
    QTest::addColumn<QString>("before");
    QTest::addColumn<QString>("after");
    QTest::addColumn<QString>("cls");
    const auto row = [](const char* name, const char* before, const char* after, const char* cls) {
      QTest::newRow(qPrintable(QString("%1 %2").arg(name, cls))) << name << before << after << cls;
    };
    row("inductor_config[epilogue_fusion]", "True", "False", "config");
    row("cpp_runtime_thread_count", "2", "1", "threads");
    row("cache_key_tag", "", "v2", "tag");
    row("default_dtype", "torch.float32", "torch.float64", "default_dtype");
    row("deterministic_algorithms_settings", "(False, False, True)", "(True, False, True)", "determinism");
    row("inductor_config[deterministic]", "False", "True", "determinism");
    row("cuda_matmul_settings", "('none', True, True)", "('tf32', True, True)", "config");
    row("post_grad_custom_post_pass", "pass-v1", "pass-v2", "custom_pass");
    row("torch_version", "\xEF\xBF\xBDM\x10", "r\xEF\xBF\xBD\x11", "version");
    row("system_info[hash]", "44136fa3", "99", "device");
    row("user_defined_triton_source", "((src, (), None),)", "((src2, (), None),)", "kernel_source");
    row("default_cuda_device_index", "0", "1", "device");
    row("a_field_of_the_future", "1", "2", "config");
  }
  void a_component_by_itself() {
    QFETCH(QString, component);
    QFETCH(QString, before);
    QFETCH(QString, after);
    QFETCH(QString, cls);
    const std::string name = component.toStdString();
    const Explanation e = Pair(base({{name, before.toStdString()}}), base({{name, after.toStdString()}}))();
    QCOMPARE(e.verdict, Verdict::key_differs);
    QCOMPARE(e.causes.size(), std::size_t{1});
    QCOMPARE(e.causes[0].component, name);
    QCOMPARE(e.causes[0].role, Role::root);
    QCOMPARE(QString::fromStdString(e.causes[0].cause_class), cls);
    QVERIFY2(e.summary.find(name) != std::string::npos, e.summary.c_str());
    QVERIFY(!e.fix.empty());
    if (name != "torch_version") {
      QCOMPARE(e.causes[0].before, before.toStdString());
      QCOMPARE(e.causes[0].after, after.toStdString());
    } else {
      QVERIFY2(e.causes[0].before.empty(), "bytes are no text");
    }
  }

  void an_input_data() {
    QTest::addColumn<QString>("after");
    QTest::addColumn<QString>("cls");
    QTest::addColumn<QString>("says");
    QTest::newRow("shape") << QString::fromStdString(tensor("[16, 16]", "(16, 1)")) << "shape"
                           << "shape [8, 16] → [16, 16]";
    QTest::newRow("rank") << QString::fromStdString(tensor("[8, 4, 4]", "(16, 4, 1)")) << "shape"
                          << "[8, 16] → [8, 4, 4]";
    QTest::newRow("stride") << QString::fromStdString(tensor("[8, 16]", "(1, 8)")) << "stride"
                            << "stride (16, 1) → (1, 8)";
    QTest::newRow("dtype") << QString::fromStdString(tensor("[8, 16]", "(16, 1)", "torch.bfloat16")) << "dtype"
                           << "torch.float32 → torch.bfloat16";
    QTest::newRow("requires_grad") << QString::fromStdString(tensor("[8, 16]", "(16, 1)", "torch.float32", true))
                                   << "requires_grad"
                                   << "False → True";
    QTest::newRow("device") << QString::fromStdString(
                                   tensor("[8, 16]", "(16, 1)", "torch.float32", false, "device(type='cuda', index=0)"))
                            << "device"
                            << "cpu → cuda:0";
  }
  void an_input() {
    QFETCH(QString, after);
    QFETCH(QString, cls);
    QFETCH(QString, says);
    const Explanation e = Pair(base(), base({{"example_inputs[1]", after.toStdString()}}))();
    QCOMPARE(e.causes.size(), std::size_t{1});
    QCOMPARE(e.causes[0].component, std::string("example_inputs[1]"));
    QCOMPARE(QString::fromStdString(e.causes[0].cause_class), cls);
    QVERIFY2(QString::fromStdString(e.summary).contains(says), e.summary.c_str());
  }

  void all_inputs_change_dtype_and_the_graph_follows() {
    auto lines = mlp_with(
        3, "convert_element_type = torch.ops.prims.convert_element_type.default(relu, torch.float32);  relu = None");
    lines.insert(lines.begin() + 4,
                 "mul = torch.ops.aten.mul.Tensor(convert_element_type, 2.0);  convert_element_type = None");
    const Explanation e = Pair(base(), usual(graph(2, lines), {tensor("[32, 16]", "(16, 1)", "torch.bfloat16"),
                                                               tensor("[8, 16]", "(16, 1)", "torch.bfloat16")}))();
    QCOMPARE(roots(e), (std::vector<std::string>{"example_inputs[0]", "example_inputs[1]"}));
    QCOMPARE(find(e, "gm")->role, Role::consequence);
    QVERIFY2(e.summary.find("2 inputs changed") != std::string::npos, e.summary.c_str());
  }

  void a_size_in_the_graph_follows_the_shape() {
    const Explanation e = Pair(usual(graph(1, {"slice_1 = torch.ops.aten.slice.Tensor(arg0_1, 1, 0, 15)",
                                               "sum_1 = torch.ops.aten.sum.default(slice_1)", "return (sum_1,)"}),
                                     {kInput}),
                               usual(graph(1, {"slice_1 = torch.ops.aten.slice.Tensor(arg0_1, 1, 0, 23)",
                                               "sum_1 = torch.ops.aten.sum.default(slice_1)", "return (sum_1,)"}),
                                     {tensor("[8, 24]", "(24, 1)")}))();
    QCOMPARE(roots(e), std::vector<std::string>{"example_inputs[0]"});
    QVERIFY2(e.summary.find("[8, 24]") != std::string::npos, e.summary.c_str());
  }
  void another_operation_beside_a_shape_is_a_root_of_its_own() {
    const Explanation e =
        Pair(base(), usual(graph(2, mlp_with(2, "tanh = torch.ops.aten.tanh.default(addmm);  addmm = None")),
                           {kWeight, tensor("[9, 16]", "(16, 1)")}))();
    QCOMPARE(roots(e), (std::vector<std::string>{"example_inputs[1]", "gm"}));
  }
  void another_factor_beside_a_shape_is_a_root_unless_it_is_made_of_sizes() {
    const auto scaled = [](const char* factor) {
      return graph(1, {std::string("mul = torch.ops.aten.mul.Tensor(arg0_1, ") + factor + ")", "return (mul,)"});
    };
    const std::string wide = tensor("[8, 64]", "(64, 1)");
    const Explanation free = Pair(usual(scaled("2.0"), {kInput}), usual(scaled("3.0"), {wide}))();
    QCOMPARE(find(free, "gm")->role, Role::root);
    const Explanation bound =
        Pair(usual(scaled("0.25"), {kInput}), usual(scaled("0.125"), {wide}))();  // 1/sqrt(16), 1/sqrt(64)
    QCOMPARE(find(bound, "gm")->role, Role::consequence);
  }

  void a_constant_in_the_graph() {
    const Explanation e = Pair(
        base(),
        usual(graph(2, mlp_with(3, "mul = torch.ops.aten.mul.Tensor(relu, 3.0);  relu = None")), {kWeight, kInput}))();
    QCOMPARE(e.causes[0].component, std::string("gm"));
    QCOMPARE(e.causes[0].cause_class, std::string("constant"));
    QVERIFY2(e.summary.find("3.0") != std::string::npos, e.summary.c_str());
  }
  void another_operation_is_no_constant() {
    const Explanation e =
        Pair(base(), usual(graph(2, mlp_with(2, "relu = torch.ops.aten.sigmoid.default(addmm);  addmm = None")),
                           {kWeight, kInput}))();
    QCOMPARE(e.causes[0].cause_class, std::string("graph"));
    QVERIFY2(e.summary.find("sigmoid") != std::string::npos, e.summary.c_str());
  }
  void one_operation_more_is_found_behind_renumbered_names() {
    std::vector<std::string> before = {"add = torch.ops.aten.add.Tensor(arg0_1, 1)"};
    std::vector<std::string> after = {"sigmoid = torch.ops.aten.sigmoid.default(arg0_1)",
                                      "add = torch.ops.aten.add.Tensor(arg0_1, 1)"};
    for (int i = 0; i < 200; ++i) {
      before.push_back("mul_" + std::to_string(i) + " = torch.ops.aten.mul.Tensor(add, " + std::to_string(i) + ".5)");
      after.push_back("mul_" + std::to_string(i + 1) + " = torch.ops.aten.mul.Tensor(add, " + std::to_string(i) +
                      ".5)");
    }
    const Explanation e = Pair(usual(graph(1, before), {kInput}), usual(graph(1, after), {kInput}))();
    QVERIFY(e.causes[0].before.empty());
    QCOMPARE(e.causes[0].after, after[0]);
  }
  void equal_code_under_another_digest_is_told_by_what_it_uses() {
    const std::string with_constant =
        graph(1, {"_tensor_constant0 = self._tensor_constant0",
                  "add = torch.ops.aten.add.Tensor(arg0_1, _tensor_constant0)", "return (add,)"});
    const Explanation constant =
        Pair(usual(with_constant, {kInput}), usual(with_constant, {kInput}), {{"gm", "5.0"}})();
    QCOMPARE(constant.causes[0].cause_class, std::string("constant"));
    QVERIFY(constant.summary.find("constant") != std::string::npos && !constant.causes[0].note.empty());
    const std::string with_module =
        graph(1, {"sdpa_score0 = self.sdpa_score0", "flex = torch.ops.higher_order.flex_attention(arg0_1, sdpa_score0)",
                  "return (flex,)"});
    const Explanation module = Pair(usual(with_module, {kInput}), usual(with_module, {kInput}), {{"gm", "score"}})();
    QCOMPARE(module.causes[0].cause_class, std::string("graph"));
    QVERIFY2(module.summary.find("submodule") != std::string::npos, module.summary.c_str());
  }
  void equal_code_is_told_by_the_graph_that_dynamo_captured() {
    const std::string gm = graph(1, {"_tensor_constant0 = self._tensor_constant0",
                                     "add = torch.ops.aten.add.Tensor(arg0_1, _tensor_constant0)", "return (add,)"});
    Pair p(usual(gm, {kInput}), usual(gm, {kInput}), {{"gm", "5.0"}});
    dynamo(p.c,
           "class GraphModule():\n    def forward(self, L_x_: \"f32[8]\"):\n        tensor: \"f32[1]\" = "
           "torch.tensor([4.0])\n        return (tensor,)\n",
           "class GraphModule():\n    def forward(self, L_x_: \"f32[8]\"):\n        tensor: \"f32[1]\" = "
           "torch.tensor([5.0])\n        return (tensor,)\n");
    const Explanation e = p();
    QCOMPARE(e.causes[0].cause_class, std::string("constant"));
    QVERIFY2(e.summary.find("5.0") != std::string::npos, e.summary.c_str());
  }

  void more_inputs_make_the_graph_the_root() {
    auto lines = kMlp;
    lines.insert(lines.begin() + 4, "add = torch.ops.aten.add.Tensor(mul, arg2_1)");
    const Explanation e = Pair(
        base(), usual(graph(3, lines), {kWeight, kInput, kInput}, {{"fx_kwargs[static_input_idxs]", "[0, 1, 2]"}}))();
    QCOMPARE(roots(e), std::vector<std::string>{"gm"});
    QCOMPARE(e.causes[0].component, std::string("gm"));
    QVERIFY2(e.summary.find("2 → 3 inputs") != std::string::npos, e.summary.c_str());
  }
  void the_same_inputs_in_another_order() {
    const Explanation e = Pair(
        base(), usual(graph(2, mlp_with(0, "permute = torch.ops.aten.permute.default(arg1_1, [1, 0]);  arg1_1 = None")),
                      {kInput, kWeight}))();
    QCOMPARE(roots(e), std::vector<std::string>{"gm"});
    QCOMPARE(find(e, "example_inputs[0]")->cause_class, std::string("order"));
    QCOMPARE(find(e, "example_inputs[0]")->role, Role::consequence);
  }

  void the_graph_follows_a_flag_where_dynamo_captured_the_same_one() {
    const auto lines = mlp_with(2, "native_dropout = torch.ops.aten.native_dropout.default(addmm, 0.5, True)");
    const Parts after = usual(graph(2, lines), {kWeight, kInput}, {{"inductor_config[fallback_random]", "True"}});
    const std::string text = "def forward(self, L_x_: \"f32[8]\"):\n    y = torch.relu(L_x_)\n    return (y,)\n";
    Pair same(base({{"inductor_config[fallback_random]", "False"}}), after);
    dynamo(same.c, text, text);
    QCOMPARE(roots(same()), std::vector<std::string>{"inductor_config[fallback_random]"});
    Pair other(base({{"inductor_config[fallback_random]", "False"}}), after);
    dynamo(other.c, text, "def forward(self, L_x_: \"f32[8]\"):\n    y = torch.dropout(L_x_)\n    return (y,)\n");
    QCOMPARE(roots(other()), (std::vector<std::string>{"inductor_config[fallback_random]", "gm"}));
  }
  void a_tag_changes_no_graph() {
    const Explanation e = Pair(base(), usual(graph(2, mlp_with(2, "tanh = torch.ops.aten.tanh.default(addmm)")),
                                             {kWeight, kInput}, {{"cache_key_tag", "v2"}}))();
    QCOMPARE(roots(e), (std::vector<std::string>{"cache_key_tag", "gm"}));
  }
  void a_thread_count_that_vanishes_follows_the_flag() {
    const Explanation e =
        Pair(base(), base({{"inductor_config[cpp.threads]", "1"}, {"cpp_runtime_thread_count", "\x01"}}))();
    QCOMPARE(roots(e), std::vector<std::string>{"inductor_config[cpp.threads]"});
    QCOMPARE(find(e, "cpp_runtime_thread_count")->role, Role::consequence);
  }
  void flags_that_cpp_wrapper_sets_follow_it() {
    const Explanation e = Pair(base({{"inductor_config[cpp_wrapper]", "False"},
                                     {"inductor_config[triton.store_cubin]", "False"},
                                     {"fx_kwargs[cpp_wrapper]", "False"}}),
                               base({{"inductor_config[cpp_wrapper]", "True"},
                                     {"inductor_config[triton.store_cubin]", "True"},
                                     {"fx_kwargs[cpp_wrapper]", "True"}}))();
    QCOMPARE(roots(e), std::vector<std::string>{"inductor_config[cpp_wrapper]"});
    const Explanation alone = Pair(base({{"inductor_config[triton.store_cubin]", "False"}}),
                                   base({{"inductor_config[triton.store_cubin]", "True"}}))();
    QCOMPARE(roots(alone), std::vector<std::string>{"inductor_config[triton.store_cubin]"});
  }
  void the_hash_of_the_system_follows_its_fields() {
    const Explanation e = Pair(base({{"system_info[device]", "{'name': 'A100'}"}}),
                               base({{"system_info[device]", "{'name': 'H100'}"}, {"system_info[hash]", "99"}}))();
    QCOMPARE(roots(e), std::vector<std::string>{"system_info[device]"});
  }
  void an_upgrade_brings_its_new_flags() {
    const Explanation e =
        Pair(base({{"inductor_config[old_flag]", "1"}}), base({{"torch_version", "other"},
                                                               {"inductor_config[new_flag]", "1"},
                                                               {"inductor_config[max_autotune]", "True"}}))();
    QCOMPARE(roots(e), std::vector<std::string>{"torch_version"});
  }
  void the_versions_are_told_where_they_are_recorded() {
    Pair p(base(), base({{"torch_version", "other"}}));
    const RowId subject = p.c.subject.id;
    p.c.process = [=](const LookupRow& row) {
      ProcessRow out;
      out.record.versions_json =
          row.id == subject ? R"({"pytorch_version": "2.14.0"})" : R"({"pytorch_version": "2.13.0"})";
      return std::optional(out);
    };
    QVERIFY2(p().summary.find("2.13.0 → 2.14.0") != std::string::npos, p().summary.c_str());
  }
  void a_default_dtype_is_the_root_of_inputs_made_with_it() {
    const Explanation e = Pair(base(), base({{"default_dtype", "torch.float64"},
                                             {"example_inputs[1]", tensor("[8, 16]", "(16, 1)", "torch.float64")}}))();
    QCOMPARE(roots(e), std::vector<std::string>{"default_dtype"});
  }
  void training_is_told_by_grad_mode_or_by_an_input() {
    const Parts after = usual(graph(2, kMlp, "primals"), {kWeight, kInput}, {{"fx_kwargs[is_inference]", "False"}});
    const auto guards = [](const char* mode, const char* grad) {
      return std::string(
                 "| +- GLOBAL_STATE: ___check_global_state() against "
                 "{\"allow_tf32\":false,\"autocast_state\":{\"dtype\":[15,5],\"enabled\":[false]},\"grad_mode\":") +
             mode +
             ",\"num_threads\":2}\n| +- TENSOR_MATCH: check_tensor(L['x'], Tensor, torch.float32, device=None, "
             "requires_grad=" +
             grad + ", size=[8, 16])\n";
    };
    for (const bool mode : {true, false}) {
      Pair p(base(), after);
      const RowId subject = p.c.subject.id;
      p.c.texts = [=](const LookupRow& row, TextKind kind) {
        std::vector<TextRecord> out;
        const bool late = row.id == subject;
        if (kind == TextKind::dynamo_guards)
          out.push_back({{}, kind, "", guards(mode && !late ? "false" : "true", !mode && late ? "True" : "False")});
        return out;
      };
      const Explanation e = p();
      QCOMPARE(roots(e), std::vector<std::string>{"fx_kwargs[is_inference]"});
      QCOMPARE(e.causes[0].cause_class, std::string(mode ? "grad_mode" : "requires_grad"));
    }
  }
  /// A weight that became a buffer: only its gradient left the graph, and nothing told why.
  void a_weight_that_became_a_buffer_needs_no_gradient() {
    Pair p(base(), usual(graph(2, mlp_with(2, "sum_1 = torch.ops.aten.sum.default(addmm)")), {kWeight, kInput}));
    const RowId subject = p.c.subject.id;
    p.c.texts = [=](const LookupRow& row, TextKind kind) {
      std::vector<TextRecord> out;
      const bool late = row.id == subject;
      if (kind == TextKind::dynamo_guards)
        out.push_back({{},
                       kind,
                       "",
                       std::string("| +- check_tensor(L['m']._") + (late ? "buffers" : "parameters") +
                           "['w'], Tensor, requires_grad=" + (late ? "False" : "True") + ", size=[8])\n"});
      if (kind == TextKind::dynamo_graph)
        out.push_back({{}, kind, "", "def forward(self, L_x_):\n    y = L_x_ * 2\n    return (y,)\n"});
      return out;
    };
    const Explanation e = p();
    QCOMPARE(e.causes[0].cause_class, std::string("requires_grad"));
    QVERIFY2(e.summary.find("L['m']._buffers['w'] True → False") != std::string::npos, e.summary.c_str());
  }
  /// autocast to another dtype: told by both dtypes, and each line cut where the two begin to differ.
  void autocast_is_told_by_its_dtypes() {
    const auto line = [](const char* dtype) {
      return mlp_with(2, std::string("convert_element_type = torch.ops.prims.convert_element_type.default(addmm_of_a_"
                                     "model_with_long_names, torch.") +
                             dtype + ")");
    };
    Pair p(usual(graph(2, line("bfloat16")), {kWeight, kInput}), usual(graph(2, line("float16")), {kWeight, kInput}));
    const RowId subject = p.c.subject.id;
    p.c.texts = [=](const LookupRow& row, TextKind kind) {
      std::vector<TextRecord> out;
      if (kind == TextKind::dynamo_guards)
        out.push_back({{},
                       kind,
                       "",
                       std::string("___check_global_state() against {\"autocast_state\":{\"dtype\":[") +
                           (row.id == subject ? "5" : "15") +
                           ",5,5],\"enabled\":[true,false,false]},\"grad_mode\":true}\n"});
      if (kind == TextKind::dynamo_graph)
        out.push_back({{}, kind, "", "def forward(self, L_x_):\n    y = L_x_ * 2\n    return (y,)\n"});
      return out;
    };
    const Explanation e = p();
    QCOMPARE(e.causes[0].cause_class, std::string("graph"));
    for (const char* said : {"autocast torch.bfloat16 → torch.float16", "…torch.bfloat16)` → `", "…torch.float16)`"})
      QVERIFY2(e.summary.find(said) != std::string::npos, e.summary.c_str());
    QCOMPARE(e.fix, std::string("set it back, or warm up with this setting"));
  }
  void a_size_that_became_a_symbol_is_no_shape_to_pad_to() {
    const auto fix = [](const char* before, const char* after) {
      return Pair(base({{"example_inputs[1]", tensor(before, "(16, 1)")}}),
                  base({{"example_inputs[1]", tensor(after, "(16, 1)")}}))()
          .fix;
    };
    QVERIFY(fix("[8, 16]", "[9, 16]").find("pad to") != std::string::npos);
    QVERIFY(fix("[8, 16]", "[s77, 16]").find("is a symbol now") != std::string::npos);
    QVERIFY(fix("[s77, 16]", "[8, 16]").find("is fixed now") != std::string::npos);
    QVERIFY(fix("[s77, 16]", "[u0, 16]").find("mark_unbacked") != std::string::npos);
  }
  void a_pass_that_came_or_went_or_has_bytes_for_a_uuid() {
    const auto pass = [](const char* before, const char* after) {
      return Pair(base({{"post_grad_custom_post_pass", before}}), base({{"post_grad_custom_post_pass", after}}))();
    };
    QVERIFY(pass("None", "v1").fix.find("was not set") != std::string::npos);
    QVERIFY(pass("v1", "None").fix.find("set it again") != std::string::npos);
    QVERIFY(pass("v1", "v2").fix.find("another uuid") != std::string::npos);
    const Explanation e = pass("\xEF\xBF\xBD\x01", "\xEF\xBF\xBD\x02");
    QVERIFY2(e.summary.find("bytes (digest ") != std::string::npos, e.summary.c_str());
    QVERIFY(e.causes[0].before != e.causes[0].after);
  }
  void the_hidden_flag_of_autograd_config_is_read_from_the_trace() {
    Pair p(base({{"autograd_config", "\xEF\xBF\xBD\x02}q"}}), base({{"autograd_config", "\xEF\xBF\xBD\x02}q"}}),
           {{"autograd_config", "!"}}, Layer::aot_autograd);
    const RowId subject = p.c.subject.id;
    p.c.texts = [=](const LookupRow& row, TextKind kind) {
      std::vector<TextRecord> out;
      if (kind == TextKind::functorch_config)
        out.push_back({{},
                       kind,
                       "",
                       std::string("{\n\"cse\": true,\n\"activation_memory_budget\": ") +
                           (row.id == subject ? "0.5" : "1.0") + "\n}"});
      return out;
    };
    QVERIFY2(p().summary.find("activation_memory_budget=1.0 → activation_memory_budget=0.5") != std::string::npos,
             p().summary.c_str());
  }
  void renamed_arguments_are_named() {
    const auto sources = [](const char* a) {
      return std::string("(0, True, [LocalSource(local_name='") + a + "', is_input=True, dynamism=None)], [], True)";
    };
    const Explanation e =
        Pair(base({{"aot_config", sources("x")}}), base({{"aot_config", sources("left")}}), {}, Layer::aot_autograd)();
    QCOMPARE(e.causes[0].component, std::string("aot_config"));
    QVERIFY2(e.summary.find("'left'") != std::string::npos, e.summary.c_str());
  }
  void another_text_under_the_same_digest_is_no_difference() {
    World w;
    Case c = pair(w.lookup("A", base()), w.lookup("B", base()));
    ComponentPool pool;
    c.candidates[0].record.components.push_back(
        pool.intern("fx_kwargs[get_decomp_fn]", digest_of("f"), "<function f at 0x7f2216b11260>"));
    c.subject.record.components.push_back(
        pool.intern("fx_kwargs[get_decomp_fn]", digest_of("f"), "<function f at 0x7f0000000000>"));
    QCOMPARE(explain(c).verdict, Verdict::identity_only);
  }

  void summaries_keep_within_240_characters_and_say_what_is_left_out() {
    Parts with;
    for (int i = 0; i < 40; ++i)
      with.emplace_back("inductor_config[a_flag_with_quite_a_long_name_" + std::to_string(i) + "]", "1");
    Parts changed = with;
    for (auto& [name, text] : changed) text = "200 → 300 ünïcödé";
    const Explanation e = Pair(base(with), base(changed))();
    QCOMPARE(e.causes.size(), std::size_t{40});
    QVERIFY2(QString::fromStdString(e.summary).size() <= 240, e.summary.c_str());
    QVERIFY2(e.summary.find(" more") != std::string::npos, e.summary.c_str());
  }
  void several_flags_are_all_named_where_they_fit() {
    const Explanation e = Pair(
        base(), base({{"inductor_config[epilogue_fusion]", "False"}, {"inductor_config[max_autotune]", "True"}}))();
    QVERIFY2(
        e.summary.find("epilogue_fusion") != std::string::npos && e.summary.find("max_autotune") != std::string::npos,
        e.summary.c_str());
  }
};

QTEST_APPLESS_MAIN(TestCauses)
#include "test_causes.moc"
