// SPDX-License-Identifier: Apache-2.0
// The rows of PyTorch's test_codecache.py, by their names: the same counters and the same number of entries, asserted
// of this library. A Program stands for the compiled function: its graph, tag and inputs give the key as they do there.
// Rows that ask for a device run with synthetic kernels; docs/test-map.md says which.
#include <sys/wait.h>
#include <unistd.h>

#include <QRegularExpression>
#include <filesystem>
#include <fstream>

#include "cache_golden.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/artifacts.h"
#include "keyhole/cache/autograd_cache.h"
#include "keyhole/cache/autotune.h"
#include "keyhole/cache/counters.h"
#include "keyhole/cache/graph_cache.h"
#include "keyhole/cache/precompile.h"
#include "keyhole/cache/source_files.h"
#include "keyhole/guard/expression.h"
#include "keyhole/key/hash.h"
#include "keyhole/remote/remote_cache.h"

using namespace keyhole;
namespace fs = std::filesystem;

namespace {

std::int64_t inductor(const char* name) {
  return counters().value("inductor", name);
}
std::int64_t autograd(const char* name) {
  return counters().value("aot_autograd", name);
}
std::int64_t dynamo(const char* name) {
  return counters().value("dynamo_cache", name);
}

struct GraphCounts {
  std::int64_t miss = 0, hit = 0, written = 0;
  bool operator==(const GraphCounts&) const = default;
};
/// What the tests look at after each call.
GraphCounts graph_counts() {
  return {inductor("fxgraph_cache_miss"), inductor("fxgraph_cache_hit"), inductor("fxgraph_lookup_write_file")};
}
char* toString(const GraphCounts& c) {
  return qstrdup(qPrintable(QStringLiteral("miss %1, hit %2, written %3").arg(c.miss).arg(c.hit).arg(c.written)));
}

/// Artifacts by type, in the order of the asserts.
std::vector<std::size_t> sizes(const ArtifactInfo& info) {
  std::vector<std::size_t> n;
  for (const char* type : {"inductor", "autotune", "aot_autograd", "pgo", "precompile"})
    n.push_back(info.keys(type).size());
  return n;
}

/// One cache directory and what a process keeps in memory beside it.
struct Session {
  explicit Session(RemoteCache* remote = nullptr, const char* this_job = "")
      : profiles(*store.cache, this_job, &artifacts),
        packages(*store.cache, &artifacts),
        artifacts(factory),
        graphs(*store.cache, {.remote = remote,
                              .artifacts = &artifacts,
                              .cache_root = store.root + "/cache",
                              .load_static = [](const StaticKernel& kernel) { return kernel.bytes == "bytes"; }}),
        autograd_cache(*store.cache, graphs, &artifacts),
        autotune(*store.cache, std::string(32, 'k'), "", nullptr, &artifacts) {
    const auto into = [](auto& cache) {
      return [&cache](const std::string& key, std::string_view content) { return cache.populate(key, content); };
    };
    static_cast<void>(factory.add("inductor", into(graphs)));
    static_cast<void>(factory.add("aot_autograd", into(autograd_cache)));
    static_cast<void>(factory.add("autotune", into(autotune)));
    static_cast<void>(factory.add("pgo", into(profiles)));
    static_cast<void>(factory.add("precompile", into(packages)));
  }

  /// What the tests' reset() does: sources are purged, graphs stay.
  void reset() {
    fs::create_directories(store.root + "/cache");
    for (const auto& f : fs::recursive_directory_iterator(store.root + "/cache"))
      if (f.path().extension() == ".py") fs::remove(f.path());
  }

  TestStore store;
  ArtifactFactory factory;
  ShapeProfiles profiles;
  PackageStore packages;
  ArtifactManager artifacts;
  GraphCache graphs;
  AutogradCache autograd_cache;
  AutotuneCache autotune;
};

struct Program {
  std::string graph;
  std::string tag = {};
  std::string guards = {};
  std::vector<std::string> constants = {};
  bool tensor_inputs = true;
  int device = 0;
  bool grad = false;

  [[nodiscard]] std::string key(const char* part = "forward") const {
    std::string details = graph + "|" + tag + "|" + part;
    for (const auto& c : constants) details += "|" + c;
    if (!tensor_inputs) details += "|device " + std::to_string(device);  // hash detail 6
    return kFxGraph.key({details});
  }
  [[nodiscard]] GraphEntry compiled(const char* part = "forward") const {
    GraphEntry entry;
    entry.source = "# " + graph + " " + part + " " + guards + "\ndef call(args): ...\n";
    entry.code_key = code_hash(strip_text(entry.source));
    entry.guards = guards;
    entry.time_taken = 7'000'000;
    return entry;
  }
};

/// Looks up, and compiles and saves after a miss: forward, and with `grad` backward.
bool run(Session& session, const Program& program, const Hints& hints = {}) {
  bool all_hit = true;
  for (const char* part : {"forward", "backward"}) {
    if (!program.grad && part == std::string_view("backward")) break;
    const GraphRequest request{.key = program.key(part), .hints = &hints};
    if (session.graphs.lookup(request).entry) continue;
    all_hit = false;
    session.graphs.save(request, program.compiled(part));
  }
  return all_hit;
}

}  // namespace

class TestCodecache : public QObject {
  Q_OBJECT
 private slots:
  void init() {
    counters().clear();
    remote_statistics().clear();
  }

  void test_editable_cached_wrapper() {
    Session session;
    const Program program{.graph = "x + 1"};
    const auto in_process = [&](auto body) {
      const pid_t child = fork();
      if (child == 0) _exit(body() ? 0 : 1);
      int status = 0;
      waitpid(child, &status, 0);
      return status == 0;
    };
    QVERIFY(in_process([&] { return !run(session, program); }));
    QVERIFY(in_process([&] {
      counters().clear();
      return run(session, program) && inductor("fxgraph_cache_hit") == 1;
    }));
    const auto path = code_path(session.store.root + "/cache", program.compiled().code_key, "py").path;
    std::ofstream(path) << "edited";
    QVERIFY(in_process([&] {
      const auto found = session.graphs.lookup({.key = program.key()});
      return found.entry && read_file(found.source_path).value_or("") == "edited";
    }));
  }

  void test_cache_load_function_data() {
    QTest::addColumn<bool>("grad");
    QTest::addColumn<bool>("dynamic");
    QTest::addColumn<bool>("bundle");
    QTest::addColumn<bool>("launcher");
    for (const bool grad : {false, true})
      for (const bool dynamic : {false, true})
        for (const auto& [bundle, launcher] : {std::pair{false, false}, {true, false}, {true, true}})
          QTest::addRow("grad %d, dynamic %d, bundle %d, static launcher %d", grad, dynamic, bundle, launcher)
              << grad << dynamic << bundle << launcher;
  }
  void test_cache_load_function() {
    QFETCH(bool, grad);
    QFETCH(bool, dynamic);
    QFETCH(bool, bundle);
    QFETCH(bool, launcher);
    Session session;
    const std::int64_t m = grad ? 2 : 1;
    const Hints hints({8});
    const auto compile_and_run = [&](const std::string& tag) {
      const Program program{.graph = "foo", .tag = tag, .guards = dynamic ? "2 <= L['t0']" : "", .grad = grad};
      for (const char* part : {"forward", "backward"}) {
        if (!grad && part == std::string_view("backward")) break;
        const GraphRequest request{.key = program.key(part), .hints = &hints};
        if (session.graphs.lookup(request).entry) continue;
        auto entry = program.compiled(part);
        if (bundle) {  // a synthetic kernel of six files; with the launcher, one that is launched statically
          const std::string root = session.store.root + "/cache/triton/0", kernel = "K" + program.tag + part;
          for (const char* name : {"k.ttir", "k.ttgir", "k.llir", "k.ptx", "k.json", "k.cubin"})
            static_cast<void>(write_atomic(root + "/" + kernel + "/" + name, "{}", true));
          TritonBundler bundler([&](int) { return root; });
          static_cast<void>(bundler.begin());
          bundler.put(kernel, 0);
          if (launcher) bundler.put_static({"key", "k", "bytes"});
          entry.triton = bundler.collect().bundle;
        }
        session.graphs.save(request, entry);
      }
    };
    const auto expect = [&](GraphCounts graphs, std::int64_t saved, std::int64_t emitted) {
      QCOMPARE(graph_counts(), graphs);
      QCOMPARE(inductor("triton_bundler_save_kernel"), bundle ? 6 * saved : 0);
      QCOMPARE(inductor("triton_bundler_read_and_emit_kernel"), bundle ? 6 * emitted : 0);
      QCOMPARE(inductor("triton_bundler_save_static_autotuner"), launcher ? saved : 0);
      QCOMPARE(inductor("triton_bundler_load_static_autotuner"), launcher ? emitted : 0);
    };
    compile_and_run("");
    expect({m, 0, 0}, m, 0);
    session.reset();
    fs::remove_all(session.store.root + "/cache/triton");
    compile_and_run("");
    expect({m, m, m}, m, m);
    session.reset();
    compile_and_run("another");
    expect({2 * m, m, m}, 2 * m, m);
  }

  void test_remote_cache_load_function() {
    auto backend = std::make_shared<MemoryBackend>();
    RemoteCache remote("fx_graph", "fx-graph-v1", backend);
    for (int i = 0; i < 4; ++i) {
      Session fresh(&remote);
      run(fresh, {.graph = "foo"});
    }
    QCOMPARE(remote_statistics().of("fx_graph"), (RemoteCounts{.hit = 3, .miss = 1, .put = 1}));
    Session tagged(&remote);
    run(tagged, {.graph = "foo", .tag = "another"});
    QCOMPARE(remote_statistics().of("fx_graph"), (RemoteCounts{.hit = 3, .miss = 2, .put = 2}));
    const QRegularExpression pattern("^pt2:fx-graph-v1::[0-9a-z]{52}:c[0-9]+$");
    QCOMPARE(backend->all().size(), std::size_t{2});
    for (const auto& [key, value] : backend->all()) QVERIFY(pattern.match(QString::fromStdString(key)).hasMatch());
  }

  void test_cache_hot_load_data() {
    QTest::addColumn<bool>("gpu");
    QTest::newRow("cpu") << false;
    QTest::newRow("with an autotuned kernel") << true;
  }
  void test_cache_hot_load() {
    QFETCH(bool, gpu);
    const Program program{.graph = "foo"};
    const std::vector<std::size_t> wanted{1, gpu ? 1U : 0U, 0, 0, 0};
    Session first;
    run(first, program);
    if (gpu) QVERIFY(first.autotune.save("/x/cz/czz.py", {{{{"XBLOCK", 64}}, 4, 1}, "h", false, 0, ""}));
    QCOMPARE(graph_counts(), (GraphCounts{1, 0, 0}));
    const auto saved = first.artifacts.serialize();
    QVERIFY(saved);
    QCOMPARE(sizes(saved->info), wanted);
    Session without;
    run(without, program);
    QCOMPARE(graph_counts(), (GraphCounts{2, 0, 0}));
    Session second;
    const auto loaded = second.artifacts.load(saved->blob);
    QVERIFY(loaded);
    QCOMPARE(sizes(*loaded), wanted);
    QCOMPARE(*loaded, saved->info);
    run(second, program);
    QCOMPARE(graph_counts(), (GraphCounts{2, 1, 1}));
  }

  void test_cache_hot_load_caching_precompile_data() { test_cache_hot_load_data(); }
  void test_cache_hot_load_caching_precompile() {
    QFETCH(bool, gpu);
    const Program program{.graph = "foo", .grad = true};
    const std::vector<std::size_t> wanted{2, gpu ? 2U : 0U, 1, 0, 1};
    const std::string autograd_key = kAutograd.key({program.graph}), id = source_id("foo", 12);
    int compiles = 0;
    const auto compile = [&](Session& session) {
      if (session.packages.load(id)) return;
      const GraphRequest request{.key = autograd_key};
      if (session.autograd_cache.lookup(request)) return;
      ++compiles;
      run(session, program);
      for (const char* kernel : {"/x/cz/forward.py", "/x/cz/backward.py"})
        if (gpu) QVERIFY(session.autotune.save(kernel, {{{{"XBLOCK", 64}}, 4, 1}, "h", false, 0, ""}));
      session.autograd_cache.save(request, {program.key("forward"), program.key("backward"), "wrapper", "", 1});
      PrecompileContext context;
      context.record_artifact({"BundledAOTAutogradCacheArtifact", "__compiled_fn_1", "both graphs"});
      context.record_entry({"foo", 12, "cpu", {{"foo", {"__compiled_fn_1"}}}});
      for (const auto& [source, entry] : context.create_cache_entries().entries)
        QVERIFY(session.packages.save(source, entry));
    };
    const auto expect = [](std::int64_t misses, std::int64_t package_hits) {
      QCOMPARE(autograd("autograd_cache_miss"), misses);
      QCOMPARE(autograd("autograd_cache_hit"), std::int64_t{0});
      QCOMPARE(dynamo("dynamo_cache_miss"), misses);
      QCOMPARE(dynamo("dynamo_cache_hit"), package_hits);
    };
    Session first;
    compile(first);
    expect(1, 0);
    const auto saved = first.artifacts.serialize();
    QVERIFY(saved);
    QCOMPARE(sizes(saved->info), wanted);
    Session without;
    compile(without);
    expect(2, 0);
    QCOMPARE(compiles, 2);
    Session second;
    const auto loaded = second.artifacts.load(saved->blob);
    QVERIFY(loaded);
    QCOMPARE(sizes(*loaded), wanted);
    compile(second);
    expect(2, 1);
    QCOMPARE(compiles, 2);  // fail_on_recompile
    QCOMPARE(inductor("fxgraph_cache_miss"), std::int64_t{4});
    // Without the package, the autograd cache hits and with it both graphs.
    QVERIFY(second.autograd_cache.lookup({.key = autograd_key}));
    QCOMPARE(autograd("autograd_cache_hit"), std::int64_t{1});
    QCOMPARE(inductor("fxgraph_cache_hit"), std::int64_t{2});
    second.graphs.clear();
    QVERIFY(!second.autograd_cache.lookup({.key = autograd_key}));  // its graph is gone
    QCOMPARE(autograd("autograd_cache_miss"), std::int64_t{3});
  }

  void test_cache_hot_load_repeat() {
    Session session;  // one process, and so one manager; its folder is a fresh one each time
    run(session, {.graph = "4x4 @ 4x4"});
    QCOMPARE(graph_counts(), (GraphCounts{1, 0, 0}));
    const auto saved = session.artifacts.serialize();
    QVERIFY(!session.artifacts.need_serialize());
    QVERIFY(saved);
    session.reset();
    session.graphs.clear();
    QVERIFY(session.artifacts.load(saved->blob));
    run(session, {.graph = "4x4 @ 4x4"});
    QCOMPARE(inductor("fxgraph_cache_miss"), std::int64_t{1});
    QCOMPARE(inductor("fxgraph_cache_hit"), std::int64_t{1});
    QVERIFY(!session.artifacts.need_serialize());  // neither the load nor the hit: that artifact was saved
    session.reset();
    session.graphs.clear();
    run(session, {.graph = "4x8 @ 8x4"});
    QCOMPARE(inductor("fxgraph_cache_miss"), std::int64_t{2});
    QCOMPARE(inductor("fxgraph_cache_hit"), std::int64_t{1});
    QVERIFY(session.artifacts.need_serialize());
  }

  void hot_load_of_profiles(const char* saved_under, const char* loaded_under) {
    const std::string key = std::string(saved_under) + ":None:", there = std::string(loaded_under) + ":None:";
    const std::vector<std::size_t> wanted{2, 0, 0, 2, 0};
    Session first(nullptr, saved_under);
    const Program static_shape{.graph = "static"}, dynamic_shape{.graph = "dynamic", .guards = "2 <= L['t0']"};
    run(first, static_shape);
    QVERIFY(first.profiles.save(key, "shape 2"));
    run(first, dynamic_shape);
    QVERIFY(first.profiles.save(key, "shape is dynamic"));
    QCOMPARE(graph_counts(), (GraphCounts{2, 0, 0}));  // two frames
    const auto saved = first.artifacts.serialize();
    QVERIFY(saved);
    QCOMPARE(sizes(saved->info), wanted);
    QCOMPARE(saved->info.keys("pgo"), (std::vector<std::string>{key, key}));
    Session second(nullptr, loaded_under);
    const auto loaded = second.artifacts.load(saved->blob);
    QVERIFY(loaded);
    QCOMPARE(sizes(*loaded), wanted);
    QCOMPARE(second.profiles.load(there).value_or("?"), std::string("shape is dynamic"));  // the last written
    // Knowing that, one frame serves two new shapes: for the second Dynamo calls the compiled code, with no lookup.
    run(second, dynamic_shape, Hints({7}));
    QCOMPARE(graph_counts(), (GraphCounts{2, 1, 1}));
  }
  void test_cache_hot_load_pgo() { hot_load_of_profiles("golden_job", "golden_job"); }
  void test_cache_hot_load_pgo_swap_file_names() { hot_load_of_profiles("mast:foo:5", "mast:bar:10"); }

  void test_cache_hot_load_empty() {
    Session session;
    QVERIFY(!session.artifacts.serialize());
  }

  void test_cache_hot_load_generic() {
    const std::map<std::string, std::string> content{{"1", "foo"}, {"2", "bar"}, {"foo", "bar"}};
    std::map<std::string, std::string> stub;  // the user's cache
    ArtifactFactory factory;
    QVERIFY(factory.add("test", [&](const std::string& key, std::string_view bytes) -> Result<void> {
      stub[key] = bytes;
      return {};
    }));
    ArtifactManager manager(factory);
    const auto save = [&](const std::string& key, const std::string& value) {
      stub[key] = value;
      QVERIFY(manager.record("test", key, value));
    };
    const auto lookup = [&](const std::string& key) -> std::optional<std::string> {
      const auto found = stub.find(key);
      if (found == stub.end() || !manager.record("test", key, found->second)) return std::nullopt;
      return found->second;
    };
    for (const auto& [key, value] : content) save(key, value);
    const auto saved = manager.serialize();
    QVERIFY(saved);
    QCOMPARE(saved->info.keys("test").size(), std::size_t{3});
    stub.clear();
    manager.clear();
    QVERIFY(!lookup("foo"));
    const auto loaded = manager.load(saved->blob);
    QVERIFY(loaded);
    QCOMPARE(loaded->keys("test").size(), std::size_t{3});
    QCOMPARE(stub, content);
    manager.clear();
    QCOMPARE(lookup("foo"), std::optional<std::string>("bar"));
    const auto after = manager.serialize();
    QVERIFY(after);
    QCOMPARE(after->info.keys("test"), std::vector<std::string>{"foo"});
  }

  void test_cache_load_model() {
    Session session;
    const auto train = [&] {
      for (const char* graph : {"conv block", "behind the break", "loss"}) run(session, {.graph = graph, .grad = true});
    };
    train();
    QCOMPARE(inductor("fxgraph_cache_miss"), std::int64_t{6});
    QCOMPARE(inductor("fxgraph_cache_hit"), std::int64_t{0});
    session.reset();
    counters().clear();
    train();
    QCOMPARE(inductor("fxgraph_cache_miss"), std::int64_t{0});
    QCOMPARE(inductor("fxgraph_cache_hit"), std::int64_t{6});
  }

  void entries_told_apart_by_guards(const std::vector<std::pair<Hints, std::string>>& cases) {
    Session session;
    for (const auto& [hints, guards] : cases) {
      const Program program{.graph = "one key for all", .guards = guards};
      counters().clear();
      run(session, program, hints);
      QCOMPARE(graph_counts(), (GraphCounts{1, 0, 0}));
      counters().clear();
      session.reset();
      run(session, program, hints);
      QCOMPARE(graph_counts(), (GraphCounts{0, 1, 1}));
      QCOMPARE(session.graphs.lookup({.key = program.key(), .hints = &hints}).entry->guards, guards);
    }
  }
  void test_cache_load_with_guards_int32_bounds() {
    // Sizes below and above 2**31 elements, in three combinations; products must not wrap.
    const std::string first = "L['t0']*L['t1']", second = "L['t2']*L['t3']", fits = " <= 2147483647",
                      exceeds = " > 2147483647", both = " and ";
    entries_told_apart_by_guards({
        {Hints({5, 6, 7, 8}), first + fits + both + second + fits},
        {Hints({5, 6, 47000, 47001}), first + fits + both + second + exceeds},
        {Hints({47000, 47001, 5, 6}), first + exceeds + both + second + fits},
        {Hints({65536, 65536, 4294967296, 4294967296}), first + exceeds + both + second + exceeds},
    });
  }
  void test_cache_load_with_guards_static_bounds() {
    entries_told_apart_by_guards({
        {Hints({64, 8, 9}), "L['t1'] == 8 and L['t2'] == 9 and 2 <= L['t0']"},
        {Hints({64, 9, 10}), "L['t1'] == 9 and L['t2'] == 10 and 2 <= L['t0']"},
        {Hints({64, 10, 11}), "L['t1'] == 10 and L['t2'] == 11 and 2 <= L['t0']"},
    });
  }

  void unsafe_skipping_of_guards_serves_the_wrong_entry() {
    Session session;
    const Program ten{.graph = "g", .guards = "L['t1'] == 10"};
    run(session, ten, Hints({64, 10}));
    GraphCache skipping(*session.store.cache, {.skip_guards = true, .cache_root = session.store.root + "/cache"});
    const Hints eight({64, 8});
    QCOMPARE(skipping.lookup({.key = ten.key(), .hints = &eight}).info.guard, std::string("L['t1'] == 10"));
  }

  void test_no_arguments_tensor_device_guards() {
    Session session;
    run(session, {.graph = "torch.randn(3)", .tensor_inputs = false, .device = 0});
    session.reset();
    QVERIFY(!run(session, {.graph = "torch.randn(3)", .tensor_inputs = false, .device = 1}));
    QCOMPARE(inductor("fxgraph_cache_hit"), std::int64_t{0});
  }

  void test_tensor_device_guards_cpu_tensor() {
    Session session;
    run(session, {.graph = "x.sin()", .device = 0});
    session.reset();
    QVERIFY(run(session, {.graph = "x.sin()", .device = 1}));
    QCOMPARE(inductor("fxgraph_cache_hit"), std::int64_t{1});
  }

  void test_constant_handling() {
    Session session;
    run(session, {.graph = "x + c", .constants = {"[0, 1, 2]"}});
    QCOMPARE(graph_counts(), (GraphCounts{1, 0, 0}));
    run(session, {.graph = "x + c", .constants = {"[1, 2, 3]"}});
    QCOMPARE(graph_counts(), (GraphCounts{2, 0, 0}));
  }

  /// A miss, a hit that writes the source anew, and a miss for the other graph.
  void miss_hit_miss(const std::string& graph, const std::string& other) {
    Session session;
    run(session, {.graph = graph});
    QCOMPARE(graph_counts(), (GraphCounts{1, 0, 0}));
    session.reset();
    run(session, {.graph = graph});
    QCOMPARE(graph_counts(), (GraphCounts{1, 1, 1}));
    session.reset();
    run(session, {.graph = other});
    QCOMPARE(graph_counts(), (GraphCounts{2, 1, 1}));
  }
  void test_auto_functionalized_caching_data() {
    QTest::addColumn<QString>("wrapper");
    QTest::newRow("v1") << "auto_functionalized";
    QTest::newRow("v2") << "auto_functionalized_v2";
  }
  void test_auto_functionalized_caching() {
    QFETCH(QString, wrapper);
    const std::string name = wrapper.toStdString();
    miss_hit_miss(name + "(mylib.sin_inplace)", name + "(mylib.cos_inplace)");
  }
  void test_flex_attention_caching() { miss_hit_miss("flex_attention(score + (q - kv))", "flex_attention(score)"); }

  void test_higher_order_op_bypass() {
    Session session;
    TritonBundler bundler([](int) { return "/nowhere"; });
    QVERIFY(bundler.begin());
    std::string event;
    set_event_listener(
        [&](std::string_view name, std::string_view json) { event = std::string(name) + " " + std::string(json); });
    const auto info = session.graphs.bypass("Can't cache HigherOrderOperator: cond");
    set_event_listener(nullptr);
    bundler.end();
    QVERIFY(bundler.begin());  // begin and end are balanced
    QCOMPARE(inductor("fxgraph_cache_miss"), std::int64_t{0});
    QCOMPARE(inductor("fxgraph_cache_hit"), std::int64_t{0});
    QVERIFY(inductor("fxgraph_cache_bypass") > 0);
    QVERIFY(event.starts_with("fx_graph_cache_bypass {"));
    const auto json = nlohmann::json::parse(info.json());
    QCOMPARE(json.at("cache_state").get<std::string>(), std::string("bypass"));
    QCOMPARE(json.at("cache_bypass_reason").get<std::string>(), std::string("Can't cache HigherOrderOperator: cond"));
  }

  // Beyond the table: what section 16 promises of the steps after a load.
  void another_extern_library_is_a_guard_miss_without_entry() {
    Session session;
    const Program program{.graph = "uses libdevice"};
    session.graphs.save({.key = program.key(), .extern_key = "libdevice 1"}, program.compiled());
    const auto found = session.graphs.lookup({.key = program.key(), .extern_key = "libdevice 2"});
    QVERIFY(!found.entry);
    QCOMPARE(found.info.status, std::string("guard_miss"));
    QCOMPARE(inductor("fxgraph_cache_miss"), std::int64_t{1});
    QVERIFY(session.graphs.lookup({.key = program.key(), .extern_key = "libdevice 1"}).entry);
  }

  void an_error_of_the_system_after_the_load_is_a_miss() {
    Session session;
    const Program program{.graph = "g"};
    run(session, program);
    std::ofstream(session.store.root + "/cache") << "a file where the folder should be";
    const auto found = session.graphs.lookup({.key = program.key()});
    QVERIFY(!found.entry);
    QCOMPARE(found.info.status, std::string("hit"));  // as PyTorch: the statistics say hit, the counters miss
    QCOMPARE(inductor("fxgraph_cache_miss"), std::int64_t{2});
  }

  void a_hit_brings_its_counters_and_its_source() {
    Session session;
    const Program program{.graph = "g"};
    auto entry = program.compiled();
    entry.counter_deltas["pattern_matcher_count"] = 3;
    entry.metric_deltas["generated_kernel_count"] = 2;
    session.graphs.save({.key = program.key()}, entry);
    std::string source;
    GraphCache graphs(*session.store.cache, {.cache_root = session.store.root + "/cache",
                                             .save_output_code = [&](std::string_view code) { source = code; }});
    const auto found = graphs.lookup({.key = program.key()});
    QVERIFY(found.entry);
    QCOMPARE(source, entry.source);
    QCOMPARE(inductor("pattern_matcher_count"), std::int64_t{3});
    QCOMPARE(counters().value("metrics", "generated_kernel_count"), std::int64_t{2});
    QCOMPARE(found.info.time_saved, Nanoseconds{7'000'000});
    QCOMPARE(found.entry->encode(), entry.encode());
  }

  void a_graph_that_is_cut_is_refused() {
    Program program{.graph = "g", .guards = "L['t0'] == 3"};
    auto entry = program.compiled();
    entry.line_map = {{1, "File \"m.py\", line 1, in f\n"}};
    entry.constants["c"] = std::string("\x00\x01", 2);
    const auto bytes = entry.encode();
    QCOMPARE(GraphEntry::decode(bytes)->encode(), bytes);
    for (std::size_t n = 0; n < bytes.size(); ++n) QVERIFY(!GraphEntry::decode(bytes.substr(0, n)));
  }
};

QTEST_APPLESS_MAIN(TestCodecache)
#include "test_codecache.moc"
