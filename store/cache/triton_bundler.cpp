// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/triton_bundler.h"

#include <unistd.h>

#include <algorithm>

#include "keyhole/base/os.h"
#include "keyhole/cache/counters.h"
#include "keyhole/key/hash.h"
#include "keyhole/key/system_info.h"
#include "wire.h"

namespace keyhole {
namespace {

constexpr std::string_view kPlaceholder = "[REPLACE]";
constexpr std::size_t kLargestKernelFile = std::size_t{1} << 30;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// The stem of a binary; empty for other files.
std::string kernel_name(const std::string& file) {
  for (const std::string& extension : {std::string("cubin"), std::string("hsaco"), kernel_binary_format("xpu")})
    if (file.ends_with("." + extension)) return file.substr(0, file.size() - extension.size() - 1);
  return {};
}

std::string list_text(const std::vector<std::string>& names) {
  std::string text = "[";
  for (const auto& name : names) text += (text.size() > 1 ? ", " : "") + python_repr_text(name);
  return text + "]";
}

bool plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace

std::string TritonBundle::encode() const {
  wire::Writer out;
  out.number(kernels.size());
  for (const auto& kernel : kernels) {
    out.text(kernel.hash);
    out.integer(kernel.device);
    out.number(kernel.files.size());
    for (const auto& file : kernel.files) {
      out.text(file.name);
      out.text(file.bytes);
    }
  }
  out.number(static_kernels.size());
  for (const auto& kernel : static_kernels)
    for (const auto* text : {&kernel.key, &kernel.kernel_name, &kernel.bytes}) out.text(*text);
  return out.take();
}

Result<TritonBundle> TritonBundle::decode(std::string_view bytes) {
  wire::Reader in(bytes);
  TritonBundle bundle;
  for (auto n = in.number(); n > 0 && in.ok(); --n) {
    auto& kernel = bundle.kernels.emplace_back();
    kernel.hash = in.text();
    kernel.device = static_cast<int>(in.integer());
    for (auto files = in.number(); files > 0 && in.ok(); --files) {
      auto& file = kernel.files.emplace_back();
      file.name = in.text();
      file.bytes = in.text();
      if (!plain_name(file.name) && in.ok())
        return fail(ErrorKind::bad_input, "a kernel's file has no plain name", file.name);
    }
    if (!plain_name(kernel.hash) && in.ok())
      return fail(ErrorKind::bad_input, "a kernel's hash is no plain name", kernel.hash);
  }
  for (auto n = in.number(); n > 0 && in.ok(); --n) {
    auto& kernel = bundle.static_kernels.emplace_back();
    for (auto* text : {&kernel.key, &kernel.kernel_name, &kernel.bytes}) *text = in.text();
  }
  if (!in.ok()) return fail(ErrorKind::bad_input, "the Triton bundle ends early");
  return bundle;
}

std::string TritonBundlerMetadata::text() const {
  return "TritonBundlerMetadata(cached_kernel_names=" + list_text(cached_kernel_names) +
         ", statically_launched_kernel_names=" + list_text(statically_launched_kernel_names) + ")";
}

Result<void> TritonBundler::begin() {
  if (active_) return fail(ErrorKind::usage, "a Triton bundle is being gathered already");
  end();
  active_ = true;
  return {};
}

void TritonBundler::put(const std::string& kernel_hash, int device) {
  if (active_) kernels_.emplace_back(kernel_hash, device);
}

void TritonBundler::put_winner(const std::string& kernel_hash) {
  if (active_) winners_.push_back(kernel_hash);
}

void TritonBundler::put_static(StaticKernel kernel) {
  if (active_) static_kernels_.push_back(std::move(kernel));
}

void TritonBundler::end() {
  active_ = false;
  kernels_.clear();
  winners_.clear();
  static_kernels_.clear();
}

TritonBundler::Collected TritonBundler::collect() {
  Collected collected;
  if (!active_) return collected;
  auto& metadata = collected.metadata.emplace();
  for (const auto& [hash, device] : kernels_) {
    if (!winners_.empty() && std::find(winners_.begin(), winners_.end(), hash) == winners_.end()) continue;
    const std::string folder = folder_of_(device) + "/" + hash;
    std::vector<std::string> names;
    if (os().list(folder, names) != 0) continue;
    KernelFiles kernel{hash, device, {}};
    for (const auto& name : names) {
      auto bytes = read_file(folder + "/" + name, kLargestKernelFile);
      if (!bytes) continue;
      if (name.ends_with(".json")) {
        if (bytes->find(kPlaceholder) != std::string::npos) continue;
        *bytes = replaced(std::move(*bytes), folder, kPlaceholder);
      }
      counters().add("inductor", "triton_bundler_save_kernel");
      if (const auto stem = kernel_name(name); !stem.empty()) metadata.cached_kernel_names.push_back(stem);
      kernel.files.push_back({name, std::move(*bytes)});
    }
    collected.bundle.kernels.push_back(std::move(kernel));
  }
  if (!static_kernels_.empty()) {
    counters().add("inductor", "triton_bundler_save_static_autotuner");
    for (const auto& kernel : static_kernels_) metadata.statically_launched_kernel_names.push_back(kernel.kernel_name);
    collected.bundle.static_kernels = std::move(static_kernels_);
  }
  end();
  return collected;
}

TritonBundlerMetadata TritonBundler::read_and_emit(const TritonBundle& bundle,
                                                   const std::function<bool(const StaticKernel&)>& load_static) {
  TritonBundlerMetadata metadata;
  for (const auto& kernel : bundle.kernels) {
    const std::string root = folder_of_(kernel.device), folder = root + "/" + kernel.hash;
    std::vector<std::string> names;
    if (os().list(folder, names) == 0 && !names.empty()) continue;
    static std::uint64_t counter = 0;
    const std::string temporary =
        root + "/tmp." + std::to_string(getpid()) + "." + std::to_string(os().now()) + "." + std::to_string(counter++);
    if (!make_folders(temporary)) continue;
    bool whole = true;
    for (const auto& file : kernel.files) {
      const std::string path = temporary + "/" + file.name;
      const bool json = file.name.ends_with(".json");
      whole = whole && plain_name(file.name) &&
              write_file_atomic(path, json ? replaced(file.bytes, kPlaceholder, folder) : file.bytes);
      if (!whole) break;
      counters().add("inductor", "triton_bundler_read_and_emit_kernel");
      if (const auto stem = kernel_name(file.name); !stem.empty()) metadata.cached_kernel_names.push_back(stem);
    }
    // An empty folder of that name is replaced; one that another process filled meanwhile is as good as ours.
    if (!whole || os().rename(temporary, folder) != 0) remove_folder(temporary);
  }
  for (const auto& kernel : bundle.static_kernels) {
    if (!load_static || !load_static(kernel)) continue;
    counters().add("inductor", "triton_bundler_load_static_autotuner");
    metadata.statically_launched_kernel_names.push_back(kernel.kernel_name);
  }
  return metadata;
}

}  // namespace keyhole
