/* SPDX-License-Identifier: Apache-2.0 */
/* A compiler in C that keeps what it compiles: producer_c STORE EXPRESSION OPT_LEVEL SIZE
 * Prints "miss" and compiles the first time, "hit" afterwards, and after a miss why it missed. */
#include <keyhole.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kh_bytes text(const char* s) {
  kh_bytes bytes = {s, strlen(s)};
  return bytes;
}

static int give_up(const char* doing) {
  fprintf(stderr, "%s: %s\n", doing, kh_last_error());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s STORE EXPRESSION OPT_LEVEL SIZE\n", argv[0]);
    return 2;
  }
  kh_store* store = NULL;
  if (kh_store_open(argv[1], NULL, &store) != KH_OK) return give_up("open");

  /* What the result depends on, part by part: this is what a miss is explained by. */
  kh_key* key = kh_key_new("k", "example 1.0");
  kh_key_add_text(key, "expression", text(argv[2]));
  kh_key_add_integer(key, "options[opt_level]", atoi(argv[3]));
  size_t parts = 0;
  const char* name = kh_key_text(key);
  if (name == NULL) return give_up("key");
  const kh_component* components = kh_key_components(key, &parts);

  const kh_hint size = {NULL, atoi(argv[4])};
  kh_query query = {sizeof query, KH_LAYER_FX_GRAPH, name, &size, 1, components, parts};
  kh_lookup* found = NULL;
  if (kh_get(store, &query, &found) != KH_OK) return give_up("get");

  if (kh_lookup_outcome(found) == KH_HIT) {
    kh_bytes content = kh_lookup_content(found);
    printf("hit %.*s\n", (int)content.size, (const char*)content.data);
  } else {
    char compiled[256], guard[64];
    printf("miss\n");
    snprintf(compiled, sizeof compiled, "compiled(%s, -O%s)", argv[2], argv[3]);
    /* The code holds for sizes up to 128, or above: two entries under one key, told apart by their guards. */
    snprintf(guard, sizeof guard, "L['t0'] %s 128", atoi(argv[4]) <= 128 ? "<=" : ">");
    const char* guards[] = {guard};
    const kh_file files[] = {{"listing.txt", text("listing")}};
    kh_entry entry = {0};
    entry.size = sizeof entry;
    entry.layer = KH_LAYER_FX_GRAPH;
    entry.key = name;
    entry.guards = guards;
    entry.guard_count = 1;
    entry.content = text(compiled);
    entry.files = files;
    entry.file_count = 1;
    entry.components = components;
    entry.component_count = parts;
    entry.cost_ns = 1000000000;
    if (kh_put(store, &entry) != KH_OK) return give_up("put");

    char* why = NULL;
    size_t why_size = 0;
    if (kh_explain(store, KH_LAYER_FX_GRAPH, name, &why, &why_size) != KH_OK) return give_up("explain");
    printf("%s\n", why);
    kh_free(why);
  }
  kh_lookup_free(found);
  kh_key_free(key);
  kh_store_close(store);
  return 0;
}
