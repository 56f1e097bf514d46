// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/cpp_command.h"

#include <algorithm>
#include <initializer_list>

namespace keyhole {
namespace {

/// As Python's shlex.quote().
std::string shell_quoted(const std::string& word) {
  constexpr std::string_view safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_";
  if (!word.empty() && word.find_first_not_of(safe) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\"'\"'") : std::string(1, c);
  return out + "'";
}

std::string each(std::string_view before, std::vector<std::string> words, bool quote = false) {
  std::string out;
  for (auto at = words.begin(); at != words.end(); ++at)
    if (std::find(words.begin(), at, *at) == at) out += std::string(before) + (quote ? shell_quoted(*at) : *at) + ' ';
  return out;
}

void append(std::vector<std::string>& to, std::initializer_list<const char*> words) {
  to.insert(to.end(), words.begin(), words.end());
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

/// Arguments of a Python call as C++ values. Where a tensor's data lies is asked of PyTorch, through the function whose
/// address its _TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR names: its headers take long to compile.
constexpr std::string_view kPrelude = R"(
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <type_traits>

static void* (*keyhole_tensor_data)(PyObject*);

template <class T>
static inline T keyhole_argument(PyObject* arguments, Py_ssize_t n) {
  PyObject* const value = PyTuple_GET_ITEM(arguments, n);
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    const double number = PyFloat_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) throw std::runtime_error("expected float arg");
    return static_cast<T>(number);
  } else if constexpr (std::is_integral_v<T>) {
    const auto number = std::is_signed_v<T> ? static_cast<T>(PyLong_AsSsize_t(value))
                                            : static_cast<T>(reinterpret_cast<std::uintptr_t>(PyLong_AsVoidPtr(value)));
    if (number == static_cast<T>(-1) && PyErr_Occurred()) throw std::runtime_error("expected int arg");
    return number;
  } else {
    static_assert(std::is_pointer_v<T>, "arg type must be pointer or long");
    return static_cast<T>(keyhole_tensor_data(value));
  }
}
)";

/// Handles of tensors travel in capsules.
constexpr std::string_view kWrapperPrelude = R"(
#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include <array>
#include <vector>

template <>
inline std::vector<AtenTensorHandle> keyhole_argument<std::vector<AtenTensorHandle>>(PyObject* arguments, Py_ssize_t n) {
  PyObject* const list = PyTuple_GET_ITEM(arguments, n);
  std::vector<AtenTensorHandle> handles;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i)
    handles.push_back(static_cast<AtenTensorHandle>(PyCapsule_GetPointer(PyList_GET_ITEM(list, i), nullptr)));
  return handles;
}

static PyObject* inductor_entry_cpp(std::vector<AtenTensorHandle>&& inputs) {
  std::array<AtenTensorHandle, @OUTPUTS@> outputs{};
  inductor_entry_impl(inputs.data(), outputs.data());
  if (PyErr_Occurred()) return nullptr;
  PyObject* const list = PyList_New(@OUTPUTS@);
  for (std::size_t i = 0; list != nullptr && i < outputs.size(); ++i) {
    PyObject* const item = outputs[i] == nullptr ? Py_NewRef(Py_None) : PyCapsule_New(outputs[i], nullptr, nullptr);
    PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), item);
  }
  return list;
}
)";

constexpr std::string_view kModule = R"(
static PyObject* @ENTRY@_py(PyObject*, PyObject* arguments) {
  try {
    if (!PyTuple_CheckExact(arguments)) throw std::runtime_error("tuple args required");
    if (PyTuple_GET_SIZE(arguments) != @COUNT@) throw std::runtime_error("requires @COUNT@ args");
    @CALL@
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "unhandled error");
  }
  return nullptr;
}

static PyMethodDef keyhole_methods[] = {{"@ENTRY@", @ENTRY@_py, METH_VARARGS, ""}, {nullptr, nullptr, 0, nullptr}};
static PyModuleDef keyhole_module = {PyModuleDef_HEAD_INIT, "@ENTRY@", nullptr, -1, keyhole_methods,
                                     nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit_@ENTRY@() {
  const char* const text = std::getenv("_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR");
  char* end = nullptr;
  errno = 0;
  const auto address = text != nullptr ? std::strtoull(text, &end, 10) : 0;
  if (address == 0 || errno != 0 || end == text) {
    PyErr_SetString(PyExc_RuntimeError, "_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR must be set to an address");
    return nullptr;
  }
  keyhole_tensor_data = reinterpret_cast<decltype(keyhole_tensor_data)>(static_cast<std::uintptr_t>(address));
  return PyModule_Create(&keyhole_module);
}
)";

}  // namespace

std::string cpp_target(const CppBuild& build, const std::string& name) {
  return name + (build.compile_only ? ".o" : ".so");
}

std::string cpp_command(const CppBuild& build, const std::string& name, const std::vector<std::string>& sources) {
  std::string inputs;
  for (const auto& source : sources) inputs += (inputs.empty() ? "" : " ") + source;
  const std::string header = build.precompiled_header.empty() ? "" : "-include " + build.precompiled_header + ' ';
  std::string out = build.compiler + ' ' + inputs + ' ' + each("-D ", build.definitions) + ' ' +
                    each("-", build.cflags) + ' ' + header + each("-I", build.include_dirs, true) + ' ' +
                    each("", build.passthrough) + ' ' + (build.compile_only ? "-c -o " : "-o ") +
                    cpp_target(build, name);
  if (!build.compile_only)
    out += ' ' + each("-", build.ldflags) + ' ' + each("-l", build.libraries) + ' ' + each("-L", build.library_dirs);
  return out;
}

CppBuild torch_cpp_build(const TorchCpp& request) {
  CppBuild build;
  build.compiler = request.compiler;
  build.compile_only = request.compile_only;
  append(build.definitions, {"TORCH_INDUCTOR_CPP_WRAPPER", "STANDALONE_TORCH_HEADER",
                             "TORCH_INDUCTOR_PRECOMPILE_HEADERS", " C10_USING_CUSTOM_GENERATED_MACROS"});
  if (!request.isa_macro.empty()) build.definitions.push_back(request.isa_macro);

  auto& flags = build.cflags;
  if (request.debug) {
    append(flags, {"O0", "g"});
  } else {
    append(flags, {request.min_optimize ? "O1" : "O3", "DNDEBUG"});
  }
  append(flags, {"fno-omit-frame-pointer"});
  if (!request.debug) append(flags, {request.clang ? "gline-tables-only" : "g1"});
  append(flags, {"fno-trapping-math", "funsafe-math-optimizations", "ffinite-math-only", "fno-signed-zeros",
                 "fno-finite-math-only", "fno-unsafe-math-optimizations", "fmath-errno", "ffp-contract=off"});
  if (!request.clang) append(flags, {"fexcess-precision=fast", "fno-tree-loop-vectorize"});
  if (!request.march.empty()) flags.push_back("march=" + request.march);
  if (!request.compile_only) append(flags, {"shared"});
  append(flags, {"fPIC", "Wall", "std=c++20", "Wno-unused-variable", "Wno-unknown-pragmas"});
  append(flags, {request.clang ? "Wno-ignored-optimization-argument" : "pedantic", "fopenmp"});

  std::string extra;
  for (const auto& flag : request.extra_flags) extra += (extra.empty() ? "" : " ") + flag;
  build.passthrough.push_back(extra);
  if (!request.isa_flags.empty()) build.passthrough.push_back(request.isa_flags);
  if (!request.python_include.empty()) build.include_dirs.push_back(request.python_include);
  if (!request.torch.empty()) {
    build.include_dirs.push_back(request.torch + "/include");
    build.include_dirs.push_back(request.torch + "/include/torch/csrc/api/include");
  }
  if (request.compile_only) return build;
  if (!request.python_lib.empty()) build.library_dirs.push_back(request.python_lib);
  if (!request.torch.empty()) {
    append(build.libraries, {"torch", "torch_cpu", "torch_python"});
    build.library_dirs.push_back(request.torch + "/lib");
  }
  append(build.libraries, {request.clang ? "omp" : "gomp"});
  return build;
}

std::string_view binding_entry(CppBinding binding) {
  return binding == CppBinding::kernel ? "kernel" : "inductor_entry_cpp";
}

std::string binding_code(CppBinding binding, std::span<const std::string> types, int outputs) {
  std::string arguments;
  for (std::size_t i = 0; i < types.size(); ++i) {
    std::string type = types[i];
    for (auto at = type.find("const "); at != std::string::npos; at = type.find("const ")) type.erase(at, 6);
    arguments += (i == 0 ? "" : ", ") + ("keyhole_argument<" + type + ">(arguments, " + std::to_string(i) + ")");
  }
  std::string code(kPrelude);
  if (binding == CppBinding::wrapper) code += kWrapperPrelude;
  const std::string entry(binding_entry(binding));
  replace_all(code, "@OUTPUTS@", std::to_string(std::max(outputs, 0)));
  code += kModule;
  replace_all(code, "@CALL@",
              binding == CppBinding::kernel ? "kernel(" + arguments + "); Py_RETURN_NONE;"
                                            : "return inductor_entry_cpp(" + arguments + ");");
  replace_all(code, "@COUNT@", std::to_string(types.size()));
  replace_all(code, "@ENTRY@", entry);
  return code;
}

}  // namespace keyhole
