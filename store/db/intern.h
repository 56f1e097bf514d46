// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>

#include "encoding.h"
#include "keyhole/base/records.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

/// Kinds of rows in table `kept`. The numbers reach the disk.
enum class Kept : std::uint8_t { text = 1, component = 2, group = 3, set = 4 };

/// Gives what repeats (texts, keys, components, component sets) its row id, making the row where there is none. Must be
/// called within a write transaction. Remembers ids, so that what is known costs no SQL; 0 stands for "empty".
class Interner {
 public:
  explicit Interner(Db& db) : db_(db) {}

  std::int64_t text(std::string_view text);
  /// Finds a text again by what is left when addresses and the like are masked; the text that came first is kept.
  std::int64_t volatile_text(std::string_view text);
  std::int64_t key(std::string_view name);
  std::int64_t component_set(const std::vector<ComponentPtr>& components);
  /// Drops what is remembered: another process may have deleted rows.
  void forget();
  /// `keyhole gc` looks for rows that nothing refers to: what is found and used again is noted, so that it stays.
  void note_reuse(bool sweeping) { sweeping_ = sweeping; }

 private:
  struct Hash128 {
    std::uint64_t a = 0, b = 0;
    friend bool operator==(const Hash128&, const Hash128&) = default;
  };
  struct HashOf {
    std::size_t operator()(const Hash128& h) const noexcept { return h.a; }
    std::size_t operator()(std::string_view s) const noexcept { return hash64(s); }
    using is_transparent = void;
  };
  using NameMap = std::unordered_map<std::string, std::int64_t, HashOf, std::equal_to<>>;
  struct KnownPointer {
    std::string name;  // the pool that a pointer came from may be gone and its memory used again: compared on each use
    Digest digest;
    std::size_t text_size;
    std::int64_t id;
  };
  struct KnownComponent {
    std::int64_t id = 0;
    std::vector<std::uint64_t> exact, masked;  // hashes of the texts that it was seen with
    bool masked_loaded = false;
  };
  struct WholeGroup {
    std::int64_t id;
    Ids members;
  };

  std::int64_t reused(Kept kind, std::int64_t id);
  std::int64_t store_text(std::string_view text, std::uint64_t hash, bool by_mask);
  std::optional<std::string> load_text(std::int64_t id);
  std::int64_t component(ComponentPtr c);
  KnownComponent& known(const Component& c);
  void note_text(KnownComponent& known, std::string_view text, std::uint64_t hash);
  std::int64_t group(std::int64_t kind, const Ids& members);
  const std::vector<WholeGroup>& whole_groups(std::int64_t kind);
  Ids group_members(std::int64_t base, std::string_view bytes);

  Db& db_;
  bool sweeping_ = false;
  NameMap short_texts_, keys_;
  std::unordered_map<Hash128, std::int64_t, HashOf> long_texts_, groups_, sets_;
  std::unordered_map<ComponentPtr, KnownPointer> pointers_;
  std::unordered_map<Hash128, KnownComponent, HashOf> components_;
  std::unordered_map<std::int64_t, std::vector<WholeGroup>> whole_groups_;
};

/// The body of `text` row as it was stored: TEXT, or a zstd frame. nullopt: damaged.
std::optional<std::string> text_body(const Query& q, int column);

}  // namespace keyhole
