// The tables of GPUs and of their MIG instances, as far as they are written:
// docs/formats/history.md, "Tables".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "history/sqlite.h"
#include "model/snapshot.h"

namespace gpuscope::history {

// Of the GPU itself, beside its text facts.
inline constexpr std::array kReadingsOfGpu{
    model::Metric::kMinorNumber, model::Metric::kPcieGenerationMax, model::Metric::kPcieWidthMax,
    model::Metric::kPowerLimit};

// Belongs to one connection, which outlives it, and one thread. Its statements are made at the
// first use; whoever calls it has begun a transaction.
class GpuTable {
 public:
  explicit GpuTable(Connection& connection) : connection_(connection) {}

  // Puts a GPU there, or what is new of one that is there: its number. `host`: the machine that it
  // is in; where that is empty, or there is no index, what was known of it stays.
  base::Result<std::int64_t> write(std::string_view uuid, std::optional<std::size_t> index,
                                   std::string_view host, const model::GpuInfo& info,
                                   bool simulated);
  // By kReadingsOfGpu; what is absent stays as it was: what a card was is still known when it is
  // lost.
  base::Result<void> write_readings(std::int64_t gpu,
                                    const std::array<model::Reading, 4>& readings);
  // `instance`: as ColumnKey has it.
  base::Result<void> write_instance(std::int64_t gpu, std::uint32_t instance,
                                    const model::MigInstance& mig);

 private:
  base::Result<Statement*> prepared(Statement& statement, std::string_view sql);

  Connection& connection_;
  Statement upsert_;
  Statement readings_;
  Statement instance_;
};

}  // namespace gpuscope::history
