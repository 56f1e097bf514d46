// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"

namespace keyhole {

struct KnownProcess;

/// A whole message of the log: its first line and what followed under the same prefix, joined by newlines.
struct LogMessage {
  char level = 'V';
  std::string_view path;
  CompileId compile;
  Nanoseconds time = kUnknownTime;
  std::string_view text;
};

/// Makes lookups of the messages of one process.
class LogProcess {
 public:
  /// `known`: what the trace of the same process told; may be null.
  LogProcess(ProcessRecord record, const KnownProcess* known, ComponentPool& pool, RecordSink& sink);

  void take(const LogMessage& message);
  /// Hands over what waits for its outcome. Call it once, at the end of the log.
  void finish();
  [[nodiscard]] std::uint64_t lookups() const { return emitted_; }

 private:
  /// "unable to load" as it was said, until the lookup is found that it was said of.
  struct LoadError {
    CompileId compile;
    Nanoseconds time;
    Layer layer;
    bool layer_known;
    std::string key;  ///< from the path in the exception; empty: it named none
    std::string text;
  };
  /// An AOTAutograd lookup whose key was told and whose outcome was not yet: loading the graphs inside comes first.
  struct OpenLookup {
    LookupRecord record;
    bool inner_miss = false;
  };

  void key_details(Layer layer, const LogMessage& m);
  void outcome(Layer layer, Outcome outcome, std::string_view key, const LogMessage& m);
  void bypass(Layer layer, std::string_view reason, const LogMessage& m);
  void load_error(const LogMessage& m, Layer layer, bool layer_known);
  void save_error(Layer layer, std::string text, const LogMessage& m);
  void remote_error(const LogMessage& m);
  void recompile(const LogMessage& m);
  void saved(std::string_view path);
  void close_open(bool missed);
  void claim_errors(LookupRecord& record);
  void emit(LookupRecord record);
  std::int64_t next_ordinal(Layer layer, const std::string& key);

  ProcessRecord record_;
  const KnownProcess* known_;
  ComponentPool& pool_;
  RecordSink& sink_;
  RecordSink::ProcessId id_;
  std::unordered_map<std::string, std::int64_t> ordinals_;
  std::unordered_map<std::string, std::vector<ComponentPtr>> fx_details_;  ///< by key, until its lookup
  std::vector<OpenLookup> open_;                                           ///< at most one
  std::deque<LoadError> load_errors_;
  std::map<std::pair<Layer, CompileId>, LookupRecord> last_miss_;
  std::uint64_t emitted_ = 0;
};

}  // namespace keyhole
