// The query document: everything known of each GPU, field by field, each with its value or the
// reason that there is none. docs/formats/query_document.md describes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/snapshot.h"

namespace gpuscope::wire {

// The fields, in the order in which a document has them.
enum class Field : std::uint8_t {
  kName,
  kUuid,
  kSerial,
  kVbios,
  kDriver,
  kTemp,
  kFan,
  kPower,
  kClocks,
  kUtil,
  kMem,
  kMinor,
  kPstate,
  kPciegen,
  kPciewidth,
  kPlimit,
  kProcesses,
  kHealth,
  kEcc,
};
inline constexpr std::size_t kFieldCount = 19;

struct FieldInfo {
  Field id;
  std::string_view option;  // its word on the command line, without the dashes: "procs"
  std::string_view key;     // in the document: "processes"
  std::string_view help;    // one phrase, unit included
};

// In the order of `Field`.
std::span<const FieldInfo, kFieldCount> fields();
// By its command line word.
std::optional<Field> find_field(std::string_view option);

// Which fields somebody asked for.
class FieldSet {
 public:
  static constexpr FieldSet all() { return FieldSet((std::uint32_t{1} << kFieldCount) - 1); }

  constexpr FieldSet() = default;
  constexpr FieldSet& add(Field field) {
    bits_ |= bit(field);
    return *this;
  }
  constexpr bool has(Field field) const { return (bits_ & bit(field)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }

 private:
  constexpr explicit FieldSet(std::uint32_t bits) : bits_(bits) {}
  static constexpr std::uint32_t bit(Field field) {
    return std::uint32_t{1} << static_cast<unsigned>(field);
  }

  std::uint32_t bits_ = 0;
};

struct Query {
  FieldSet fields;
  std::optional<std::size_t> gpu;  // this one alone, under its own index; must be in the snapshot
  bool count = false;              // how many GPUs the machine has
  int indent = 4;                  // 0: compact
};

// What the query command prints, without a line end. No GPU in the machine:
// {"error": "No NVIDIA GPUs found"}, with the count where it is asked for.
void append_query_document(std::string& out, const model::Snapshot& snapshot, const Query& query);

// The same where there is not even a snapshot, because no driver is there to ask.
void append_no_gpus_document(std::string& out, const Query& query);

// One GPU's object alone, compact, as /gpu/{uuid} answers. `gpu` is in the snapshot.
void append_gpu_document(std::string& out, const model::Snapshot& snapshot, std::size_t gpu,
                         FieldSet fields);

}  // namespace gpuscope::wire
