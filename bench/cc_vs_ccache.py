#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`keyhole cc` against ccache in one run: hits, whole process, in alternating pairs; what a miss costs more than the
compiler alone; and which of the known traps each falls into.

    bench/cc_vs_ccache.py build/release/bin/keyhole [--pairs 50] [--compiler nvcc]
    bench/cc_vs_ccache.py build/release/bin/keyhole --files 1000     # a make -j2 of so many C++ files, all hits

--pairs 0, --misses 0 and --no-traps leave a part out.
"""
import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time


class Peer:
    def __init__(self, name, prefix, environment):
        self.name, self.prefix = name, prefix
        self.environment = dict(os.environ, **environment)

    def run(self, command, cwd, **more):
        environment = dict(self.environment, **more.pop("environment", {}))
        return subprocess.run(self.prefix + command, cwd=cwd, env=environment, capture_output=True, **more)


def milliseconds(peer, command, cwd):
    begin = time.perf_counter()
    peer.run(command, cwd, check=True)
    return (time.perf_counter() - begin) * 1e3


def cpu_seconds(peer, command, cwd):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    peer.run(command, cwd, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    time.sleep(1.1)  # ccache does not trust a file of this second


KERNEL = "__global__ void k(float* x) { x[0] = N; }\n"

# name, files before, options, (files after | environment after): the second compile must not give the first object.
TRAPS = [
    ("code that only the host pass sees", {"a.cu": "#ifndef __CUDA_ARCH__\nint host() { return 1; }\n#endif\n"}, [],
     {"a.cu": "#ifndef __CUDA_ARCH__\nint host() { return 2; }\n#endif\n"}, {}),
    ("a header that only the host pass reads",
     {"a.cu": "#ifndef __CUDA_ARCH__\n#include \"h.h\"\nint host() { return N; }\n#endif\n", "h.h": "#define N 1\n"}, [],
     {"h.h": "#define N 2\n"}, {}),
    ("NVCC_APPEND_FLAGS", {"a.cu": "#ifndef N\n#define N 1\n#endif\n" + KERNEL}, [], {}, {"NVCC_APPEND_FLAGS": "-DN=2"}),
    ("NVCC_PREPEND_FLAGS", {"a.cu": "#ifndef N\n#define N 1\n#endif\n" + KERNEL}, [], {}, {"NVCC_PREPEND_FLAGS": "-DN=2"}),
    ("a header that comes to stand earlier", {"a.cu": "#include <h.h>\n" + KERNEL, "late/h.h": "#define N 1\n", "early/x.h": ""},
     ["-Iearly", "-Ilate"], {"early/h.h": "#define N 2\n"}, {}),
    ("__has_include", {"a.cu": "#if __has_include(\"h.h\")\n#define N 2\n#else\n#define N 1\n#endif\n" + KERNEL}, [], {"h.h": ""}, {}),
    ("an options file", {"a.cu": KERNEL, "flags": "-DN=1\n"}, ["-optf", "flags"], {"flags": "-DN=2\n"}, {}),
]


def traps(peers, compiler):
    print("\n| after a first compile | " + " | ".join(p.name for p in peers) + " |\n|---|" + "---|" * len(peers))
    for name, before, options, after, environment in TRAPS:
        row = []
        for peer in peers:
            folder = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
            command = [compiler, "-arch=sm_80", *options, "-c", "a.cu", "-o", "o.o"]
            plain = [compiler, "-arch=sm_80", "--keep", "--keep-dir", ".", *options, "-c", "a.cu", "-o", "plain.o"]
            for file, text in before.items():
                write(folder, file, text)
            for _ in range(2):
                peer.run(command, folder, check=True)
            first = open(os.path.join(folder, "o.o"), "rb").read()
            for file, text in after.items():
                write(folder, file, text)
            peer.run(command, folder, environment=environment, check=True)
            subprocess.run(plain, cwd=folder, env=dict(os.environ, **environment), check=True, capture_output=True)
            second = open(os.path.join(folder, "o.o"), "rb").read()
            row.append("**the old object**" if second == first else "right")
            shutil.rmtree(folder)
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


def many_files(peers, count, home):
    """`make -j2` of `count` C++ files: once to fill, then all hits, peer by peer in turns. Every object is compared with
    the one that the compiler alone makes."""
    source = os.path.join(home, "many")
    os.makedirs(source)
    for i in range(count):
        with open(f"{source}/f{i}.cpp", "w") as file:
            file.write(f'#include <cstdint>\n#include <cstring>\n#include "h.h"\n#include "g{i % 10}.h"\n'
                       f'std::int64_t f{i}(const char* text) {{ return N + {i} + M + std::int64_t(std::strlen(text)); }}\n')
    with open(f"{source}/h.h", "w") as file:
        file.write("#pragma once\n#define N 1\n")
    for i in range(10):
        with open(f"{source}/g{i}.h", "w") as file:
            file.write(f"#pragma once\n#define M {i}\n")
    with open(f"{source}/Makefile", "w") as file:
        file.write("O := $(patsubst %.cpp,%.o,$(wildcard *.cpp))\nall: $(O)\n%.o: %.cpp\n\t@$(CC_THROUGH) g++ -c $< -o $@\nclean:\n\t@rm -f *.o\n")
    time.sleep(1.5)
    times = {peer.name: [] for peer in peers}
    objects = {}
    for turn in range(4):
        for peer in peers if turn else [Peer("the compiler alone", [], {})] + peers:
            make = ["make", "-s", "-j2", "-C", source, "CC_THROUGH=" + " ".join(peer.prefix)]
            subprocess.run(make + ["clean"], check=True)
            begin = time.perf_counter()
            said = subprocess.run(make, env=peer.environment, check=True, capture_output=True)
            took = time.perf_counter() - begin
            if turn > 0:
                times[peer.name].append(took)
            else:
                print(f"{count} files, make -j2, cold: {peer.name:18} {took:6.2f} s", flush=True)
            wrong = [] if not said.stdout + said.stderr else ["(it said: " + (said.stdout + said.stderr).decode()[:200] + ")"]
            for i in range(count):
                with open(f"{source}/f{i}.o", "rb") as file:
                    content = file.read()
                if objects.setdefault(i, content) != content:
                    wrong.append(f"f{i}.o")
            if wrong:
                print(f"{peer.name}: {len(wrong)} WRONG: {' '.join(wrong[:5])}")
    for name, values in times.items():
        print(f"{count} files, make -j2, all hits: {name:8} median {statistics.median(values):6.2f} s, best {min(values):6.2f} s")
    if len(peers) > 1:
        print(f"{count} files: keyhole / ccache: {statistics.median(times['keyhole']) / statistics.median(times['ccache']):.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("keyhole")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--misses", type=int, default=5)
    parser.add_argument("--compiler", default="nvcc")
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--no-traps", action="store_true")
    options = parser.parse_args()
    home = tempfile.mkdtemp()
    keyhole = Peer("keyhole", [os.path.abspath(options.keyhole), "cc", "--"], {"KEYHOLE_STORE": home + "/store", "KEYHOLE_RUN": "bench"})
    peers = [keyhole]
    if shutil.which("ccache"):
        peers.append(Peer("ccache", ["ccache"], {"CCACHE_DIR": home + "/ccache", "CCACHE_CONFIGPATH": "/dev/null"}))
    plain = Peer("the compiler alone", [], {})
    if options.files:
        many_files(peers, options.files, home)
        shutil.rmtree(home)
        return
    suffix = "cu" if "nvcc" in options.compiler else "cpp"
    source = "#include <vector>\n#include <string>\n" + ("__global__ void k(float* x) { x[0] = 1; }\n" if suffix == "cu" else "int f() { return 1; }\n")
    with open(f"{home}/a.{suffix}", "w") as file:
        file.write(source)
    command = [options.compiler, "-c", f"a.{suffix}", "-o", "o.o"]
    time.sleep(1.5)
    for peer in peers:
        for _ in range(3):
            peer.run(command, home, check=True)
    times = {peer.name: [] for peer in peers}
    for _ in range(options.pairs):
        for peer in peers:
            times[peer.name].append(milliseconds(peer, command, home))
    for name, values in times.items() if options.pairs else ():
        print(f"hit, {options.compiler}: {name:8} median {statistics.median(values):6.2f} ms, best {min(values):6.2f} ms, {len(values)} runs")
    if len(peers) > 1 and options.pairs:
        ratio = statistics.median(a / b for a, b in zip(times["keyhole"], times["ccache"]))
        print(f"hit, {options.compiler}: keyhole / ccache, median of the pairs: {ratio:.2f}")

    cost = {"keyhole": [], plain.name: []}
    for i in range(options.misses):
        with open(f"{home}/a.{suffix}", "w") as file:
            file.write(source + f"// {i}\n")
        time.sleep(0.05)
        for peer in (plain, keyhole):
            cost[peer.name].append(cpu_seconds(peer, command, home))
    if options.misses:
        a, b = (min(cost[n]) for n in ("keyhole", plain.name))
        print(f"miss, {options.compiler}: {a:.3f} s of CPU time, the compiler alone {b:.3f} s: {100 * (a / b - 1):+.1f} % (best of {options.misses})")
    if not options.no_traps and suffix == "cu":
        traps(peers, options.compiler)
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
