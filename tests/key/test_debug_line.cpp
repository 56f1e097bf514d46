// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/debug_line.h"

#include <QtTest>

#include "golden.h"

using namespace keyhole;
using namespace std::literals;

namespace {
const std::string kDigest = "tquy2we2efmowuj4wuqzcfcfdcrkzkzmwdae6hprj7fa64jpusq";
std::string line(const std::string& rest) {
  return "[" + kDigest + "] " + rest;
}
}  // namespace

class TestDebugLine : public QObject {
  Q_OBJECT
 private slots:
  void takes_a_line_apart() {
    const auto got = parse_debug_line(line("inductor_config[triton.cudagraphs]: False").c_str());
    QVERIFY(got);
    QCOMPARE(got->name, "inductor_config[triton.cudagraphs]"sv);
    QCOMPARE(got->text, "False"sv);
    QCOMPARE(got->digest.base32(), kDigest);
  }
  void an_index_may_hold_dots_colons_and_brackets() {
    const std::string text = line("custom[a.b: c[0]:x]: v: w]: z");
    const auto got = parse_debug_line(text);
    QVERIFY(got);
    QCOMPARE(got->name, "custom[a.b: c[0]:x]"sv);
    QCOMPARE(got->text, "v: w]: z"sv);
    const ComponentName name = split_component_name(got->name);
    QCOMPARE(name.attr, "custom"sv);
    QCOMPARE(name.index, "a.b: c[0]:x"sv);
    QVERIFY(name.indexed);
    QCOMPARE(name.position(), std::int64_t{-1});
  }
  void a_text_holds_any_byte() {
    const std::string value = "a\r\n\v\f\0b\xff\n\n[not a digest] x: y\n[" + std::string(51, '1') + "] gm: z"s;
    const std::string bytes = "a\r\n\v\f"s + '\0' + "b\xff";
    const auto got = parse_debug_line(line("autograd_config: " + bytes));
    QVERIFY(got);
    const std::string block = line("first: " + value) + "\n" + line("second: " + bytes) + "\n" + line("third: ") + "\n";
    const auto lines = split_debug_lines(block);
    QCOMPARE(lines.size(), 3u);
    QCOMPARE(std::string(lines[0].text), value);
    QCOMPARE(std::string(lines[1].text), bytes);
    QCOMPARE(lines[2].name, "third"sv);
    QCOMPARE(lines[2].text, ""sv);
  }
  void an_empty_text_survives_the_loss_of_its_trailing_blank() {
    const auto lines = split_debug_lines(line("cache_key_tag:") + "\n" + line("gm: <lambda>()\n\n\ndef f():\n    \n"));
    QCOMPARE(lines.size(), 2u);
    QCOMPARE(lines[0].text, ""sv);
    QCOMPARE(lines[1].text, "<lambda>()\n\n\ndef f():\n    "sv);
  }
  void what_stands_before_the_first_line_is_skipped() {
    const auto lines = split_debug_lines("FX graph cache hash details for key f:\n" + line("a: 1"));
    QCOMPARE(lines.size(), 1u);
    QCOMPARE(lines[0].name, "a"sv);
    QVERIFY(split_debug_lines("").empty());
    QVERIFY(split_debug_lines("\n\n[").empty());
  }
  void refuses_what_is_not_a_line() {
    for (const std::string& bad :
         {""s, "["s, "["s + kDigest + "]"s, "["s + kDigest + "] "s, line("gm"), line("gm[0] x"), line("0gm: x"),
          line("gm[a\n]: x"), "[" + std::string(51, '0') + "] gm: x", " " + line("gm: x"), line("gm:x")})
      QVERIFY2(!parse_debug_line(bad), bad.c_str());
  }
  void names_and_groups() {
    QCOMPARE(split_component_name("example_inputs[12]").position(), std::int64_t{12});
    QCOMPARE(split_component_name("gm").position(), std::int64_t{-1});
    QVERIFY(!split_component_name("gm").indexed);
    QCOMPARE(group_of("inductor_config[a]"), ComponentGroup::inductor_config);
    QCOMPARE(group_of("inductor_config_comms[a]"), ComponentGroup::inductor_config_comms);
    QCOMPARE(group_of("fx_kwargs[get_decomp_fn]"), ComponentGroup::fx_kwargs);
    QCOMPARE(group_of("example_inputs[0]"), ComponentGroup::example_inputs);
    QCOMPARE(group_of("gm"), ComponentGroup::rest);
    QCOMPARE(group_of("inductor_config_more[x]"), ComponentGroup::rest);
  }
  /// The block that PyTorch logs gives back exactly the lines that it was joined from.
  void real_lines() {
    std::size_t seen = 0;
    for (const auto& [graph, value] : golden("full_debug_lines").items()) {
      if (!value.is_object()) continue;
      std::string block;
      for (const auto& l : value["lines"]) block += (block.empty() ? "" : "\n") + l.get<std::string>();
      const auto lines = split_debug_lines(block);
      QCOMPARE(lines.size(), value["lines"].size());
      for (std::size_t i = 0; i < lines.size(); ++i, ++seen) {
        const std::string whole = value["lines"][i];
        const auto one = parse_debug_line(whole);
        QVERIFY(one);
        QCOMPARE(one->name, lines[i].name);
        QCOMPARE(one->text, lines[i].text);
        QCOMPARE("[" + one->digest.base32() + "] " + std::string(one->name) + ": " + std::string(one->text), whole);
      }
    }
    QVERIFY(seen >= 150);
  }
};

QTEST_APPLESS_MAIN(TestDebugLine)
#include "test_debug_line.moc"
