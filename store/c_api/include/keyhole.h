/* SPDX-License-Identifier: Apache-2.0 */
/* Keyhole for producers in C, or in any language that calls C.
 *
 * Handles are opaque. Every buffer comes with its size; texts are UTF-8 and need no NUL where a size is given. What a
 * function hands out belongs to the handle it came from and lives as long, unless it says otherwise. Functions that can
 * fail give a kh_status; kh_last_error() then says what happened, where, and what to do, in the calling thread. Nothing
 * throws, aborts or prints. A store may be used by many threads at once, a lookup and a key by one at a time; a fork
 * may go on with the parent's store. Structures begin with their size: set it to sizeof(structure), zero the rest. */
#ifndef KEYHOLE_H
#define KEYHOLE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define KH_API __attribute__((visibility("default")))
#else
#define KH_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a program that was built against an earlier header would no longer work. */
#define KH_ABI_VERSION 1
#define KH_VERSION "0.1.0" /* of this header */
KH_API int kh_abi_version(void);
KH_API const char* kh_version(void); /* of the library that is loaded, as KH_VERSION */

typedef enum kh_status {
  KH_OK = 0,
  KH_NOT_FOUND = 1,   /* what was named does not exist */
  KH_BUSY = 2,        /* another process holds a lock: try again */
  KH_BAD_INPUT = 3,   /* malformed */
  KH_CORRUPT = 4,     /* the store is damaged: `keyhole verify --repair` */
  KH_IO = 5,          /* the operating system refused: disk full, permission, network folder */
  KH_UNSUPPORTED = 6, /* a newer format, or not built in */
  KH_USAGE = 7,       /* the caller broke the contract */
  KH_INTERNAL = 8     /* our bug */
} kh_status;

/* One line about the last failure in this thread; "" where there was none. Lives until the next call in this thread. */
KH_API const char* kh_last_error(void);

typedef struct kh_bytes {
  const void* data;
  size_t size;
} kh_bytes;

/* Which cache; the history groups by it. The numbers never change. */
typedef enum kh_layer {
  KH_LAYER_DYNAMO = 1,
  KH_LAYER_AOT_AUTOGRAD = 2,
  KH_LAYER_FX_GRAPH = 3, /* compiled graphs; the one to take when no other fits */
  KH_LAYER_AUTOTUNE = 4,
  KH_LAYER_TRITON = 5,
  KH_LAYER_CODE = 6,
  KH_LAYER_CUDA = 7,
  KH_LAYER_REMOTE = 8
} kh_layer;

/* What became of a lookup. The numbers never change. */
typedef enum kh_outcome {
  KH_HIT = 1,
  KH_MISS = 2,
  KH_GUARD_MISS = 3, /* entries are there, no guard holds */
  KH_BYPASS = 4,     /* only noted: kh_note_bypass() */
  KH_ERROR = 5       /* a miss, since something failed: kh_lookup_reason() */
} kh_outcome;

/* ---- keys: what a key is made of decides what the history can explain ---- */

/* One part of a key. `digest` is the truth, `text` how it is shown. */
typedef struct kh_component {
  const char* name; /* "options[opt_level]" */
  uint8_t digest[32];
  kh_bytes text;
} kh_component;

typedef struct kh_key kh_key;
/* `prefix`: the first letters of the key, "k"; `producer`: name and version, at most 64 bytes. NULL: out of memory. */
KH_API kh_key* kh_key_new(const char* prefix, const char* producer);
KH_API void kh_key_free(kh_key* key);
/* Parts count in the order in which they are added. "attr[name]" stands for a member of attr. */
KH_API kh_status kh_key_add_text(kh_key* key, const char* name, kh_bytes utf8);
KH_API kh_status kh_key_add_bytes(kh_key* key, const char* name, kh_bytes value);
KH_API kh_status kh_key_add_integer(kh_key* key, const char* name, int64_t value);
KH_API kh_status kh_key_add_real(kh_key* key, const char* name, double value);
KH_API kh_status kh_key_add_boolean(kh_key* key, const char* name, int value);
/* A part of which only the digest is known here. */
KH_API kh_status kh_key_add_digest(kh_key* key, const char* name, const uint8_t digest[32], kh_bytes text);
/* The key; lives until the next part is added or the key is freed. NULL on failure. */
KH_API const char* kh_key_text(kh_key* key);
/* The parts so far; they live as long as the text does. */
KH_API const kh_component* kh_key_components(kh_key* key, size_t* count);

/* ---- the store ---- */

typedef struct kh_options {
  size_t size;         /* sizeof(kh_options) */
  int durable;         /* a put is on the disk when it returns, also against a loss of power */
  int no_record;       /* do not note lookups for the history */
  int distrust;        /* check SHA-256 on every read */
  int get_patience_ms; /* how long a lookup waits for a lock; 0: 50 */
  int put_patience_ms; /* 0: 5000 */
  int64_t max_size;    /* bytes; a put beyond it throws out what was used longest ago. 0: no limit */
  /* The tier that machines share: "redis://[[user]:password@]host[:port][/database]" or "unix:///path". A lookup that
   * finds nothing here asks there and keeps what it gets; a put goes there too. It never makes a call fail, nor wait
   * for more than about a second: a server that does not answer is left alone for 30 s. NULL: none. */
  const char* remote;
  const char* remote_secret; /* values are signed with it, and what is not signed so is a miss. NULL: not signed */
} kh_options;

typedef struct kh_store kh_store;
/* Opens the folder, making it where there is none. `options` may be NULL; `folder` NULL: $KEYHOLE_STORE or the user's
 * own. */
KH_API kh_status kh_store_open(const char* folder, const kh_options* options, kh_store** store);
KH_API void kh_store_close(kh_store* store); /* NULL: nothing */

typedef struct kh_file {
  const char* name; /* relative, without ".." */
  kh_bytes content;
} kh_file;

typedef struct kh_entry {
  size_t size; /* sizeof(kh_entry) */
  kh_layer layer;
  const char* key;
  const char* const* guards; /* clauses over the hints, L['t0'] or names: all must hold. Each keeps its meaning. */
  size_t guard_count;        /* 0: holds always */
  kh_bytes content;
  const kh_file* files; /* a bundle: published with the content, or not at all */
  size_t file_count;
  kh_bytes metadata; /* a JSON object, or empty */
  const kh_component* components;
  size_t component_count;
  int64_t cost_ns; /* compile time that a hit saves; 0: not known */
} kh_entry;
/* All of it is stored, or nothing. KH_OK too where the same content was there. */
KH_API kh_status kh_put(kh_store* store, const kh_entry* entry);
/* Removes all entries of a key; `removed` may be NULL. */
KH_API kh_status kh_remove(kh_store* store, kh_layer layer, const char* key, int64_t* removed);

/* A concrete size. `name` NULL: the next position, t0, t1, … */
typedef struct kh_hint {
  const char* name;
  int64_t value;
} kh_hint;

typedef struct kh_query {
  size_t size; /* sizeof(kh_query) */
  kh_layer layer;
  const char* key;
  const kh_hint* hints;
  size_t hint_count;
  const kh_component* components; /* what the key was made of: what a miss is explained by */
  size_t component_count;
} kh_query;

typedef struct kh_lookup kh_lookup;
/* KH_OK also for a miss: ask kh_lookup_outcome(). The lookup is to be freed. */
KH_API kh_status kh_get(kh_store* store, const kh_query* query, kh_lookup** lookup);
KH_API void kh_lookup_free(kh_lookup* lookup); /* NULL: nothing */
KH_API kh_outcome kh_lookup_outcome(const kh_lookup* lookup);
KH_API const char* kh_lookup_reason(const kh_lookup* lookup); /* "" : nothing to say; "lock_timeout", … */
/* 1: the hit came from the shared tier, 0: from this store, or no hit. */
KH_API int kh_lookup_is_remote(const kh_lookup* lookup);
KH_API const char* kh_lookup_guard(const kh_lookup* lookup); /* of the hit, or the last that failed; "" : none */
/* Empty unless a hit. */
KH_API kh_bytes kh_lookup_content(const kh_lookup* lookup);
KH_API kh_bytes kh_lookup_metadata(const kh_lookup* lookup);
KH_API size_t kh_lookup_file_count(const kh_lookup* lookup);
/* KH_USAGE where `index` is not below the count. */
KH_API kh_status kh_lookup_file(const kh_lookup* lookup, size_t index, kh_file* file);

/* ---- events ---- */

/* Notes that something was not looked up, and why. */
KH_API kh_status kh_note_bypass(kh_store* store, kh_layer layer, const char* reason);
/* Takes what was noted so far, by all processes, into the history; kh_explain() and `keyhole why` do it too. */
KH_API kh_status kh_flush(kh_store* store);

/* ---- explain ---- */

/* Why the newest lookup of a key went as it did: a JSON object as `keyhole --json why` prints it. To be freed by
 * kh_free(). KH_NOT_FOUND where the key was never looked up. */
KH_API kh_status kh_explain(kh_store* store, kh_layer layer, const char* key, char** json, size_t* size);
KH_API void kh_free(void* memory);

#ifdef __cplusplus
}
#endif

#endif
