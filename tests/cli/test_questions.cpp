// SPDX-License-Identifier: Apache-2.0
// Ranks, gates, forecasts and exports of the built `keyhole`, on small recordings; why of compiles that it did itself.
#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "../ingest/trace_builder.h"
#include "command.h"

using keyhole::TraceBuilder;
using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

namespace {

const std::string kDigest = "h2yx2osczvbdvgyemi6whxcckgyuzarcdh3xzc54csp4wbuaxbq";

std::string digest(char last) {
  std::string out = kDigest;
  out[0] = last;
  return out;
}

/// One graph that was looked up, with this size of fusions.
std::string lookup(bool hit, char key, const std::string& size) {
  const std::string name = std::string("f") + key + kDigest.substr(1);
  return R"({"key": ")" + name + R"(", "cache_state": ")" + (hit ? "hit" : "miss") + R"(", "components": ["[)" +
         digest('a') +
         R"x(] gm: <lambda>()\n\n\n\ndef forward(self, arg0_1):\n    sin = torch.ops.aten.sin.default(arg0_1)\n    return (sin,)",)x"
         R"( "[)" +
         digest(key) + R"(] inductor_config[max_fusion_size]: )" + size +
         R"("], "cache_event_time": 1795255378249000000, )" +
         (hit ? R"("time_saved_ns": 2000000000})" : R"("time_taken_ns": 2000000000})");
}

void write(const QString& path, const std::string& text) {
  QVERIFY(QDir().mkpath(QFileInfo(path).path()));
  QFile file(path);
  QVERIFY(file.open(QIODevice::WriteOnly) && file.write(text.data(), qint64(text.size())) == qint64(text.size()));
}

std::string trace(int pid, const std::string& start, bool hit, char key, const std::string& size,
                  const std::string& rank = {}) {
  TraceBuilder t;
  t.pid = pid;
  t.time = start;
  if (!rank.empty()) t.context += ", \"rank\": " + rank;
  t.opening();
  t.artifact(hit ? "fx_graph_cache_hit" : "fx_graph_cache_miss", lookup(hit, key, size));
  return t.text;
}

}  // namespace

class TestQuestions : public QObject {
  Q_OBJECT

  static void import_sample(const Keyhole& keyhole) {
    for (const char* run : {"warm-up", "after-change"})
      QCOMPARE(keyhole({"import", "--run", run, sample(run)}).status, 0);
  }

 private slots:
  /// A run without a lookup says why, of the store, of files and in the record.
  void a_run_without_lookups_says_why_data() {
    QTest::addColumn<QString>("ended");
    QTest::addColumn<QString>("why");
    QTest::newRow("another backend") << R"("fail_type": null, "fail_reason": null)"
                                     << "1 compile asked no cache";
    QTest::newRow("failed")
        << R"("fail_type": "Unsupported", "fail_reason": "Attempted to wrap sparse Tensor\n  Hint")"
        << "1 compile failed before a cache was asked: Unsupported: Attempted to wrap sparse Tensor";
    QTest::newRow("killed") << ""
                            << "1 compile had begun and had not ended";
  }
  void a_run_without_lookups_says_why() {
    QFETCH(QString, ended);
    QFETCH(QString, why);
    TraceBuilder t;
    t.opening();
    if (!ended.isEmpty())
      t.record("compilation_metrics", R"({"compile_id": "0/0", "co_name": "forward", "start_time": 1795255377.2, )" +
                                          ended.toStdString() + "}");
    const Keyhole keyhole;
    const QString file = keyhole.folder.filePath("dedicated_log_torch_trace_x.log");
    write(file, t.text);
    QCOMPARE(keyhole({"import", "--run", "silent", file}).status, 0);
    const Ran of_store = keyhole({"why"});
    QVERIFY2(of_store.out.contains("no lookups") && of_store.out.contains(why.toUtf8()), of_store.told());
    const QString note = keyhole({"why", "--json"}).json().object()["note"].toString();
    QVERIFY2(note.contains(why), qPrintable(note));
    QVERIFY2(keyhole({"predict"}).out.contains("name another run"), keyhole({"predict"}).told());
    const Ran of_file = keyhole({"why", file});
    QCOMPARE(of_file.status, 1);
    QVERIFY2(of_file.err.contains(why.toUtf8()), of_file.told());
  }
  /// Three ranks with one key and a fourth with another: the third's equal key must not be paired with the fourth's.
  void runs_with_ranks_are_compared_rank_by_rank() {
    const Keyhole keyhole;
    for (const char* run : {"before", "after"}) {
      const QString folder = keyhole.folder.filePath(run);
      const bool after = run[0] == 'a';
      for (int rank = 0; rank < 3; ++rank)
        write(folder + QString("/dedicated_log_torch_trace_rank_%1_x.log").arg(rank),
              trace(after ? 600 + rank : 500 + rank,
                    (after ? "1121 11:02:57.2490" : "1121 10:02:57.2490") + std::to_string(rank) + "0", false,
                    after && rank == 0 ? 'c' : 'b', after && rank == 0 ? "8" : "64", std::to_string(rank)));
      QCOMPARE(keyhole({"import", "--run", run, folder}).status, 0);
    }
    const Ran ran = keyhole({"diff", "before", "after"});
    QVERIFY2(ran.out.startsWith("before → after: 3 lookups in both, 2 with equal keys, 1 differ"), ran.told());
    QVERIFY2(ran.out.contains("64 → 8") && !ran.out.contains("chosen by you"), ran.told());
  }
  /// An empty copy of a cache folder is a snapshot, and no run.
  void an_emptied_folder_makes_no_run() {
    const Keyhole keyhole;
    const QString folder = keyhole.folder.filePath("copy");
    QVERIFY(QDir().mkpath(folder));
    QCOMPARE(keyhole({"import", "--location", "/cache", folder}).status, 0);
    const Ran log = keyhole({"log", "--json"});
    QVERIFY2(log.json().array().isEmpty(), log.told());
  }
  void ranks_are_split_by_the_component_that_differs() {
    const Keyhole keyhole;
    const QString folder = keyhole.folder.filePath("traces");
    for (int rank = 0; rank < 3; ++rank)
      write(folder + QString("/dedicated_log_torch_trace_rank_%1_x.log").arg(rank),
            trace(500 + rank, "1121 10:02:57.2490" + std::to_string(rank) + "0", rank == 1, rank == 2 ? 'c' : 'b',
                  rank == 2 ? "8" : "64", std::to_string(rank)));
    QCOMPARE(keyhole({"import", "--run", "nightly", folder}).status, 0);
    const Ran told = keyhole({"ranks", "--json"});
    const QJsonObject graph = told.json().object()["graphs"].toArray()[0].toObject();
    QVERIFY2(told.json().object()["ranks"].toArray() == (QJsonArray{0, 1, 2}), told.told());
    QCOMPARE(graph["keys_differ"].toBool(), true);
    QCOMPARE(graph["cells"].toArray()[1].toObject()["outcome"].toString(), QString("hit"));
    const QJsonObject split = graph["split"].toArray()[0].toObject();
    QCOMPARE(split["component"].toString(), QString("inductor_config[max_fusion_size]"));
    QCOMPARE(split["before"].toString() + " " + split["after"].toString(), QString("64 8"));
    const Ran text = keyhole({"ranks"});
    QVERIFY2(text.out.contains("inductor_config[max_fusion_size]  64 → 8") && text.out.contains("3 ranks, 1 with keys"),
             text.told());
  }
  void compare_ends_with_status_3_where_a_hit_became_a_miss() {
    const Keyhole keyhole;
    write(keyhole.folder.filePath("a/dedicated_log_torch_trace_a.log"),
          trace(501, "1121 10:02:57.249000", true, 'b', "64"));
    write(keyhole.folder.filePath("b/dedicated_log_torch_trace_b.log"),
          trace(502, "1121 10:05:57.249000", false, 'c', "8"));
    for (const char* run : {"a", "b"})
      QCOMPARE(keyhole({"import", "--run", run, keyhole.folder.filePath(run)}).status, 0);
    const Ran gate = keyhole({"compare", "a", "b", "--fail-on", "new-miss"});
    QVERIFY2(gate.status == 3 && gate.out.contains("max_fusion_size"), gate.told());
    QCOMPARE(keyhole({"compare", "a", "b"}).status, 0);
    QCOMPARE(keyhole({"compare", "b", "a", "--fail-on", "new-miss"}).status, 0);
  }

  void predict_names_the_variable_and_what_it_costs() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran plain = keyhole({"predict", "--run", "warm-up", "--cache-dir", keyhole.folder.path(), "--json"});
    QVERIFY2(plain.status == 0, plain.told());
    QCOMPARE(plain.json().object()["would_hit"].toInt(), 0);  // the folder is empty
    const Ran set = keyhole({"predict", "--run", "warm-up", "--set", "TORCHINDUCTOR_MAX_AUTOTUNE=1", "--json"});
    const QJsonObject told = set.json().object();
    QJsonObject shift;
    for (const QJsonValue& d : told["differences"].toArray())
      if (d.toObject()["variable"].toString() == "TORCHINDUCTOR_MAX_AUTOTUNE") shift = d.toObject();
    QVERIFY2(shift["component"].toString() == "inductor_config[max_autotune]" && shift["after"].toString() == "True",
             set.told());
    QVERIFY2(told["seconds_lost"].toDouble() > 0 && told["would_miss"].toInt() > 0, set.told());
    const Ran text = keyhole({"predict", "--run", "warm-up", "--set", "TORCHINDUCTOR_MAX_AUTOTUNE=1"});
    QVERIFY2(text.out.contains("inductor_config[max_autotune] False → True"), text.told());
    QCOMPARE(keyhole({"predict", "--set", "nothing"}).status, 2);
  }
  void predict_sees_what_the_folder_holds() {
    const Keyhole keyhole;
    write(keyhole.folder.filePath("a/dedicated_log_torch_trace_a.log"),
          trace(501, "1121 10:02:57.249000", false, 'b', "64"));
    QCOMPARE(keyhole({"import", "--run", "a", keyhole.folder.filePath("a")}).status, 0);
    const QString cache = keyhole.folder.filePath("cache");
    const auto hits = [&] {
      return keyhole({"predict", "--cache-dir", cache, "--json"}).json().object()["would_hit"].toInt(-1);
    };
    QCOMPARE(hits(), 0);
    const QString key = QString("fb") + QString::fromStdString(kDigest.substr(1));
    write(cache + "/fxgraph/" + key.mid(1, 2) + '/' + key + "/entry", "x");
    QCOMPARE(hits(), 1);
  }

  void an_export_is_one_file_and_redacted_tells_no_text() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const QString page = keyhole.folder.filePath("report.html");
    QCOMPARE(keyhole({"export", "--html", page}).status, 0);
    const auto bytes = [](const QString& path) {
      QFile file(path);
      return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    };
    const QByteArray html = bytes(page);
    QVERIFY(html.startsWith("<!DOCTYPE html>") && html.contains("inductor_config[epilogue_fusion]"));
    QVERIFY(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));

    const QString open = keyhole.folder.filePath("open.json"), closed = keyhole.folder.filePath("closed.json");
    QCOMPARE(keyhole({"export", "--run", "after-change", "--json", open}).status, 0);
    QCOMPARE(keyhole({"export", "--run", "after-change", "--redact", "--json", closed}).status, 0);
    const QJsonObject clear = QJsonDocument::fromJson(bytes(open)).object();
    const QJsonObject hidden = QJsonDocument::fromJson(bytes(closed)).object();
    QCOMPARE(clear["runs"].toArray()[0].toObject()["run"].toString(), QString("after-change"));
    const QJsonArray before = clear["runs"].toArray()[0].toObject()["verdicts"].toArray();
    const QJsonArray after = hidden["runs"].toArray()[0].toObject()["verdicts"].toArray();
    QCOMPARE(after.size(), before.size());
    for (int i = 0; i < before.size(); ++i)
      for (const char* kept : {"verdict", "layer", "key", "cost_seconds", "lookup"})
        QCOMPARE(after[i].toObject()[kept], before[i].toObject()[kept]);
    QVERIFY(!bytes(closed).contains("after-change") && !bytes(closed).contains("True → False"));
    QCOMPARE(keyhole({"export"}).status, 2);
    QCOMPARE(keyhole({"export", "--html", keyhole.folder.filePath("no/such/folder.html")}).status, 1);
  }
  void an_export_escapes_what_it_shows() {
    const Keyhole keyhole;
    write(keyhole.folder.filePath("a/dedicated_log_torch_trace_a.log"),
          trace(501, "1121 10:02:57.249000", false, 'b', "64"));
    write(keyhole.folder.filePath("b/dedicated_log_torch_trace_b.log"),
          trace(502, "1121 10:05:57.249000", false, 'c', "<script>alert(1)</script>"));
    for (const char* run : {"a", "b"})
      QCOMPARE(keyhole({"import", "--run", run, keyhole.folder.filePath(run)}).status, 0);
    const Ran page = keyhole({"export", "--html", "-"});
    QVERIFY2(page.out.contains("&lt;script&gt;") && !page.out.contains("<script"), page.told());
  }

  void why_of_a_compile_names_flag_variable_and_header() {
    Keyhole keyhole;
    const auto compile = [&](const char* run, const QStringList& flags) {
      keyhole.environment.insert("KEYHOLE_RUN", run);
      return keyhole(QStringList{"cc", "--", "g++"} + flags + QStringList{"-c", "x.cpp", "-o", "x.o"});
    };
    const auto why = [&](const char* run) {
      // What a compile noted is taken in by who comes next and has the time: on a busy machine perhaps the one after.
      Ran ran;
      for (int i = 0; i < 100; ++i) {
        ran = keyhole({"--json", "why", "--all", "--run", run});
        if (ran.status == 0) break;
        QTest::qWait(20);
      }
      if (ran.status != 0) qWarning("%s", ran.told().constData());
      return ran.json().array().last().toObject();
    };
    const auto write_header = [&](const std::string& text) { write(keyhole.folder.filePath("util.h"), text); };
    write_header("#define N 1\n");
    write(keyhole.folder.filePath("x.cpp"), "#include \"util.h\"\nint f() { return N; }\n");
    const Ran first = compile("one", {"-O1"});
    if (first.status == 127) QSKIP("there is no g++ here");
    QVERIFY2(first.status == 0, first.told());
    QCOMPARE(why("one")["verdict"].toString(), QString("never_seen"));
    QCOMPARE(compile("two", {"-O1", "-DX=2"}).status, 0);
    QCOMPARE(why("two")["summary"].toString(), QString("-DX=2 added"));
    QCOMPARE(why("two")["causes"].toArray()[0].toObject()["certainty"].toString(), QString("proven"));
    write_header("#define N 2\n");
    QCOMPARE(compile("three", {"-O1", "-DX=2"}).status, 0);
    QVERIFY2(why("three")["summary"].toString().startsWith("header ") &&
                 why("three")["summary"].toString().contains("util.h changed"),
             qPrintable(why("three")["summary"].toString()));
    QCOMPARE(why("three")["baseline"].toObject()["run"].toString(), QString("two"));
    QCOMPARE(compile("four", {"-O1", "-DX=2"}).status, 0);
    QCOMPARE(why("four")["verdict"].toString(), QString("hit"));
  }
};

QTEST_GUILESS_MAIN(TestQuestions)
#include "test_questions.moc"
