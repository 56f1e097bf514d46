// SPDX-License-Identifier: Apache-2.0
// The schema of history.db; docs/store-format.md explains it. Integers that name a text are ids of `text`; NULL: unset.
#include "schema.h"

namespace keyhole {

const char* const kHistoryMigrations[] = {
    R"sql(
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('readable_from', 1), ('generation', 0);

-- Every string of the store, once. body: TEXT as it is, BLOB a zstd frame. hash: of the text, or of the text with its
-- addresses masked where it was stored as a volatile one.
CREATE TABLE text(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, body ANY NOT NULL) STRICT;
CREATE INDEX text_by_hash ON text(hash);
CREATE TABLE key(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE run(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, argv INTEGER, cwd INTEGER, env INTEGER, git_commit INTEGER,
  git_dirty INTEGER, versions INTEGER, start INTEGER, end INTEGER, exit_status INTEGER,
  position INTEGER,  -- start, else the earliest time of what it holds: the order of runs
  lookups INTEGER NOT NULL DEFAULT 0, hits INTEGER NOT NULL DEFAULT 0, misses INTEGER NOT NULL DEFAULT 0,
  bypasses INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX run_by_position ON run(position);

CREATE TABLE process(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, identity TEXT NOT NULL, host INTEGER, pid INTEGER, rank INTEGER,
  start INTEGER, cache_dir INTEGER, versions INTEGER) STRICT;
CREATE INDEX process_by_run ON process(run);
-- Every identity that a process is known by (its trace, its debug log).
CREATE TABLE process_identity(hash INTEGER NOT NULL, process INTEGER NOT NULL, PRIMARY KEY(hash, process))
  STRICT, WITHOUT ROWID;

CREATE TABLE compile(
  id INTEGER PRIMARY KEY, process INTEGER NOT NULL, frame INTEGER NOT NULL, frame_compile INTEGER NOT NULL,
  attempt INTEGER NOT NULL, compiled_autograd INTEGER NOT NULL, function INTEGER, filename INTEGER, line INTEGER,
  start INTEGER, total INTEGER, backend INTEGER, inductor INTEGER, recompile_reason INTEGER, fail_reason INTEGER,
  finished INTEGER) STRICT;
CREATE UNIQUE INDEX compile_by_id ON compile(process, frame, frame_compile, attempt, compiled_autograd);

CREATE TABLE symbol(
  compile INTEGER NOT NULL, symbol INTEGER NOT NULL, value INTEGER, source INTEGER, user_file INTEGER,
  user_line INTEGER, user_code INTEGER, PRIMARY KEY(compile, symbol)) STRICT, WITHOUT ROWID;
CREATE TABLE compile_text(
  compile INTEGER NOT NULL, kind INTEGER NOT NULL, name INTEGER NOT NULL, text INTEGER NOT NULL,
  PRIMARY KEY(compile, kind, name, text)) STRICT, WITHOUT ROWID;

CREATE TABLE component(
  id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, name INTEGER NOT NULL, digest BLOB NOT NULL, text INTEGER NOT NULL) STRICT;
CREATE INDEX component_by_hash ON component(hash);
-- Further texts that a component's digest was shown with; those that differ by addresses alone are not kept.
CREATE TABLE component_variant(component INTEGER NOT NULL, text INTEGER NOT NULL, PRIMARY KEY(component, text))
  STRICT, WITHOUT ROWID;
-- A run of components that stand together in a key and share what is before the bracket. base NULL: `members` is the
-- list of components; else it is a difference to the list of group `base`, which itself has no base.
CREATE TABLE component_group(
  id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, kind INTEGER NOT NULL, base INTEGER, members BLOB NOT NULL) STRICT;
CREATE INDEX component_group_by_hash ON component_group(hash);
CREATE INDEX component_group_whole ON component_group(kind) WHERE base IS NULL;
-- The components of a key in their order: a list of groups. graph: the text of component `gm`, of a compile's `source`.
CREATE TABLE component_set(
  id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, graph INTEGER, groups BLOB NOT NULL) STRICT;
CREATE INDEX component_set_by_hash ON component_set(hash);
CREATE INDEX component_set_by_graph ON component_set(graph) WHERE graph IS NOT NULL;

CREATE TABLE lookup(
  id INTEGER PRIMARY KEY, process INTEGER NOT NULL, layer INTEGER NOT NULL, key INTEGER NOT NULL,
  ordinal INTEGER NOT NULL, compile INTEGER, outcome INTEGER NOT NULL, status INTEGER, direction INTEGER, time INTEGER,
  duration INTEGER, cost INTEGER, saved INTEGER, guard INTEGER, reason INTEGER, component_set INTEGER,
  cache_off INTEGER, load_error INTEGER, save_error INTEGER) STRICT;
CREATE UNIQUE INDEX lookup_by_identity ON lookup(process, layer, key, ordinal);
CREATE INDEX lookup_by_key ON lookup(key) WHERE key <> 0;
CREATE INDEX lookup_by_compile ON lookup(compile) WHERE compile IS NOT NULL;
CREATE INDEX lookup_by_time ON lookup(time);
CREATE INDEX lookup_by_set ON lookup(component_set) WHERE component_set IS NOT NULL;
-- Which component sets a function ("file:function") and a compile id ("0/0") were ever looked up with.
CREATE TABLE trail(subject INTEGER NOT NULL, layer INTEGER NOT NULL, component_set INTEGER NOT NULL,
  PRIMARY KEY(subject, layer, component_set)) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot(
  id INTEGER PRIMARY KEY, run INTEGER, location INTEGER NOT NULL, read_from INTEGER NOT NULL, time INTEGER,
  moment INTEGER NOT NULL,
  newest_run INTEGER NOT NULL  -- in the store when it was taken in: its own times may be those of a copy
  ) STRICT;
CREATE INDEX snapshot_by_location ON snapshot(location);
CREATE TABLE entry(
  id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, layer INTEGER NOT NULL, key INTEGER NOT NULL, name INTEGER NOT NULL,
  path INTEGER NOT NULL, state INTEGER NOT NULL, state_reason INTEGER, size INTEGER NOT NULL, modified INTEGER,
  guard INTEGER, direction INTEGER, cost INTEGER, component_set INTEGER, code_key INTEGER, needs INTEGER,
  metadata INTEGER) STRICT;
CREATE INDEX entry_by_hash ON entry(hash);
CREATE INDEX entry_by_key ON entry(key);
-- Entry `entry` is in the snapshots of `location` from `since` on, up to but without `until` (NULL: to the newest).
CREATE TABLE presence(
  location INTEGER NOT NULL, entry INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER,
  PRIMARY KEY(location, entry, since)) STRICT, WITHOUT ROWID;
CREATE INDEX presence_by_entry ON presence(entry);

CREATE TABLE problem(
  id INTEGER PRIMARY KEY, run INTEGER, source INTEGER NOT NULL, offset INTEGER, what INTEGER NOT NULL, hint INTEGER) STRICT;
CREATE INDEX problem_by_source ON problem(source);
-- How far a source was read: identity is the digest of its first bytes.
CREATE TABLE source(identity TEXT PRIMARY KEY, size INTEGER NOT NULL, run INTEGER) STRICT, WITHOUT ROWID;
-- What was dropped from history or cache: layer, key, why (1 age, 2 size, 3 unreadable, 4 asked for), when, how large.
CREATE TABLE tombstone(
  id INTEGER PRIMARY KEY, layer INTEGER NOT NULL, key INTEGER NOT NULL, reason INTEGER NOT NULL, time INTEGER,
  size INTEGER) STRICT;
CREATE INDEX tombstone_by_key ON tombstone(key);
)sql",
    R"sql(
-- While meta.sweeping is 1, what writers found here and refer to again, so that the sweep leaves it: kind 1 text,
-- 2 component, 3 component_group, 4 component_set.
CREATE TABLE kept(kind INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(kind, id)) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('sweeping', 0);
)sql",
};
const int kHistoryMigrationCount = sizeof kHistoryMigrations / sizeof kHistoryMigrations[0];

}  // namespace keyhole
