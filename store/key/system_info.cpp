// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/system_info.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>

#include "keyhole/base/python_text.h"
#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

using Kind = KeyValue::Kind;

void put_escape(std::string& out, std::uint32_t unit) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHexDigits[(unit >> shift) & 15];
}

void put_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    const int length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (length == 1) {
      ++at;
      const std::size_t known = std::string_view("\"\\\n\r\t\f\b").find(static_cast<char>(c));
      if (known != std::string_view::npos) {
        out += '\\';
        out += "\"\\nrtfb"[known];
      } else if (c < 0x20) {
        put_escape(out, c);
      } else {
        out += static_cast<char>(c);
      }
      continue;
    }
    std::uint32_t point = c & (0x7fu >> length);
    for (int i = 1; i < length && at + static_cast<std::size_t>(i) < text.size(); ++i)
      point = point << 6 | (static_cast<unsigned char>(text[at + static_cast<std::size_t>(i)]) & 0x3fu);
    at += static_cast<std::size_t>(length);
    if (point >= 0x10000) {
      put_escape(out, 0xd800 + ((point - 0x10000) >> 10));
      put_escape(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
    } else {
      put_escape(out, point);
    }
  }
  out += '"';
}

// False: JSON cannot hold the value.
bool put_json(std::string& out, const KeyValue& value, int depth) {
  const KeyValue::Items& items = value.items();
  if (depth > 200) return false;
  switch (value.kind()) {
    case Kind::null:
      out += "null";
      return true;
    case Kind::boolean:
      out += value.truth() ? "true" : "false";
      return true;
    case Kind::integer:
      out += value.repr();
      return true;
    case Kind::real: {
      const std::string text = python_text(value.real());
      out += text == "nan" ? "NaN" : text == "inf" ? "Infinity" : text == "-inf" ? "-Infinity" : text;
      return true;
    }
    case Kind::text:
      put_string(out, value.text());
      return true;
    case Kind::list:
    case Kind::tuple:
      out += '[';
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out += ", ";
        if (!put_json(out, items[i], depth + 1)) return false;
      }
      out += ']';
      return true;
    case Kind::map: {
      std::vector<std::size_t> order;
      for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
        if (!items[i].is(Kind::text)) return false;
        order.push_back(i);
      }
      // By code points, which for UTF-8 is the order of the bytes.
      std::sort(order.begin(), order.end(),
                [&](std::size_t a, std::size_t b) { return items[a].text() < items[b].text(); });
      out += '{';
      for (const std::size_t i : order) {
        if (i != order.front()) out += ", ";
        put_string(out, items[i].text());
        out += ": ";
        if (!put_json(out, items[i + 1], depth + 1)) return false;
      }
      out += '}';
      return true;
    }
    default:
      return false;
  }
}

KeyValue::Fields described(const GpuInfo& gpu) {
  const KeyValue triton = gpu.triton ? KeyValue::text(*gpu.triton) : KeyValue::null();
  return {{"device", KeyValue::map(KeyValue::Fields{{"name", KeyValue::text(gpu.name)}})},
          {"version",
           KeyValue::map(KeyValue::Fields{{"triton", triton}, {gpu.toolkit, KeyValue::text(gpu.toolkit_version)}})}};
}

std::string vector_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    return __builtin_cpu_supports("avx512vnni") ? "AVX512 AVX512_VNNI" : "AVX512";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "AVX2";
  return "INVALID_VEC_ISA";
#elif defined(__aarch64__)
  return "ASIMD";
#else
  return "INVALID_VEC_ISA";
#endif
}

}  // namespace

Result<std::string> python_json(const KeyValue& value) {
  std::string out;
  if (!put_json(out, value, 0)) return fail(ErrorKind::bad_input, "JSON holds no such value");
  return out;
}

std::string system_hash(const std::optional<GpuInfo>& gpu) {
  return kSystem.key({python_json(KeyValue::map(gpu ? described(*gpu) : KeyValue::Fields{})).value_or("{}")});
}

KeyValue system_info(const std::optional<GpuInfo>& gpu) {
  KeyValue::Fields fields = gpu ? described(*gpu) : KeyValue::Fields{};
  fields.emplace_back("hash", KeyValue::text(system_hash(gpu)));
  return KeyValue::map(std::move(fields));
}

std::string local_cache_path(std::string_view root, const std::optional<GpuInfo>& gpu) {
  return std::string(root) + "/cache/" + system_hash(gpu);
}

DeviceInformation device_information(std::string compute_capability) {
  utsname name{};
  const bool known = uname(&name) == 0;
  return {"linux", known ? name.machine : "", vector_isa(), std::move(compute_capability)};
}

std::string kernel_binary_format(std::string_view device_type, bool hip) {
  if (device_type == "cuda") return hip ? "hsaco" : "cubin";
  if (device_type != "xpu") return {};
  const char* const configured = std::getenv("TORCHINDUCTOR_XPU_KERNEL_FORMAT");
  return configured != nullptr ? configured : "zebin";
}

}  // namespace keyhole
