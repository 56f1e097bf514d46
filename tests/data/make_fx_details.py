#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/golden/fx_details.json with a real PyTorch 2.13: the details object of one compiled graph as typed
values, the key that PyTorch made of it, and its debug lines. Graph modules stay as their pickled bodies."""
import json
import struct
import types
from pathlib import Path

import torch
from torch._inductor import codecache

ADDRESS = "<address>"


def body_of(pickler, obj):
    data = pickler.dumps(obj)
    assert data[:2] == b"\x80\x04" and data[2:3] == b"\x95" and data[-1:] == b"."
    assert struct.unpack("<Q", data[3:11])[0] == len(data) - 11, "one frame"
    return data[11:-1]


def tagged(pickler, obj):
    t = type(obj)
    convert = lambda x: tagged(pickler, x)  # noqa: E731
    if obj is None or t is bool or t is str:
        return obj
    if t is int:
        return {"int": str(obj)}
    if t is float:
        return {"float": struct.pack(">d", obj).hex()}
    if t is bytes:
        return {"bytes": obj.hex()}
    if t is list:
        return {"list": [convert(x) for x in obj]}
    if t is tuple:
        return {"tuple": [convert(x) for x in obj]}
    if t is dict:
        return {"map": [[convert(k), convert(v)] for k, v in obj.items()]}
    if t in (set, frozenset):
        assert len(obj) < 2, "the order of a set is not stable"
        return {t.__name__: [convert(x) for x in obj]}
    if isinstance(obj, torch.SymInt):
        return {"symbol": str(obj)}
    if isinstance(obj, torch.Tensor):
        metadata = codecache.extract_tensor_metadata_for_cache_key(obj)
        return {"tensor": str(metadata)}
    if isinstance(obj, torch.fx.GraphModule):
        return {"opaque": body_of(pickler, obj).hex(), "shown": str(obj)}
    if isinstance(obj, torch.dtype):
        return {"reference": ["torch", str(obj).split(".")[1]]}
    if isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType)):
        return {"reference": [obj.__module__, obj.__qualname__]}
    reduced = obj.__reduce_ex__(4)
    assert reduced[0].__name__ == "__newobj__" and len(reduced[1]) == 1 and reduced[2] is None or isinstance(reduced[2], dict), obj
    return {"record": convert(reduced[1][0]), "state": [[k, convert(v)] for k, v in (reduced[2] or {}).items()]}


captured = []
original = codecache.FxGraphCachePickler.get_key


def get_key(self, obj):
    key = original(self, obj)
    captured.append(
        {
            "fields": [[name, tagged(self, value)] for name, value in vars(obj).items()],
            "key": key,
            "lines": self.debug_lines(obj),
        }
    )
    return key


codecache.FxGraphCachePickler.get_key = get_key


@torch.compile(dynamic=True)
def f(x, y):
    return (x @ y).relu()


f(torch.ones(5, 3), torch.ones(3, 7))
assert len(captured) == 1
for i, line in enumerate(captured[0]["lines"]):
    if " at 0x" in line:
        captured[0]["lines"][i] = line[: line.index(" at 0x")] + " at " + ADDRESS + ">"
out = Path(__file__).parent / "golden" / "fx_details.json"
out.write_text(json.dumps(captured[0], separators=(",", ":")) + "\n")
