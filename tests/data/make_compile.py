# SPDX-License-Identifier: Apache-2.0
"""Makes golden/compile.json: the C++ and CUDA command lines, bindings and messages of the real PyTorch 2.13.0.

    python tests/data/make_compile.py > tests/data/golden/compile.json      # in an environment with torch 2.13 (CPU)

Folders of the machine become <TORCH>, <PYTHON> and <CUDA>, after the command was made."""
import json
import os
import sys
import sysconfig
import tempfile

cuda = tempfile.mkdtemp()
os.makedirs(cuda + "/lib64")
import torch
from torch._inductor import codecache, config, cpp_builder
from torch._inductor.codegen.cuda import compile_utils, cuda_env
from torch._inductor.compile_worker import subproc_pool
from torch._inductor.cpu_vec_isa import invalid_vec_isa, valid_vec_isa_list
from torch._inductor.exc import CUDACompileError
from torch.utils import cpp_extension

cpp_extension.CUDA_HOME = cuda
torch_root = os.path.dirname(torch.__file__)


def plain(text):
    for path, name in ((torch_root, "<TORCH>"), (sys.base_prefix, "<PYTHON>"), (cuda, "<CUDA>")):
        text = text.replace(path, name)
    return text


def cpp(**options):
    isa = next((i for i in valid_vec_isa_list() if str(i) == "avx2"), invalid_vec_isa) if options.pop("avx2", False) else invalid_vec_isa
    made = cpp_builder.CppTorchDeviceOptions(device_type="cpu", vec_isa=isa, **options)
    return plain(cpp_builder.CppBuilder(name="o", sources="i", BuildOption=made).get_command_line())


ROWS = [{}, {"avx2": True}, {"compile_only": True, "avx2": True, "extra_flags": ["-DX", "-DY=1"]},
        {"compile_only": True, "min_optimize": True}, {"include_pytorch": False, "shared": True, "min_optimize": True},
        {"include_pytorch": True, "shared": True, "extra_flags": ["-DZ"]}]

cuda_rows = []
with config.patch({"cuda.arch": "90"}):
    for patch in ({}, {"cuda.enable_cuda_lto": True}, {"cutlass.enable_debug_info": True}, {"cuda.enable_ptxas_info": True},
                  {"cutlass.use_fast_math": True}, {"cutlass.compile_opt_level": "-O3"}, {"cuda.arch": "80"}, {"cuda.arch": "121"}):
        for ext in ("o", "so", "exe"):
            with config.patch(patch):
                cuda_env.get_cuda_arch.cache_clear() if hasattr(cuda_env.get_cuda_arch, "cache_clear") else None
                compile_utils._cutlass_include_paths = lambda: []
                cuda_rows.append({"patch": patch, "ext": ext, "extra_args": ["-extra"],
                                  "command": plain(compile_utils.cuda_compile_command(["a.cu", "b.cu"], "out." + ext, ext, ["-extra"]))})

bindings = []
for cls, types, outputs in ((codecache.CppPythonBindingsCodeCache, ["const float*", "float*", "int64_t"], -1),
                            (codecache.CppWrapperCodeCache, ["std::vector<AtenTensorHandle>"], 2)):
    seen = {}
    class Seen(cls):
        @classmethod
        def load_async(own, code, *args, **kwargs):
            seen["code"] = code
            return lambda: None
    Seen.load_pybinding_async(types, "/* code */", num_outputs=outputs)
    bindings.append({"name": cls.__name__, "types": types, "outputs": outputs, "code": seen["code"]})

golden = json.load(open(sys.argv[1])) if len(sys.argv) > 1 else {}
real = golden.get("scenarios", {}).get("cuda_compile_real", {})
print(json.dumps({
    "cpp": [{"options": row, "command": cpp(**row)} for row in ROWS],
    "cuda": cuda_rows,
    "cuda_arch": {k: v[0] for k, v in golden.get("cuda_commands", {}).get("arch", {}).items()},
    "cuda_commands": {k: v for k, v in golden.get("cuda_commands", {}).items() if k.startswith(("cmd_", "opts_"))},
    "cuda_real": {k: real.get(k) for k in ("source_code_extra", "write_key", "input_rel", "keys_with_compile_cmd")},
    "bindings": bindings,
    "error_text": str(CUDACompileError(["nvcc", "-c", "a b"], b"a.cu(1): error\n")),
    "subprocess_text": str(subproc_pool.SubprocException("details\n").with_name("kernel")),
    "async": golden.get("scenarios", {}).get("async_pool", {}).get("msg", {}),
}, indent=1))
