// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>

#include "golden.h"
#include "keyhole/key/torch_pickle.h"

/// A typed value as tests/data/make_fx_details.py writes it.
inline keyhole::KeyValue typed_value(const nlohmann::json& j) {
  using keyhole::KeyValue;
  const auto items = [](const nlohmann::json& list) {
    KeyValue::Items out;
    for (const auto& item : list) out.push_back(typed_value(item));
    return out;
  };
  if (j.is_null()) return KeyValue::null();
  if (j.is_boolean()) return KeyValue::boolean(j);
  if (j.is_string()) return KeyValue::text(j);
  if (j.contains("int")) return KeyValue::big_integer(j["int"].get<std::string>()).value();
  if (j.contains("float"))
    return KeyValue::real(std::bit_cast<double>(std::stoull(j["float"].get<std::string>(), nullptr, 16)));
  if (j.contains("bytes")) return KeyValue::bytes(from_hex(j["bytes"]));
  if (j.contains("list")) return KeyValue::list(items(j["list"]));
  if (j.contains("tuple")) return KeyValue::tuple(items(j["tuple"]));
  if (j.contains("set")) return KeyValue::set(items(j["set"]));
  if (j.contains("symbol")) return KeyValue::symbol(j["symbol"]);
  if (j.contains("tensor"))
    return KeyValue::tensor(keyhole::parse_tensor_metadata(j["tensor"].get<std::string>())->metadata);
  if (j.contains("opaque")) return KeyValue::opaque(from_hex(j["opaque"]), j["shown"]);
  if (j.contains("reference")) return KeyValue::reference(j["reference"][0], j["reference"][1]);
  if (j.contains("map")) {
    KeyValue::Pairs pairs;
    for (const auto& pair : j["map"]) pairs.emplace_back(typed_value(pair[0]), typed_value(pair[1]));
    return KeyValue::map(std::move(pairs));
  }
  if (j.contains("record")) {
    KeyValue::Fields state;
    for (const auto& pair : j["state"]) state.emplace_back(pair[0], typed_value(pair[1]));
    return KeyValue::record(typed_value(j["record"]), std::move(state));
  }
  throw std::runtime_error("no typed value: " + j.dump());
}

/// The fields of the details object of one real compiled graph.
inline keyhole::DetailFields golden_details() {
  keyhole::DetailFields fields;
  for (const auto& field : golden("fx_details")["fields"]) fields.emplace_back(field[0], typed_value(field[1]));
  return fields;
}
