// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/system_info.h"

#include <QtTest>

#include "golden.h"
#include "keyhole/key/hash.h"

using namespace keyhole;
using V = KeyValue;

namespace {
V value_of(const nlohmann::json& j) {
  if (j.is_null()) return V::null();
  if (j.is_string()) return V::text(j);
  V::Fields fields;
  for (const auto& [name, inner] : j.items()) fields.emplace_back(name, value_of(inner));
  return V::map(std::move(fields));
}
}  // namespace

class TestSystemInfo : public QObject {
  Q_OBJECT
 private slots:
  void golden_hashes() {
    const auto& section = golden("hash")["system_info"];
    int seen = 0;
    for (const auto& vector : section["key_from_json"]) {
      const std::string json = python_json(value_of(vector["input"])).value();
      QCOMPARE(json, vector["json"].get<std::string>());
      QCOMPARE(kSystem.key({json}), vector["hash"].get<std::string>());
      ++seen;
    }
    QCOMPARE(seen, 6);
    QCOMPARE(system_hash({}), section["real_cpu_get_system"]["hash"].get<std::string>());
    QCOMPARE(system_info({}).repr(), "{'hash': '" + system_hash({}) + "'}");
    const GpuInfo gpu{"NVIDIA H200", {}, "cuda", "12.8"};
    const auto& mocked = section["mocked_h200_cuda12.8_no_triton"];
    QCOMPARE(system_hash(gpu), mocked["hash"].get<std::string>());
    QCOMPARE(python_json(system_info(gpu)).value(), python_json(value_of(mocked)).value());
    QCOMPARE("<CACHE>/cache/" + system_hash({}), section["get_local_cache_path"].get<std::string>());
    QCOMPARE(local_cache_path("<CACHE>", {}), section["get_local_cache_path"].get<std::string>());
  }
  void json_as_python_prints_it() {
    const V value = V::map(
        V::Fields{{"b", V::integer(1)},
                  {"a", V::list({V::integer(1), V::null(), V::real(1), V::boolean(true), V::text("\"\\\n\x01é😀/")})}});
    const std::string expected =
        "{\"a\": [1, null, 1.0, true, \"\\\"\\\\\\n\\u0001\\u00e9\\ud83d\\ude00/\"], \"b\": 1}";
    QCOMPARE(python_json(value).value(), expected);
    QVERIFY(!python_json(V::bytes("x")));
    QVERIFY(!python_json(V::map(V::Pairs{{V::integer(1), V::null()}})));
    for (const auto& vector : golden("hash")["cache_key_strategies"])
      if (vector["name"] == "compact") {
        const V keyed = V::map(V::Fields{{"b", V::integer(1)}, {"a", V::list({V::integer(1), V::null()})}});
        QCOMPARE(kCompact.key({python_json(keyed).value()}), vector["json({'b':1,'a':[1,None]})"].get<std::string>());
      }
  }
  void this_machine() {
    const DeviceInformation here = device_information("90");
    QCOMPARE(here.platform, std::string("linux"));
    QVERIFY(!here.machine.empty() && !here.cpu_isa.empty());
    QCOMPARE(here.compute_capability, std::string("90"));
    QCOMPARE(kernel_binary_format("cuda"), std::string("cubin"));
    QCOMPARE(kernel_binary_format("cuda", true), std::string("hsaco"));
    QCOMPARE(kernel_binary_format("xpu"), std::string("zebin"));
    QCOMPARE(kernel_binary_format("cpu"), std::string());
  }
};

QTEST_APPLESS_MAIN(TestSystemInfo)
#include "test_system_info.moc"
