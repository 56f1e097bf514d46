// SPDX-License-Identifier: Apache-2.0
// The messages of PyTorch 2.13 and earlier that concern caches (torch/_inductor/codecache.py,
// torch/_functorch/_aot_autograd/autograd_cache.py, torch/_inductor/remote_cache.py), told apart by their words: line
// numbers change with every release.
#include "log_process.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "keyhole/key/debug_line.h"
#include "lookup_index.h"
#include "trace_header.h"

namespace keyhole {
namespace {

constexpr std::size_t kMaxError = 500;
constexpr std::size_t kMaxWaiting = 1000;
constexpr Nanoseconds kMillisecond = 1'000'000;  // what a log line's time is good for

/// What follows `begin` in `text`, up to the end of its line.
std::optional<std::string_view> after(std::string_view text, std::string_view begin) {
  if (!text.starts_with(begin)) return std::nullopt;
  text.remove_prefix(begin.size());
  return text.substr(0, text.find('\n'));
}

std::string_view without_colon(std::string_view key) {
  if (key.ends_with(':')) key.remove_suffix(1);
  return key;
}

/// "EOFError: Ran out of input" of a message with a traceback: what stands behind the frames of the last one.
std::string exception_of(std::string_view text) {
  static constexpr std::string_view kTraceback = "Traceback (most recent call last):";
  auto at = text.rfind(kTraceback);
  if (at == std::string_view::npos) return std::string(text.substr(0, std::min(text.find('\n'), kMaxError)));
  at = text.find('\n', at);
  while (at != std::string_view::npos && at + 1 < text.size() && text[at + 1] == ' ') at = text.find('\n', at + 1);
  if (at == std::string_view::npos) return {};
  auto rest = text.substr(at + 1, kMaxError);
  while (!rest.empty() && (rest.back() == '\n' || rest.back() == ' ')) rest.remove_suffix(1);
  return std::string(rest);
}

bool key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

struct PathKey {
  Layer layer = Layer::fx_graph;
  std::string_view shard, key;  ///< fxgraph/<shard>/<key>; what the path does not reach is empty
};

/// The key in a path of the cache folder that an exception names.
std::optional<PathKey> key_in_path(std::string_view text) {
  const auto part = [&](std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && key_character(text[end])) ++end;
    return text.substr(at, end - at);
  };
  PathKey out;
  if (const auto at = text.find("/aotautograd/"); at != std::string_view::npos) {
    out.layer = Layer::aot_autograd;
    out.key = part(at + 13);
    return out;
  }
  const auto at = text.find("/fxgraph/");
  if (at == std::string_view::npos) return std::nullopt;
  out.shard = part(at + 9);
  const auto behind = at + 9 + out.shard.size();
  if (behind < text.size() && text[behind] == '/') out.key = part(behind + 1);
  return out;
}

/// A log does not tell a compile from one of the same id after torch._dynamo.reset().
bool same_compile(CompileId a, CompileId b) {
  a.attempt %= kAttemptsPerReset;
  b.attempt %= kAttemptsPerReset;
  return !a.known() || !b.known() || a == b;
}

void append(std::string& text, std::string_view more) {
  if (text.find(more) != std::string::npos) return;
  if (!text.empty()) text += "; ";
  text += more;
}

/// The lookup during which an entry could not be loaded: the first of that compile that came to its end afterwards.
const KnownLookup* lookup_of_load(const KnownProcess& process, Layer layer, bool layer_known, std::string_view key,
                                  const CompileId& compile, Nanoseconds time) {
  const KnownLookup* found = nullptr;
  const KnownLookup* before = nullptr;
  for (const KnownLookup& l : process.lookups) {
    if (l.layer != Layer::aot_autograd && l.layer != Layer::fx_graph) continue;
    if ((layer_known && l.layer != layer) || (!key.empty() && l.key != key) || !same_compile(l.compile, compile))
      continue;
    if (l.time / kMillisecond < time / kMillisecond) {
      before = &l;
    } else if (found == nullptr || l.time < found->time) {
      found = &l;
    }
  }
  // AOTAutograd's event has the time of its beginning where a graph inside could not be loaded.
  return found == nullptr && !key.empty() ? before : found;
}

/// The lookup whose entry could not be saved: the last miss of that compile before.
const KnownLookup* lookup_of_save(const KnownProcess& process, Layer layer, const std::optional<PathKey>& path,
                                  const CompileId& compile, Nanoseconds time) {
  const KnownLookup* found = nullptr;
  for (const KnownLookup& l : process.lookups) {
    if (l.layer != layer || l.outcome == Outcome::hit || l.outcome == Outcome::bypass ||
        !same_compile(l.compile, compile))
      continue;
    if (l.time != kUnknownTime && time != kUnknownTime && l.time / kMillisecond > time / kMillisecond) continue;
    if (path && !path->key.empty() && path->key != l.key) continue;
    if (path && path->shard.size() == 2 && l.key.compare(1, 2, path->shard) != 0) continue;
    if (found == nullptr || l.time >= found->time) found = &l;
  }
  return found;
}

LookupRecord addition_to(const KnownLookup& known) {
  LookupRecord record;
  record.layer = known.layer;
  record.compile = known.compile;
  record.key = known.key;
  record.ordinal = known.ordinal;
  record.outcome = known.outcome;
  return record;
}

}  // namespace

LogProcess::LogProcess(ProcessRecord record, const KnownProcess* known, ComponentPool& pool, RecordSink& sink)
    : record_(std::move(record)), known_(known), pool_(pool), sink_(sink) {
  if (known_ != nullptr) record_.identity = known_->record.identity;
  id_ = sink_.process(record_);
}

void LogProcess::take(const LogMessage& m) {
  const auto name = m.path.substr(m.path.rfind('/') + 1);
  if (name == "codecache.py") {
    if (m.text.starts_with("FX graph cache hash details for key ")) return key_details(Layer::fx_graph, m);
    if (const auto key = after(m.text, "fx graph cache hit for key "))
      return outcome(Layer::fx_graph, Outcome::hit, *key, m);
    if (const auto key = after(m.text, "fx graph cache miss for key "))
      return outcome(Layer::fx_graph, Outcome::miss, *key, m);
    if (m.text.starts_with("Bypassing FX Graph Cache because '")) {
      auto reason = m.text.substr(34);
      if (reason.ends_with('\'')) reason.remove_suffix(1);
      return bypass(Layer::fx_graph, reason, m);
    }
    // The cache in the folder says "fx graph cache" of both layers, a remote one says its class.
    if (m.text.starts_with("fx graph cache unable to load compiled graph"))
      return load_error(m, Layer::fx_graph, false);
    if (m.text.starts_with("AOTAutogradCache unable to load")) return load_error(m, Layer::aot_autograd, true);
    if (m.text.starts_with("FxGraphCache unable to load")) return load_error(m, Layer::fx_graph, true);
    if (m.text.starts_with("fx graph unable to write to cache") ||
        m.text.starts_with("fx graph cache unable to serialize compiled graph")) {
      return save_error(Layer::fx_graph, exception_of(m.text), m);
    }
  } else if (name == "autograd_cache.py") {
    if (m.text.starts_with("Autograd graph cache hash details for key ")) return key_details(Layer::aot_autograd, m);
    if (const auto key = after(m.text, "AOTAutograd cache hit for key "))
      return outcome(Layer::aot_autograd, Outcome::hit, *key, m);
    if (const auto key = after(m.text, "AOTAutograd cache miss for key "))
      return outcome(Layer::aot_autograd, Outcome::miss, *key, m);
    if (m.text.starts_with("Bypassing autograd cache due to: "))
      return bypass(Layer::aot_autograd, m.text.substr(33), m);
    if (m.text.starts_with("AOTAutograd cache unable to load compiled graph"))
      return load_error(m, Layer::aot_autograd, true);
    static constexpr std::string_view kSerialize = "AOTAutograd cache unable to serialize compiled graph: ";
    if (m.text.starts_with(kSerialize))
      return save_error(Layer::aot_autograd, std::string(m.text.substr(kSerialize.size(), kMaxError)), m);
    if (const auto path = after(m.text, "Writing AOTAutograd cache entry to ")) return saved(*path);
  } else if (name == "guards.py") {
    if (m.text.starts_with("Recompiling function ")) return recompile(m);
  } else if (name == "remote_cache.py") {
    if (m.level == 'W' || m.level == 'E' || m.level == 'C') return remote_error(m);
  } else if (name == "_cache.py") {
    // The entry itself was loaded: what could not be loaded until here were others under its key.
    if (m.text.starts_with("Recording AOTAutogradCacheArtifact") && !open_.empty()) claim_errors(open_.back().record);
  }
}

void LogProcess::key_details(Layer layer, const LogMessage& m) {
  const auto line_end = m.text.find('\n');
  const auto first = m.text.substr(0, line_end);
  const auto key = without_colon(first.substr(first.rfind(' ') + 1));
  std::vector<ComponentPtr> components;
  if (line_end != std::string_view::npos) {
    for (const DebugLine& line : split_debug_lines(m.text.substr(line_end + 1))) {
      components.push_back(pool_.intern(line.name, line.digest, line.text));
    }
  }
  // A graph's key is only made when AOTAutograd had nothing; so its lookup, if still open, has missed.
  close_open(layer == Layer::fx_graph);
  if (layer == Layer::fx_graph) {
    if (fx_details_.size() > kMaxWaiting) fx_details_.clear();
    fx_details_[std::string(key)] = std::move(components);
    return;
  }
  OpenLookup open;
  open.record.layer = layer;
  open.record.compile = m.compile;
  open.record.key = key;
  open.record.time = m.time;
  open.record.components = std::move(components);
  open_.push_back(std::move(open));
}

void LogProcess::outcome(Layer layer, Outcome outcome, std::string_view key, const LogMessage& m) {
  LookupRecord record;
  if (layer == Layer::aot_autograd) {
    if (!open_.empty() && open_.back().record.key == key) {
      record = std::move(open_.back().record);
      open_.clear();
    } else {
      close_open(false);
    }
  } else {
    if (const auto details = fx_details_.extract(std::string(key))) record.components = std::move(details.mapped());
    if (!open_.empty() && outcome != Outcome::hit) open_.back().inner_miss = true;
  }
  record.layer = layer;
  record.compile = m.compile;
  record.key = key;
  record.outcome = outcome;
  record.time = m.time;
  claim_errors(record);
  emit(std::move(record));
}

void LogProcess::bypass(Layer layer, std::string_view reason, const LogMessage& m) {
  if (layer == Layer::aot_autograd && open_.empty()) {
    // The same words when the finished graph turns out not to be storable.
    if (const auto miss = last_miss_.find({layer, m.compile}); miss != last_miss_.end()) {
      return save_error(layer, std::string(reason.substr(0, kMaxError)), m);
    }
  }
  open_.clear();
  if (known_ != nullptr) return;  // a trace tells every bypass, with all that this line says
  LookupRecord record;
  record.layer = layer;
  record.compile = m.compile;
  record.outcome = Outcome::bypass;
  record.time = m.time;
  record.reason = reason;
  emit(std::move(record));
}

void LogProcess::load_error(const LogMessage& m, Layer layer, bool layer_known) {
  LoadError error{m.compile, m.time, layer, layer_known, {}, exception_of(m.text)};
  if (const auto path = key_in_path(error.text)) {
    error.layer = path->layer;
    error.layer_known = true;
    error.key = path->key;
  }
  if (known_ == nullptr) {
    if (load_errors_.size() < kMaxWaiting) load_errors_.push_back(std::move(error));
    return;
  }
  const KnownLookup* lookup =
      lookup_of_load(*known_, error.layer, error.layer_known, error.key, error.compile, error.time);
  if (lookup == nullptr) return;
  LookupRecord record = addition_to(*lookup);
  record.load_error = std::move(error.text);
  ++emitted_;
  sink_.lookup(id_, record);
}

void LogProcess::save_error(Layer layer, std::string text, const LogMessage& m) {
  LookupRecord record;
  if (known_ != nullptr) {
    const KnownLookup* lookup = lookup_of_save(*known_, layer, key_in_path(text), m.compile, m.time);
    if (lookup == nullptr) return;
    record = addition_to(*lookup);
  } else if (const auto miss = last_miss_.find({layer, m.compile}); miss != last_miss_.end()) {
    record = miss->second;
  } else {
    record.layer = layer;
    record.compile = m.compile;
    record.outcome = Outcome::miss;
    record.time = m.time;
    if (const auto path = key_in_path(text); path && path->layer == layer) record.key = path->key;
    record.ordinal = next_ordinal(layer, record.key);
  }
  record.save_error = std::move(text);
  ++emitted_;
  sink_.lookup(id_, record);
}

/// "Recompiling function f in train.py:9", then "triggered by the following guard failure(s):" and a line for each
/// earlier compile, "- 0/0: k == 8" (torch/_dynamo/guards.py).
void LogProcess::recompile(const LogMessage& m) {
  if (known_ != nullptr) return;  // a trace tells every one
  static constexpr std::string_view kFunction = "Recompiling function ", kReasons = "guard failure(s):";
  const auto first = m.text.substr(kFunction.size(), m.text.find('\n') - kFunction.size());
  CompileRecord compile;
  compile.id = m.compile;
  if (const auto in = first.find(" in "), colon = first.rfind(':');
      in != std::string_view::npos && colon != std::string_view::npos && colon > in) {
    compile.function = first.substr(0, in);
    compile.filename = first.substr(in + 4, colon - in - 4);
    const auto line = first.substr(colon + 1);
    std::from_chars(line.data(), line.data() + line.size(), compile.line);
  }
  if (m.compile.known()) sink_.compile(id_, compile);
  LookupRecord record;
  record.layer = Layer::dynamo;
  record.compile = m.compile;
  record.outcome = Outcome::miss;
  record.status = "recompile";
  record.time = m.time;
  const auto reasons = m.text.find(kReasons);
  auto rest = reasons == std::string_view::npos ? std::string_view() : m.text.substr(reasons + kReasons.size());
  while (!rest.empty() && record.reason.size() < kMaxError) {
    const auto end = std::min(rest.find('\n'), rest.size());
    auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.starts_with("- ")) line.remove_prefix(2);
    if (!line.empty()) record.reason += (record.reason.empty() ? "" : "\n") + std::string(line);
  }
  record.ordinal = next_ordinal(record.layer, "");
  ++emitted_;
  sink_.lookup(id_, record);
}

void LogProcess::remote_error(const LogMessage& m) {
  LookupRecord record;
  record.layer = Layer::remote;
  record.compile = m.compile;
  record.outcome = Outcome::error;
  record.time = m.time;
  const auto first = m.text.substr(0, m.text.find('\n'));
  const std::string exception = exception_of(m.text);
  record.reason = exception == first ? exception : fmt::format("{}: {}", first.substr(0, kMaxError), exception);
  record.ordinal = next_ordinal(record.layer, "");
  ++emitted_;
  sink_.lookup(id_, record);
}

void LogProcess::saved(std::string_view path) {
  const auto at = path.rfind("/aotautograd/");
  if (at == std::string_view::npos || !record_.cache_dir.empty()) return;
  record_.cache_dir = path.substr(0, at);
  sink_.process(record_);
}

void LogProcess::close_open(bool missed) {
  if (open_.empty()) return;
  OpenLookup open = std::move(open_.back());
  open_.clear();
  if (missed || open.inner_miss) {
    open.record.outcome = Outcome::miss;
  } else {
    open.record.outcome = Outcome::error;
    open.record.reason = "the log does not tell what became of it";
  }
  emit(std::move(open.record));
}

void LogProcess::claim_errors(LookupRecord& record) {
  std::erase_if(load_errors_, [&](const LoadError& e) {
    if ((e.layer_known && e.layer != record.layer) || (!e.key.empty() && e.key != record.key)) return false;
    if (!same_compile(e.compile, record.compile)) return false;
    append(record.load_error, e.text);
    return true;
  });
}

void LogProcess::emit(LookupRecord record) {
  record.ordinal = next_ordinal(record.layer, record.key);
  if (record.outcome == Outcome::miss) {
    LookupRecord bare = record;
    bare.components.clear();
    last_miss_[{record.layer, record.compile}] = std::move(bare);
  }
  if (known_ != nullptr) {
    const KnownLookup* lookup = known_->find(record.layer, record.key, record.ordinal);
    // A key that the trace does not know: of a graph whose compile failed it tells nothing, and it may have been cut.
    const bool untold = !record.key.empty() && known_->find(record.layer, record.key, 0) == nullptr;
    if (!untold) {
      // A graph's components stand in the trace, AOTAutograd's only where its logger was at DEBUG: here they are.
      if (lookup == nullptr || record.layer != Layer::aot_autograd || record.components.empty()) return;
      LookupRecord addition = addition_to(*lookup);
      addition.components = std::move(record.components);
      record = std::move(addition);
    }
  }
  ++emitted_;
  sink_.lookup(id_, record);
}

std::int64_t LogProcess::next_ordinal(Layer layer, const std::string& key) {
  return ordinals_[fmt::format("{}/{}", static_cast<int>(layer), key)]++;
}

void LogProcess::finish() {
  close_open(false);
  for (LoadError& e : load_errors_) {
    LookupRecord record;
    record.layer = e.layer;
    record.compile = e.compile;
    record.key = std::move(e.key);
    record.outcome = Outcome::miss;  // an entry that cannot be loaded is as good as none
    record.time = e.time;
    record.load_error = std::move(e.text);
    emit(std::move(record));
  }
  load_errors_.clear();
}

}  // namespace keyhole
