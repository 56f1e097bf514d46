#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""grow_store.py STORE LOOKUPS: makes a store (of make_store) larger by repeating its runs at later times, with keys and
compiles of their own; component sets and texts are shared, as they are between real runs. For measuring what reads a
store: it writes SQL past the Recorder, which is ten times as fast. Prints lookups, runs, bytes and seconds."""
import os, sqlite3, sys, time


def main():
    store, wanted = sys.argv[1], int(sys.argv[2])
    began = time.time()
    path = os.path.join(store, "history.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -400000; PRAGMA locking_mode = EXCLUSIVE")
    one = lambda sql: db.execute(sql).fetchone()[0]
    base = one("SELECT count(*) FROM lookup")
    top = {t: one(f"SELECT max(id) FROM {t}") for t in ("lookup", "process", "compile", "run", "key")}
    span = one("SELECT max(time) - min(time) FROM lookup") + 61_000_000_000
    indexes = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN "
                         "('lookup', 'process', 'compile', 'run')").fetchall()
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    columns = {t: [c[1] for c in db.execute(f"PRAGMA table_info({t})")] for t in top}
    moved = {
        "run": {"id": "id + :n * :run", "name": "name || '.' || (:n * :run)", "start": "start + :n * :span", "end": "end + :n * :span",
                "position": "position + :n * :span"},
        "process": {"id": "id + :n * :process", "run": "run + :n * :run", "start": "start + :n * :span"},
        "compile": {"id": "id + :n * :compile", "process": "process + :n * :process", "start": "start + :n * :span"},
        "key": {"id": "id + :n * :key", "name": "substr(name, 1, 1) || lower(hex(randomblob(26)))"},
        "lookup": {"id": "id + :n * :lookup", "process": "process + :n * :process", "compile": "compile + :n * :compile",
                   "key": "iif(key = 0, 0, key + :n * :key)", "time": "time + :n * :span"},
    }
    copies = (wanted + base - 1) // base
    for n in range(1, copies):
        db.execute("BEGIN")
        for table, new in moved.items():
            values = ", ".join(new.get(c, c) for c in columns[table])
            db.execute(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE id BETWEEN 1 AND {top[table]}", {"n": n, "span": span, **top})
        db.execute("COMMIT")
    for _, sql in indexes:
        db.execute(sql)
    db.execute("PRAGMA journal_mode = WAL")
    print(f"{one('SELECT count(*) FROM lookup'):,} lookups, {one('SELECT count(*) FROM run'):,} runs, "
          f"{os.path.getsize(path):,} bytes in {time.time() - began:.0f} s")


main()
