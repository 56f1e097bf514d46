// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/triton_bundler.h"

#include <filesystem>
#include <fstream>

#include "cache_golden.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/counters.h"

using namespace keyhole;
namespace fs = std::filesystem;

class TestTritonBundler : public QObject {
  Q_OBJECT
  QTemporaryDir folder_;
  std::string root_ = folder_.path().toStdString();

  void file(const std::string& path, const std::string& content) {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << content;
  }
  TritonBundler bundler() {
    return TritonBundler([this](int) { return root_; });
  }

 private slots:
  void init() {
    counters().clear();
    fs::remove_all(root_);
    fs::create_directories(root_);
    for (const auto& [name, content] : std::map<std::string, std::string>{{"k.ttir", "t"},
                                                                          {"k.ttgir", "g"},
                                                                          {"k.llir", "l"},
                                                                          {"k.ptx", "p"},
                                                                          {"k.json", "{\"x\": 1}"},
                                                                          {"k.cubin",
                                                                           "\x7f"
                                                                           "ELF"}})
      file("HASH1/" + name, content);
    file("HASH1/__grp__k.json", "{\"child_paths\": {\"k.ttir\": \"" + root_ + "/HASH1/k.ttir\"}}");
    file("HASH1/bad.json", "[REPLACE]");
    file("HASH2/b.cubin", "x");
  }

  void collects_and_emits_as_pytorch_does() {
    const auto g = golden("triton_bundler");
    auto b = bundler();
    QVERIFY(b.begin());
    QVERIFY(!b.begin());
    b.put("HASH1", 0);
    b.put("HASH2", 0);
    b.put("MISSING", 0);
    const auto collected = b.collect();
    QVERIFY(!b.active());
    QCOMPARE(collected.metadata->text(), g.at("collect").at("meta").get<std::string>());
    QCOMPARE(counters().value("inductor", "triton_bundler_save_kernel"),
             g.at("collect").at("save_kernel_counter").get<std::int64_t>());
    nlohmann::ordered_json artifacts = nlohmann::ordered_json::array();
    for (const auto& kernel : collected.bundle.kernels) {
      nlohmann::ordered_json files = nlohmann::ordered_json::array();
      for (const auto& f : kernel.files) files.push_back({f.name, f.bytes});
      artifacts.push_back({kernel.hash, kernel.device, files});
    }
    QCOMPARE(artifacts, g.at("collect").at("artifacts"));

    const auto back = TritonBundle::decode(collected.bundle.encode());
    QVERIFY(back);
    const auto existing = b.read_and_emit(*back);
    QCOMPARE(existing.text(), g.at("emit_existing").at("meta").get<std::string>());
    QCOMPARE(counters().value("inductor", "triton_bundler_read_and_emit_kernel"), std::int64_t{0});
    fs::remove_all(root_ + "/HASH1");
    fs::remove_all(root_ + "/HASH2");
    fs::create_directories(root_ + "/HASH2");  // empty: filled
    QCOMPARE(b.read_and_emit(*back).text(), g.at("emit_fresh").at("meta").get<std::string>());
    QCOMPARE(counters().value("inductor", "triton_bundler_read_and_emit_kernel"),
             g.at("emit_fresh").at("counter").get<std::int64_t>());
    QCOMPARE(read_file(root_ + "/HASH1/__grp__k.json").value_or("?"),
             "{\"child_paths\": {\"k.ttir\": \"" + root_ + "/HASH1/k.ttir\"}}");
    std::vector<std::string> names;
    os().list(root_, names);
    QCOMPARE(nlohmann::ordered_json(names), g.at("emit_fresh").at("dirs"));
  }

  void with_winners_only_these_are_collected() {
    auto b = bundler();
    QVERIFY(b.begin());
    b.put("HASH1", 0);
    b.put("HASH2", 0);
    b.put_winner("HASH2");
    const auto collected = b.collect();
    QCOMPARE(collected.bundle.kernels.size(), std::size_t{1});
    QCOMPARE(collected.bundle.kernels[0].hash, std::string("HASH2"));
  }

  void without_begin_there_is_nothing() {
    auto b = bundler();
    b.put("HASH1", 0);
    const auto collected = b.collect();
    QVERIFY(collected.bundle.empty());
    QVERIFY(!collected.metadata);
    QVERIFY(b.begin());
    b.put("HASH1", 0);
    b.end();
    QVERIFY(b.collect().bundle.empty());
  }

  void static_kernels_count() {
    auto b = bundler();
    QVERIFY(b.begin());
    b.put_static({"key", "kernel", "bytes"});
    const auto collected = b.collect();
    QCOMPARE(counters().value("inductor", "triton_bundler_save_static_autotuner"), std::int64_t{1});
    QCOMPARE(collected.metadata->statically_launched_kernel_names, std::vector<std::string>{"kernel"});
    const auto back = TritonBundle::decode(collected.bundle.encode());
    b.read_and_emit(*back, [](const StaticKernel& k) { return k.key == "key"; });
    b.read_and_emit(*back, [](const StaticKernel&) { return false; });
    QCOMPARE(counters().value("inductor", "triton_bundler_load_static_autotuner"), std::int64_t{1});
  }

  void hostile_bundles_write_nothing_outside() {
    TritonBundle bundle;
    bundle.kernels.push_back({"../up", 0, {{"k.ptx", "x"}}});
    QVERIFY(!TritonBundle::decode(bundle.encode()));
    bundle.kernels[0] = {"H", 0, {{"../../k.ptx", "x"}}};
    QVERIFY(!TritonBundle::decode(bundle.encode()));
    bundle.kernels[0] = {"H", 0, {{"k.ptx", "x"}}};
    const auto bytes = bundle.encode();
    for (std::size_t n = 0; n < bytes.size(); ++n) QVERIFY(!TritonBundle::decode(bytes.substr(0, n)));
  }
};

QTEST_APPLESS_MAIN(TestTritonBundler)
#include "test_triton_bundler.moc"
