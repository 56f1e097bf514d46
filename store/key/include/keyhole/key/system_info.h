// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "keyhole/key/value.h"

namespace keyhole {

/// JSON as Python's json.dumps(sort_keys=True) prints it, which is how JSON enters keys: ", " and ": " between, other
/// than ASCII as \uXXXX. Tuples print as lists. Fails (bad_input) for what JSON does not hold (bytes, sets, records …)
/// and for map keys that are no text.
[[nodiscard]] Result<std::string> python_json(const KeyValue& value);

/// What PyTorch knows of the GPU when it makes a key.
struct GpuInfo {
  std::string name;                   ///< device name (CUDA), gcn arch name (HIP)
  std::optional<std::string> triton;  ///< the key of Triton's sources, not its version
  std::string toolkit = "cuda";       ///< "cuda" or "hip"
  std::string toolkit_version;        ///< "12.8"
};
/// The `system_info` of a key: {device: {name}, version: {triton, cuda|hip}, hash}; without a usable GPU {hash} alone,
/// the hash of "{}". The hash is 64 characters of hex.
[[nodiscard]] KeyValue system_info(const std::optional<GpuInfo>& gpu);
[[nodiscard]] std::string system_hash(const std::optional<GpuInfo>& gpu);

/// `<root>/cache/<system hash>`: the local autotune file.
[[nodiscard]] std::string local_cache_path(std::string_view root, const std::optional<GpuInfo>& gpu);

/// What AOTInductor packages record of the machine, in this order.
struct DeviceInformation {
  std::string platform;            ///< AOTI_PLATFORM: "linux"
  std::string machine;             ///< AOTI_MACHINE: "x86_64"
  std::string cpu_isa;             ///< AOTI_CPU_ISA: "AVX512 AVX512_VNNI", "AVX2", "INVALID_VEC_ISA"
  std::string compute_capability;  ///< AOTI_COMPUTE_CAPABILITY: "90"; empty for CPU
};
/// Of this machine. The compute capability is the caller's to know.
[[nodiscard]] DeviceInformation device_information(std::string compute_capability = {});

/// "cubin" (HIP: "hsaco") for cuda, `zebin` or what TORCHINDUCTOR_XPU_KERNEL_FORMAT names for xpu, else empty.
[[nodiscard]] std::string kernel_binary_format(std::string_view device_type, bool hip = false);

}  // namespace keyhole
