// The words of NVIDIA's command-line tools as readings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/reading.h"
#include "model/snapshot.h"

namespace gpuscope::device::smi {

// How a value is written, and thus what its reading counts in (that of the catalogue's row).
enum class Form : std::uint8_t {
  kPercent,             // "30 %" -> 0.01 %
  kMebibytes,           // "23034 MiB" -> bytes
  kCelsius,             // "32 C", "-2 C" -> 0.1 degrees
  kWatts,               // "16.78 W" -> mW
  kMegahertz,           // "210 MHz"
  kKilobytesPerSecond,  // "341 KB/s" -> bytes a second; a kilobyte has 1000
  kMicroseconds,        // "39595 us" -> ns
  kCount,               // "5", "96 bank(s)"
  kLanes,               // "16x", "16"
  kPerformanceState,    // "P8" -> 8
  kFlag,  // Active, Yes, Enabled, On, True -> 1; Not Active, No, Disabled, Off, False -> 0
  kRecoveryAction,  // None, Reset, Reboot, Drain P2P, Drain and Reset -> 0 to 4
  kComputeMode,     // Default, Exclusive_Thread, Prohibited, Exclusive_Process -> 0 to 3
  kVirtualization,  // None, Pass-Through, VGPU, Host VGPU -> 0 to 3
  kLicense,         // "Licensed (Expiry: …)" -> 1, "Unlicensed …" -> 0
};

// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

// Why `text` is no value; nothing for any other text. Every spelling of the tools, with or without
// brackets around it: "N/A", "[Not Supported]", "Insufficient Permissions", "GPU is lost", … and
// nothing at all. "None" is not among them: to some elements it is a value.
std::optional<model::Absence> absence_in(std::string_view text);
// "[GPU requires reset]" and its like.
bool asks_for_reset(std::string_view text);

// The unit may be missing; one that is there must be that of the form. What cannot be understood is
// kFailed.
model::Reading parse_reading(std::string_view text, Form form);

// A text fact: absent for the words above, and for "None".
model::Text parse_text(std::string_view text);

// A whole number and nothing else.
std::optional<std::int64_t> parse_number(std::string_view text);
// "0x00000000000000FF".
std::optional<std::uint64_t> parse_hex(std::string_view text);

// "0000:3f:00.0", "00000000:3F:00.0", "PCI:0000:3F:00" as "00000000:3F:00.0"; empty for what is no
// PCI address.
std::string normalized_bus_id(std::string_view text);

// The program of a command line as a process list has it: "/usr/bin/python3 train.py" is "python3".
std::string_view program_name(std::string_view command);

}  // namespace gpuscope::device::smi
