// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/kernel_params.h"

#include "keyhole/cache/source_files.h"

namespace keyhole {
namespace {

/// The extension of the binary of all architectures that is made of one; null: there is none for the type.
const char* multi_arch_suffix(const std::string& type) {
  if (type == "cubin") return ".fatbin";
  if (type == "hsaco") return ".hsaco";
  if (type == "zebin" || type == "spv") return ".spv";
  return nullptr;
}

}  // namespace

Result<void> KernelParams::set(const std::string& key, Params params, const Binary& binary) {
  std::string name;
  if (packaging_.cpp_only) {
    name = params["mangled_name"];
    if (name.empty()) return fail(ErrorKind::usage, "Missing kernel name", key);
  }
  const char* suffix = multi_arch_suffix(binary.type);
  if (packaging_.multi_arch && suffix == nullptr)
    return fail(ErrorKind::unsupported, "multi_arch_kernel_binary only supported in CUDA/XPU/ROCm", binary.type);
  const bool has_assembly = !binary.assembly.bytes.empty() && !binary.assembly_type.empty();
  const bool asks = (packaging_.multi_arch || packaging_.cpp_only) && (!packaging_.rocm || has_assembly);
  if (asks && binary.assembly.bytes.empty()) return fail(ErrorKind::usage, "Missing kernel assembly code", key);
  if (asks && binary.assembly_type.empty()) return fail(ErrorKind::usage, "Missing kernel assembly type", key);

  const auto written = write_source(
      root_,
      {.content = binary.content, .ext = binary.type, .kind = binary.type, .folder = packaging_.folder, .key = name});
  if (!written) return tl::unexpected(written.error());
  std::string path = written->path;
  if (packaging_.multi_arch) path = path.substr(0, path.rfind('.')) + suffix;
  std::string assembly;
  if (asks) {
    const std::string& type = binary.assembly_type;
    const bool own_kind = type == "ptx" || type == "amdgcn" || type == "spv";
    const auto text = write_source(root_, {.content = binary.assembly,
                                           .ext = type,
                                           .kind = own_kind ? type : "code",
                                           .folder = packaging_.folder,
                                           .key = written->basename});
    if (!text) return tl::unexpected(text.error());
    assembly = text->path;
  }
  params[packaging_.rocm ? "hsaco_path" : "cubin_path"] = path;
  params["runtime_bin_path"] = written->path;
  params["asm"] = assembly;
  const std::lock_guard lock(mutex_);
  params_[key] = std::move(params);
  return {};
}

std::optional<KernelParams::Params> KernelParams::get(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = params_.find(key);
  return found == params_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> KernelParams::keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [key, params] : params_) out.push_back(key);
  return out;
}

void KernelParams::clear() {
  const std::lock_guard lock(mutex_);
  params_.clear();
}

}  // namespace keyhole
