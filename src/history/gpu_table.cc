#include "history/gpu_table.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"

namespace gpuscope::history {
namespace {

using base::Result;

constexpr double kMilli = 1000;  // the power limit is kept in mW and stands there in W

std::string facts_json(const model::GpuInfo& info) {
  std::string json = "{";
  for (const model::FactInfo& fact : model::facts()) {
    const model::Text& text = info.fact(fact.id);
    if (!text.present()) continue;
    json += fmt::format("{}\"{}\": \"{}\"", json.size() > 1 ? ", " : "", fact.key,
                        base::escape_log_text(text.value));
  }
  return json + "}";
}

void bind_text_or_null(Statement& statement, int at, std::string_view text) {
  if (text.empty()) {
    statement.bind_null(at);
  } else {
    statement.bind_text(at, text);
  }
}

}  // namespace

Result<Statement*> GpuTable::prepared(Statement& statement, std::string_view sql) {
  if (!statement) {
    auto made = connection_.prepare(sql);
    if (!made) return std::unexpected(std::move(made.error()));
    statement = std::move(*made);
  }
  return &statement;
}

Result<std::int64_t> GpuTable::write(std::string_view uuid, std::optional<std::size_t> index,
                                     std::string_view host, const model::GpuInfo& info,
                                     bool simulated) {
  const auto upsert = prepared(
      upsert_,
      "INSERT INTO gpu(uuid, name, serial, vbios, driver, facts, simulated, gpu_index, host)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(uuid) DO UPDATE SET name=?2,"
      " serial=?3, vbios=?4, driver=?5, facts=?6, simulated=?7,"
      " gpu_index=coalesce(?8, gpu_index), host=coalesce(?9, host) RETURNING id");
  if (!upsert) return std::unexpected(upsert.error());
  Statement& row = **upsert;
  const std::string facts = facts_json(info);
  row.bind_text(1, uuid).bind_text(6, facts).bind(7, std::int64_t{simulated});
  if (index) {
    row.bind(8, static_cast<std::int64_t>(*index));
  } else {
    row.bind_null(8);
  }
  bind_text_or_null(row, 9, host);
  int at = 2;
  for (const model::Fact fact : {model::Fact::kName, model::Fact::kSerial, model::Fact::kVbios,
                                 model::Fact::kDriverVersion}) {
    const model::Text& text = info.fact(fact);
    if (text.present()) {
      row.bind_text(at, text.value);
    } else {
      row.bind_null(at);
    }
    ++at;
  }
  const auto done = row.step();
  if (!done) return std::unexpected(done.error());
  const std::int64_t id = row.number(0);
  row.reset();
  return id;
}

Result<void> GpuTable::write_readings(std::int64_t gpu,
                                      const std::array<model::Reading, 4>& readings) {
  const auto update =
      prepared(readings_,
               "UPDATE gpu SET minor=coalesce(?1, minor), pciegen=coalesce(?2, pciegen),"
               " pciewidth=coalesce(?3, pciewidth), plimit=coalesce(?4, plimit) WHERE id=?5");
  if (!update) return std::unexpected(update.error());
  Statement& row = **update;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const int at = static_cast<int>(i) + 1;
    if (!readings[i].present()) {
      row.bind_null(at);
    } else if (kReadingsOfGpu[i] == model::Metric::kPowerLimit) {
      row.bind(at, static_cast<double>(readings[i].value) / kMilli);
    } else {
      row.bind(at, readings[i].value);
    }
  }
  return row.bind(5, gpu).run();
}

Result<void> GpuTable::write_instance(std::int64_t gpu, std::uint32_t instance,
                                      const model::MigInstance& mig) {
  const auto insert = prepared(instance_,
                               "INSERT OR REPLACE INTO mig_instance(gpu, instance, uuid, profile)"
                               " VALUES(?, ?, ?, ?)");
  if (!insert) return std::unexpected(insert.error());
  Statement& row = **insert;
  row.bind(1, gpu).bind(2, std::int64_t{instance});
  bind_text_or_null(row, 3, mig.uuid);
  bind_text_or_null(row, 4, mig.profile);
  return row.run();
}

}  // namespace gpuscope::history
