// SPDX-License-Identifier: Apache-2.0
#include "keyhole.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>

#include "keyhole/base/pool.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/cache/shared_tier.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/store.h"
#include "keyhole/explain/loader.h"
#include "keyhole/explain/told.h"
#include "keyhole/guard/expression.h"
#include "keyhole/key/canonical.h"
#include "keyhole/key/value.h"

using keyhole::ArtifactCache;
using keyhole::Error;
using keyhole::ErrorKind;
using keyhole::Layer;

struct kh_store {
  std::unique_ptr<ArtifactCache> cache;
  std::unique_ptr<keyhole::SharedTier> shared;  // null: none
};

struct kh_lookup {
  keyhole::CacheLookup found;
};

struct kh_key {
  kh_key(const char* prefix, const char* producer) : builder(prefix, producer) {}
  keyhole::KeyBuilder builder;
  std::vector<std::string> texts;
  std::string key;
  std::vector<kh_component> components;
};

namespace {

thread_local std::string last_error;

kh_status status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
      return KH_NOT_FOUND;
    case ErrorKind::busy:
      return KH_BUSY;
    case ErrorKind::bad_input:
      return KH_BAD_INPUT;
    case ErrorKind::corrupt:
      return KH_CORRUPT;
    case ErrorKind::io:
      return KH_IO;
    case ErrorKind::unsupported:
      return KH_UNSUPPORTED;
    case ErrorKind::usage:
      return KH_USAGE;
    case ErrorKind::internal:
      return KH_INTERNAL;
  }
  return KH_INTERNAL;
}

kh_status failed(const Error& error) {
  last_error = error.line();
  return status_of(error.kind);
}
kh_status usage(const char* what) {
  return failed({ErrorKind::usage, what, {}, {}});
}

/// No exception may leave a function that C calls; only lack of memory throws below.
template <class Body>
kh_status guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";  // short enough to need none
    return KH_INTERNAL;
  } catch (...) {
    last_error = "internal error";
    return KH_INTERNAL;
  }
}

std::string_view view(kh_bytes bytes) {
  return bytes.data == nullptr ? std::string_view()
                               : std::string_view(static_cast<const char*>(bytes.data), bytes.size);
}
kh_bytes bytes_of(const std::string& text) {
  return {text.data(), text.size()};
}

/// Whether `count` items are where they are said to be.
bool there(const void* list, std::size_t count) {
  return list != nullptr || count == 0;
}

/// By its bytes: C may hand over a number that is none of the enumeration, which C++ must not even read as one.
bool known(const kh_layer& layer) {
  int number = 0;
  static_assert(sizeof number == sizeof layer);
  std::memcpy(&number, &layer, sizeof number);
  return number >= KH_LAYER_DYNAMO && number <= KH_LAYER_REMOTE;
}

/// A caller's structure as this version knows it: members that an older header lacks are zero.
template <class T>
bool take(const T* given, T& whole) {
  std::memset(&whole, 0, sizeof whole);
  if (given == nullptr || given->size < sizeof(std::size_t)) return false;
  std::memcpy(&whole, given, std::min(given->size, sizeof whole));
  return true;
}

std::vector<keyhole::ComponentPtr> components_of(const kh_component* list, std::size_t count,
                                                 keyhole::ComponentPool& pool) {
  std::vector<keyhole::ComponentPtr> components;
  components.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    keyhole::Digest digest;
    std::memcpy(digest.bytes.data(), list[i].digest, sizeof list[i].digest);
    components.push_back(pool.intern(list[i].name != nullptr ? list[i].name : "", digest, view(list[i].text)));
  }
  return components;
}

kh_status add(kh_key* key, const char* name, const keyhole::KeyValue& value, std::string text) {
  return guarded([&] {
    if (key == nullptr || name == nullptr) return usage("a part of a key needs a key and a name");
    if (auto added = key->builder.add(name, value); !added) return failed(added.error());
    key->texts.push_back(std::move(text));
    return KH_OK;
  });
}

}  // namespace

int kh_abi_version(void) {
  return KH_ABI_VERSION;
}
const char* kh_version(void) {
  return KEYHOLE_VERSION;
}
const char* kh_last_error(void) {
  return last_error.c_str();
}

kh_key* kh_key_new(const char* prefix, const char* producer) {
  try {
    return new kh_key(prefix != nullptr ? prefix : "", producer != nullptr ? producer : "");
  } catch (...) {
    return nullptr;
  }
}
void kh_key_free(kh_key* key) {
  delete key;
}

kh_status kh_key_add_text(kh_key* key, const char* name, kh_bytes utf8) {
  return guarded([&] {
    const std::string text(view(utf8));
    return add(key, name, keyhole::KeyValue::text(text), text);
  });
}
kh_status kh_key_add_bytes(kh_key* key, const char* name, kh_bytes value) {
  return guarded([&] {
    const std::string bytes(view(value));
    return add(key, name, keyhole::KeyValue::bytes(bytes), std::to_string(bytes.size()) + " bytes");
  });
}
kh_status kh_key_add_integer(kh_key* key, const char* name, int64_t value) {
  return guarded([&] { return add(key, name, keyhole::KeyValue::integer(value), std::to_string(value)); });
}
kh_status kh_key_add_real(kh_key* key, const char* name, double value) {
  return guarded([&] { return add(key, name, keyhole::KeyValue::real(value), keyhole::hint_text(value)); });
}
kh_status kh_key_add_boolean(kh_key* key, const char* name, int value) {
  return guarded([&] { return add(key, name, keyhole::KeyValue::boolean(value != 0), value != 0 ? "True" : "False"); });
}
kh_status kh_key_add_digest(kh_key* key, const char* name, const uint8_t digest[32], kh_bytes text) {
  return guarded([&] {
    if (key == nullptr || name == nullptr || digest == nullptr)
      return usage("a part of a key needs a key, a name and a digest");
    keyhole::Digest d;
    std::memcpy(d.bytes.data(), digest, d.bytes.size());
    key->builder.add_imported(name, d);
    key->texts.emplace_back(view(text));
    return KH_OK;
  });
}

const char* kh_key_text(kh_key* key) {
  const char* text = nullptr;
  guarded([&] {
    if (key == nullptr) return usage("there is no key");
    auto made = key->builder.key();
    if (!made) return failed(made.error());
    key->key = std::move(*made);
    text = key->key.c_str();
    return KH_OK;
  });
  return text;
}

const kh_component* kh_key_components(kh_key* key, size_t* count) {
  if (count != nullptr) *count = 0;
  const kh_component* list = nullptr;
  guarded([&] {
    if (key == nullptr || count == nullptr)
      return usage("the components need a key and where to say how many they are");
    const auto& parts = key->builder.parts();
    key->components.clear();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      kh_component component{};
      component.name = parts[i].name.c_str();
      std::memcpy(component.digest, parts[i].digest.bytes.data(), sizeof component.digest);
      component.text = bytes_of(key->texts[i]);
      key->components.push_back(component);
    }
    *count = key->components.size();
    list = key->components.data();
    return KH_OK;
  });
  return list;
}

kh_status kh_store_open(const char* folder, const kh_options* options, kh_store** store) {
  return guarded([&] {
    if (store == nullptr) return usage("there is nowhere to put the store");
    *store = nullptr;
    kh_options given;
    if (!take(options, given) && options != nullptr) return usage("kh_options.size is not set");
    keyhole::CacheOptions wanted;
    wanted.durable = given.durable != 0;
    wanted.record = given.no_record == 0;
    wanted.distrust = given.distrust != 0;
    if (given.get_patience_ms > 0) wanted.get_patience = std::chrono::milliseconds(given.get_patience_ms);
    if (given.put_patience_ms > 0) wanted.put_patience = std::chrono::milliseconds(given.put_patience_ms);
    if (given.max_size > 0) wanted.max_size = given.max_size;
    std::unique_ptr<keyhole::SharedTier> shared;
    if (given.remote != nullptr) {
      auto tier =
          keyhole::SharedTier::open(given.remote, given.remote_secret != nullptr ? given.remote_secret : std::string());
      if (!tier) return failed(tier.error());
      shared = std::move(*tier);
    }
    auto opened = ArtifactCache::open(folder != nullptr ? folder : keyhole::default_store(), wanted);
    if (!opened) return failed(opened.error());
    *store = new kh_store{std::move(*opened), std::move(shared)};
    return KH_OK;
  });
}
void kh_store_close(kh_store* store) {
  delete store;
}

kh_status kh_put(kh_store* store, const kh_entry* entry) {
  return guarded([&] {
    kh_entry given;
    if (store == nullptr || !take(entry, given)) return usage("kh_put needs a store and an entry whose size is set");
    if (given.key == nullptr || !known(given.layer)) return usage("an entry needs a key and a layer");
    if (!there(given.content.data, given.content.size) || !there(given.metadata.data, given.metadata.size) ||
        !there(given.components, given.component_count))
      return usage("an entry has a size but no data");
    std::vector<std::string> clauses;
    for (std::size_t i = 0; i < given.guard_count; ++i) {
      if (given.guards == nullptr || given.guards[i] == nullptr) return usage("a guard is missing");
      clauses.emplace_back(given.guards[i]);
    }
    const std::string guard = clauses.empty() ? std::string() : keyhole::join_guard_clauses(clauses);
    if (!guard.empty())
      if (auto parsed = keyhole::GuardExpression::parse(guard); !parsed) return failed(parsed.error());
    std::vector<keyhole::NamedFile> files;
    for (std::size_t i = 0; i < given.file_count; ++i) {
      if (given.files == nullptr || given.files[i].name == nullptr) return usage("a file of the bundle has no name");
      if (!there(given.files[i].content.data, given.files[i].content.size))
        return usage("a file of the bundle has a size but no data");
      files.push_back({given.files[i].name, std::string(view(given.files[i].content))});
    }
    keyhole::ComponentPool pool;
    const auto components = components_of(given.components, given.component_count, pool);
    const keyhole::NewEntry made{.layer = static_cast<Layer>(given.layer),
                                 .key = given.key,
                                 .guard = guard,
                                 .bytes = view(given.content),
                                 .files = files,
                                 .metadata = view(given.metadata),
                                 .components = components,
                                 .cost = given.cost_ns > 0 ? given.cost_ns : -1};
    auto stored = store->cache->put(made);
    if (stored && store->shared) store->shared->put(made);
    return stored ? KH_OK : failed(stored.error());
  });
}

kh_status kh_remove(kh_store* store, kh_layer layer, const char* key, int64_t* removed) {
  return guarded([&] {
    if (store == nullptr || key == nullptr || *key == '\0' || !known(layer))
      return usage("kh_remove needs a store, a layer and a key");
    auto n = store->cache->remove(static_cast<Layer>(layer), key);
    if (!n) return failed(n.error());
    if (removed != nullptr) *removed = *n;
    return KH_OK;
  });
}

kh_status kh_get(kh_store* store, const kh_query* query, kh_lookup** lookup) {
  return guarded([&] {
    if (lookup != nullptr) *lookup = nullptr;
    kh_query given;
    if (store == nullptr || lookup == nullptr || !take(query, given))
      return usage("kh_get needs a store, a query whose size is set, and where to put the lookup");
    if (given.key == nullptr || !known(given.layer)) return usage("a query needs a key and a layer");
    if (!there(given.hints, given.hint_count) || !there(given.components, given.component_count))
      return usage("a query has a count but no hints or components");
    keyhole::Hints hints;
    for (std::size_t i = 0; i < given.hint_count; ++i) {
      if (given.hints[i].name != nullptr)
        hints.set(given.hints[i].name, given.hints[i].value);
      else
        hints.append(given.hints[i].value);
    }
    std::optional<keyhole::ComponentPool> pool;  // most queries need none
    std::vector<keyhole::ComponentPtr> components;
    if (given.component_count > 0) components = components_of(given.components, given.component_count, pool.emplace());
    keyhole::LookupRequest request{
        .layer = static_cast<Layer>(given.layer), .key = given.key, .hints = &hints, .components = components};
    if (store->shared) request.beyond = [&] { return store->shared->get(request.layer, request.key); };
    auto made = std::make_unique<kh_lookup>(kh_lookup{store->cache->get(request)});
    if (made->found.hit() && !made->found.local) {
      const auto& entry = made->found.entry;
      // Where it cannot be kept here, the next lookup asks there again.
      static_cast<void>(store->cache->put({.layer = request.layer,
                                           .key = request.key,
                                           .guard = entry.guard,
                                           .bytes = entry.bytes,
                                           .files = entry.files,
                                           .metadata = entry.metadata,
                                           .components = components,
                                           .cost = entry.cost}));
    }
    *lookup = made.release();
    return KH_OK;
  });
}

void kh_lookup_free(kh_lookup* lookup) {
  delete lookup;
}
kh_outcome kh_lookup_outcome(const kh_lookup* lookup) {
  return lookup == nullptr ? KH_ERROR : static_cast<kh_outcome>(lookup->found.outcome);
}
const char* kh_lookup_reason(const kh_lookup* lookup) {
  return lookup == nullptr ? "" : lookup->found.reason.c_str();
}
int kh_lookup_is_remote(const kh_lookup* lookup) {
  return lookup != nullptr && lookup->found.hit() && !lookup->found.local ? 1 : 0;
}
const char* kh_lookup_guard(const kh_lookup* lookup) {
  return lookup == nullptr ? "" : lookup->found.guard.c_str();
}
kh_bytes kh_lookup_content(const kh_lookup* lookup) {
  return lookup == nullptr ? kh_bytes{nullptr, 0} : bytes_of(lookup->found.entry.bytes);
}
kh_bytes kh_lookup_metadata(const kh_lookup* lookup) {
  return lookup == nullptr ? kh_bytes{nullptr, 0} : bytes_of(lookup->found.entry.metadata);
}
size_t kh_lookup_file_count(const kh_lookup* lookup) {
  return lookup == nullptr ? 0 : lookup->found.entry.files.size();
}
kh_status kh_lookup_file(const kh_lookup* lookup, size_t index, kh_file* file) {
  return guarded([&] {
    if (file == nullptr || index >= kh_lookup_file_count(lookup)) return usage("there is no such file in the bundle");
    const auto& found = lookup->found.entry.files[index];
    *file = {found.name.c_str(), bytes_of(found.bytes)};
    return KH_OK;
  });
}

kh_status kh_note_bypass(kh_store* store, kh_layer layer, const char* reason) {
  return guarded([&] {
    if (store == nullptr || reason == nullptr || !known(layer))
      return usage("kh_note_bypass needs a store, a layer and a reason");
    keyhole::LookupRecord record;
    record.layer = static_cast<Layer>(layer);
    record.outcome = keyhole::Outcome::bypass;
    record.reason = reason;
    store->cache->note(record);
    return KH_OK;
  });
}

kh_status kh_flush(kh_store* store) {
  return guarded([&] {
    if (store == nullptr) return usage("there is no store");
    const auto taken = keyhole::take_in_journals(*store->cache, std::chrono::minutes(10));
    return taken ? KH_OK : failed(taken.error());
  });
}

kh_status kh_explain(kh_store* store, kh_layer layer, const char* key, char** json, size_t* size) {
  return guarded([&] {
    if (store == nullptr || key == nullptr || json == nullptr || size == nullptr || !known(layer))
      return usage("kh_explain needs a store, a layer, a key, and where to put the JSON and its size");
    *json = nullptr;
    *size = 0;
    if (const auto flushed = kh_flush(store); flushed != KH_OK) return flushed;
    auto reader = keyhole::Reader::open(store->cache->store());
    if (!reader) return failed(reader.error());
    const auto newest = reader->lookups_with_key(static_cast<Layer>(layer), key, 0, 1);
    if (!newest) return failed(newest.error());
    if (newest->empty()) return failed({ErrorKind::not_found, "the key was never looked up", key, {}});
    keyhole::ComponentPool pool;
    keyhole::CaseLoader loader(*reader, pool);
    const auto told = loader.tell(newest->front().id);
    if (!told) return failed(told.error());
    const std::string text = keyhole::to_json(*told);
    auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
    if (copy == nullptr) return failed({ErrorKind::internal, "no memory", {}, {}});
    std::memcpy(copy, text.c_str(), text.size() + 1);
    *json = copy;
    *size = text.size();
    return KH_OK;
  });
}

void kh_free(void* memory) {
  std::free(memory);
}
