# SPDX-License-Identifier: Apache-2.0
"""diskcache under the load of cache_bench.cpp: the same keys, sizes and mix, called from Python as it is used."""
import hashlib
import multiprocessing
import random
import sys
import time

import diskcache

KEYS, SIZE = 400, 32 << 10


def key(i):
    return "f" + hashlib.sha256(str(i).encode()).hexdigest()[:51]


def work(folder, worker, seconds, results):
    cache = diskcache.Cache(folder)
    rng = random.Random(worker)
    data = rng.randbytes(SIZE)
    gets, puts, failed = [], [], 0
    end = time.perf_counter() + seconds
    i = 0
    while time.perf_counter() < end:
        i += 1
        put = rng.randrange(10) == 0
        name = key(1000000 + worker * 1000000 + i) if put else key(rng.randrange(KEYS))
        begin = time.perf_counter()
        try:
            ok = cache.set(name, data) if put else cache.get(name) is not None
        except Exception:
            ok = False
        (puts if put else gets).append(time.perf_counter() - begin)
        failed += not ok
    results.put((gets, puts, failed))


def percentile(times, q):
    return sorted(times)[min(len(times) - 1, int(q * len(times)))] * 1e6 if times else 0


def main():
    folder, processes, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with diskcache.Cache(folder) as cache:
        for i in range(KEYS):
            cache.set(key(i), random.randbytes(SIZE))
    results = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(folder, w, seconds, results)) for w in range(processes)]
    for w in workers:
        w.start()
    gets, puts, failed = [], [], 0
    for _ in workers:
        g, p, f = results.get()
        gets += g
        puts += p
        failed += f
    for w in workers:
        w.join()
    print("%-14s %9d %11.0f %12.0f %12.0f %12.0f %9d" % (
        "diskcache", processes, (len(gets) + len(puts)) / seconds, percentile(gets, .5), percentile(gets, .99),
        percentile(puts, .99), failed))


main()
