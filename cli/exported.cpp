// SPDX-License-Identifier: Apache-2.0
#include "exported.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "format.h"
#include "keyhole/base/digest.h"
#include "keyhole/base/os.h"
#include "keyhole/key/hash.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

/// Members whose text comes from a closed set, or is a hash or a time already.
bool stays(std::string_view member) {
  static const std::set<std::string_view> kKept = {"layer",  "outcome", "verdict", "compile_id", "key",
                                                   "status", "role",    "class",   "certainty",  "direction",
                                                   "start",  "end",     "time",    "format",     "made_by"};
  return kKept.contains(member);
}

std::string hidden(std::string_view text, const std::string& salt) {
  return text.empty() ? std::string() : "#" + sha256(salt + std::string(text)).hex().substr(0, 12);
}

/// "include[/home/me/x.h]" -> "include[#…]"; the members of PyTorch's own structures are no secret.
std::string component(const std::string& name, const std::string& salt) {
  const auto open = name.find('['), close = name.rfind(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return name;
  static const std::set<std::string_view> kOpen = {"inductor_config", "inductor_config_comms", "fx_kwargs",
                                                   "example_inputs",  "system_info",           "option"};
  const std::string_view attribute = std::string_view(name).substr(0, open);
  if (kOpen.contains(attribute) || name.find_first_not_of("0123456789", open + 1) == close) return name;
  return name.substr(0, open + 1) + hidden(std::string_view(name).substr(open + 1, close - open - 1), salt) +
         name.substr(close);
}

void redact_within(json& value, const std::string& member, const std::string& salt) {
  if (value.is_object()) {
    json out = json::object();
    // Names of an environment or of hints are texts of the user's too.
    const bool names_too = member == "environment" || member == "hints";
    for (auto& [name, inner] : value.items()) {
      redact_within(inner, name, salt);
      out[names_too ? hidden(name, salt) : name] = std::move(inner);
    }
    value = std::move(out);
  } else if (value.is_array()) {
    for (json& inner : value) redact_within(inner, member, salt);
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (member == "component")
      value = component(text, salt);
    else if (!stays(member))
      value = hidden(text, salt);
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string text_of(const json& object, const char* member) {
  const auto at = object.find(member);
  if (at == object.end() || at->is_null()) return {};
  return escaped(at->is_string() ? at->get<std::string>() : at->dump(-1, ' ', false, json::error_handler_t::replace));
}

double seconds_of(const json& object, const char* member) {
  const auto at = object.find(member);
  return at != object.end() && at->is_number() ? at->get<double>() : 0;
}

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Keyhole</title><style>
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid #ddd}
td.n,th.n{text-align:right;white-space:nowrap}code,td.c{font-family:ui-monospace,monospace;font-size:.88em;overflow-wrap:anywhere}
.miss,.guard_miss{color:#a04000}.hit{color:#00695c}.bypass,.error{color:#555}.fix{color:#444}summary{cursor:pointer}
@media(prefers-color-scheme:dark){body{color:#e4e4e4;background:#1b1b1b}td,th{border-color:#444}.fix{color:#bbb}
.miss,.guard_miss{color:#ffb074}.hit{color:#6fd3c2}.bypass,.error{color:#aaa}}
</style></head><body>
)";

void lookup_row(std::string& out, const json& l) {
  const std::string outcome = text_of(l, "outcome");
  const double cost = seconds_of(l, "cost_seconds");
  static const std::set<std::string> kOutcomes = {"hit", "miss", "guard_miss", "bypass", "error"};
  out += fmt::format("<tr><td>{}</td><td>{}</td><td class=\"{}\">{}</td><td class=n>{}</td><td>", text_of(l, "layer"),
                     text_of(l, "compile_id"), kOutcomes.contains(outcome) ? outcome : "", text_of(l, "verdict"),
                     cost > 0 ? seconds_text(cost) : "");
  const json causes = l.value("causes", json::array());
  if (causes.empty()) {
    out += text_of(l, "summary");
  } else {
    out += "<details><summary>" + text_of(l, "summary") +
           "</summary><table><tr><th>component<th>before<th>after<th>class</tr>";
    for (const json& c : causes)
      out += fmt::format("<tr><td class=c>{}<td class=c>{}<td class=c>{}<td>{}, {}, {}</tr>", text_of(c, "component"),
                         text_of(c, "before"), text_of(c, "after"), text_of(c, "class"), text_of(c, "role"),
                         text_of(c, "certainty"));
    out += "</table></details>";
  }
  if (const std::string fix = text_of(l, "fix"); !fix.empty()) out += "<div class=fix>" + fix + "</div>";
  for (const json& g : l.value("guards", json::array()))
    out += "<div><code>" + text_of(g, "expression") + "</code></div>";
  const json baseline = l.value("baseline", json());
  if (baseline.is_object())
    out += fmt::format("<div class=fix>compared with run {}: {}</div>", text_of(baseline, "run"),
                       text_of(baseline, "reason"));
  out += fmt::format("<code>{}</code></td></tr>\n", text_of(l, "key"));
}

}  // namespace

void redact(json& document, const std::string& salt) {
  redact_within(document, {}, salt);
}

std::string fresh_salt() {
  std::array<char, 16> bytes{};
  const int fd = ::open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  const bool whole = fd >= 0 && ::read(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  if (fd >= 0) ::close(fd);
  return whole ? std::string(bytes.data(), bytes.size()) : std::to_string(os().now()) + std::to_string(::getpid());
}

std::string page_of(const json& document) {
  std::string out(kHead);
  out += "<h1>Keyhole: why compiler caches missed</h1>\n";
  if (document.value("redacted", false)) out += "<p>Texts are replaced by hashes; equal texts have equal ones.</p>\n";
  for (const json& run : document.value("runs", json::array())) {
    out += fmt::format("<h2>Run {}</h2>\n<p>{} {}. {} lookups, {} hits, {} misses, {} lost.</p>\n", text_of(run, "run"),
                       text_of(run, "program"), text_of(run, "start"), text_of(run, "lookups"), text_of(run, "hits"),
                       text_of(run, "misses"), seconds_text(seconds_of(run, "seconds_lost")));
    out += "<table><tr><th>layer<th>compile<th>verdict<th class=n>lost<th>why</tr>\n";
    for (const json& l : run.value("verdicts", json::array())) lookup_row(out, l);
    out += "</table>\n";
  }
  return out + "</body></html>\n";
}

}  // namespace keyhole::cli
