// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/cache_folder.h"

#include <QTemporaryDir>
#include <QtTest>

#include <sys/stat.h>
#include <unistd.h>

#include "collecting_sink.h"
#include "keyhole/ingest/inductor_entry.h"
#include "pickle_writer.h"
#include "recordings.h"

using namespace keyhole;

namespace {

const std::string kFxKey = "f" + std::string(51, 'q');
const std::string kAotKey = "a" + std::string(51, 'b');
const std::string kGmLine = "[" + std::string(50, 'c') + "q] gm: <lambda>()\n\ndef forward(self): return 1";
const std::string kFlagLine = "[" + std::string(50, 'd') + "q] inductor_config[epilogue_fusion]: False";

std::string graph(const std::string& guard) {
  namespace p = pickled;
  return p::object("torch._inductor.output_code", "CompiledFxGraph",
                   {{"cache_key", p::text("c" + std::string(51, 'x'))},
                    {"source_code", p::text("import torch")},
                    {"guards_expr", guard.empty() ? p::none() : p::text(guard)},
                    {"device_types", p::call("torch.utils._ordered_set", "OrderedSet", p::list({p::text("cpu")}))},
                    {"fx_kwargs", p::dict({{"is_inference", p::boolean(false)}, {"is_backward", p::boolean(true)}})},
                    {"_time_taken_ns", p::integer(1'234'567)},
                    {"_fx_graph_cache_key", p::text(kFxKey)},
                    {"_fx_graph_cache_debug_lines", p::list({p::text(kGmLine), p::text(kFlagLine)})}});
}

std::string aot(bool bundled) {
  namespace p = pickled;
  const std::string module = "torch._functorch._aot_autograd.aot_autograd_result";
  const auto part = bundled ? p::object(module, "BundledCompiledForward", {{"result", graph("")}})
                            : p::object(module, "CompiledForward",
                                        {{"fx_graph_cache_info", p::pair(p::text(kFxKey), p::list({p::text(kGmLine)}))},
                                         {"fx_graph_guard_expr", p::text("L['t0'] <= 8")}});
  return p::object(module, bundled ? "BundledAOTAutogradResult" : "AOTAutogradResult",
                   {{"compiled_fw", part},
                    {"compiled_bw", p::none()},
                    {"forward_time_taken_ns", p::integer(1000)},
                    {"backward_time_taken_ns", p::integer(0)},
                    {"guards_expr", p::text("L['t0'] <= 8")}});
}

}  // namespace

class TestCacheFolder : public QObject {
  Q_OBJECT
  QTemporaryDir temp_;

  QString fresh() {
    static int n = 0;
    const QString path = temp_.filePath(QString::number(n++));
    QDir().mkpath(path);
    return path;
  }
  static void put(const QString& folder, const std::string& name, const std::string& bytes) {
    const QString path = folder + "/" + QString::fromStdString(name);
    QDir().mkpath(QFileInfo(path).path());
    QFile f(path);
    QVERIFY(f.open(QIODevice::WriteOnly));
    f.write(bytes.data(), static_cast<qint64>(bytes.size()));
  }
  static std::string fx_path(const std::string& name) { return "fxgraph/qq/" + kFxKey + "/" + name; }
  static std::string aot_path(const std::string& name) { return "aotautograd/" + kAotKey + "/" + name; }

 private slots:
  void an_fx_entry_tells_its_components() {
    const QString folder = fresh();
    put(folder, fx_path("one"), pickled::file(graph("L['t0'] <= 8")));
    ComponentPool pool;
    CollectingSink sink;
    const auto summary = read_cache_folder(folder.toStdString(), {}, pool, sink);
    QVERIFY(summary);
    QCOMPARE(summary->entries, 1);
    QCOMPARE(sink.problems.size(), 0u);
    QCOMPARE(sink.snapshots.size(), 1u);
    QCOMPARE(sink.snapshots[0].first.location, folder.toStdString());
    const EntryRecord& e = sink.entries()[0];
    QCOMPARE(e.layer, Layer::fx_graph);
    QCOMPARE(e.key, kFxKey);
    QCOMPARE(e.name, std::string("one"));
    QCOMPARE(e.path, fx_path("one"));
    QCOMPARE(e.state, EntryState::ok);
    QCOMPARE(e.guard, std::string("L['t0'] <= 8"));
    QCOMPARE(e.direction, Direction::backward);
    QCOMPARE(e.cost, 1'234'567);
    QCOMPARE(e.code_key, "c" + std::string(51, 'x'));
    QCOMPARE(e.components.size(), 2u);
    QCOMPARE(e.components[0]->name, std::string("gm"));
    QCOMPARE(e.components[1]->name, std::string("inductor_config[epilogue_fusion]"));
    QCOMPARE(e.components[1]->text, std::string("False"));
    QVERIFY(QString::fromStdString(e.metadata_json).contains("\"device_types\":\"['cpu']\""));
  }

  void an_aot_entry_names_what_it_needs() {
    const QString folder = fresh();
    put(folder, aot_path("one"), pickled::file(aot(false)));
    ComponentPool pool;
    CollectingSink sink;
    QVERIFY(read_cache_folder(folder.toStdString(), {}, pool, sink));
    QCOMPARE(sink.entries().size(), 1u);
    const EntryRecord& e = sink.entries()[0];
    QCOMPARE(e.layer, Layer::aot_autograd);
    QCOMPARE(e.needs, std::vector<std::string>{kFxKey});
    QCOMPARE(e.guard, std::string("L['t0'] <= 8"));
    QCOMPARE(e.direction, Direction::inference);
    QCOMPARE(e.cost, 1000);
  }

  void a_bundled_aot_entry_gives_its_graphs_too() {
    const QString folder = fresh();
    put(folder, aot_path("one"), pickled::file(aot(true)));
    ComponentPool pool;
    CollectingSink sink;
    QVERIFY(read_cache_folder(folder.toStdString(), {}, pool, sink));
    QCOMPARE(sink.entries().size(), 2u);
    QVERIFY(sink.entries()[0].needs.empty());
    const EntryRecord* fx = sink.find(Layer::fx_graph, kFxKey);
    QVERIFY(fx);
    QCOMPARE(fx->components.size(), 2u);
    QVERIFY(QString::fromStdString(fx->metadata_json).contains("bundled_in"));
  }

  void damaged_unreadable_and_unfinished_files() {
    const QString folder = fresh();
    const std::string whole = pickled::file(graph("L['t0'] <= 8"));
    put(folder, fx_path("cut"), whole.substr(0, whole.size() - 40));
    put(folder, fx_path("empty"), "");
    put(folder, fx_path("other"), pickled::file(pickled::text("hello")));
    put(folder, fx_path(".4711.140.tmp"), "half");
    QDir().mkpath(folder + "/" + QString::fromStdString(fx_path("folder")));
    ::mkfifo((folder.toStdString() + "/" + fx_path("pipe")).c_str(), 0600);
    ComponentPool pool;
    CollectingSink sink;
    const auto summary = read_cache_folder(folder.toStdString(), {}, pool, sink);
    QVERIFY(summary);
    QCOMPARE(summary->entries, 5);
    QCOMPARE(summary->damaged, 3);
    QCOMPARE(summary->unreadable, 2);
    QCOMPARE(sink.problems.size(), 5u);
    const EntryRecord& cut = sink.entries()[0];
    QCOMPARE(cut.name, std::string("cut"));
    QCOMPARE(cut.state, EntryState::damaged);
    QVERIFY(QString::fromStdString(cut.state_reason).contains("of " + QString::number(whole.size() - 40)));
    QCOMPARE(cut.guard, std::string("L['t0'] <= 8"));  // what was readable is kept
    QVERIFY(sink.problems[0].offset > 0);
    QCOMPARE(sink.entries()[2].state, EntryState::unreadable);
    QVERIFY(QString::fromStdString(sink.entries()[2].state_reason).contains("folder"));
  }

  void without_permission_it_is_unreadable() {
    if (::geteuid() == 0) QSKIP("root may read every file");
    const QString folder = fresh();
    put(folder, fx_path("one"), pickled::file(graph("")));
    ::chmod((folder.toStdString() + "/" + fx_path("one")).c_str(), 0);
    ComponentPool pool;
    CollectingSink sink;
    QVERIFY(read_cache_folder(folder.toStdString(), {}, pool, sink));
    QCOMPARE(sink.entries()[0].state, EntryState::unreadable);
  }

  void a_file_in_the_place_of_the_cache_is_said() {
    const QString folder = fresh();
    put(folder, aot_path("one"), pickled::file(aot(false)));
    put(folder, "fxgraph", "");
    ComponentPool pool;
    CollectingSink sink;
    QVERIFY(read_cache_folder(folder.toStdString(), {}, pool, sink));
    QCOMPARE(sink.entries().size(), 1u);
    QCOMPARE(sink.problems.size(), 1u);
    QVERIFY(QString::fromStdString(sink.problems[0].source).endsWith("/fxgraph"));
  }

  void nothing_is_executed_and_it_is_told() {
    const QString folder = fresh();
    const std::string witness = temp_.filePath("ran").toStdString();
    put(folder, fx_path("evil"), pickled::file(pickled::call("posix", "system", pickled::text("touch " + witness))));
    ComponentPool pool;
    CollectingSink sink;
    QVERIFY(read_cache_folder(folder.toStdString(), {}, pool, sink));
    QVERIFY(!QFileInfo::exists(QString::fromStdString(witness)));
    QCOMPARE(sink.entries()[0].state, EntryState::damaged);
    QVERIFY(QString::fromStdString(sink.entries()[0].metadata_json).contains("posix.system"));
    const auto detail = read_entry_detail(folder.toStdString() + "/" + fx_path("evil"));
    QVERIFY(detail);
    QCOMPARE(detail->would_run, std::vector<std::string>{"posix.system"});
    QCOMPARE(detail->suspicious, std::vector<std::string>{"posix.system"});
  }

  void code_autotuning_and_kernels() {
    const QString folder = fresh();
    const std::string hash(52, 'k');
    put(folder, "ab/cab" + std::string(49, 'z') + ".py", "import torch");
    put(folder, "ab/cab" + std::string(49, 'z') + ".main.cpp", "int main;");
    put(folder, "ab/" + std::string(64, 'f') + ".best_config",
        R"({"XBLOCK": 128, "num_warps": 4, "time_taken_ms": 7})");
    put(folder, "cache/" + std::string(64, '4'), R"({"system": {"hash": "4"}, "cache": {"mm": {"in": {}}}})");
    put(folder, "cache/" + std::string(64, '5'), std::string(100'000, '['));
    put(folder, "cache/" + std::string(64, '6'), R"({"system": )");
    put(folder, "triton/0/" + hash + "/__grp__k.json",
        R"({"child_paths": {"k.json": "/x/k.json", "k.cubin": "/x/k.cubin"}})");
    put(folder, "triton/0/" + hash + "/k.json",
        R"({"name": "k", "num_warps": 4, "target": {"backend": "cuda", "arch": 90}})");
    put(folder, "locks/x.lock", "");
    put(folder, "dynamo/code_state_1.pkl", pickled::file(pickled::dict({{"a", pickled::integer(1)}})));
    ComponentPool pool;
    CollectingSink sink;
    const auto summary = read_cache_folder(folder.toStdString(), {}, pool, sink);
    QVERIFY(summary);
    QCOMPARE(summary->entries, 8);
    const EntryRecord* best = sink.find(Layer::autotune, std::string(64, 'f'));
    QVERIFY(best);
    QCOMPARE(best->cost, 7'000'000);
    QCOMPARE(sink.find(Layer::autotune, std::string(64, '4'))->state, EntryState::ok);
    QCOMPARE(sink.find(Layer::autotune, std::string(64, '5'))->state, EntryState::damaged);
    QCOMPARE(sink.find(Layer::autotune, std::string(64, '6'))->state, EntryState::damaged);
    const EntryRecord* kernel = sink.find(Layer::triton, hash);
    QVERIFY(kernel);
    QCOMPARE(kernel->state, EntryState::damaged);  // k.cubin is not there
    QCOMPARE(kernel->needs, (std::vector<std::string>{"k.json", "k.cubin"}));
    QVERIFY(QString::fromStdString(kernel->metadata_json).contains("\"num_warps\":4"));
    QVERIFY(sink.find(Layer::dynamo, "code_state_1"));

    put(folder, "triton/0/" + hash + "/k.cubin",
        "\x7f"
        "ELF");
    CollectingSink triton;
    QVERIFY(is_triton_folder((folder + "/triton").toStdString()));
    QVERIFY(is_triton_folder((folder + "/triton/0").toStdString()));
    QVERIFY(!is_triton_folder(folder.toStdString()));
    QVERIFY(is_cache_folder(folder.toStdString()));
    QVERIFY(read_triton_folder((folder + "/triton").toStdString(), {}, pool, triton));
    QCOMPARE(triton.entries().size(), 1u);
    QCOMPARE(triton.entries()[0].state, EntryState::ok);
  }

  void a_quick_listing_decodes_nothing() {
    const QString folder = fresh();
    put(folder, fx_path("one"), pickled::file(graph("")));
    put(folder, fx_path("two"), "no pickle");
    FolderOptions options;
    options.quick = true;
    options.location = "/elsewhere/cache";
    options.moment = SnapshotMoment::before;
    ComponentPool pool;
    CollectingSink sink;
    const auto summary = read_cache_folder(folder.toStdString(), options, pool, sink);
    QVERIFY(summary);
    QCOMPARE(summary->entries, 2);
    QCOMPARE(summary->damaged, 0);
    QCOMPARE(pool.size(), 0u);
    QCOMPARE(sink.snapshots[0].first.location, std::string("/elsewhere/cache"));
    QCOMPARE(sink.snapshots[0].first.read_from, folder.toStdString());
    QCOMPARE(sink.snapshots[0].first.moment, SnapshotMoment::before);
    QVERIFY(sink.snapshots[0].first.time > 1'600'000'000'000'000'000);
    QVERIFY(sink.entries()[0].size > 100);
  }

  void progress_can_stop_it() {
    const QString folder = fresh();
    for (int i = 0; i < 5; ++i) put(folder, fx_path(std::to_string(i)), pickled::file(graph("")));
    FolderOptions options;
    int calls = 0;
    options.progress = [&](std::int64_t done, std::int64_t total) { return ++calls < 3 && done <= total; };
    ComponentPool pool;
    CollectingSink sink;
    const auto summary = read_cache_folder(folder.toStdString(), options, pool, sink);
    QVERIFY(summary->stopped);
    QCOMPARE(summary->entries, 2);
  }

  void no_folder_is_an_error() {
    ComponentPool pool;
    CollectingSink sink;
    QVERIFY(!read_cache_folder("/no/such/folder", {}, pool, sink));
  }

  /// Every cache folder that was recorded, each file to its last byte but those that were damaged on purpose.
  void recorded_folders_are_read_to_the_last_byte() {
    if (recordings_folder().isEmpty()) QSKIP("the recordings are not here: no real cache folder was read");
    int folders = 0, fx = 0, aot_entries = 0;
    std::int64_t bytes = 0, components = 0;
    for (const QString& archive : recording_files("cache*.tar.xz")) {
      const QString folder = fresh();
      QVERIFY(untar(archive, folder));
      ComponentPool pool;
      CollectingSink sink;
      const auto summary = read_cache_folder((folder + "/cache").toStdString(), {}, pool, sink);
      QVERIFY2(summary, archive.toUtf8());
      ++folders;
      bytes += summary->bytes_decoded;
      const bool truncated = archive.contains("corrupt_fx_truncated/cache_after_B");
      const bool unreadable = archive.contains("unreadable");
      if (truncated || unreadable) {
        QVERIFY2(summary->damaged + summary->unreadable == 1, archive.toUtf8());
      } else if (!archive.contains("corrupt") && !archive.contains("q_g5")) {
        QVERIFY2(sink.problems.empty(),
                 (archive + ": " + (sink.problems.empty() ? "" : sink.problems[0].what.c_str())).toUtf8());
      }
      for (const auto& e : sink.entries()) {
        if (e.state != EntryState::ok) continue;
        if (e.layer == Layer::fx_graph) {
          ++fx;
          components += static_cast<std::int64_t>(e.components.size());
          QVERIFY2(e.components.size() > 500, archive.toUtf8());
          QCOMPARE(e.components[0]->name, std::string("gm"));
          QVERIFY(e.direction != Direction::unknown);
          QVERIFY(e.cost > 0);
          QVERIFY(!e.code_key.empty());
          QVERIFY(!QString::fromStdString(e.metadata_json).contains("unread_components"));
          QVERIFY(!QString::fromStdString(e.metadata_json).contains("suspicious"));
        } else if (e.layer == Layer::aot_autograd) {
          ++aot_entries;
          QVERIFY2(!e.needs.empty() || QString::fromStdString(e.metadata_json).contains("bundled"), archive.toUtf8());
          QVERIFY(e.cost > 0);
        }
      }
      QDir(folder).removeRecursively();
    }
    qInfo("%d cache folders: %d fx_graph entries with %lld components, %d aot_autograd entries, %lld bytes decoded",
          folders, fx, static_cast<long long>(components), aot_entries, static_cast<long long>(bytes));
    QVERIFY(folders > 0);
  }
};

QTEST_APPLESS_MAIN(TestCacheFolder)
#include "test_cache_folder.moc"
