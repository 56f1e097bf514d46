// SPDX-License-Identifier: Apache-2.0
#include "keyhole/explain/summary.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QtTest>

#include "cases.h"

using namespace keyhole;
using namespace keyhole::testing;

namespace {

Told told(RowId id, Layer layer, Verdict verdict, double seconds, const std::string& component = {},
          const std::string& before = {}, const std::string& after = {}) {
  Told t;
  t.lookup.id = t.explanation.lookup = id;
  t.lookup.record.layer = layer;
  t.lookup.record.outcome = verdict == Verdict::hit      ? Outcome::hit
                            : verdict == Verdict::bypass ? Outcome::bypass
                                                         : Outcome::miss;
  t.explanation.verdict = verdict;
  t.explanation.cost_seconds = seconds;
  t.explanation.summary = component + " changed";
  if (!component.empty())
    t.explanation.causes.push_back({component, before, after, Role::root, "config", Certainty::inferred, ""});
  return t;
}

}  // namespace

class TestSummary : public QObject {
  Q_OBJECT
 private slots:
  void many_misses_one_cause() {
    std::vector<Told> all;
    for (RowId i = 1; i <= 312; ++i)
      all.push_back(
          told(i, Layer::fx_graph, Verdict::key_differs, 0.5, "inductor_config[epilogue_fusion]", "True", "False"));
    const RunSummary s = summarise(all);
    QCOMPARE(s.misses, std::size_t{312});
    QCOMPARE(s.causes.size(), std::size_t{1});
    QCOMPARE(s.causes[0].misses, std::size_t{312});
    QCOMPARE(s.causes[0].seconds, 156.0);
    QCOMPARE(s.seconds_lost, 156.0);
    QCOMPARE(s.causes[0].before, std::string("True"));
  }
  void the_dearest_cause_first() {
    const RunSummary s =
        summarise({told(1, Layer::fx_graph, Verdict::key_differs, 1, "cache_key_tag", "a", "b"),
                   told(2, Layer::fx_graph, Verdict::evicted, 5), told(3, Layer::fx_graph, Verdict::hit, 0),
                   told(4, Layer::fx_graph, Verdict::bypass, 0.5)});
    QCOMPARE(s.lookups, std::size_t{4});
    QCOMPARE(s.hits, std::size_t{1});
    QCOMPARE(s.misses, std::size_t{2});
    QCOMPARE(s.bypasses, std::size_t{1});
    QCOMPARE(s.causes.size(), std::size_t{3});
    QCOMPARE(s.causes[0].verdict, Verdict::evicted);
  }
  void other_values_of_the_same_flag_are_other_causes() {
    QCOMPARE(summarise({told(1, Layer::fx_graph, Verdict::key_differs, 1, "x", "1", "2"),
                        told(2, Layer::fx_graph, Verdict::key_differs, 1, "x", "1", "3")})
                 .causes.size(),
             std::size_t{2});
  }
  void an_outer_miss_counts_under_the_cause_that_its_inner_one_tells() {
    Told outer = told(1, Layer::aot_autograd, Verdict::dependent_missing, 1);
    Told inner = told(2, Layer::fx_graph, Verdict::evicted, 3);
    outer.explanation.chain = {{Layer::fx_graph, Outcome::miss, 2}};
    inner.explanation.chain = {{Layer::aot_autograd, Outcome::miss, 1}};
    const RunSummary s = summarise({outer, inner});
    QCOMPARE(s.causes.size(), std::size_t{1});
    QCOMPARE(s.causes[0].verdict, Verdict::evicted);
    QCOMPARE(s.causes[0].seconds, 4.0);
    outer.explanation.chain.clear();
    QCOMPARE(summarise({outer, inner}).causes.size(), std::size_t{2});
  }
  void json_leaves_nothing_out() {
    Told t = told(7, Layer::fx_graph, Verdict::key_differs, 3.1, "gm", "", "x = \xFF");
    t.explanation.guards.push_back({0, "L['t0'] <= 8", "L['t0'] <= 8", "{\"t0\": 9}", "", "", false, ""});
    const QJsonDocument doc = QJsonDocument::fromJson(
        QByteArray::fromStdString(to_json(std::vector<Told>{t, told(8, Layer::fx_graph, Verdict::hit, 0)})));
    QVERIFY(doc.isArray());
    for (const QJsonValue value : doc.array()) {
      const QJsonObject o = value.toObject();
      for (const char* name : {"lookup", "run", "layer", "compile_id", "key", "outcome", "verdict", "summary", "fix",
                               "cost_seconds", "baseline", "candidates", "causes", "guards", "chain"}) {
        QVERIFY2(o.contains(name), name);
      }
      QVERIFY(o["baseline"].isNull() && o["key"].isNull() && o["fix"].isNull());
    }
    const QJsonObject first = doc.array()[0].toObject();
    QCOMPARE(first["verdict"].toString(), QString("key_differs"));
    QCOMPARE(first["cost_seconds"].toDouble(), 3.1);
    const QJsonObject cause = first["causes"].toArray()[0].toObject();
    QVERIFY(cause["before"].isNull());
    QCOMPARE(cause["role"].toString(), QString("root"));
    QCOMPARE(cause["class"].toString(), QString("config"));
    QCOMPARE(cause["certainty"].toString(), QString("inferred"));
    QCOMPARE(first["guards"].toArray()[0].toObject()["hints"].toObject()["t0"].toInt(), 9);
  }
};

QTEST_APPLESS_MAIN(TestSummary)
#include "test_summary.moc"
