// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/import.h"

#include <QTemporaryDir>
#include <QtTest>

#include <map>

#include "collecting_sink.h"
#include "keyhole/base/mega_cache_codec.h"
#include "keyhole/ingest/vllm.h"
#include "pickle_writer.h"
#include "recordings.h"

using namespace keyhole;

namespace {

const char* const kFactors = R"({
  "code": [{"path": "/v/model.py", "hash": "abc"}], "code_hash": "c1",
  "compiler": {"torch": "2.9"}, "compiler_hash": "p1",
  "config": {"parallel_config": {"tensor_parallel_size": 2}}, "config_hash": "f1",
  "env": {"VLLM_USE_V1": true, "CUDA_HOME": null}
})";

const std::string kLog =
    "W1121 10:43:44.487000 3049 torch/_inductor/codecache.py:1716] [0/0] fx graph cache unable to load compiled graph\n"
    "W1121 10:43:44.487000 3049 torch/_inductor/codecache.py:1716] [0/0] Traceback (most recent call last):\n"
    "W1121 10:43:44.487000 3049 torch/_inductor/codecache.py:1716] [0/0]   File \"x\", line 1, in y\n"
    "W1121 10:43:44.487000 3049 torch/_inductor/codecache.py:1716] [0/0] EOFError: Ran out of input\n";

}  // namespace

class TestImport : public QObject {
  Q_OBJECT
  QTemporaryDir temp_;
  int folders_ = 0;

  QString fresh() {
    const QString path = temp_.filePath(QString::number(folders_++));
    QDir().mkpath(path);
    return path;
  }
  static std::string put(const QString& folder, const QString& name, const std::string& bytes) {
    const QString path = folder + "/" + name;
    QDir().mkpath(QFileInfo(path).path());
    QFile f(path);
    if (f.open(QIODevice::WriteOnly)) f.write(bytes.data(), static_cast<qint64>(bytes.size()));
    return path.toStdString();
  }
  static std::string mega() {
    MegaCacheWriter writer;
    writer.append({"pgo", {{"k", "v"}}});
    return writer.blob();
  }

 private slots:
  void two_hundred_imports_leave_no_file_open() {
    const QString folder = fresh();
    put(folder, "run.log", kLog);
    put(folder, "mega.bin", mega());
    put(folder, "cache_key_factors.json", kFactors);
    put(folder, "cache/fxgraph/ab/fabc/entry", "no pickle");
    put(folder, "junk.gz", std::string("\x1f\x8b\x08\x00 cut short", 15));
    const auto open_files = [] {
      return QDir("/proc/self/fd").entryList(QDir::AllEntries | QDir::System | QDir::NoDotAndDotDot).size();
    };
    const auto threads = [] { return QDir("/proc/self/task").entryList(QDir::Dirs | QDir::NoDotAndDotDot).size(); };
    const auto files_before = open_files(), threads_before = threads();
    for (int i = 0; i < 200; ++i) {
      CollectingSink sink;
      ComponentPool pool;
      QVERIFY(import_path(folder.toStdString(), {}, pool, sink));
      if (i % 20 == 0) QVERIFY(import_path(KEYHOLE_SOURCE_DIR "/resources/sample/warm-up", {}, pool, sink));
      QVERIFY(!import_path(folder.toStdString() + "/nothing", {}, pool, sink));
    }
    QCOMPARE(open_files(), files_before);
    QCOMPARE(threads(), threads_before);
  }
  void an_emptied_cache_folder_is_a_snapshot() {
    const std::string empty = fresh().toStdString();
    QVERIFY(QDir().mkpath(QString::fromStdString(empty)));
    CollectingSink sink;
    ComponentPool pool;
    QVERIFY(!import_path(empty, {}, pool, sink));
    ImportOptions options;
    options.location = "/cache";
    const auto read = import_path(empty, options, pool, sink);
    QVERIFY(read.has_value());
    QCOMPARE(read->folders, std::int64_t{1});
    QCOMPARE(sink.snapshots.size(), std::size_t{1});
  }
  void kinds_are_told_by_content() {
    const QString folder = fresh();
    QCOMPARE(detect("/no/such/thing"), SourceKind::missing);
    QCOMPARE(detect(folder.toStdString()), SourceKind::folder);
    QCOMPARE(detect(put(folder, "a", "hello\n")), SourceKind::unknown);
    QCOMPARE(detect(put(folder, "b", kLog)), SourceKind::torch_log);
    QCOMPARE(detect(put(folder, "c", mega())), SourceKind::mega_cache);
    QCOMPARE(detect(put(folder, "cache_key_factors.json", kFactors)), SourceKind::vllm_factors);
    QCOMPARE(
        detect(put(folder, "d", "V1121 09:59:15.043000 154 torch/_dynamo/utils.py:2350] {\"artifact\": {}}\n\t{}\n")),
        SourceKind::trace);
    put(folder, "e/fxgraph/ab/fab/x", "");
    QCOMPARE(detect((folder + "/e").toStdString()), SourceKind::cache_folder);
    put(folder, "f/" + QString(52, 'k') + "/__grp__k.json", "{}");
    QCOMPARE(detect((folder + "/f").toStdString()), SourceKind::triton_folder);
  }

  void a_folder_is_walked_and_the_unknown_passed_over() {
    const QString folder = fresh();
    put(folder, "run/stderr.log", "my own output\n" + kLog);
    put(folder, "run/empty.log", "");
    put(folder, "run/other.log", "nothing of PyTorch\n");
    put(folder, "run/notes.md", "# notes\n");
    put(folder, "saved/mega.bin", mega());
    put(folder, "cache/fxgraph/ab/fab/x", "no pickle");
    put(folder, "vllm/torch_compile_cache/0123456789/rank_1_0/backbone/cache_key_factors.json", kFactors);
    ComponentPool pool;
    CollectingSink sink;
    std::vector<std::pair<std::int64_t, std::int64_t>> told;
    ImportOptions options;
    options.progress = [&](std::int64_t done, std::int64_t total) {
      told.emplace_back(done, total);
      return true;
    };
    const auto summary = import_path(folder.toStdString(), options, pool, sink);
    QVERIFY(summary);
    QCOMPARE(summary->logs, 1);
    QCOMPARE(summary->mega_caches, 1);
    QCOMPARE(summary->folders, 1);
    QCOMPARE(summary->vllm, 1);
    QCOMPARE(summary->passed_over, 3);
    QCOMPARE(summary->problems, 1);  // the damaged entry
    QCOMPARE(summary->lookups, 2);
    QCOMPARE(summary->entries, 2);
    for (const auto& [done, total] : told) QVERIFY(done <= total);
    QCOMPARE(told.back().first, told.back().second);
  }

  void vllm_factors_are_components() {
    const QString folder = fresh();
    const std::string path =
        put(folder, "torch_compile_cache/0123456789/rank_1_0/backbone/cache_key_factors.json", kFactors);
    ComponentPool pool;
    CollectingSink sink;
    QVERIFY(import_path(path, {}, pool, sink));
    QCOMPARE(sink.processes.size(), 1u);
    QCOMPARE(sink.processes[0].record.rank, std::optional<int>(1));
    const LookupRecord& l = sink.processes[0].lookups.at(0);
    QCOMPARE(l.key, std::string("0123456789"));
    std::map<std::string, std::string> texts;
    for (const ComponentPtr c : l.components) texts[c->name] = c->text;
    QCOMPARE(texts["env[VLLM_USE_V1]"], std::string("true"));
    QCOMPARE(texts["env[CUDA_HOME]"], std::string("null"));
    QCOMPARE(texts["config[parallel_config.tensor_parallel_size]"], std::string("2"));
    QCOMPARE(texts["code[/v/model.py]"], std::string("abc"));
    QCOMPARE(texts["config_hash"], std::string("f1"));
    QVERIFY(!read_vllm_factors(put(folder, "deep.json", std::string(100'000, '[')), pool, sink));
    QVERIFY(!read_vllm_factors(put(folder, "half.json", R"({"env": )"), pool, sink));
  }

  void what_is_not_ours_is_said() {
    const QString folder = fresh();
    put(folder, "notes.md", "# notes\n");
    ComponentPool pool;
    CollectingSink sink;
    const auto empty = import_path(folder.toStdString(), {}, pool, sink);
    QVERIFY(!empty);
    QCOMPARE(empty.error().kind, ErrorKind::bad_input);
    QVERIFY(!empty.error().hint.empty());
    QCOMPARE(import_path("/no/such/thing", {}, pool, sink).error().kind, ErrorKind::not_found);
    std::string noise;
    for (int i = 0; i < 5000; ++i) noise += static_cast<char>((i * 7919) >> 3);
    QVERIFY(!import_path(put(folder, "noise", noise), {}, pool, sink));
  }

  void a_source_taken_before_is_not_read_again() {
    const QString folder = fresh();
    put(folder, "stderr.log", kLog);
    ComponentPool pool;
    CollectingSink sink;
    std::map<std::string, std::int64_t> taken;
    ImportOptions options;
    options.source_taken = [&](const std::string& id) { return taken.count(id) != 0 ? taken[id] : 0; };
    options.note_source = [&](const std::string& id, std::int64_t size) { taken[id] = size; };
    QCOMPARE(import_path(folder.toStdString(), options, pool, sink)->logs, 1);
    const auto again = import_path(folder.toStdString(), options, pool, sink);
    QVERIFY(again);
    QCOMPARE(again->logs, 0);
    QCOMPARE(again->unchanged, 1);
  }

  void progress_can_stop_it() {
    const QString folder = fresh();
    put(folder, "a.log", kLog);
    put(folder, "b.log", kLog);
    ComponentPool pool;
    CollectingSink sink;
    ImportOptions options;
    options.progress = [](std::int64_t, std::int64_t) { return false; };
    const auto summary = import_path(folder.toStdString(), options, pool, sink);
    QVERIFY(summary);
    QVERIFY(summary->stopped);
    QCOMPARE(summary->logs, 0);
  }

  /// A run's folder as it was recorded: its trace and its log are one process, and nothing of it is a problem.
  void recorded_runs_merge_trace_and_log() {
    if (recordings_folder().isEmpty()) QSKIP("the recordings are not here: no real folder was imported");
    int runs = 0, traces = 0, logs = 0, lookups = 0;
    for (const QString& log : recording_files("stderr.log.xz")) {
      const QString run = QFileInfo(log).path();
      const QString folder = fresh();
      int here = 0;
      for (const QString& name : QDir(run).entryList({"*.log.xz"}, QDir::Files)) {
        here += name.contains("torch_trace");
        QFile::copy(run + "/" + name, folder + "/" + name);
      }
      if (here == 0) continue;
      ComponentPool pool;
      CollectingSink sink;
      const auto summary = import_path(folder.toStdString(), {}, pool, sink);
      QVERIFY2(summary, run.toUtf8());
      QVERIFY2(sink.problems.empty(), run.toUtf8());
      QCOMPARE(summary->traces, here);
      QVERIFY2(static_cast<int>(sink.processes.size()) == here, run.toUtf8());
      for (const auto& p : sink.processes) lookups += static_cast<int>(p.lookups.size());
      ++runs;
      traces += here;
      logs += static_cast<int>(summary->logs);
      QDir(folder).removeRecursively();
    }
    qInfo("%d runs: %d traces and %d logs of the same processes, %d lookups", runs, traces, logs, lookups);
    QVERIFY(runs > 0);
  }
};

QTEST_APPLESS_MAIN(TestImport)
#include "test_import.moc"
