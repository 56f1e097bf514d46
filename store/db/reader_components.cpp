// SPDX-License-Identifier: Apache-2.0
// What the Reader gives of component sets, snapshots and entries.
#include <algorithm>
#include <cstring>

#include "reader_impl.h"

namespace keyhole {
namespace {

#define ENTRY_COLUMNS                                                                                             \
  "e.id, e.component_set, e.layer, e.key, e.name, e.path, e.state, e.state_reason, e.size, e.modified, e.guard, " \
  "e.direction, "                                                                                                 \
  "e.cost, e.code_key, e.needs, e.metadata, s.id "
constexpr int kSnapshotColumn = 16;

std::vector<std::string> lines_of(std::string_view joined) {
  std::vector<std::string> lines;
  while (!joined.empty()) {
    const auto at = joined.find('\n');
    lines.emplace_back(joined.substr(0, at));
    if (at == std::string_view::npos) break;
    joined.remove_prefix(at + 1);
  }
  return lines;
}

Error damaged(const Db& db, const char* what) {
  return {ErrorKind::corrupt, std::string(what) + " of the store is damaged", db.path(),
          "run `keyhole verify --repair`"};
}

}  // namespace

std::optional<Ids> Reader::Impl::groups_of(RowId set) {
  Query q(db, "SELECT groups FROM component_set WHERE id = ?", set);
  if (!q.next()) return std::nullopt;
  auto ids = decode_ids(q.text(0));
  if (!ids) db.set_error(damaged(db, "a component set"));
  return ids;
}

const Ids& Reader::Impl::members_of(std::int64_t group) {
  if (const auto found = groups_.find(group); found != groups_.end()) return found->second;
  std::optional<Ids> members;
  std::string bytes;
  std::int64_t base = 0;
  if (Query q(db, "SELECT base, members FROM component_group WHERE id = ?", group); q.next()) {
    base = q.integer(0);
    bytes = q.text(1);
    if (base == 0) members = decode_ids(bytes);
  }
  if (base != 0) {
    Query q(db, "SELECT members FROM component_group WHERE id = ? AND base IS NULL", base);
    if (q.next())
      if (const auto whole = decode_ids(q.text(0))) members = apply_difference(*whole, bytes);
  }
  if (!members) db.set_error(damaged(db, "a component group"));
  return groups_[group] = members.value_or(Ids{});
}

void Reader::Impl::keep_nearest(RowId subject, std::size_t limit, std::vector<std::int64_t>& sets) {
  if (sets.size() <= limit) return;
  const auto members = [&](RowId set, const Ids& without) {
    std::vector<std::int64_t> ids;
    for (const auto group : groups_of(set).value_or(Ids{})) {
      if (std::find(without.begin(), without.end(), group) != without.end()) continue;
      const Ids& more = members_of(group);
      ids.insert(ids.end(), more.begin(), more.end());
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  const Ids own_groups = groups_of(subject).value_or(Ids{});
  const auto own = members(subject, {});
  std::vector<std::pair<std::size_t, std::size_t>> ranked;  // how many of its components the subject lacks, and which
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto other = members(sets[i], own_groups);
    std::size_t shared = 0;
    for (auto a = own.begin(), b = other.begin(); a != own.end() && b != other.end();) {
      if (*a == *b) ++shared;
      const bool forward = *a <= *b, back = *b <= *a;
      if (forward) ++a;
      if (back) ++b;
    }
    ranked.emplace_back(other.size() - shared, i);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::int64_t> nearest;
  for (std::size_t i = 0; i < limit; ++i) nearest.push_back(sets[ranked[i].second]);
  sets = std::move(nearest);
}

void Reader::Impl::load_components(Ids ids, ComponentPool& pool) {
  if (pool.serial() != pool_) {
    components_.clear();
    pool_ = pool.serial();
  }
  std::erase_if(ids, [&](std::int64_t id) { return components_.contains(id); });
  std::sort(ids.begin(), ids.end());
  // Components of one key were stored one after the other: a range is read at once, with the few in it that others own.
  constexpr std::int64_t kGap = 8;
  for (std::size_t from = 0, to = 0; from < ids.size() && db.ok(); from = to) {
    for (to = from + 1; to < ids.size() && ids[to] - ids[to - 1] <= kGap;) ++to;
    Query q(db,
            "SELECT c.id, c.digest, n.body, t.body FROM component c JOIN text n ON n.id = c.name JOIN text t ON t.id = "
            "c.text "
            "WHERE c.id BETWEEN ? AND ?",
            ids[from], ids[to - 1]);
    while (q.next()) {
      Digest digest;
      const auto name = text_body(q, 2), body = text_body(q, 3);
      if (q.text(1).size() != digest.bytes.size() || !name || !body) break;
      std::memcpy(digest.bytes.data(), q.text(1).data(), digest.bytes.size());
      components_[q.integer(0)] = pool.intern(*name, digest, *body);
    }
  }
}

ComponentPtr Reader::Impl::component(std::int64_t id) {
  if (const auto found = components_.find(id); found != components_.end()) return found->second;
  db.set_error(damaged(db, "a component"));
  return nullptr;
}

Result<std::vector<ComponentPtr>> Reader::components(RowId set, ComponentPool& pool) {
  const Call call(*impl_);
  std::vector<ComponentPtr> all;
  if (set == 0) return all;
  const auto groups = impl_->groups_of(set);
  if (!groups && impl_->db.ok()) return fail(ErrorKind::not_found, "there is no component set " + std::to_string(set));
  if (groups) {
    Ids ids;
    for (const auto group : *groups) {
      const Ids& members = impl_->members_of(group);
      ids.insert(ids.end(), members.begin(), members.end());
    }
    impl_->load_components(ids, pool);
    all.reserve(ids.size());
    for (const auto id : ids) all.push_back(impl_->component(id));
  }
  return impl_->end(std::move(all));
}

Result<std::vector<ComponentChange>> Reader::difference(RowId before, RowId after, ComponentPool& pool) {
  const Call call(*impl_);
  const Ids old_groups = before != 0 ? impl_->groups_of(before).value_or(Ids{}) : Ids{};
  const Ids new_groups = after != 0 ? impl_->groups_of(after).value_or(Ids{}) : Ids{};
  const auto expand = [&](const Ids& groups, const Ids& others) {
    Ids ids;
    for (const auto group : groups) {
      if (std::find(others.begin(), others.end(), group) != others.end()) continue;
      const Ids& members = impl_->members_of(group);
      ids.insert(ids.end(), members.begin(), members.end());
    }
    return ids;
  };
  const Ids olds = expand(old_groups, new_groups), news = expand(new_groups, old_groups);
  std::unordered_map<std::int64_t, int> kept;  // what both hold, by component
  for (const auto id : olds) ++kept[id];
  Ids only_new, only_old;
  for (const auto id : news) {
    if (auto& n = kept[id]; n > 0)
      --n;
    else
      only_new.push_back(id);
  }
  for (const auto id : olds) {
    if (auto& n = kept[id]; n > 0) {
      --n;
      only_old.push_back(id);
    }
  }
  impl_->load_components(only_new, pool);
  impl_->load_components(only_old, pool);
  std::vector<ComponentPtr> changed_new, changed_old;
  for (const auto id : only_new) changed_new.push_back(impl_->component(id));
  for (const auto id : only_old) changed_old.push_back(impl_->component(id));
  std::vector<ComponentChange> changes;
  if (impl_->db.ok()) {
    for (const ComponentPtr c : changed_new) {
      const auto same_name = std::find_if(changed_old.begin(), changed_old.end(),
                                          [&](ComponentPtr o) { return o != nullptr && o->name == c->name; });
      ComponentPtr old = nullptr;
      if (same_name != changed_old.end()) std::swap(old, *same_name);
      changes.push_back({old, c});
    }
    for (const ComponentPtr c : changed_old)
      if (c != nullptr) changes.push_back({c, nullptr});
  }
  return impl_->end(std::move(changes));
}

EntryRow Reader::Impl::entry_row(const Query& q) {
  EntryRow row;
  row.id = q.integer(0);
  row.component_set = q.integer(1);
  row.snapshot = q.integer(kSnapshotColumn);
  EntryRecord& r = row.record;
  r.layer = static_cast<Layer>(q.integer(2));
  r.key = key_name(q.integer(3));
  r.name = text_cell(q, 4);
  r.path = text_cell(q, 5);
  r.state = static_cast<EntryState>(q.integer(6));
  r.state_reason = text_cell(q, 7);
  r.size = q.integer(8);
  r.modified = q.integer_or(9, kUnknownTime);
  r.guard = text_cell(q, 10);
  r.direction = static_cast<Direction>(q.integer(11));
  r.cost = q.integer_or(12, -1);
  r.code_key = text_cell(q, 13);
  r.needs = lines_of(text_cell(q, 14));
  r.metadata_json = text_cell(q, 15);
  return row;
}

std::optional<EntryRow> Reader::Impl::entry_at(RowId entry, RowId location) {
  Query q(db,
          "SELECT " ENTRY_COLUMNS
          ", p.location, p.until FROM presence p JOIN entry e ON e.id = p.entry LEFT JOIN snapshot s ON s.id = (SELECT "
          "max(id) FROM snapshot WHERE location = p.location AND id >= p.since AND (p.until IS NULL OR id < p.until)) "
          "WHERE p.location = ?2 AND p.entry = ?1 ORDER BY p.since DESC LIMIT 1",
          entry, location);
  if (!q.next()) return std::nullopt;
  EntryRow row = entry_row(q);
  row.location_id = location;
  row.location = text(location);
  if (!q.null(kSnapshotColumn + 2) && row.record.state == EntryState::ok) row.record.state = EntryState::vanished;
  return row;
}

Result<std::vector<EntryRow>> Reader::entries_with_key(Layer layer, std::string_view key) {
  const Call call(*impl_);
  std::vector<EntryRow> rows;
  Query q(impl_->db,
          "SELECT " ENTRY_COLUMNS
          "FROM entry e JOIN presence p ON p.entry = e.id JOIN snapshot s ON s.location = p.location AND s.id >= "
          "p.since AND "
          "(p.until IS NULL OR s.id < p.until) WHERE e.key = (SELECT id FROM key WHERE name = ?) AND e.layer = ? "
          "ORDER BY s.time DESC, s.id DESC, e.name LIMIT 1000",
          key, static_cast<int>(layer));
  while (q.next()) rows.push_back(impl_->entry_row(q));
  return impl_->end(std::move(rows));
}

Result<std::vector<SnapshotRow>> Reader::snapshots() {
  const Call call(*impl_);
  std::vector<SnapshotRow> rows;
  Query q(impl_->db,
          "SELECT s.id, s.run, s.location, s.read_from, s.time, s.moment, (SELECT count(*) FROM presence p WHERE "
          "p.location = s.location "
          "AND p.since <= s.id AND (p.until IS NULL OR p.until > s.id)), s.newest_run "
          "FROM snapshot s ORDER BY s.time, s.id");
  while (q.next())
    rows.push_back({q.integer(0),
                    q.integer(1),
                    {impl_->text_cell(q, 2), impl_->text_cell(q, 3), q.integer_or(4, kUnknownTime),
                     static_cast<SnapshotMoment>(q.integer(5))},
                    q.integer(6),
                    q.integer(7)});
  return impl_->end(std::move(rows));
}

Result<std::vector<EntryRow>> Reader::entries_of_snapshot(RowId snapshot) {
  const Call call(*impl_);
  std::vector<EntryRow> rows;
  Query q(impl_->db,
          "SELECT " ENTRY_COLUMNS
          "FROM snapshot s JOIN presence p ON p.location = s.location AND p.since <= s.id AND (p.until IS NULL OR "
          "p.until > s.id) "
          "JOIN entry e ON e.id = p.entry WHERE s.id = ? ORDER BY e.path, e.id",
          snapshot);
  while (q.next()) rows.push_back(impl_->entry_row(q));
  return impl_->end(std::move(rows));
}

}  // namespace keyhole
