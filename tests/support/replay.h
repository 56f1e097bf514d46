// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"

namespace keyhole::test {

/// A recording kept as it came, to be played again as if it had been another run: other times, pid, identity,
/// addresses, and another value of one configuration flag.
class Replay : public RecordSink {
 public:
  ProcessId process(const ProcessRecord& r) override {
    for (std::size_t i = 0; i < identities_.size(); ++i)
      if (identities_[i] == r.identity) {
        steps_.push_back({static_cast<ProcessId>(i), r});
        return static_cast<ProcessId>(i);
      }
    identities_.push_back(r.identity);
    steps_.push_back({static_cast<ProcessId>(identities_.size()) - 1, r});
    return static_cast<ProcessId>(identities_.size()) - 1;
  }
  void compile(ProcessId p, const CompileRecord& r) override { steps_.push_back({p, r}); }
  void symbol(ProcessId p, const SymbolRecord& r) override { steps_.push_back({p, r}); }
  void text(ProcessId p, const TextRecord& r) override { steps_.push_back({p, r}); }
  void lookup(ProcessId p, const LookupRecord& r) override { steps_.push_back({p, r}); }
  SnapshotId begin_snapshot(const SnapshotRecord& r) override { return steps_.push_back({0, r}), 0; }
  void entry(SnapshotId, const EntryRecord& r) override { steps_.push_back({0, r}); }
  void problem(const Problem& r) override { steps_.push_back({0, r}); }

  [[nodiscard]] std::size_t lookups(Layer layer) const {
    std::set<std::string> keys;  // a record that adds to an earlier one is no further lookup
    for (const auto& s : steps_)
      if (const auto* l = std::get_if<LookupRecord>(&s.record);
          l && l->layer == layer && !l->cache_off && l->ordinal == 0)
        keys.insert(l->key);
    return keys.size();
  }

  /// `n`: which run; 0 plays the recording as it is. `config`: which value inductor_config[epilogue_fusion] has; 0 its
  /// own. `graph`: which graph; 0 its own. `frame`: added to the frames of compile ids. `pool` and the pool of the
  /// recording must outlive what the sink does with the records.
  void play(RecordSink& sink, int n, int config, ComponentPool& pool, int graph = 0, int frame = 0) const {
    std::vector<ProcessId> ids(identities_.size());
    const Nanoseconds shift = static_cast<Nanoseconds>(n) * 61'234'567'891;
    const auto moved = [&](Nanoseconds t) { return t == kUnknownTime ? t : t + shift; };
    SnapshotId snapshot = 0;
    for (const auto& [p, record] : steps_) {
      if (const auto* r = std::get_if<ProcessRecord>(&record)) {
        auto c = *r;
        if (n != 0) {
          c.identity = r->identity.substr(0, r->identity.size() / 2) + std::to_string(n * 7919);
          c.pid += n;
        }
        c.start = moved(c.start);
        ids[static_cast<std::size_t>(p)] = sink.process(c);
        continue;
      }
      const ProcessId id = ids.empty() ? 0 : ids[static_cast<std::size_t>(p)];
      if (const auto* compiled = std::get_if<CompileRecord>(&record)) {
        auto c = *compiled;
        shift_frame(c.id, frame);
        c.start = moved(c.start);
        for (auto* t : {&c.total, &c.backend, &c.inductor})
          if (*t >= 0) *t += n * 1009;
        sink.compile(id, c);
      } else if (const auto* symbol_record = std::get_if<SymbolRecord>(&record)) {
        auto c = *symbol_record;
        shift_frame(c.compile, frame);
        sink.symbol(id, c);
      } else if (const auto* text_record = std::get_if<TextRecord>(&record)) {
        auto c = *text_record;
        shift_frame(c.compile, frame);
        if (!is_steady(text_record)) c.text = readdressed(c.text, n);
        sink.text(id, c);
      } else if (const auto* lookup_record = std::get_if<LookupRecord>(&record)) {
        auto c = *lookup_record;
        shift_frame(c.compile, frame);
        c.time = moved(c.time);
        for (auto* t : {&c.duration, &c.cost, &c.saved})
          if (*t >= 0) *t += n * 1013;
        if ((config != 0 || graph != 0) && c.key.size() == 52)
          c.key = c.key.substr(0, 32) + letters(static_cast<unsigned>(config), 10) +
                  letters(static_cast<unsigned>(graph), 10);
        for (auto& component : c.components) component = changed(component, n, config, graph, pool);
        sink.lookup(id, c);
      } else if (const auto* snapshot_record = std::get_if<SnapshotRecord>(&record)) {
        auto c = *snapshot_record;
        c.time = moved(c.time);
        snapshot = sink.begin_snapshot(c);
      } else if (const auto* entry_record = std::get_if<EntryRecord>(&record)) {
        sink.entry(snapshot, *entry_record);
      } else if (const auto* p_record = std::get_if<Problem>(&record)) {
        sink.problem(*p_record);
      }
    }
  }

 private:
  using Record = std::variant<ProcessRecord, CompileRecord, SymbolRecord, TextRecord, LookupRecord, SnapshotRecord,
                              EntryRecord, Problem>;
  struct Step {
    ProcessId process;
    Record record;
  };

  static void shift_frame(CompileId& id, int by) {
    if (id.frame >= 0) id.frame += by;
  }

  static std::string letters(unsigned n, int width) {
    std::string s;
    for (int i = 0; i < width; ++i, n /= 26) s += static_cast<char>('a' + n % 26);
    return s;
  }

  /// Object ids and addresses as another process would have them.
  static std::string readdressed(std::string text, int n) {
    if (n == 0) return text;
    for (std::size_t i = 0; i < text.size();) {
      std::size_t digits = i;
      while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
      const bool word_before = i > 0 && (std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0 ||
                                         text[i - 1] == '_' || text[i - 1] == '.');
      if (digits - i >= 14 && digits - i <= 15 && !word_before) {
        for (std::size_t k = i + 6; k < digits; ++k)
          text[k] = static_cast<char>('0' + (text[k] - '0' + n + static_cast<int>(k)) % 10);
      } else if (text.compare(i, 4, "0x7f") == 0) {
        for (std::size_t k = i + 4;
             k < text.size() && k < i + 12 && std::isxdigit(static_cast<unsigned char>(text[k])) != 0; ++k)
          text[k] = "0123456789abcdef"[static_cast<unsigned>(n * 7 + static_cast<int>(k)) % 16];
      }
      i = digits > i ? digits : i + 1;
    }
    return text;
  }

  /// Whether another process would show the same text.
  template <class HasText>
  bool is_steady(const HasText* holder) const {
    const auto [place, fresh] = steady_.try_emplace(holder, false);
    if (fresh) place->second = readdressed(holder->text, 1) == holder->text;
    return place->second;
  }

  ComponentPtr changed(ComponentPtr c, int n, int config, int graph, ComponentPool& pool) const {
    Digest digest = c->digest;
    if (config != 0 && c->name == "inductor_config[epilogue_fusion]") {
      digest.bytes[3] = static_cast<std::uint8_t>(digest.bytes[3] ^ (config & 0xff) ^ 0x55);
      digest.bytes[4] = static_cast<std::uint8_t>(config >> 8);
      return pool.intern(c->name, digest, "value" + std::to_string(config));
    }
    if (graph != 0 && c->name == "gm") {
      for (int i = 0; i < 4; ++i)
        digest.bytes[static_cast<std::size_t>(i)] ^= static_cast<std::uint8_t>(graph >> (8 * i)) ^ 0x33U;
      return pool.intern(c->name, digest, c->text + "\n# graph " + std::to_string(graph));
    }
    return is_steady(c) ? c
                        : pool.intern(c->name, digest,
                                      readdressed(c->text, n));  // steady ones stay in the pool of the recording
  }

  std::vector<std::string> identities_;
  std::vector<Step> steps_;
  mutable std::unordered_map<const void*, bool> steady_;
};

}  // namespace keyhole::test
