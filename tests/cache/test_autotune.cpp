// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/autotune.h"

#include "cache_golden.h"
#include "keyhole/cache/artifacts.h"
#include "keyhole/remote/remote_cache.h"

using namespace keyhole;

namespace {
TritonConfig config(std::vector<std::pair<std::string, std::int64_t>> args, std::int64_t warps, std::int64_t stages) {
  return {std::move(args), warps, stages};
}
}  // namespace

class TestAutotune : public QObject {
  Q_OBJECT
  std::string torch_key() {
    return QByteArray::fromHex(
               QByteArray::fromStdString(golden("autotune_cache_keys").at("torch_key_hex").get<std::string>()))
        .toStdString();
  }

 private slots:
  void keys_are_those_of_pytorch() {
    const auto g = golden("autotune_cache_keys");
    const auto key = best_config_key(g.at("filename"), "", torch_key());
    QCOMPARE(key.prepared, g.at("prepare_key").get<std::string>());
    QCOMPARE(key.path, g.at("local_key").get<std::string>());
    QCOMPARE(key.artifact, g.at("artifact_key").get<std::string>());
    QCOMPARE(best_config_key(g.at("filename"), "test", torch_key()).prepared,
             g.at("prepare_key_tag_test").get<std::string>());
    for (const auto& c : g.at("comment_stripped"))
      QCOMPARE(code_hash_without_comments(c.at("code").get<std::string>()), c.at("hash").get<std::string>());
    const auto b = g.at("bundle_key_example");
    QCOMPARE(autotune_bundle_key(b.at("code_hash").get<std::string>(), b.at("backend_hash").get<std::string>()),
             b.at("key").get<std::string>());
  }

  void a_saved_configuration_is_read_for_the_same_set_only() {
    const auto g = golden("autotune_cache_keys");
    TestStore store;
    ArtifactFactory factory;
    QVERIFY(factory.add("autotune", {}));
    ArtifactManager manager(factory);
    auto remote_backend = std::make_shared<MemoryBackend>();
    RemoteCache remote("autotune_remote", "id", remote_backend);
    AutotuneCache cache(*store.cache, torch_key(), "", &remote, &manager);
    const std::string source = g.at("filename");
    const std::vector<TritonConfig> set{config({{"XBLOCK", 64}}, 4, 1), config({{"XBLOCK", 128}}, 8, 2)};
    QVERIFY(!cache.read(source, set));
    BestConfig best{set[1], hash_of(set), false, 5'000'000, "TH"};
    QVERIFY(cache.save(source, best));
    QCOMPARE(cache.read(source, set).value_or(TritonConfig{}), set[1]);
    QVERIFY(!cache.read(source, {set[0]}));
    best.configs_hash = "HASH";
    QCOMPARE(best.json(), g.at("save_read").at(1).at("text").get<std::string>());
    QCOMPARE(manager.serialize()->info.keys("autotune"),
             std::vector<std::string>{g.at("artifact_key").get<std::string>()});

    TestStore other;  // another machine
    AutotuneCache there(*other.cache, torch_key(), "", &remote);
    QCOMPARE(there.read(source, set).value_or(TritonConfig{}), set[1]);

    const auto found = config({{"XBLOCK", 96}}, 8, 2);  // by coordinate descent: none of the set
    QVERIFY(cache.save(source, {found, hash_of(set), true, 0, ""}));
    QCOMPARE(cache.read(source, set, true).value_or(TritonConfig{}), found);
    QVERIFY(!BestConfig::parse("[]"));
    QVERIFY(!BestConfig::parse("{"));
  }

  void hashes_of_sets() {
    for (const auto& v : golden("autotune_lookup").at("hash_configs")) {
      std::vector<TritonConfig> set;
      for (const auto& c : v.at("configs")) {
        TritonConfig one;
        for (const auto& [name, value] : c.at(0).items()) one.args.emplace_back(name, value.get<std::int64_t>());
        one.num_warps = c.at(1);
        one.num_stages = c.at(2);
        set.push_back(one);
      }
      QCOMPARE(hash_of(set), v.at("hash").get<std::string>());
    }
  }

  void lookup_hashes_do_not_hold_the_name() {
    const auto g = golden("autotune_lookup");
    for (const auto& v : g.at("lookup"))
      QCOMPARE(autotune_lookup_hash(v.at("size_hints").get<std::string>(), v.at("source").get<std::string>()),
               v.at("hash").get<std::string>());
  }

  // test_async_compile.py: test_autotune_lookup_table
  void test_autotune_lookup_table() {
    const auto g = golden("autotune_lookup");
    const std::string kernel = g.at("seed_func_def"), hash = g.at("seed_test_hash");
    std::string renamed = kernel;
    renamed.replace(renamed.find("triton_fused_fake_name"), 22, "triton_red_fused_sum_0");
    const std::string source =
        "import triton\n@triton_heuristics.reduction(\n    size_hints={'x': 1024, 'r0_': 16384},\n)\n@triton.jit" +
        renamed;
    nlohmann::ordered_json table;
    table[hash] = {{"XBLOCK", 1}, {"R0_BLOCK", 2048}, {"num_warps", 16}, {"num_stages", 1}};
    const auto row = autotune_lookup(table, source);
    QVERIFY(row);
    QCOMPARE(*row, config({{"XBLOCK", 1}, {"R0_BLOCK", 2048}}, 16, 1));
    QVERIFY(!autotune_lookup(table, "no kernel here"));
    QVERIFY(!autotune_lookup(nlohmann::ordered_json::object(), source));
  }
};

QTEST_APPLESS_MAIN(TestAutotune)
#include "test_autotune.moc"
