#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/golden/guards_python.json: expressions with hints and what Python's own eval() says of them."""
import json
import math
import random
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
random.seed(20)

HAND = [
    "2 <= L['t0'] and 2 <= L['t1']", "L['t0'] == 8 or L['t1'] == 100 and 2 <= L['t0']", "not L['t0'] == 3", "not (L['t0'] > 3)",
    "-L['t0'] // 3 == -3", "-L['t0'] % 3 == 1", "L['t0'] // -3 == -3", "L['t0'] % -3 == -1", "-7 // 2 == -4", "7 % -3 == -2",
    "2 ** 3 ** 2 == 512", "-2 ** 2 == -4", "(-2) ** 2 == 4", "2 ** -1 == 0.5", "0 ** -1 == 1", "0 ** 0 == 1", "(-1) ** 3 == -1", "(-8) ** 0.5 > 1",
    "L['t0']*L['t1']*L['t0']*L['t1']*L['t0']*L['t1'] > 9223372036854775807", "9223372036854775807 + 1 == 9223372036854775808",
    "-9223372036854775808 // -1 == 9223372036854775808", "9223372036854775807*9223372036854775807 % 1000 == 849",
    "-9223372036854775809 // 4 == -2305843009213693953", "-9223372036854775809 % 4 == 3", "18446744073709551616 / 3 == 6148914691236517205.0",
    "9007199254740993 == 9007199254740992.0", "9007199254740993 > 9007199254740992.0", "9007199254740993 / 1 == 9007199254740992.0",
    "1 / 3 == 0.3333333333333333", "10 ** 30 == 1e30", "10 ** 22 == 1e22", "2 ** 1024 > math.inf", "2 ** 1024 < math.inf", "2 ** 1024 * 1.0 > 0",
    "1e308 * 10 == math.inf", "1e200 ** 2 > 0", "2.0 ** 0.5 < 1.5", "7.5 // 2 == 3.0", "-7.5 // 2 == -4.0", "-7.5 % 2 == 0.5", "7.5 % -2 == -0.5",
    "5 & 3 == 1", "(5 & 3) == 1", "5 | 3 == 7", "(-5 & 3) == 3", "(-5 ^ 3) == -8", "(~5) == -6", "(5 ^ 3) == 6",
    "((-9223372036854775809) & 18446744073709551615) == 9223372036854775807", "((-9223372036854775809) | 1) == -9223372036854775809",
    "max(L['t0'], L['t1'], 3) == 9", "min(L['t0'], L['t1'], 3.5) == 3.5", "max(1, 1.0) == 1", "max(math.nan, 1) == 1", "max(1, math.nan) == 1",
    "abs(-L['t0']) == L['t0']", "round(2.5) == 2", "round(3.5) == 4", "round(-2.5) == -2", "round(2.675, 2) == 2.67", "round(1234, -2) == 1200",
    "round(1250, -2) == 1200", "round(1350, -2) == 1400", "round(-1250, -2) == -1200", "round(0.5) == 0", "round(7, 2) == 7",
    "round(1e300) > 0", "round(math.nan) == 0", "math.floor(-2.5) == -3", "math.ceil(-2.5) == -2", "math.trunc(-2.5) == -2", "math.floor(L['t0'] / 3) == 2",
    "math.floor(math.inf) == 0", "math.log2(8) == 3.0", "math.log2(0) == 0", "math.log2(-1) == 0", "math.sqrt(-1) == 0", "math.asin(2) == 0",
    "math.sin(math.inf) == 0", "math.isnan(math.nan)", "not math.isnan(L['t0'])", "math.cosh(1000) > 0", "-math.inf < L['t0'] < math.inf",
    "1 < 2 < 3", "3 > 2 > 2", "1 < 3 > 2 == 2.0", "1 < 0 < 1 / 0", "1 == 1 != 2", "True", "False", "True + True == 2", "True == 1", "not True",
    "True & False", "(True | 2) == 3", "0 or 1", "0 or 0.0", "2 and 3", "1 if L['t0'] == 8 else 0", "0 if L['t0'] == 8 else 1 / 0",
    "(1 if L['t0'] > 100 else 2) == 2", "1 if 0 else 2 if 0 else 0", "(L['t0'] if L['t0'] < L['t1'] else L['t1']) == 8", "1 or 1 / 0", "0 and 1 / 0", "1 / 0",
    "1 // 0", "1 % 0", "1.0 // 0", "1.0 % 0.0", "L['t7'] == 1", "1 and foo(2)", "1 or foo(2)", "s99 == 1", "010.5 == 10.5", "1. == 1", ".5 < 1",
    "1e5 == 100000", "1 + 2*L['t0'] <= 3*L['t1']", "(L['t0'] / L['t1']) < 1.0", "float(3) == 3.0", "int(-2.5) == -2", "bool(0.0)", "pow(2, 10) == 1024",
    "((((L['t0']))))", "(L['t0'] == 8) and ((L['t1'] == 9) and (L['t0'] < 3 or L['t1'] > 3))", "L['t0'] == 8 and not L['t1'] == 8 or False",
]


def number(depth):
    if depth == 0 or random.random() < 0.25:
        return random.choice(["L['t0']", "L['t1']", "L['t2']", str(random.randint(0, 12)), str(random.choice([2**31 - 1, 2**63 - 1, 10**20])),
                              str(random.choice([0.5, 2.0, 1e10, -1.5]))])
    kind = random.random()
    if kind < 0.75:
        op = random.choice([" + ", " - ", "*", "*", " // ", " % ", " / ", " & ", " | ", " ^ "])
        a, b = number(depth - 1), number(depth - 1)
        return f"({a}{op}{b})" if random.random() < 0.6 else f"{a}{op}{b}"
    if kind < 0.85:
        return f"-{number(depth - 1)}"
    return random.choice(["max({}, {})", "min({}, {})", "abs({0})", "math.floor({0})", "round({0})"]).format(number(depth - 1), number(depth - 1))


def truth(depth):
    kind = random.random()
    if depth == 0 or kind < 0.4:
        a, b = number(2), number(2)
        return f"{a} {random.choice(['==', '!=', '<', '<=', '>', '>='])} {b}"
    if kind < 0.55:
        return f"not ({truth(depth - 1)})"
    parts = [truth(depth - 1) for _ in range(random.randint(2, 3))]
    joined = random.choice([" and ", " or "]).join(parts)
    return f"({joined})" if random.random() < 0.4 else joined


def evaluate(text, hints):
    try:
        return bool(eval(text, {"math": math}, {"L": {f"t{i}": h for i, h in enumerate(hints)}}))
    except Exception:
        return "error"


vectors = []
for text in HAND:
    for hints in ([8, 9], [3, 100]):
        vectors.append([text, hints, evaluate(text, hints)])
for _ in range(250):
    text = truth(2)
    hints = [random.choice([0, 1, 2, 3, 7, 8, 47000, 2**31, 2**62, -5]) for _ in range(3)]
    vectors.append([text, hints, evaluate(text, hints)])
out = Path(__file__).parent / "golden" / "guards_python.json"
out.write_text("[\n" + ",\n".join(json.dumps(v) for v in vectors) + "\n]\n")
