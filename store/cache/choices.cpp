// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/choices.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "impl.h"
#include "keyhole/key/hash.h"
#include "keyhole/remote/python_json.h"

namespace keyhole {

std::string system_hash(const nlohmann::ordered_json& system) {
  const nlohmann::json sorted = nlohmann::json::parse(system.dump());
  nlohmann::ordered_json part = nlohmann::ordered_json::object();
  if (sorted.contains("device")) part = nlohmann::ordered_json::parse(sorted.dump());
  part.erase("hash");
  return kSystem.key({python_json(part)});
}

ChoiceCache::ChoiceCache(ArtifactCache& store, std::string system, Options options)
    : store_(store), system_(std::move(system)), options_(std::move(options)) {}

Result<Timings> ChoiceCache::lookup(const std::vector<std::string>& choices, const std::string& op,
                                    const std::string& inputs, const Benchmark& benchmark,
                                    const std::optional<std::string>& hint_override) {
  const std::string key = hint_override ? inputs + "_" + *hint_override : inputs;
  Timings known;
  if (options_.local) {
    Reading reading(store_.impl());
    if (auto& db = reading.db()) {
      for (const auto& choice : choices) {
        Query q(
            *db,
            "SELECT seconds FROM choice WHERE system = ? AND op = ? AND inputs = ? AND precision = ? AND choice = ?",
            system_, op, key, options_.precision, choice);
        if (!q.next()) break;
        known.emplace_back(choice, q.real(0));
      }
    }
  }
  if (known.size() == choices.size() || !benchmark) return known;
  auto fresh = benchmark(choices);
  for (const auto& choice : choices)
    if (std::none_of(fresh.begin(), fresh.end(), [&](const auto& t) { return t.first == choice; }))
      return fail(ErrorKind::internal, "a choice was not measured", choice);

  Writing writing(store_.impl());
  if (!writing.ok()) return tl::unexpected(writing.error());
  Db& db = writing.db();
  Transaction transaction(db);
  if (!options_.local && options_.torch_compat) Query(db, "DELETE FROM choice WHERE system = ?", system_).run();
  for (const auto& [choice, seconds] : fresh)
    Query(db, "INSERT OR REPLACE INTO choice VALUES (?, ?, ?, ?, ?, ?)", system_, op, key, options_.precision, choice,
          seconds)
        .run();
  if (auto committed = transaction.commit(); !committed) return tl::unexpected(committed.error());
  return fresh;
}

Result<std::string> ChoiceCache::file_text(const nlohmann::ordered_json& system) const {
  nlohmann::ordered_json file{{"system", system}, {"cache", nlohmann::ordered_json::object()}};
  Reading reading(store_.impl());
  auto& db = reading.db();
  if (!db) return tl::unexpected(db.error());
  Query q(*db, "SELECT op, inputs, precision, choice, seconds FROM choice WHERE system = ?", system_);
  while (q.next())
    file["cache"][std::string(q.text(0))][std::string(q.text(1))][std::string(q.text(2))][std::string(q.text(3))] =
        q.real(4);
  if (!db->ok()) return tl::unexpected(db->error());
  return python_json(file, 4);
}

LocalCache::LocalCache(bool torch_compat)
    : torch_compat_(torch_compat), root_(std::make_unique<nlohmann::ordered_json>(nlohmann::ordered_json::object())) {}
LocalCache::~LocalCache() = default;

void LocalCache::set_value(const std::vector<std::string>& keys, const nlohmann::ordered_json& value) {
  auto* at = root_.get();
  for (const auto& key : keys) {
    auto& next = (*at)[key];
    at = &next;
    if (&key != &keys.back() && !at->is_object()) *at = nlohmann::ordered_json::object();
  }
  *at = value;
}

nlohmann::ordered_json LocalCache::lookup(const std::vector<std::string>& keys) const {
  const auto* at = root_.get();
  for (const auto& key : keys) {
    const auto* from = torch_compat_ ? root_.get() : at;
    const auto found = from->is_object() ? from->find(key) : from->end();
    if (found == from->end()) return nullptr;
    at = &*found;
  }
  return *at;
}

}  // namespace keyhole
