// SPDX-License-Identifier: Apache-2.0
// Lookups of `keyhole cc`: what changed between two compiles of one source.
#include <QtTest>

#include "cases.h"
#include "keyhole/key/canonical.h"

using namespace keyhole;
using namespace keyhole::testing;

namespace {

struct Part {
  std::string name, text, content;  ///< content: what is hashed; empty: the text
};
using Command = std::vector<Part>;

const Command kCommand = {{"source", "k.cpp", {}},
                          {"toolchain[g++]", "/usr/bin/g++, sha256 11", {}},
                          {"toolchain[cc1plus]", "/usr/lib/cc1plus, sha256 22", {}},
                          {"option[-O]", "2", {}},
                          {"option[-D]", "A", {}},
                          {"include[k.cpp]", "sha256 aaaaaaaaaaaa", {}},
                          {"include[util.h]", "sha256 bbbbbbbbbbbb", {}},
                          {"looked_for[inc]", "not there: util.h", {}}};

class Compiles {
 public:
  LookupRow compile(const std::string& run, const Command& command) {
    LookupRow row = world_.lookup(run, {}, {}, Layer::code);
    row.function.clear();
    row.filename.clear();
    row.record.compile = {};
    KeyBuilder builder("k", "keyhole-cc-1");
    for (const Part& p : command) {
      Digest digest = digest_of(p.content.empty() ? p.text : p.content);
      digest.bytes.back() &= 0xfe;
      builder.add_imported(p.name, digest);
      row.record.components.push_back(pool_.intern(p.name, digest, p.text));
    }
    row.record.key = builder.key().value_or("");
    return row;
  }

 private:
  World world_;
  ComponentPool pool_;
};

Command with(Command command, const std::string& name, const std::string& text) {
  for (Part& p : command) {
    if (p.name == name) p.text = text;
  }
  return command;
}

Command added(Command command, const Part& part, std::size_t at = 5) {
  command.insert(command.begin() + static_cast<std::ptrdiff_t>(at), part);
  return command;
}

}  // namespace

class TestCompiles : public QObject {
  Q_OBJECT
  Compiles c_;

 private slots:
  void a_flag_of_a_variable_is_told_with_the_variable() {
    const Command after = added(kCommand, {"option[-lineinfo]", "given (NVCC_APPEND_FLAGS)", "given"});
    const Explanation e = explain(pair(c_.compile("A", kCommand), c_.compile("B", after)));
    QCOMPARE(e.verdict, Verdict::key_differs);
    QCOMPARE(e.summary, std::string("-lineinfo added by NVCC_APPEND_FLAGS"));
    QCOMPARE(e.causes[0].cause_class, std::string("env"));
    QVERIFY2(e.fix.find("NVCC_APPEND_FLAGS") != std::string::npos, e.fix.c_str());
    QCOMPARE(e.baseline_reason, std::string("same source"));
  }
  void a_macro_before_others_is_one_change() {
    Command after = with(kCommand, "option[-D]", "NEW=1");
    after = added(after, {"option[-D] #2", "A", {}});
    const Explanation e = explain(pair(c_.compile("A", kCommand), c_.compile("B", after)));
    QCOMPARE(e.summary, std::string("-DNEW=1 added"));
    QCOMPARE(e.causes.size(), std::size_t{1});
  }
  void a_level_a_header_and_what_follows() {
    const Explanation level =
        explain(pair(c_.compile("A", kCommand), c_.compile("B", with(kCommand, "option[-O]", "3"))));
    QCOMPARE(level.summary, std::string("-O2 → -O3"));
    Command after = with(kCommand, "include[util.h]", "sha256 cccccccccccc");
    after = added(after, {"include[deep.h]", "sha256 dddd", {}}, 7);
    after = with(after, "looked_for[inc]", "not there: deep.h, util.h");
    const Explanation e = explain(pair(c_.compile("A", kCommand), c_.compile("B", after)));
    QVERIFY2(e.summary.find("header util.h changed (bbbbbbbb… → cccccccc…)") == 0, e.summary.c_str());
    QCOMPARE(roots(e), std::vector<std::string>{"include[util.h]"});
    QCOMPARE(e.causes.size(), std::size_t{3});
  }
  void a_header_that_appears_is_told_by_its_place() {
    const Explanation e =
        explain(pair(c_.compile("A", kCommand),
                     c_.compile("B", with(kCommand, "looked_for[inc]", "not there: x.h; there, not read: util.h"))));
    QVERIFY2(e.summary.find("a file util.h stands in inc now") == 0, e.summary.c_str());
  }
  void of_a_new_compiler_one_line_is_told() {
    const Command after = with(with(kCommand, "toolchain[g++]", "/usr/bin/g++, sha256 33"), "toolchain[cc1plus]",
                               "/usr/lib/cc1plus, sha256 44");
    const Explanation e = explain(pair(c_.compile("A", kCommand), c_.compile("B", after)));
    QCOMPARE(roots(e), std::vector<std::string>{"toolchain[g++]"});
    QCOMPARE(e.causes[0].cause_class, std::string("version"));
  }
  void another_source_is_no_baseline() {
    const Command other = with(with(kCommand, "source", "other.cpp"), "option[-O]", "2");
    Explanation e = explain(pair(c_.compile("A", other), c_.compile("B", kCommand)));
    QCOMPARE(e.verdict, Verdict::never_seen);
    QCOMPARE(e.summary, std::string("no earlier compile of k.cpp is on record"));
    // The same source goes before a nearer command.
    Case c = pair(c_.compile("A", with(kCommand, "option[-O]", "0")), c_.compile("C", kCommand));
    c.candidates.push_back(c_.compile("B", with(kCommand, "source", "other.cpp")));
    e = explain(c);
    QCOMPARE(e.baseline->run_name, std::string("A"));
    QCOMPARE(e.summary, std::string("-O0 → -O2"));
  }
  void a_failed_compile_is_neither_cause_nor_baseline() {
    LookupRow failed = c_.compile("A", kCommand);
    failed.record.status = "compile_failed";
    failed.record.save_error = "the compiler ended with status 1";
    QCOMPARE(explain(pair(failed, c_.compile("B", with(kCommand, "option[-O]", "3")))).verdict, Verdict::never_seen);
    const Explanation e = explain(pair(c_.compile("Z", kCommand), failed));
    QCOMPARE(e.verdict, Verdict::never_saved);
    QVERIFY2(e.summary.find("status 1") != std::string::npos, e.summary.c_str());
  }
  void what_was_put_back_and_hashed_is_proven() {
    const LookupRow before = c_.compile("A", kCommand);
    const LookupRow after = c_.compile("B", added(with(kCommand, "option[-O]", "3"), {"option[-g]", "given", {}}));
    for (const Cause& cause : explain(pair(before, after)).causes) QCOMPARE(cause.certainty, Certainty::proven);
    // Something else entered the key: the components do not make it.
    LookupRow other = after;
    other.record.key.back() = other.record.key.back() == 'a' ? 'b' : 'a';
    for (const Cause& cause : explain(pair(before, other)).causes) QCOMPARE(cause.certainty, Certainty::inferred);
    LookupRow wrong = before;
    wrong.record.key.back() = wrong.record.key.back() == 'a' ? 'b' : 'a';
    for (const Cause& cause : explain(pair(wrong, after)).causes) QCOMPARE(cause.certainty, Certainty::inferred);
  }
  void pytorchs_keys_are_inferred() {
    World w;
    const std::string x = tensor("[8, 16]", "(16, 1)");
    const Explanation e = explain(pair(w.lookup("A", usual(graph(2, kMlp), {x})),
                                       w.lookup("B", usual(graph(2, kMlp), {x}, {{"cache_key_tag", "t"}}))));
    QCOMPARE(e.causes[0].certainty, Certainty::inferred);
  }
};

QTEST_APPLESS_MAIN(TestCompiles)
#include "test_compiles.moc"
