// SPDX-License-Identifier: Apache-2.0
#include <QtTest>

#include "cases.h"
#include "change.h"

using namespace keyhole;
using namespace keyhole::testing;
using explain_detail::Circumstances;
using explain_detail::instability;

class TestInstability : public QObject {
  Q_OBJECT
 private slots:
  /// Random letters and digits look like a name; that no run ever had the same ones again tells.
  void an_identifier_without_a_form_is_told_by_the_history() {
    World w;
    const auto tagged = [&](const char* run, const char* tag, const std::vector<std::string>& lines = kMlp) {
      return w.lookup(run, usual(graph(2, lines), {tensor("[8, 16]", "(16, 1)")}, {{"cache_key_tag", tag}}));
    };
    const LookupRow a = tagged("A", "exp-48797406186b");
    const LookupRow b = tagged("B", "exp-a386a1c0d67f");
    Case two = pair(a, b);
    QCOMPARE(explain(two).causes[0].cause_class, std::string("tag"));
    Case three = pair(b, tagged("C", "exp-048797406186"));
    three.candidates.push_back(a);
    Explanation e = explain(three);
    QCOMPARE(e.causes[0].cause_class, std::string("instability:uuid"));
    QVERIFY2(e.summary.find("new in every run") != std::string::npos, e.summary.c_str());
    QVERIFY2(e.causes[0].note.find("3 runs") != std::string::npos, e.causes[0].note.c_str());
    // A value that came back is a setting.
    Case back = pair(b, tagged("C", "exp-48797406186b0"));
    back.candidates.push_back(a);
    back.candidates.push_back(tagged("D", "exp-a386a1c0d67f"));
    QCOMPARE(explain(back).causes[0].cause_class, std::string("tag"));
    // Versions in order are no accident either.
    Case versions = pair(tagged("B", "release"), tagged("C", "candidate"));
    versions.candidates.push_back(tagged("A", "beta"));
    QCOMPARE(explain(versions).causes[0].cause_class, std::string("tag"));
  }
  void a_time_in_the_graph_is_told() {
    World w;
    const auto at = [&](const char* run, const std::string& time) {
      auto lines = kMlp;
      lines[3] = "mul = torch.ops.aten.mul.Tensor(relu, " + time + ");  relu = None";
      return w.lookup(run, usual(graph(2, lines), {tensor("[8, 16]", "(16, 1)")}));
    };
    const Explanation e = explain(pair(at("A", "1795275365.3553193"), at("B", "1795275371.9006813")));
    QCOMPARE(e.causes[0].cause_class, std::string("instability:time"));
  }
  void looks_data() {
    QTest::addColumn<QString>("before");
    QTest::addColumn<QString>("after");
    QTest::addColumn<QString>("kind");
    const auto row = [](const char* before, const char* after, const char* kind) {
      QTest::newRow(before) << before << after << kind;
    };
    row("build-2026-11-21T10:45:31", "build-2026-11-21T10:45:37", "time");
    row("t=1795255486.523", "t=1795255499.1", "time");
    row("20261121_104531", "20261122_090000", "time");
    row("<function f at 0x7f2216b11260>", "<function f at 0x7f0373cbb9c0>", "pointer");
    row("<object at 0x7f2216b11260> v1", "<object at 0x7f0373cbb9c0> v2", "");
    row("job-7f3a1c2e-9b1d-4c55-8a77-0123456789ab", "job-11aa1c2e-9b1d-4c55-8a77-0123456789ff", "uuid");
    row("0123456789abcdef0123456789abcdef", "ffff456789abcdef0123456789abcdef", "uuid");
    row("/tmp/tmpa1b2c3/pass.py", "/tmp/tmpzz9911/pass.py", "path");
    row("/home/me/v1/pass.py", "/home/me/v2/pass.py", "");
    row("host:29500", "host:31877", "port");
    row("rank0", "rank1", "rank");
    row("pid 4711", "pid 4712", "pid");
    row("worker-18293", "worker-18311", "pid");  // the numbers of the processes, see below
    row("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", "order");
    row("['a', 'b']", "['b', 'a']", "order");
    row("{'a': 1, 'b': 2}", "{'b': 2, 'a': 3}", "");
    row("v1", "v2", "");
    row("4096", "8192", "");
    row("0.5", "0.25", "");
    row("True", "False", "");
    row("", "v2", "");
  }
  void looks() {
    QFETCH(QString, before);
    QFETCH(QString, after);
    QFETCH(QString, kind);
    const Circumstances where{18293, 18311, -1, -1};
    const std::string a = before.toStdString();
    const std::string b = after.toStdString();
    QCOMPARE(QString::fromUtf8(std::string(instability("cache_key_tag", a, b, where)).c_str()), kind);
    QVERIFY2(instability("cache_key_tag", a, a, where).empty(), "equal values are stable");
  }
  void a_tag_with_the_time_is_unstable_and_a_version_is_not() {
    World w;
    const std::string input = tensor("[8]", "(1,)");
    const auto tagged = [&](const char* tag) { return usual(graph(1, kMlp), {input}, {{"cache_key_tag", tag}}); };
    const Explanation time =
        explain(pair(w.lookup("A", tagged("b-2026-11-21T10:45:31")), w.lookup("B", tagged("b-2026-11-21T10:45:37"))));
    QCOMPARE(time.causes[0].cause_class, std::string("instability:time"));
    QVERIFY2(time.fix.find("TORCH_COMPILE_CACHE_KEY_TAG") != std::string::npos, time.fix.c_str());
    const Explanation version = explain(pair(w.lookup("A", tagged("v1")), w.lookup("B", tagged("v2"))));
    QCOMPARE(version.causes[0].cause_class, std::string("tag"));
  }
  void what_differed_in_every_run_is_said() {
    World w;
    const std::string input = tensor("[8]", "(1,)");
    const auto pass = [&](const std::string& at) {
      return usual(graph(1, kMlp), {input}, {{"post_grad_custom_post_pass", "<pass at 0x7f22" + at + ">"}});
    };
    Case c = pair(w.lookup("A", pass("16b11260")), w.lookup("Z", pass("99999999")));
    c.candidates.push_back(w.lookup("B", pass("16b11290")));
    c.candidates.push_back(w.lookup("C", pass("16b112f0")));
    const Explanation e = explain(c);
    QCOMPARE(e.causes[0].cause_class, std::string("instability:pointer"));
    QVERIFY2(e.causes[0].note.find("4 runs") != std::string::npos, e.causes[0].note.c_str());
  }
};

QTEST_APPLESS_MAIN(TestInstability)
#include "test_instability.moc"
