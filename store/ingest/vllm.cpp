// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/vllm.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "file_bytes.h"
#include "json_text.h"
#include "keyhole/ingest/source.h"
#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFile = 64 << 20;
constexpr std::size_t kMaxFactors = 100'000;
constexpr std::size_t kFileName = sizeof("cache_key_factors.json") - 1;

class Factors {
 public:
  explicit Factors(ComponentPool& pool) : pool_(pool) {}

  /// `name` and then, in brackets, the path of members that leads to a value.
  void add(const std::string& name, const json& value, const std::string& path = {}) {
    if (components_.size() == kMaxFactors) return;
    if (value.is_object() && !value.empty()) {
      for (const auto& [key, member] : value.items()) add(name, member, path.empty() ? key : path + "." + key);
    } else if (name == "code" && value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) add_file(value[i], i);
    } else {
      leaf(path.empty() ? name : fmt::format("{}[{}]", name, path), value);
    }
  }

  [[nodiscard]] std::vector<ComponentPtr> take() { return std::move(components_); }

 private:
  /// {"path": ..., "hash": ...}, [path, hash], or a path alone.
  void add_file(const json& file, std::size_t position) {
    std::string name = std::to_string(position);
    json rest = file;
    if (file.is_object()) {
      for (const char* member : {"path", "file", "filepath", "filename"}) {
        if (const auto at = file.find(member); at != file.end() && at->is_string()) {
          name = at->get<std::string>();
          rest.erase(member);
          break;
        }
      }
      if (rest.size() == 1) rest = json(rest.begin().value());
    } else if (file.is_array() && file.size() == 2 && file[0].is_string()) {
      name = file[0].get<std::string>();
      rest = file[1];
    } else if (file.is_string()) {
      name = file.get<std::string>();
    }
    leaf(fmt::format("code[{}]", name), rest);
  }

  void leaf(const std::string& name, const json& value) {
    const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    components_.push_back(
        pool_.intern(name, sha256(text), value.is_string() ? value.get_ref<const std::string&>() : text));
  }

  ComponentPool& pool_;
  std::vector<ComponentPtr> components_;
};

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (slash != 0) parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

}  // namespace

bool looks_like_vllm_factors(const std::string& path, std::string_view head) {
  const bool object = head.substr(0, head.find_first_not_of(" \t\r\n") + 1).ends_with('{');
  if (!object) return false;
  if (path.size() >= kFileName && path.compare(path.size() - kFileName, kFileName, "cache_key_factors.json") == 0)
    return true;
  // Keys are sorted: "code" comes first.
  return head.find("\"code\"") < 64 && head.find("\"code_hash\"") != std::string_view::npos;
}

Result<void> read_vllm_factors(const std::string& path, ComponentPool& pool, RecordSink& sink) {
  const auto text = read_whole(path, kMaxFile);
  if (!text) return tl::unexpected(text.error());
  if (const auto deep = too_deep(*text); deep >= 0) {
    return fail(ErrorKind::bad_input, "JSON nested too deeply", fmt::format("{}:{}", path, deep));
  }
  json file;
  try {
    file = json::parse(*text);
  } catch (const json::parse_error& e) {
    return fail(ErrorKind::bad_input, "no JSON", fmt::format("{}:{}", path, e.byte));
  }
  if (!file.is_object()) return fail(ErrorKind::bad_input, "no JSON object", path);

  Factors factors(pool);
  for (const char* group : {"env", "config", "compiler", "code", "config_hash", "compiler_hash", "code_hash"}) {
    if (const auto at = file.find(group); at != file.end()) factors.add(group, *at);
  }
  for (const auto& [name, value] : file.items()) {
    static constexpr std::string_view kKnown = " env config compiler code config_hash compiler_hash code_hash ";
    if (kKnown.find(" " + name + " ") == std::string_view::npos) factors.add(name, value);
  }

  ProcessRecord process;
  LookupRecord lookup;
  lookup.layer = Layer::dynamo;
  lookup.outcome = Outcome::miss;
  lookup.status = "vllm";
  lookup.time = stat_file_bytes(path).modified;
  lookup.components = factors.take();
  const auto parts = split(path);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (!parts[i].starts_with("rank_")) continue;
    lookup.key = parts[i - 1];
    int rank = 0;
    const auto digits = parts[i].substr(5);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), rank).ec == std::errc{}) process.rank = rank;
    const auto at = path.find(fmt::format("/{}/", parts[i]));
    if (at != std::string::npos) process.cache_dir = path.substr(0, path.rfind('/', at - 1));
  }
  // Without its folders the file has no key of vLLM's: what it holds stands for it.
  if (lookup.key.empty()) lookup.key = sha256(*text).hex().substr(0, 10);
  process.identity = fmt::format("vllm:{}:{}", sha256(*text).hex(), process.rank.value_or(-1));
  process.start = lookup.time;
  sink.lookup(sink.process(process), lookup);
  return {};
}

}  // namespace keyhole
