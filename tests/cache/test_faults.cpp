// SPDX-License-Identifier: Apache-2.0
// The caches on top of the store, each public call of them, struck at the operations that change the disk (the store's
// own calls: test_crash.cpp). What was acknowledged is served afterwards, nothing wrong is, and no file is half there
// under its name.
#include <filesystem>
#include <fstream>

#include "cache_golden.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/artifacts.h"
#include "keyhole/cache/autograd_cache.h"
#include "keyhole/cache/autotune.h"
#include "keyhole/cache/choices.h"
#include "keyhole/cache/graph_cache.h"
#include "keyhole/cache/precompile.h"
#include "keyhole/cache/source_files.h"
#include "keyhole/cache/source_modules.h"
#include "keyhole/cache/triton_bundler.h"
#include "keyhole/guard/expression.h"
#include "keyhole/key/hash.h"
#include "struck.h"

using namespace keyhole;
using keyhole::test::Fault;
using keyhole::test::kWrong;
using keyhole::test::Say;
using keyhole::test::Scenario;
namespace fs = std::filesystem;

namespace {

constexpr int kGraphs = 2;
enum Thing { graph = 0, autograd = 10, best_config, profile, package, choice, user, removed, text = 20, source, plain };

const std::string kKernelFile(3000, 'k');

std::string graph_key(int i) {
  return kFxGraph.key({std::to_string(i)});
}
GraphEntry graph_entry(int i) {
  GraphEntry entry;
  entry.source = "# graph " + std::to_string(i) + "\n" + std::string(2000, 'x');
  entry.code_key = code_hash(strip_text(entry.source));
  entry.guards = "L['t0'] == 8";
  entry.time_taken = 7'000'000;
  entry.triton.kernels.push_back({"KERNEL" + std::to_string(i), 0, {{"k.cubin", kKernelFile}, {"k.json", "{}"}}});
  return entry;
}
const std::vector<TritonConfig>& configs() {
  static const std::vector<TritonConfig> set{{{{"XBLOCK", 64}}, 4, 1}, {{{"XBLOCK", 128}}, 8, 2}};
  return set;
}
CacheEntry package_entry() {
  return {{"f", 12, "cpu", {{"f", {"b1"}, false}}}, {{"b1", {"BundledAOTAutogradCacheArtifact", "b1", "both graphs"}}}};
}
const Timings& timings() {
  static const Timings measured{{"a", 0.25}, {"b", 0.5}};
  return measured;
}

/// All caches of one process over one folder.
struct Caches {
  explicit Caches(const std::string& root, ArtifactCache& store)
      : artifacts(factory),
        graphs(store, {.artifacts = &artifacts, .cache_root = root + "/cache"}),
        autograd_cache(store, graphs, &artifacts),
        autotune(store, std::string(32, 'k'), "", nullptr, &artifacts),
        profiles(store, "job", &artifacts),
        packages(store, &artifacts),
        choices(store, "system", {}) {
    const auto into = [](auto& cache) {
      return [&cache](const std::string& key, std::string_view content) { return cache.populate(key, content); };
    };
    static_cast<void>(factory.add("inductor", into(graphs)));
    static_cast<void>(factory.add("aot_autograd", into(autograd_cache)));
    static_cast<void>(factory.add("autotune", into(autotune)));
    static_cast<void>(factory.add("pgo", into(profiles)));
    static_cast<void>(factory.add("precompile", into(packages)));
    static_cast<void>(factory.add("user", [root](const std::string& key, std::string_view content) {
      return write_atomic(root + "/user/" + key, content, true);
    }));
  }
  static std::unique_ptr<ArtifactCache> open(const std::string& root, bool durable = false) {
    auto store = ArtifactCache::open(root + "/store", {.durable = durable});
    return store ? std::move(*store) : nullptr;
  }

  void save_all(const Say& say) {
    const Hints hints({8});
    for (int i = 0; i < kGraphs; ++i)
      if (graphs.save({.key = graph_key(i), .hints = &hints}, graph_entry(i))) say(graph + i);
    if (autograd_cache.save({.key = "a1", .hints = &hints}, {graph_key(0), graph_key(1), "wrapper", "", 1}))
      say(autograd);
    if (autotune.save("/x/cz/czz.py", {configs()[1], hash_of(configs()), false, 0, ""})) say(best_config);
    if (profiles.save("job:None:", "shapes")) say(profile);
    if (packages.save("f", package_entry())) say(package);
    // Measurements are kept as well as can be: a failure to store them is none of the lookup.
    const auto measured =
        choices.lookup({"a", "b"}, "mm", "in", [](const std::vector<std::string>&) { return timings(); });
    if (measured && *measured != timings()) _exit(kWrong);
  }

  /// What is served, of all that may be; what is wrong with it.
  std::string serve(std::set<int>& served) {
    const Hints hints({8}), other({9});
    for (int i = 0; i < kGraphs; ++i) {
      if (graphs.lookup({.key = graph_key(i), .hints = &other}).entry) return "a guard that fails was served";
      const auto found = graphs.lookup({.key = graph_key(i), .hints = &hints});
      if (!found.entry) continue;
      served.insert(graph + i);
      if (found.entry->encode() != graph_entry(i).encode()) return "another graph";
      if (read_file(found.source_path).value_or("") != graph_entry(i).source) return "another source";
    }
    if (const auto found = autograd_cache.lookup({.key = "a1", .hints = &hints})) {
      served.insert(autograd);
      if (found->graphs.size() != 2 || found->entry.wrapper != "wrapper") return "another entry of autograd";
    }
    if (const auto found = autotune.read("/x/cz/czz.py", configs())) {
      served.insert(best_config);
      if (*found != configs()[1]) return "another configuration";
    }
    if (const auto found = profiles.load("job:None:")) {
      served.insert(profile);
      if (*found != "shapes") return "another profile";
    }
    if (const auto found = packages.load("f")) {
      served.insert(package);
      if (found->encode() != package_entry().encode()) return "another package";
    }
    const auto found = choices.lookup({"a", "b"}, "mm", "in");
    if (!found) return found.error().line();
    if (found->size() == 2) served.insert(choice);
    for (std::size_t i = 0; i < found->size(); ++i)
      if ((*found)[i] != timings()[i]) return "another measurement";
    return {};
  }

  ArtifactFactory factory;
  ArtifactManager artifacts;
  GraphCache graphs;
  AutogradCache autograd_cache;
  AutotuneCache autotune;
  ShapeProfiles profiles;
  PackageStore packages;
  ChoiceCache choices;
};

/// Files whose names do not begin with a dot are whole: sources, and kernels in folders that are not temporary.
std::string half_written(const std::string& root) {
  for (int i = 0; i < kGraphs; ++i) {
    const std::string kernel = root + "/cache/triton/0/KERNEL" + std::to_string(i);
    if (fs::exists(kernel) && !fs::is_empty(kernel) &&
        (read_file(kernel + "/k.cubin").value_or("") != kKernelFile || !fs::exists(kernel + "/k.json")))
      return "half a kernel";
  }
  if (!fs::exists(root + "/cache")) return {};
  for (const auto& file : fs::recursive_directory_iterator(root + "/cache")) {
    if (file.path().extension() != ".py" || file.path().filename().string().front() == '.') continue;
    const auto bytes = read_file(file.path().string()).value_or("");
    if (bytes != graph_entry(0).source && bytes != graph_entry(1).source) return "half a source: " + bytes;
  }
  return {};
}

std::string check_all(const std::string& root, const std::set<int>& acknowledged) {
  if (auto half = half_written(root); !half.empty()) return half;
  const auto store = Caches::open(root);
  if (!store) return "the store does not open";
  Caches caches(root, *store);
  std::set<int> served;
  if (auto wrong = caches.serve(served); !wrong.empty()) return wrong;
  for (const int thing : acknowledged)
    if (thing < text && thing != user && !served.contains(thing))
      return std::to_string(thing) + " was acknowledged and is gone";
  served.clear();
  caches.save_all([&](int thing) { served.insert(thing); });  // what a strike left behind is in nobody's way
  if (served.size() != kGraphs + 4) return "not everything can be saved again";
  served.clear();
  if (auto wrong = caches.serve(served); !wrong.empty()) return wrong;
  return served.size() == kGraphs + 5 ? "" : "not everything is served again";
}

/// Bytes of a mega-cache with all of it.
const std::string& blob() {
  static const std::string bytes = [] {
    QTemporaryDir folder;
    const auto store = Caches::open(folder.path().toStdString());
    Caches caches(folder.path().toStdString(), *store);
    caches.save_all([](int) {});
    static_cast<void>(caches.artifacts.record("user", "u1", "a user's own"));
    return caches.artifacts.serialize()->blob;
  }();
  return bytes;
}

}  // namespace

class TestFaults : public QObject {
  Q_OBJECT

 private slots:
  void saves_and_lookups_data() { keyhole::test::add_fault_kinds(); }
  void saves_and_lookups() {
    QFETCH(int, kind);
    keyhole::test::strike({[](const std::string& root, const Say& say) {
                             const auto store = Caches::open(root, true);
                             if (!store) return;
                             Caches caches(root, *store);
                             std::set<int> served;
                             if (!caches.serve(served).empty()) _exit(kWrong);
                             caches.save_all(say);
                             if (!caches.serve(served).empty()) _exit(kWrong);
                           },
                           check_all},
                          static_cast<Fault::Kind>(kind), 40);
  }

  void a_mega_cache_is_loaded_data() { keyhole::test::add_fault_kinds(); }
  void a_mega_cache_is_loaded() {
    QFETCH(int, kind);
    QVERIFY(!blob().empty());
    keyhole::test::strike({[](const std::string& root, const Say& say) {
                             const auto store = Caches::open(root, true);
                             if (!store) return;
                             Caches caches(root, *store);
                             const auto info = caches.artifacts.load(blob());
                             if (!info) _exit(kWrong);  // the bytes are good: the disk is nothing to it
                             for (const auto& key : info->keys("inductor"))
                               say(key == graph_key(0) ? graph : graph + 1);
                             // An entry of autograd is served where its graphs are.
                             if (!info->keys("aot_autograd").empty() && info->keys("inductor").size() == kGraphs)
                               say(autograd);
                             if (!info->keys("autotune").empty()) say(best_config);
                             if (!info->keys("pgo").empty()) say(profile);
                             if (!info->keys("precompile").empty()) say(package);
                             if (!info->keys("user").empty()) say(user);
                             std::set<int> served;
                             if (!caches.serve(served).empty()) _exit(kWrong);
                           },
                           [](const std::string& root, const std::set<int>& acknowledged) -> std::string {
                             const auto mine = read_file(root + "/user/u1");
                             if (mine ? *mine != "a user's own" : acknowledged.contains(user)) return "the user's own";
                             return check_all(root, acknowledged);
                           }},
                          static_cast<Fault::Kind>(kind), 30);
  }

  /// A removal that was acknowledged stays one.
  void all_graphs_are_removed_data() { keyhole::test::add_fault_kinds(); }
  void all_graphs_are_removed() {
    QFETCH(int, kind);
    keyhole::test::strike({[](const std::string& root, const Say& say) {
                             const auto store = Caches::open(root, true);
                             if (!store) return;
                             Caches caches(root, *store);
                             const Hints hints({8});
                             bool all = true;
                             for (int i = 0; i < kGraphs; ++i)
                               all = caches.graphs.save({.key = graph_key(i), .hints = &hints}, graph_entry(i)) && all;
                             caches.graphs.clear();
                             const auto none = store->remove(Layer::fx_graph, "");
                             if (all && none && *none == 0) say(removed);
                           },
                           [](const std::string& root, const std::set<int>& acknowledged) -> std::string {
                             const auto store = Caches::open(root);
                             if (!store) return "the store does not open";
                             Caches caches(root, *store);
                             std::set<int> served;
                             if (auto wrong = caches.serve(served); !wrong.empty()) return wrong;
                             return acknowledged.contains(removed) && !served.empty() ? "what was removed is served"
                                                                                      : "";
                           }},
                          static_cast<Fault::Kind>(kind), 25);
  }

  void files_data() { keyhole::test::add_fault_kinds(); }
  void files() {
    QFETCH(int, kind);
    const std::string content(5000, 'c');
    keyhole::test::strike(
        {[&](const std::string& root, const Say& say) {
           if (write_text(root, content)) say(text);
           SourceModules modules(root);
           if (const auto written = modules.write("print(1)")) {
             say(source);
             if (read_file(written->path).value_or("") != "print(1)") _exit(kWrong);
             modules.add(written->path, {});
           }
           for (const char* version : {"old", "new"})
             if (write_atomic(root + "/deep/er/file", version + content, true)) say(plain);
           TritonBundler(([&](int) { return root + "/cache/triton/0"; })).read_and_emit(graph_entry(0).triton);
           const auto lock = FileLock::take(root + "/locks", "key", std::chrono::seconds(1));
           modules.clear(true);
         },
         [&](const std::string& root, const std::set<int>& acknowledged) -> std::string {
           if (auto half = half_written(root); !half.empty()) return half;
           const auto file = read_file(root + "/deep/er/file");
           if (file ? *file != "old" + content && *file != "new" + content : acknowledged.contains(plain))
             return "the file that was replaced";
           int texts = 0;
           for (const auto& found : fs::recursive_directory_iterator(root)) {
             const auto name = found.path().filename().string();
             if (!found.is_regular_file() || name.front() == '.' || name.ends_with(".lock")) continue;
             const auto bytes = read_file(found.path().string()).value_or("");
             if (name.ends_with(".txt")) {
               ++texts;
               if (bytes != content) return "half a text";
             }
             if (name.ends_with(".py") && bytes != "print(1)") return "half a source";
           }
           return acknowledged.contains(text) && texts != 1 ? "the text is gone" : "";
         }},
        static_cast<Fault::Kind>(kind), 8);
  }
};

QTEST_APPLESS_MAIN(TestFaults)
#include "test_faults.moc"
