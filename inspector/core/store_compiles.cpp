// SPDX-License-Identifier: Apache-2.0
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include "inspector/core/format.h"
#include "keyhole/cache/artifact_cache.h"
#include "store_source.h"

namespace keyhole::inspector {
namespace {

// "toolchain[g++]" is the driver; nvcc's has the tools that it runs beside it.
bool is_driver(const std::string& component) {
  for (const char* name : {"toolchain[nvcc]", "toolchain[driver]", "toolchain[g++]", "toolchain[c++]", "toolchain[gcc]",
                           "toolchain[cc]", "toolchain[clang++]", "toolchain[clang]"})
    if (component == name) return true;
  return false;
}

std::string name_in_brackets(const std::string& component) {
  const auto begin = component.find('[');
  return begin == std::string::npos ? component : component.substr(begin + 1, component.rfind(']') - begin - 1);
}

void fill(CompileJob& job, const std::vector<ComponentPtr>& components) {
  for (const ComponentPtr c : components) {
    if (c->name == "source") job.source = c->text;
    if (is_driver(c->name) || (job.compiler.empty() && c->name.starts_with("toolchain[")))
      job.compiler = c->text.substr(0, c->text.find(", sha256"));
  }
}

}  // namespace

Result<std::vector<CompileJob>> StoreSource::compile_jobs(std::size_t limit, const Ticket& ticket) {
  using F = keyhole::Filter;
  keyhole::LookupQuery query;
  // PyTorch's own code cache is of layer `code` too; its lookups belong to a compile id, or say another status.
  F compiled;
  compiled.kind = F::Kind::compare;
  compiled.field = keyhole::Field::compile_id;
  compiled.compare = Compare::known;
  const auto layer = [](Layer which) { return F::where(keyhole::Field::layer, Compare::equal, std::int64_t(which)); };
  query.filter = F::any_of({layer(Layer::cuda), F::all_of({layer(Layer::code), F::none_of({std::move(compiled)})})});
  query.sort = keyhole::Field::time;
  query.descending = true;
  query.limit = limit;
  auto page = reader_.page(query);
  if (!page) return tl::unexpected(page.error());
  std::vector<CompileJob> jobs;
  ComponentPool pool;
  for (LookupRow& row : page->rows) {
    if (ticket.stale()) break;
    CompileJob job;
    if (row.component_set != 0) {
      auto components = reader_.components(row.component_set, pool);
      if (!components) return tl::unexpected(components.error());
      fill(job, *components);
    }
    job.row = std::move(row);
    jobs.push_back(std::move(job));
  }
  return jobs;
}

Result<CompileJobDetails> StoreSource::compile_job(RowId id) {
  auto row = reader_.lookup(id);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return fail(ErrorKind::not_found, "lookup " + std::to_string(id) + " is no longer in the store");
  CompileJobDetails details;
  details.job.row = std::move(**row);
  details.pool = std::make_shared<ComponentPool>();
  if (details.job.row.component_set != 0) {
    auto components = reader_.components(details.job.row.component_set, *details.pool);
    if (!components) return tl::unexpected(components.error());
    details.components = std::move(*components);
    fill(details.job, details.components);
  }
  const LookupRecord& record = details.job.row.record;
  if (auto cache = ArtifactCache::open(folder_, {.record = false, .only_read = true}); cache && !record.key.empty()) {
    LookupRequest request;
    request.layer = record.layer;
    request.key = record.key;
    if (CacheLookup found = (*cache)->get(request); found.hit()) {
      details.stored = true;
      for (NamedFile& file : found.entry.files) {
        if (file.name == "stdout") details.out = std::move(file.bytes);
        if (file.name == "stderr") details.err = std::move(file.bytes);
      }
      QStringList words;
      for (const QJsonValue& word : QJsonDocument::fromJson(QByteArray::fromStdString(found.entry.metadata))
                                        .object()[QStringLiteral("command")]
                                        .toArray()) {
        const QString text = word.toString();
        words << (text.contains(u' ') || text.isEmpty() ? u'\'' + text + u'\'' : text);
      }
      details.command = words.join(u' ').toStdString();
      details.exact_command = !words.isEmpty();
    }
  }
  if (details.command.empty() && !details.components.empty()) {
    details.command = details.job.compiler;
    for (const ComponentPtr c : details.components)
      if (c->name.starts_with("option["))
        details.command +=
            " " + name_in_brackets(c->name) + (c->text == "given" ? "" : " " + c->text.substr(0, c->text.find(" (")));
    details.command += " " + details.job.source;
  }
  return details;
}

}  // namespace keyhole::inspector
