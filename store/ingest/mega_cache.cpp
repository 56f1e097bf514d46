// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/mega_cache.h"

#include <fmt/format.h>

#include <algorithm>

#include "file_bytes.h"
#include "keyhole/base/mega_cache_codec.h"
#include "keyhole/ingest/inductor_entry.h"
#include "keyhole/ingest/source.h"
#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

/// "ab/0123.best_config" is autotuning of 0123.
std::string key_of(const std::string& type, const std::string& key) {
  if (type != "autotune") return key;
  const auto name = key.substr(key.rfind('/') + 1);
  return name.substr(0, name.find('.'));
}

Layer layer_of(std::string_view type) {
  if (type == "inductor") return Layer::fx_graph;
  if (type == "aot_autograd") return Layer::aot_autograd;
  if (type == "autotune") return Layer::autotune;
  if (type == "pgo" || type == "precompile") return Layer::dynamo;
  return Layer::code;
}

}  // namespace

bool looks_like_mega_cache(std::string_view head) {
  if (head.size() < 28 || big_endian(head.substr(4, 8)) != 1) return false;
  const auto length = big_endian(head.substr(12, 8));
  if (length == 0 || length > 256 || length % 4 != 0) return false;
  const auto type = head.substr(20, length);
  return std::all_of(type.begin(), type.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  });
}

Result<FolderSummary> read_mega_cache_file(const std::string& path, const FolderOptions& options, ComponentPool& pool,
                                           RecordSink& sink) {
  const auto blob = read_whole(path, static_cast<std::size_t>(options.max_file));
  if (!blob) return tl::unexpected(blob.error());
  const MegaCacheScan scan = scan_mega_cache(*blob);
  if (scan.problem && scan.records.empty()) {
    Error error = *scan.problem;
    error.where = fmt::format("{}:{}", path, scan.problem_offset);
    return tl::unexpected(std::move(error));
  }

  FolderSummary summary;
  summary.files = 1;
  SnapshotRecord snapshot;
  snapshot.read_from = path;
  snapshot.location = options.location.empty() ? path : options.location;
  snapshot.time = stat_file_bytes(path).modified;
  snapshot.moment = options.moment;
  const auto id = sink.begin_snapshot(snapshot);
  if (scan.problem)
    sink.problem({path, static_cast<std::int64_t>(scan.problem_offset), scan.problem->what,
                  "copy or save the file again; what came before is kept"});
  for (const MegaCacheRecord& record : scan.records) {
    for (const MegaCacheItem& item : record.items) {
      const bool cut = scan.last_item_cut && &record == &scan.records.back() && &item == &record.items.back();
      const auto offset = static_cast<std::int64_t>(item.content.data() - blob->data());
      if (options.progress && !options.progress(offset, static_cast<std::int64_t>(blob->size()))) {
        summary.stopped = true;
        return summary;
      }
      EntryRecord entry;
      entry.layer = layer_of(record.type);
      entry.key = key_of(record.type, item.key);
      entry.name = sha256_hash(item.content);
      entry.path = fmt::format("{}/{}", record.type, item.key);
      entry.size = static_cast<std::int64_t>(item.content.size());
      entry.modified = snapshot.time;
      DecodedEntry decoded;
      if (!options.quick && entry.layer == Layer::fx_graph) decoded = decode_fx_entry(item.content, pool, entry);
      if (!options.quick && entry.layer == Layer::aot_autograd) decoded = decode_aot_entry(item.content, pool, entry);
      if (entry.layer == Layer::code) {
        // A type of somebody's own is any text: only its shape goes into JSON.
        std::string type = record.type.substr(0, 100);
        std::erase_if(type, [](unsigned char c) { return c < 0x20 || c >= 0x7f || c == '"' || c == '\\'; });
        entry.metadata_json = fmt::format(R"({{"artifact_type":"{}"}})", type);
      }
      if (cut) {  // it was told already
        entry.state = EntryState::damaged;
        entry.state_reason = scan.problem->what;
        ++summary.damaged;
      } else if (entry.state == EntryState::damaged) {
        ++summary.damaged;
        sink.problem({path, offset + std::max<std::int64_t>(decoded.error_offset, 0), entry.state_reason, ""});
      } else {
        summary.bytes_decoded += entry.size;
      }
      sink.entry(id, entry);
      ++summary.entries;
      for (const EntryRecord& inner : decoded.bundled) {
        sink.entry(id, inner);
        ++summary.entries;
      }
    }
  }
  sink.checkpoint();
  return summary;
}

}  // namespace keyhole
