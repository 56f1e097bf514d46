// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/artifacts.h"

#include "cache_golden.h"

using namespace keyhole;

class TestArtifacts : public QObject {
  Q_OBJECT
  ArtifactFactory factory_;
  std::map<std::string, std::string> stub_;

  static std::string bytes(const nlohmann::ordered_json& vector) {
    return QByteArray::fromHex(QByteArray::fromStdString(vector.at("hex").get<std::string>())).toStdString();
  }
  static nlohmann::ordered_json json(const ArtifactInfo& info) {
    nlohmann::ordered_json j;
    for (const auto& [type, keys] : info.all()) j[type] = keys;
    return j;
  }
  void record(ArtifactManager& manager, const char* key, const char* content) {
    QVERIFY(manager.record("test", key, content));
  }

 private slots:
  void initTestCase() {
    const auto stub = [this](const std::string& key, std::string_view content) -> Result<void> {
      stub_[key] = content;
      return {};
    };
    for (const char* type : {"inductor", "autotune", "aot_autograd", "pgo", "precompile", "test"})
      QVERIFY(factory_.add(type, stub));
  }
  void init() { stub_.clear(); }

  void the_state_machine_and_its_bytes() {
    const auto g = golden("cache_artifacts");
    ArtifactManager manager(factory_);
    QVERIFY(!manager.serialize());
    QVERIFY(!manager.need_serialize());
    record(manager, "1", "foo");
    QVERIFY(manager.need_serialize());
    const auto one = manager.serialize();
    QCOMPARE(one->blob, bytes(g.at("blob_one")));
    QCOMPARE(json(one->info), g.at("blob_one").at("info"));
    QVERIFY(!manager.need_serialize());
    QCOMPARE(manager.serialize()->blob, one->blob);
    record(manager, "1", "foo");  // seen
    QVERIFY(!manager.need_serialize());
    record(manager, "2", "bar");
    record(manager, "foo", "bar");
    const auto three = manager.serialize();
    QCOMPARE(three->blob, bytes(g.at("blob_three_in_two_batches")));
    QCOMPARE(json(three->info), g.at("blob_three_in_two_batches").at("info"));
    manager.clear();
    QVERIFY(!manager.serialize());
    record(manager, "1", "foo");
    record(manager, "2", "bar");
    record(manager, "foo", "bar");
    QCOMPARE(manager.serialize()->blob, bytes(g.at("blob_three_in_one_batch")));
  }

  void several_types_in_one_blob() {
    const auto g = golden("cache_artifacts").at("blob_mixed");
    ArtifactManager manager(factory_);
    QVERIFY(manager.record("inductor", "fkey", std::string_view("\x00\x01\xff", 3)));
    QVERIFY(manager.record("autotune", "ab/x.best_config", "{\"XBLOCK\": 64, \"num_warps\": 4}"));
    QCOMPARE(manager.serialize()->blob, bytes(g));
    const auto loaded = manager.load(bytes(g));
    QVERIFY(loaded);
    QCOMPARE(json(*loaded), g.at("info"));
    QCOMPARE(stub_["fkey"], std::string("\x00\x01\xff", 3));
  }

  void a_type_in_two_records_is_merged_or_as_pytorch_the_last_one_kept() {
    const auto g = golden("cache_artifacts");
    const auto blob = bytes(g.at("blob_three_in_two_batches"));
    ArtifactManager manager(factory_), compat(factory_, true);
    const auto merged = manager.load(blob);
    QCOMPARE(json(*merged), g.at("blob_three_in_two_batches").at("info"));
    QCOMPARE(stub_.size(), std::size_t{3});
    stub_.clear();
    const auto last = compat.load(blob);
    QCOMPARE(json(*last), g.at("load_two_batches").at("info"));
    for (const auto& [key, value] : g.at("load_two_batches").at("store").items())
      QCOMPARE(stub_.at(key), value.get<std::string>());
    QCOMPARE(stub_.size(), std::size_t{2});
  }

  void errors() {
    const auto g = golden("cache_artifacts");
    QCOMPARE(factory_.add("test", {}).error().what, g.at("double_register").get<std::string>());
    ArtifactManager manager(factory_);
    QCOMPARE(manager.record("nope", "k", "").error().what, g.at("record_unregistered").get<std::string>());
    QCOMPARE(nlohmann::ordered_json(factory_.types()), g.at("registered_types"));
    const auto blob = bytes(g.at("blob_one"));
    QVERIFY(!manager.load(blob.substr(0, 3)));
    QVERIFY(!manager.load(blob.substr(0, blob.size() - 1)));
    MegaCacheWriter writer;
    writer.append({"another", {{"k", "v"}}});
    QVERIFY(!manager.load(writer.blob()));
  }
};

QTEST_APPLESS_MAIN(TestArtifacts)
#include "test_artifacts.moc"
