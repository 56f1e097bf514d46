// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/cache_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "file_bytes.h"
#include "folder_listing.h"
#include "json_text.h"
#include "keyhole/ingest/inductor_entry.h"
#include "keyhole/ingest/pickle.h"

namespace keyhole {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMaxJson = 16 << 20;     // autotuning files hold a few hundred bytes an operation
constexpr std::size_t kMaxMetadata = 64 << 10;  // of one entry in the store

Layer layer_of(ItemKind kind) {
  switch (kind) {
    case ItemKind::fx_entry:
      return Layer::fx_graph;
    case ItemKind::aot_entry:
      return Layer::aot_autograd;
    case ItemKind::code:
      return Layer::code;
    case ItemKind::best_config:
    case ItemKind::autotune:
      return Layer::autotune;
    case ItemKind::kernel:
      return Layer::triton;
    case ItemKind::code_state:
    case ItemKind::precompile:
      return Layer::dynamo;
  }
  return Layer::code;
}

void damage(EntryRecord& entry, std::string reason) {
  entry.state = EntryState::damaged;
  entry.state_reason = std::move(reason);
}

/// The JSON object in `text`, or the entry is damaged. Gives the offset of the mistake, else -1.
std::int64_t parse_object(std::string_view text, EntryRecord& entry, Json& out) {
  std::int64_t offset = too_deep(text);
  if (offset >= 0) {
    damage(entry, fmt::format("JSON nested too deeply (byte {} of {})", offset, text.size()));
    out = Json::object();
    return offset;
  }
  try {
    out = Json::parse(text);
    if (!out.is_object()) damage(entry, "it holds no JSON object");
  } catch (const Json::parse_error& e) {
    offset = static_cast<std::int64_t>(e.byte);
    damage(entry, fmt::format("no JSON (byte {} of {})", e.byte, text.size()));
    out = Json::object();
  }
  return offset;
}

class Reader {
 public:
  Reader(std::string folder, const FolderOptions& options, ComponentPool& pool, RecordSink& sink)
      : folder_(std::move(folder)), options_(options), pool_(pool), sink_(sink) {}

  FolderSummary run(FolderListing& listing) {
    SnapshotRecord snapshot;
    snapshot.read_from = folder_;
    snapshot.location = options_.location.empty() ? folder_ : options_.location;
    snapshot.time = listing.newest;
    snapshot.moment = options_.moment;
    snapshot_ = sink_.begin_snapshot(snapshot);
    for (Problem& p : listing.problems) sink_.problem(p);
    summary_.files = listing.files;
    summary_.passed_over = listing.passed_over;
    std::int64_t done = 0;
    for (FolderItem& item : listing.items) {
      if (options_.progress && !options_.progress(done, listing.total_bytes)) {
        summary_.stopped = true;
        return summary_;
      }
      done += item.size;
      take(item);
    }
    if (options_.progress) options_.progress(done, listing.total_bytes);
    sink_.checkpoint();
    return summary_;
  }

 private:
  void take(FolderItem& item) {
    EntryRecord entry;
    entry.layer = layer_of(item.kind);
    entry.key = std::move(item.key);
    entry.name = item.name;
    entry.path = item.path;
    entry.state = item.state;
    entry.state_reason = item.reason;
    entry.size = item.size;
    entry.modified = item.modified;
    DecodedEntry decoded;
    if (!options_.quick) decoded = decode(item, entry);
    emit(entry, decoded.error_offset);
    for (const EntryRecord& inner : decoded.bundled) {
      sink_.entry(snapshot_, inner);
      ++summary_.entries;
    }
  }

  void emit(const EntryRecord& entry, std::int64_t offset) {
    sink_.entry(snapshot_, entry);
    ++summary_.entries;
    summary_.damaged += entry.state == EntryState::damaged;
    summary_.unreadable += entry.state == EntryState::unreadable;
    summary_.vanished += entry.state == EntryState::vanished;
    if (entry.state == EntryState::damaged || entry.state == EntryState::unreadable) {
      sink_.problem({folder_ + "/" + entry.path, offset, entry.state_reason,
                     entry.state == EntryState::damaged ? "delete it: the program compiles it anew" : ""});
    }
  }

  DecodedEntry decode(const FolderItem& item, EntryRecord& entry) {
    DecodedEntry out;
    if (item.kind == ItemKind::code) return out;  // nothing to decode, and its bytes are not ours to judge
    if (item.kind == ItemKind::kernel) {
      kernel(item, entry);
      return out;
    }
    const bool json = item.kind == ItemKind::best_config || item.kind == ItemKind::autotune;
    FileBytes file = read_file_bytes(folder_ + "/" + item.path, json ? kMaxJson : options_.max_file);
    entry.state = file.state;
    entry.state_reason = file.reason;
    if (file.state != EntryState::ok) return out;
    entry.size = file.size;
    entry.modified = file.modified;
    if (file.too_large) {
      sink_.problem({folder_ + "/" + item.path, -1, fmt::format("{} bytes: too large to be decoded", file.size), ""});
      return out;
    }
    switch (item.kind) {
      case ItemKind::fx_entry:
        out = decode_fx_entry(file.bytes, pool_, entry);
        break;
      case ItemKind::aot_entry:
        out = decode_aot_entry(file.bytes, pool_, entry);
        break;
      case ItemKind::autotune:
        out.error_offset = autotune(file.bytes, entry);
        break;
      case ItemKind::best_config:
        out.error_offset = best_config(file.bytes, entry);
        break;
      default:
        out.error_offset = other_pickle(file.bytes, entry);
        break;
    }
    if (entry.state == EntryState::ok) summary_.bytes_decoded += static_cast<std::int64_t>(file.bytes.size());
    if (entry.metadata_json.size() > kMaxMetadata) entry.metadata_json = R"({"cut":true})";
    return out;
  }

  /// {"system": {...}, "cache": {op: {inputs: {precision: {choice: seconds}}}}}
  static std::int64_t autotune(std::string_view bytes, EntryRecord& entry) {
    Json file;
    const auto offset = parse_object(bytes, entry, file);
    if (entry.state != EntryState::ok) return offset;
    if (bytes.size() <= kMaxMetadata / 2) {
      entry.metadata_json = metadata_text(file);
      return -1;
    }
    Json operations = Json::object();
    if (const auto cache = file.find("cache"); cache != file.end() && cache->is_object()) {
      for (const auto& [name, inputs] : cache->items()) {
        if (operations.size() < 256) operations[name] = inputs.size();
      }
    }
    entry.metadata_json = metadata_text({{"input_sets_of_operation", operations}});
    return -1;
  }

  static std::int64_t best_config(std::string_view bytes, EntryRecord& entry) {
    Json file;
    const auto offset = parse_object(bytes, entry, file);
    if (entry.state != EntryState::ok) return offset;
    entry.metadata_json = metadata_text(file);
    if (const auto ms = file.find("time_taken_ms"); ms != file.end() && ms->is_number_integer()) {
      const auto value = ms->get<std::int64_t>();
      if (value >= 0 && value < std::int64_t{1} << 40) entry.cost = value * 1'000'000;
    }
    return -1;
  }

  static std::int64_t other_pickle(std::string_view bytes, EntryRecord& entry) {
    const auto document = pickle::Document::parse(bytes);
    if (const auto& problem = document.problem()) {
      damage(entry, fmt::format("{} (byte {} of {})", problem->what, problem->offset, bytes.size()));
      return static_cast<std::int64_t>(problem->offset);
    }
    Json suspicious = Json::array();
    for (const auto& c : document.callables()) {
      if (c.suspicious && suspicious.size() < 256) suspicious.push_back(fmt::format("{}.{}", c.module, c.name));
    }
    Json meta = {{"value", document.root().display(2000)}};
    if (!suspicious.empty()) meta["suspicious"] = suspicious;
    entry.metadata_json = metadata_text(meta);
    return -1;
  }

  /// __grp__<name>.json names the kernel's files; <name>.json tells what it was compiled for.
  void kernel(const FolderItem& item, EntryRecord& entry) {
    Json meta = Json::object();
    meta["files"] = item.files;
    const auto present = [&](const std::string& name) {
      return std::find(item.files.begin(), item.files.end(), name) != item.files.end();
    };
    for (const std::string& file : item.files) {
      if (!file.ends_with(".json")) continue;
      const FileBytes read = read_file_bytes(folder_ + "/" + item.path + "/" + file, kMaxJson);
      if (read.state == EntryState::vanished) continue;
      Json content;
      EntryRecord judged;
      judged.state = read.state;
      judged.state_reason = read.reason;
      if (read.state == EntryState::ok) parse_object(read.bytes, judged, content);
      if (judged.state != EntryState::ok) {
        entry.state = judged.state;
        entry.state_reason = file + ": " + judged.state_reason;
        continue;
      }
      summary_.bytes_decoded += static_cast<std::int64_t>(read.bytes.size());
      if (!file.starts_with("__grp__")) {
        for (const char* field : {"name", "target", "num_warps", "num_stages", "num_ctas", "shared", "triton_version",
                                  "backend_name", "hash", "debug", "arch", "ptx_version"}) {
          if (const auto v = content.find(field); v != content.end()) meta[field] = *v;
        }
        continue;
      }
      const auto children = content.find("child_paths");
      if (children == content.end() || !children->is_object()) continue;
      for (const auto& [child, unused] : children->items()) {
        entry.needs.push_back(child);
        if (!present(child)) damage(entry, fmt::format("{} names {}, which is not there", file, child));
      }
    }
    entry.metadata_json = metadata_text(meta);
    if (entry.metadata_json.size() > kMaxMetadata) entry.metadata_json = R"({"cut":true})";
  }

  std::string folder_;
  const FolderOptions& options_;
  ComponentPool& pool_;
  RecordSink& sink_;
  RecordSink::SnapshotId snapshot_ = 0;
  FolderSummary summary_;
};

std::string without_slash(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

}  // namespace

Result<FolderSummary> read_cache_folder(const std::string& folder, const FolderOptions& options, ComponentPool& pool,
                                        RecordSink& sink) {
  auto listing = list_cache_folder(without_slash(folder), options.max_entries);
  if (!listing) return tl::unexpected(listing.error());
  return Reader(without_slash(folder), options, pool, sink).run(*listing);
}

Result<FolderSummary> read_triton_folder(const std::string& folder, const FolderOptions& options, ComponentPool& pool,
                                         RecordSink& sink) {
  auto listing = list_triton_folder(without_slash(folder), options.max_entries);
  if (!listing) return tl::unexpected(listing.error());
  return Reader(without_slash(folder), options, pool, sink).run(*listing);
}

}  // namespace keyhole
