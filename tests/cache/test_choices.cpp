// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/choices.h"

#include "cache_golden.h"

using namespace keyhole;

class TestChoices : public QObject {
  Q_OBJECT
 private slots:
  void system_hashes() {
    for (const auto& v : golden("system_info").at("key_from_json")) {
      const auto& input = v.at("input");
      if (input.is_object() && (input.empty() || input.contains("device")))
        QCOMPARE(system_hash(input), v.at("hash").get<std::string>());
    }
    QCOMPARE(system_hash(nlohmann::ordered_json::object()),
             std::string("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"));
    const nlohmann::ordered_json h200{{"device", {{"name", "NVIDIA H200"}}},
                                      {"version", {{"triton", nullptr}, {"cuda", "12.8"}}}};
    QCOMPARE(system_hash(h200), std::string("fb14311aca3f629871fbd489194c58d14241fb80e1f9b9effba4fa109b4b9946"));
  }

  void the_persistent_cache_of_pytorch() {
    const auto g = golden("persistent_cache");
    TestStore store;
    const auto hash = system_hash(nlohmann::ordered_json::object());
    ChoiceCache cache(*store.cache, hash, {});
    std::vector<std::vector<std::string>> asked;
    const auto benchmark = [&](const std::vector<std::string>& choices) {
      asked.push_back(choices);
      Timings timings;
      for (std::size_t i = 0; i < choices.size(); ++i) timings.emplace_back(choices[i], 0.5 + static_cast<double>(i));
      return timings;
    };
    const auto check = [&](std::size_t step, const Result<Timings>& timings) {
      QVERIFY(timings);
      nlohmann::ordered_json json = nlohmann::ordered_json::object();
      for (const auto& [choice, seconds] : *timings) json[choice] = seconds;
      QCOMPARE(json, g.at(step).at("timings"));
      QCOMPARE(nlohmann::ordered_json(asked), g.at(step).at("benchmark_called_with"));
      asked.clear();
    };
    const std::vector<std::string> ab{"a-1", "b-2"}, ac{"a-1", "c-3"}, adb{"a-1", "d-4", "b-2"}, a{"a-1"};
    check(0, cache.lookup(ab, "mm", "in"));
    check(1, cache.lookup(ab, "mm", "in", benchmark));
    check(2, cache.lookup(ab, "mm", "in", benchmark));
    check(3, cache.lookup(ac, "mm", "in", benchmark));
    check(4, cache.lookup(adb, "mm", "in"));
    check(5, cache.lookup(ab, "mm", "other"));
    check(6, cache.lookup(a, "mm", "in", {}, "8"));
    check(7, cache.lookup(a, "mm", "in", benchmark, "8"));
    ChoiceCache high(*store.cache, hash, {.precision = "high"});
    check(8, high.lookup(ab, "mm", "in"));
    check(9, cache.lookup({}, "mm", "in", benchmark));
    ChoiceCache off(*store.cache, hash, {.local = false, .torch_compat = true});
    check(10, off.lookup(ab, "mm", "in", benchmark));
    const nlohmann::ordered_json system{{"hash", hash}};
    QCOMPARE(cache.file_text(system).value_or("?"), g.at(11).at("text").get<std::string>());
  }

  void by_default_nothing_is_forgotten() {
    TestStore store;
    const auto benchmark = [](const std::vector<std::string>& choices) { return Timings{{choices.front(), 1.0}}; };
    QVERIFY(ChoiceCache(*store.cache, "s", {}).lookup({"a"}, "mm", "in", benchmark));
    QVERIFY(ChoiceCache(*store.cache, "s", {.local = false}).lookup({"b"}, "mm", "in", benchmark));
    QCOMPARE(ChoiceCache(*store.cache, "s", {}).lookup({"a", "b"}, "mm", "in")->size(), std::size_t{2});
    QCOMPARE(ChoiceCache(*store.cache, "another machine", {}).lookup({"a"}, "mm", "in")->size(), std::size_t{0});
    const auto lazy = [](const std::vector<std::string>&) { return Timings{}; };
    QCOMPARE(ChoiceCache(*store.cache, "s", {}).lookup({"z"}, "mm", "in", lazy).error().kind, ErrorKind::internal);
  }

  void nested_lookup_and_the_quirk_of_pytorch() {
    const auto g = golden("persistent_cache").at(12);
    LocalCache proper, compat(true);
    for (auto* cache : {&proper, &compat}) {
      cache->set_value({"a", "b"}, 3);
      cache->set_value({"k"}, {{"z", 1}});
    }
    for (const auto& [call, wanted] : g.items()) {
      if (!call.starts_with("lookup(")) continue;
      std::vector<std::string> keys;
      for (const auto& key : QString::fromStdString(call.substr(7, call.size() - 8)).split(',', Qt::SkipEmptyParts))
        keys.push_back(key.toStdString());
      QCOMPARE(compat.lookup(keys), wanted);
    }
    QCOMPARE(proper.lookup({"a", "b"}), nlohmann::ordered_json(3));
    QCOMPARE(proper.lookup({"a", "k"}), nlohmann::ordered_json());
    QCOMPARE(proper.lookup({"k", "z", "deeper"}), nlohmann::ordered_json());
  }
};

QTEST_APPLESS_MAIN(TestChoices)
#include "test_choices.moc"
