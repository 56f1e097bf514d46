// SPDX-License-Identifier: Apache-2.0
#include "graph_text.h"

#include <QtTest>

using namespace keyhole::explain_detail;

namespace {
GraphDifference diff(const std::string& a, const std::string& b) {
  return compare(read_graph(a), read_graph(b));
}
std::string body(const std::string& lines) {
  return "<lambda>()\n\n\n\ndef forward(self, arg0_1, arg1_1):\n" + lines +
         "    \n# To see more debug info, please use `graph_module.print_readable()`";
}
}  // namespace

class TestGraphText : public QObject {
  Q_OBJECT
 private slots:
  void reads_what_a_key_shows() {
    const std::string text = body(
        "    mul = torch.ops.aten.mul.Tensor(arg0_1, arg1_1);  arg1_1 = None\n    _tensor_constant0 = "
        "self._tensor_constant0\n    return (mul,)\n");
    const GraphText g = read_graph(text);
    QCOMPARE(g.inputs, std::size_t{2});
    QCOMPARE(g.lines.size(), std::size_t{3});
    QCOMPARE(g.lines[0].text, std::string_view("mul = torch.ops.aten.mul.Tensor(arg0_1, arg1_1)"));
    QVERIFY(g.constants && !g.submodules);
  }
  void reads_what_dynamo_prints() {
    const std::string text =
        "class GraphModule(torch.nn.Module):\n    def forward(self, L_x_: \"f32[8, 16][16, 1]cpu\", L_y_: "
        "\"f32[8]\"):\n        l_x_ = L_x_\n\n        # File: /src/a.py:7 in f, code: return x\n"
        "        y: \"f32[8, 16][16, 1]cpu\" = torch.sin(l_x_);  l_x_ = None\n        return (y,)\n";
    const GraphText g = read_graph(text);
    QCOMPARE(g.inputs, std::size_t{2});
    QCOMPARE(g.lines.size(), std::size_t{2});
    std::string wider = text;
    for (std::size_t at = wider.find("[8, 16][16, 1]"); at != std::string::npos; at = wider.find("[8, 16][16, 1]"))
      wider.replace(at, 14, "[9, 16][16, 1]");
    QVERIFY2(diff(text, wider).same, "shapes stand in annotations");
    std::string longer = text;
    longer.replace(longer.find(":7 in"), 2, ":9");
    QVERIFY2(diff(text, longer).same, "lines of the source move");
  }
  void arguments_are_called_by_the_kind_of_the_graph() {
    QVERIFY(diff(body("    sin = torch.ops.aten.sin.default(arg0_1);  arg0_1 = None\n"),
                 body("    sin = torch.ops.aten.sin.default(primals_1)\n"))
                .same);
    QVERIFY(!diff(body("    sin = torch.ops.aten.sin.default(arg0_1)\n"),
                  body("    cos = torch.ops.aten.cos.default(arg0_1)\n"))
                 .same);
  }
  void tells_numbers_names_and_dtypes_apart() {
    const auto line = [](const char* s) { return body(std::string("    ") + s + "\n"); };
    const GraphDifference f = diff(line("mul = torch.ops.aten.mul.Tensor(arg0_1, 1e-05)"),
                                   line("mul = torch.ops.aten.mul.Tensor(arg0_1, 1e-06)"));
    QVERIFY(f.numbers_only && !f.integers_only && !f.names_only);
    QCOMPARE(f.numbers.size(), std::size_t{1});
    QCOMPARE(f.numbers[0].second, std::string("1e-06"));
    QVERIFY(diff(line("view = torch.ops.aten.view.default(arg0_1, [8, 16])"),
                 line("view = torch.ops.aten.view.default(arg0_1, [-1, 24])"))
                .integers_only);
    QVERIFY(diff(line("z = arg0_1 * arg1_1"), line("product = arg0_1 * arg1_1")).names_only);
    const GraphDifference d = diff(line("full = torch.ops.aten.full.default([8], 1, dtype = torch.float32)"),
                                   line("full = torch.ops.aten.full.default([8], 1, dtype = torch.float64)"));
    QVERIFY(d.dtypes && !d.names_only);
    const GraphDifference s = diff(line("view = torch.ops.aten.view.default(arg0_1, [8])"),
                                   line("view = torch.ops.aten.view.default(arg0_1, [s77])"));
    QVERIFY(s.numbers_only);
  }
  /// gelu behind one more factor: its own two factors were paired by their order, and the wrong one told as new.
  void a_line_that_takes_another_value_keeps_its_numbers() {
    const GraphDifference d = diff(body("    addmm = torch.ops.aten.addmm.default(arg0_1)\n"
                                        "    mul = torch.ops.aten.mul.Tensor(addmm, 0.5)\n"
                                        "    mul_1 = torch.ops.aten.mul.Tensor(addmm, 0.7071)\n"),
                                   body("    addmm = torch.ops.aten.addmm.default(arg0_1)\n"
                                        "    mul = torch.ops.aten.mul.Tensor(addmm, 2)\n"
                                        "    mul_1 = torch.ops.aten.mul.Tensor(mul, 0.5)\n"
                                        "    mul_2 = torch.ops.aten.mul.Tensor(mul, 0.7071)\n"));
    QCOMPARE(d.added, std::size_t{1});
    QVERIFY(d.before.empty());
    QCOMPARE(d.after, std::string("mul = torch.ops.aten.mul.Tensor(addmm, 2)"));
  }
  /// Of six activations one is another: it was told as added, without the one that it replaced.
  void an_operation_in_the_place_of_one_that_others_use_too() {
    std::string before, after;
    for (int i = 0; i < 6; ++i) {
      const std::string n = "_" + std::to_string(i);
      const std::string linear = "    linear" + n + " = torch.linear(x" + n + ")\n";
      before += linear + "    relu" + n + " = torch.relu(linear" + n + ")\n";
      after += linear + (i == 3 ? "    tanh" : "    relu") + n + " = torch." + (i == 3 ? "tanh" : "relu") + "(linear" +
               n + ")\n";
    }
    const GraphDifference d = diff(body(before), body(after));
    QCOMPARE(d.before, std::string("relu_3 = torch.relu(linear_3)"));
    QCOMPARE(d.after, std::string("tanh_3 = torch.tanh(linear_3)"));
  }
  /// dropout(…, True, …) → (…, False, …): eval() was told as renamed variables.
  void none_true_and_false_are_no_names() {
    const GraphDifference d = diff(body("    dropout = torch.nn.functional.dropout(gelu, 0.3, True, False)\n"),
                                   body("    dropout = torch.nn.functional.dropout(gelu, 0.3, False, False)\n"));
    QVERIFY(!d.same && !d.names_only && !d.numbers_only);
    QVERIFY(diff(body("    y = torch.sin(x)\n"), body("    hidden = torch.sin(x)\n")).names_only);
  }
  /// mark_unbacked: PyTorch adds checks of the size, the program is the same.
  void checks_of_sizes_compute_nothing() {
    const std::string add = "    add = torch.ops.aten.add.Tensor(arg1_1, 1)\n";
    const GraphDifference d =
        diff(body(add), body("    ge: \"Sym(u0 >= 0)\" = arg0_1 >= 0\n"
                             "    _assert_scalar = torch.ops.aten._assert_scalar.default(ge, \"u0 >= 0\")\n" +
                             add));
    QVERIFY(!d.same && d.reshapes_only);
    QVERIFY(!diff(body(add), body("    ge = torch.ops.aten.ge.Scalar(arg0_1, 0)\n" + add)).reshapes_only);
  }
  void the_same_lines_in_another_order() {
    const GraphDifference d = diff(body("    a = torch.sin(arg0_1)\n    b = torch.cos(arg1_1)\n"),
                                   body("    b = torch.cos(arg1_1)\n    a = torch.sin(arg0_1)\n"));
    QVERIFY(d.moved_only && !d.same);
  }
  void arguments_in_another_order() {
    const auto graph = [](const char* arguments, const char* line) {
      return std::string("class G:\n    def forward(self, ") + arguments + "):\n        " + line + "\n";
    };
    QVERIFY(diff(graph("L_a_: \"f32[3][1]cpu\", L_b_: \"f32[3][1]cpu\"", "x = l_a_ * 1"),
                 graph("L_b_: \"f32[3][1]cpu\", L_a_: \"f32[3][1]cpu\"", "x = l_b_ * 1"))
                .renamed_in_order);
    QVERIFY(!diff(graph("L_a_", "x = l_a_ * 1"), graph("L_b_", "x = l_b_ * 1")).renamed_in_order);
    QVERIFY(!diff(graph("L_a_, L_b_", "x = l_a_ * 1"), graph("L_a_, L_b_", "x = l_b_ * 1")).renamed_in_order);
  }
  void views_alone_are_no_arithmetic() {
    QVERIFY(
        diff(body("    sin = torch.ops.aten.sin.default(arg0_1)\n"),
             body("    clone = torch.ops.aten.clone.default(arg0_1)\n    sin = torch.ops.aten.sin.default(arg0_1)\n"))
            .reshapes_only);
    QVERIFY(!diff(body("    sin = torch.ops.aten.sin.default(arg0_1)\n"),
                  body("    neg = torch.ops.aten.neg.default(arg0_1)\n    sin = torch.ops.aten.sin.default(arg0_1)\n"))
                 .reshapes_only);
  }
  void similarity_is_one_for_equals_and_falls_with_each_change() {
    std::string a;
    for (int i = 0; i < 20; ++i)
      a += "    mul_" + std::to_string(i) + " = torch.ops.aten.mul.Tensor(arg0_1, " + std::to_string(i) + ".5)\n";
    const std::string b = a + "    tanh = torch.ops.aten.tanh.default(arg0_1)\n";
    const double one = similarity(read_graph(body(a)), read_graph(body(a)));
    const std::string more_text = body(b);
    const std::string base_text = body(a);
    const double more = similarity(read_graph(base_text), read_graph(more_text));
    const std::string other_text = body("    conv = torch.ops.aten.convolution.default(arg0_1, arg1_1, None)\n");
    const double other = similarity(read_graph(base_text), read_graph(other_text));
    QCOMPARE(one, 1.0);
    QVERIFY(more < 1 && more > 0.9);
    QCOMPARE(other, 0.0);
  }
  void texts_are_cut_by_characters() {
    QCOMPARE(shorten("äöü", 3), std::string("äöü"));
    QCOMPARE(shorten("äöüß", 3), std::string("äö…"));
    QCOMPARE(characters(shorten("a\nb\tc", 10)), std::size_t{5});
    QVERIFY(shorten("a\nb", 10).find('\n') == std::string::npos);
  }
};

QTEST_APPLESS_MAIN(TestGraphText)
#include "test_graph_text.moc"
