// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QCryptographicHash>
#include <cstdint>
#include <string>

namespace keyhole {

/// Writes a trace as torch/_logging/_internal.py does.
class TraceBuilder {
 public:
  std::string text;
  std::int64_t pid = 4711;
  std::string time = "1121 10:02:57.249000";
  std::string context = R"("frame_id": 0, "frame_compile_id": 0, "attempt": 0)";

  TraceBuilder& record(const std::string& kind, const std::string& metadata) { return put(kind, metadata, nullptr); }
  TraceBuilder& record(const std::string& kind, const std::string& metadata, const std::string& payload) {
    return put(kind, metadata, &payload);
  }
  TraceBuilder& artifact(const std::string& name, const std::string& payload) {
    return record("artifact", R"({"name": ")" + name + R"(", "encoding": "json"})", payload);
  }
  /// `microseconds`: absolute, as chromium events give it.
  TraceBuilder& event(const std::string& name, char phase, const std::string& microseconds,
                      const std::string& args = "{\n\"compile_id\": \"0/0\"\n}") {
    return record("chromium_event", "{}",
                  "{\n\"name\": \"" + name + "\",\n\"ts\": " + microseconds + ",\n\"args\": " + args + ",\n\"ph\": \"" +
                      phase + "\",\n\"cat\": \"dynamo_timed\",\n\"tid\": 0,\n\"pid\": 0\n}");
  }
  TraceBuilder& compile(int frame, int frame_compile) {
    context = "\"frame_id\": " + std::to_string(frame) + ", \"frame_compile_id\": " + std::to_string(frame_compile) +
              ", \"attempt\": 0";
    return *this;
  }
  /// What every trace begins with; longer than the piece that a process is known by.
  TraceBuilder& opening() {
    event("dynamo", 'B', "1795255377249000.0");
    artifact("torch_version", "{\n\"pytorch_version\": \"2.13.0\",\n\"commit\": \"cf30153\",\n\"oss\": true\n}");
    record("str", R"(["/app/model.py", 1])");
    record("dynamo_start", R"({"stack": [{"line": 7, "name": "main", "filename": 1, "loc": "run"}, )"
                           R"({"line": 33, "name": "forward", "filename": 1}]})");
    return record("describe_tensor", "{\"filler\": \"" + std::string(900, 'x') + "\"}");
  }

 private:
  TraceBuilder& put(const std::string& kind, const std::string& metadata, const std::string* payload) {
    text += "V" + time + " " + std::to_string(pid) + " torch/some/file.py:12] {\"" + kind + "\": " + metadata;
    if (!context.empty()) text += ", " + context;
    if (payload) text += ", \"has_payload\": \"" + md5(*payload) + "\"";
    text += "}\n";
    if (payload) {
      text += '\t';
      for (const char c : *payload) {
        text += c;
        if (c == '\n') text += '\t';
      }
      text += '\n';
    }
    return *this;
  }
  static std::string md5(const std::string& content) {
    return QCryptographicHash::hash({content.data(), static_cast<qsizetype>(content.size())}, QCryptographicHash::Md5)
        .toHex()
        .toStdString();
  }
};

}  // namespace keyhole
