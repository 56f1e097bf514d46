// SPDX-License-Identifier: Apache-2.0
#include "store_access.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include "format.h"
#include "intake.h"
#include "keyhole/cache/maintenance.h"

namespace keyhole::cli {
namespace {

constexpr std::chrono::seconds kTakingIn{2};  // thousands of journals; what is left then, the next command takes in
constexpr const char* kRecordFirst = "record a program first: keyhole record -- python train.py";

std::optional<RowId> number(const std::string& text) {
  RowId value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

Result<LookupRow> last_lookup(Reader& reader, const std::string& run) {
  const auto row = find_run(reader, run);
  if (!row) return tl::make_unexpected(row.error());
  auto lookups = reader.lookups_of_run(row->id);
  if (!lookups) return tl::make_unexpected(lookups.error());
  if (lookups->empty()) return fail(ErrorKind::not_found, "the run looked nothing up", row->record.name);
  return std::move(lookups->back());
}

Result<LookupRow> lookup_of_compile(Reader& reader, const CompileId& id, const std::string& run) {
  const auto row = find_run(reader, run);
  if (!row) return tl::make_unexpected(row.error());
  auto lookups = reader.lookups_of_run(row->id);
  if (!lookups) return tl::make_unexpected(lookups.error());
  const LookupRow* best = nullptr;
  const auto rank = [](const LookupRow& l) {  // misses first, then the outermost layer
    return std::pair(l.record.outcome == Outcome::hit, static_cast<int>(l.record.layer));
  };
  for (const LookupRow& l : *lookups) {
    const CompileId& c = l.record.compile;
    if (c.frame != id.frame || c.frame_compile != id.frame_compile || c.compiled_autograd != id.compiled_autograd)
      continue;
    if (!best || rank(l) < rank(*best)) best = &l;
  }
  if (!best)
    return fail(ErrorKind::not_found, "no lookup of compile " + id.text(), "run " + row->record.name,
                "see: keyhole log --run " + shell_word(row->record.name));
  return *best;
}

Result<LookupRow> lookup_of_key(Reader& reader, const std::string& prefix) {
  auto found = reader.lookups_with_key_prefix(prefix, 8);
  if (!found) return tl::make_unexpected(found.error());
  if (found->empty() && prefix.find('/') != std::string::npos)
    return fail(ErrorKind::not_found, "there is no file or folder " + prefix + ", and no lookup is called so", {},
                "check the spelling; lookups are listed by: keyhole log --run NAME");
  if (found->empty())
    return fail(ErrorKind::not_found, "nothing is called " + prefix, {},
                "TARGET is last, a lookup's number, a compile id such as 0/0, a key, or the beginning of one; see: "
                "keyhole log");
  std::set<std::string> keys;
  for (const LookupRow& l : *found) keys.insert(l.record.key);
  if (keys.size() > 1) {
    std::string list;
    for (const std::string& key : keys) list += (list.empty() ? "" : ", ") + key.substr(0, prefix.size() + 6) + "…";
    return fail(ErrorKind::not_found, prefix + " begins several keys", list, "give more of the key");
  }
  return *std::max_element(found->begin(), found->end(), [](const auto& a, const auto& b) { return a.id < b.id; });
}

}  // namespace

Error no_store(const std::string& store) {
  return {ErrorKind::not_found, "there is no store", store, kRecordFirst};
}

Result<Reader> open_store(const std::string& store) {
  adopt_abandoned(store);
  // What programs noted of the store's own cache; a store that cannot be written is read as it is.
  static_cast<void>(take_in_journals(store, kTakingIn));
  auto reader = Reader::open(store);
  if (!reader && reader.error().kind == ErrorKind::not_found) return tl::make_unexpected(no_store(store));
  if (reader)
    if (const std::string note = reader->version_note(); !note.empty())
      fmt::print(stderr, "keyhole: {} ({})\n", note, store);
  return reader;
}

Result<RunRow> find_run(Reader& reader, const std::string& name) {
  auto row = name.empty() ? reader.last_run() : reader.run_named(name);
  if (!row) return tl::make_unexpected(row.error());
  if (*row) return std::move(**row);
  if (name.empty()) return fail(ErrorKind::not_found, "the store holds no run", {}, kRecordFirst);
  std::string known;
  if (const auto runs = reader.runs())
    for (std::size_t i = runs->size(); i-- > 0 && known.size() < 80;)
      known += (known.empty() ? "" : ", ") + (*runs)[i].record.name;
  return fail(ErrorKind::not_found, "no run is called " + name, {},
              known.empty() ? kRecordFirst : "there are: " + known);
}

Result<LookupRow> find_lookup(Reader& reader, const std::string& target, const std::string& run) {
  if (target == "last") return last_lookup(reader, run);
  if (const auto id = number(target)) {
    auto row = reader.lookup(*id);
    if (!row) return tl::make_unexpected(row.error());
    if (*row) return std::move(**row);
    return fail(ErrorKind::not_found, "there is no lookup " + target, {}, "see: keyhole log");
  }
  if (const auto compile = CompileId::parse(target)) return lookup_of_compile(reader, *compile, run);
  return lookup_of_key(reader, target);
}

}  // namespace keyhole::cli
