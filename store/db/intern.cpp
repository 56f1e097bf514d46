// SPDX-License-Identifier: Apache-2.0
#include "intern.h"

#include <algorithm>
#include <cstring>

namespace keyhole {
namespace {

constexpr std::size_t kShortText = 512;       // longer ones are remembered by their hash alone
constexpr std::size_t kRemembered = 200'000;  // bounds the memory of a long import: about 40 MB of short texts
constexpr std::size_t kVariants = 8;          // texts kept of one digest
constexpr std::size_t kWholeGroups = 4;       // bases that a changed group is compared with
constexpr std::uint64_t kSecondSeed = 0x5bd1e9955bd1e995;

std::int64_t on_disk(std::uint64_t hash) {
  return static_cast<std::int64_t>(hash);
}

std::string_view bytes_of(const Ids& ids) {
  return {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]};
}

std::string_view prefix_of(std::string_view name) {
  const auto bracket = name.find('[');
  return bracket == std::string_view::npos ? std::string_view() : name.substr(0, bracket);
}

std::string_view bytes_of(const Digest& d) {
  return {reinterpret_cast<const char*>(d.bytes.data()), d.bytes.size()};
}

}  // namespace

std::optional<std::string> text_body(const Query& q, int column) {
  if (q.is_blob(column)) return decompressed(q.text(column));
  return std::string(q.text(column));
}

void Interner::forget() {
  short_texts_.clear();
  keys_.clear();
  long_texts_.clear();
  groups_.clear();
  sets_.clear();
  pointers_.clear();
  components_.clear();
  whole_groups_.clear();
}

std::int64_t Interner::reused(Kept kind, std::int64_t id) {
  if (sweeping_) Query(db_, "INSERT OR IGNORE INTO kept VALUES (?, ?)", static_cast<std::int64_t>(kind), id).run();
  return id;
}

std::int64_t Interner::store_text(std::string_view text, std::uint64_t hash, bool by_mask) {
  {
    Query q(db_, "SELECT id, body FROM text WHERE hash = ?", on_disk(hash));
    while (q.next()) {
      const auto body = text_body(q, 1);
      if (!body) continue;
      const bool same =
          *body == text || (by_mask && masked(*body).value_or(*body) == masked(text).value_or(std::string(text)));
      if (same) return reused(Kept::text, q.integer(0));
    }
  }
  if (const auto frame = compressed(text)) {
    Query(db_, "INSERT INTO text(hash, body) VALUES (?, ?)", on_disk(hash), Blob{*frame}).run();
  } else {
    Query(db_, "INSERT INTO text(hash, body) VALUES (?, ?)", on_disk(hash), text).run();
  }
  return db_.last_insert_id();
}

std::int64_t Interner::text(std::string_view text) {
  if (text.empty() || !db_.ok()) return 0;
  if (text.size() <= kShortText) {
    if (const auto found = short_texts_.find(text); found != short_texts_.end()) return found->second;
    const auto id = store_text(text, hash64(text), false);
    if (short_texts_.size() >= kRemembered) short_texts_.clear();
    short_texts_.emplace(text, id);
    return id;
  }
  const Hash128 h{hash64(text), hash64(text, kSecondSeed)};
  if (const auto found = long_texts_.find(h); found != long_texts_.end()) return found->second;
  const auto id = store_text(text, h.a, false);
  if (long_texts_.size() >= kRemembered) long_texts_.clear();
  long_texts_.emplace(h, id);
  return id;
}

std::int64_t Interner::volatile_text(std::string_view text) {
  const auto mask = masked(text);
  if (!mask) return this->text(text);
  const Hash128 h{hash64(*mask), hash64(*mask, kSecondSeed + 1)};
  if (const auto found = long_texts_.find(h); found != long_texts_.end()) return found->second;
  if (!db_.ok()) return 0;
  const auto id = store_text(text, h.a, true);
  long_texts_.emplace(h, id);
  return id;
}

std::optional<std::string> Interner::load_text(std::int64_t id) {
  Query q(db_, "SELECT body FROM text WHERE id = ?", id);
  return q.next() ? text_body(q, 0) : std::nullopt;
}

std::int64_t Interner::key(std::string_view name) {
  if (name.empty() || !db_.ok()) return 0;
  if (const auto found = keys_.find(name); found != keys_.end()) return found->second;
  std::int64_t id = 0;
  if (Query q(db_, "SELECT id FROM key WHERE name = ?", name); q.next()) id = q.integer(0);
  if (id == 0) {
    Query(db_, "INSERT INTO key(name) VALUES (?)", name).run();
    id = db_.last_insert_id();
  }
  if (keys_.size() >= kRemembered) keys_.clear();
  keys_.emplace(name, id);
  return id;
}

Interner::KnownComponent& Interner::known(const Component& c) {
  std::uint64_t digest_head;
  std::memcpy(&digest_head, c.digest.bytes.data(), 8);
  const std::uint64_t hash = hash64(c.name, digest_head);
  KnownComponent& known = components_[{hash, digest_head}];
  if (known.id != 0 || !db_.ok()) return known;
  const auto name = text(c.name);
  {
    Query q(db_, "SELECT c.id, c.digest, c.name, t.hash FROM component c JOIN text t ON t.id = c.text WHERE c.hash = ?",
            on_disk(hash));
    while (known.id == 0 && q.next()) {
      if (q.integer(2) != name || q.text(1) != bytes_of(c.digest)) continue;
      known.id = reused(Kept::component, q.integer(0));
      known.exact.push_back(static_cast<std::uint64_t>(q.integer(3)));
    }
  }
  if (known.id == 0) {
    // An empty text is a row too: text 0 would be lost in the join above.
    const std::int64_t body = c.text.empty() ? store_text({}, hash64({}), false) : text(c.text);
    Query(db_, "INSERT INTO component(hash, name, digest, text) VALUES (?, ?, ?, ?)", on_disk(hash), name,
          Blob{bytes_of(c.digest)}, body)
        .run();
    known.id = db_.last_insert_id();
    known.exact.push_back(hash64(c.text));
  }
  return known;
}

void Interner::note_text(KnownComponent& known, std::string_view text, std::uint64_t hash) {
  if (std::find(known.exact.begin(), known.exact.end(), hash) != known.exact.end()) return;
  if (!known.masked_loaded) {
    known.masked_loaded = true;
    Query q(db_,
            "SELECT body FROM text WHERE id IN (SELECT text FROM component WHERE id = ?1 "
            "UNION ALL SELECT text FROM component_variant WHERE component = ?1)",
            known.id);
    while (q.next())
      if (const auto body = text_body(q, 0)) known.masked.push_back(hash64(masked(*body).value_or(*body)));
  }
  const std::uint64_t mask = hash64(masked(text).value_or(std::string(text)));
  if (std::find(known.masked.begin(), known.masked.end(), mask) != known.masked.end()) return;
  if (known.masked.size() > kVariants) return;
  known.masked.push_back(mask);
  known.exact.push_back(hash);
  if (text.empty()) return;
  Query(db_, "INSERT OR IGNORE INTO component_variant VALUES (?, ?)", known.id, this->text(text)).run();
}

std::int64_t Interner::component(ComponentPtr c) {
  if (const auto found = pointers_.find(c); found != pointers_.end()) {
    const KnownPointer& k = found->second;
    if (k.digest == c->digest && k.text_size == c->text.size() && k.name == c->name) return k.id;
    pointers_.erase(found);
  }
  KnownComponent& k = known(*c);
  note_text(k, c->text, hash64(c->text));
  if (pointers_.size() >= kRemembered) pointers_.clear();
  pointers_.emplace(c, KnownPointer{c->name, c->digest, c->text.size(), k.id});
  return k.id;
}

Ids Interner::group_members(std::int64_t base, std::string_view bytes) {
  if (base == 0) return decode_ids(bytes).value_or(Ids{});
  const std::string difference(bytes);
  Query q(db_, "SELECT members FROM component_group WHERE id = ?", base);
  if (!q.next()) return {};
  return apply_difference(decode_ids(q.text(0)).value_or(Ids{}), difference).value_or(Ids{});
}

const std::vector<Interner::WholeGroup>& Interner::whole_groups(std::int64_t kind) {
  const auto [place, fresh] = whole_groups_.try_emplace(kind);
  if (fresh) {
    Query q(db_, "SELECT id, members FROM component_group WHERE kind = ? AND base IS NULL ORDER BY id DESC LIMIT 4",
            kind);
    while (q.next())
      place->second.push_back({reused(Kept::group, q.integer(0)), decode_ids(q.text(1)).value_or(Ids{})});
  }
  return place->second;
}

std::int64_t Interner::group(std::int64_t kind, const Ids& members) {
  const Hash128 h{hash64(bytes_of(members)), hash64(bytes_of(members), kSecondSeed)};
  std::int64_t& id = groups_[h];
  if (id != 0 || !db_.ok()) return id;
  {
    Query q(db_, "SELECT id, base, members FROM component_group WHERE hash = ?", on_disk(h.a));
    while (q.next()) {
      if (group_members(q.integer(1), q.text(2)) != members) continue;
      if (!q.null(1)) reused(Kept::group, q.integer(1));
      return id = reused(Kept::group, q.integer(0));
    }
  }
  const std::string whole = encode_ids(members);
  std::string best;
  std::int64_t base = 0;
  if (members.size() > 2) {
    for (const auto& candidate : whole_groups(kind)) {
      std::string difference = encode_difference(candidate.members, members);
      if (base == 0 || difference.size() < best.size()) {
        best = std::move(difference);
        base = candidate.id;
      }
    }
    if (base != 0 && best.size() * 2 > whole.size()) base = 0;
  }
  if (base != 0) {
    Query(db_, "INSERT INTO component_group(hash, kind, base, members) VALUES (?, ?, ?, ?)", on_disk(h.a), kind, base,
          Blob{best})
        .run();
    return id = db_.last_insert_id();
  }
  Query(db_, "INSERT INTO component_group(hash, kind, members) VALUES (?, ?, ?)", on_disk(h.a), kind, Blob{whole})
      .run();
  id = db_.last_insert_id();
  if (members.size() > 2) {
    auto& known = whole_groups_[kind];
    known.insert(known.begin(), {id, members});
    if (known.size() > kWholeGroups) known.pop_back();
  }
  return id;
}

std::int64_t Interner::component_set(const std::vector<ComponentPtr>& components) {
  if (components.empty() || !db_.ok()) return 0;
  Ids members;
  members.reserve(components.size());
  ComponentPtr graph = nullptr;
  for (const ComponentPtr c : components) {
    members.push_back(component(c));
    if (c->name == "gm" || c->name == "source") graph = c;
  }
  const Hash128 h{hash64(bytes_of(members)), hash64(bytes_of(members), kSecondSeed)};
  if (sets_.size() >= kRemembered) sets_.clear();
  std::int64_t& id = sets_[h];
  if (id != 0) return id;

  Ids groups;
  for (std::size_t from = 0; from < components.size();) {
    const std::string_view prefix = prefix_of(components[from]->name);
    std::size_t to = from + 1;
    while (to < components.size() && prefix_of(components[to]->name) == prefix) ++to;
    groups.push_back(group(text(prefix), Ids(members.begin() + static_cast<std::ptrdiff_t>(from),
                                             members.begin() + static_cast<std::ptrdiff_t>(to))));
    from = to;
  }
  const std::string encoded = encode_ids(groups);
  {
    Query q(db_, "SELECT id, groups FROM component_set WHERE hash = ?", on_disk(h.a));
    while (q.next())
      if (q.text(1) == encoded) return id = reused(Kept::set, q.integer(0));
  }
  std::optional<std::int64_t> graph_text;
  if (graph != nullptr) {
    Query q(db_, "SELECT text FROM component WHERE id = ?", component(graph));
    if (q.next()) graph_text = q.integer(0);
  }
  Query(db_, "INSERT INTO component_set(hash, graph, groups) VALUES (?, ?, ?)", on_disk(h.a), graph_text, Blob{encoded})
      .run();
  return id = db_.last_insert_id();
}

}  // namespace keyhole
