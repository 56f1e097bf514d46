// SPDX-License-Identifier: Apache-2.0
// The rows of test_precompile_context.py, and what packages and shape profiles promise beyond.
#include "keyhole/cache/precompile.h"

#include "cache_golden.h"
#include "keyhole/cache/counters.h"

using namespace keyhole;

class TestPrecompile : public QObject {
  Q_OBJECT
  const std::string backend_ = backend_id(1, "6e97b5e1-b7bc-4f3a-b25c-426410153006");

  void compile(PrecompileContext& context) {
    context.record_artifact({"BundledAOTAutogradCacheArtifact", backend_, "content"});
    context.record_entry({"precompile_context.<locals>.f", 1294, "cpu", {{"f", {backend_}}}});
  }

 private slots:
  void test_basic() {
    PrecompileContext context;
    compile(context);
    QCOMPARE(context.packages(), std::size_t{1});
    QCOMPARE(context.backends(), std::size_t{1});
    const auto created = context.create_cache_entries();
    QCOMPARE(created.entries.size(), std::size_t{1});
    const auto g = golden("precompile_context");
    QCOMPARE(nlohmann::ordered_json::parse(created.debug_info), g.at("debug_info"));
    QCOMPARE(created.entries.begin()->first, g.at("dynamo_key").get<std::string>());
    QCOMPARE(backend_, g.at("backend_key").get<std::string>());
    context.clear();
    QCOMPARE(context.packages() + context.backends(), std::size_t{0});
  }

  void test_serialize_by_key() {
    PrecompileContext context;
    compile(context);
    const auto artifact = context.serialize_by_key(backend_);
    QVERIFY(artifact);
    QCOMPARE(artifact->key, backend_);
    QVERIFY(!context.serialize_by_key("nope"));
    QCOMPARE(context.create_cache_entries().entries.size(), std::size_t{1});
    QCOMPARE(context.create_cache_entries().entries.size(), std::size_t{1});
  }

  void test_editable() {
    PrecompileContext context;
    compile(context);
    QVERIFY(context.edit(backend_, [](const std::string& content) { return content + " field=42"; }));
    QCOMPARE(context.edit("nope", {}).error().what, golden("precompile_context").at("edit_unknown").get<std::string>());
    QCOMPARE(context.serialize_by_key(backend_)->type,
             golden("precompile_context").at("artifact_type").get<std::string>());
    const auto created = context.create_cache_entries();
    const auto& entry = created.entries.begin()->second;
    QCOMPARE(entry.backends.size(), std::size_t{1});
    QCOMPARE(entry.backends.at(backend_).content, std::string("content field=42"));
  }

  void a_missing_backend_bypasses_its_code() {
    PrecompileContext context;
    context.record_entry({"f", 1, "cpu", {{"f", {"gone"}}}});
    std::vector<std::string> events;
    set_event_listener([&](std::string_view name, std::string_view) { events.emplace_back(name); });
    const auto created = context.create_cache_entries();
    set_event_listener(nullptr);
    QVERIFY(created.entries.begin()->second.package.codes[0].bypassed);
    QCOMPARE(events, (std::vector<std::string>{"dynamo_cache_bypass", "dynamo_cache_entries"}));
  }

  void packages_are_stored_and_found() {
    TestStore store;
    PrecompileContext context;
    compile(context);
    counters().clear();
    PackageStore packages(*store.cache);
    const auto created = context.create_cache_entries();
    const auto& [id, entry] = *created.entries.begin();
    QVERIFY(!packages.load(id));
    QVERIFY(packages.save(id, entry));
    const auto back = packages.load(id);
    QVERIFY(back);
    QCOMPARE(back->encode(), entry.encode());
    QVERIFY(packages.populate("broken", "not a package"));
    QVERIFY(!packages.load("broken"));
    QCOMPARE(counters().value("dynamo_cache", "dynamo_cache_hit"), std::int64_t{1});
    QCOMPARE(counters().value("dynamo_cache", "dynamo_cache_miss"), std::int64_t{1});
    QCOMPARE(counters().value("dynamo_cache", "dynamo_cache_error"), std::int64_t{1});
  }

  void compatibility() {
    const PackageSystem made{"3.11", "2.13.0", "12.8", {3, 5}, "NVIDIA H200"};
    PackageSystem here = made;
    QVERIFY(check_compatible(made, here, true));
    here.gpu = "NVIDIA A100";
    QVERIFY(!check_compatible(made, here, true));
    QVERIFY(check_compatible(made, here, false));
    here.gpu.clear();
    here.triton = {0, 0};
    QVERIFY(check_compatible(made, here, true));
    here.torch = "2.14.0";
    QVERIFY(check_compatible(made, here, false).error().what.find("2.14.0") != std::string::npos);
  }

  void shape_profiles() {
    QCOMPARE(shape_profile_key("", {}, "t").value_or("?"), std::optional<std::string>());
    QCOMPARE(shape_profile_key("job", {}, "t").value_or("?"), std::optional<std::string>("job:None:t"));
    QCOMPARE(shape_profile_key("job", 3, "").value_or("?"), std::optional<std::string>("job:3:"));
    QVERIFY(!shape_profile_key("mast:x", {}, ""));
    QCOMPARE(shape_profile_file("mast:a/b:1:None:"), std::string("dynamo/code_state_mast_a_b_1_None_.pkl"));
    QCOMPARE(rewritten_profile_key("mast:foo:5:None:t", "mast:bar:10"), std::string("mast:bar:10:None:t"));
    QCOMPARE(rewritten_profile_key("job:None:t", "mast:bar:10"), std::string("job:None:t"));
    TestStore store;
    ShapeProfiles profiles(*store.cache, "job");
    QVERIFY(!profiles.load("k"));
    QVERIFY(profiles.save("k", "first"));
    QVERIFY(profiles.save("k", "second"));
    QCOMPARE(profiles.load("k").value_or("?"), std::string("second"));
  }
};

QTEST_APPLESS_MAIN(TestPrecompile)
#include "test_precompile.moc"
