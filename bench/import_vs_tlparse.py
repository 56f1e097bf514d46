#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Imports the same structured traces with keyhole and with tlparse, in one run, and compares processor time and memory.

    bench/import_vs_tlparse.py --keyhole build/release/bin/keyhole --traces FOLDER [--tlparse tlparse] [--megabytes 100]

The input is every trace below FOLDER (plain or .xz), decompressed and put behind one another until it has the size
asked for. Keyhole's figure includes the durable commit to a store that did not exist before; tlparse's the report that
it writes. `cat` reads the same file: what no reader can be faster than. Each runs --rounds times; the least counts."""
import argparse, json, lzma, os, pathlib, shutil, subprocess, sys, tempfile, time


def gather(folder, size, out):
    paths = sorted(p for p in pathlib.Path(folder).rglob("*torch_trace*") if p.suffix in (".log", ".xz"))
    if not paths:
        sys.exit(f"no traces below {folder}")
    written = 0
    with open(out, "wb") as f:
        while written < size:
            for path in paths:
                data = lzma.open(path).read() if path.suffix == ".xz" else path.read_bytes()
                written += f.write(data)
                if written >= size:
                    break
    return written


def measure(command, prepare, rounds):
    best = None
    for _ in range(rounds):
        prepare()
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        message = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{command[0]}: exit {child.returncode}: {message.decode(errors='replace')[-500:]}")
        figure = {"cpu_s": round(usage.ru_utime + usage.ru_stime, 3), "wall_s": round(time.monotonic() - start, 3),
                  "peak_mb": round(usage.ru_maxrss / 1024, 1)}
        if best is None or figure["cpu_s"] < best["cpu_s"]:
            best = figure
    return best


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--keyhole", required=True)
    arguments.add_argument("--tlparse", default="tlparse")
    arguments.add_argument("--traces", required=True)
    arguments.add_argument("--megabytes", type=int, default=100)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trace, store, report = (os.path.join(folder, name) for name in ("trace.log", "store", "report"))
        size = gather(options.traces, options.megabytes * 1024 * 1024, trace)
        result = {"input_mb": round(size / 1024 / 1024, 1)}
        result["cat"] = measure(["cat", trace], lambda: None, options.rounds)
        result["keyhole"] = measure([options.keyhole, "--store", store, "import", trace],
                                    lambda: shutil.rmtree(store, ignore_errors=True), options.rounds)
        result["tlparse"] = measure([options.tlparse, "--no-browser", "--overwrite", "-o", report, trace],
                                    lambda: shutil.rmtree(report, ignore_errors=True), options.rounds)
        result["times_less_cpu"] = round(result["tlparse"]["cpu_s"] / max(result["keyhole"]["cpu_s"], 0.001), 1)
        print(json.dumps(result, indent=1))
    return 0 if result["times_less_cpu"] >= 10 and result["keyhole"]["peak_mb"] < 200 else 1


if __name__ == "__main__":
    sys.exit(main())
