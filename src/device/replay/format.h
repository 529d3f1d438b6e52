// What a recording's files are made of: docs/formats/recording.md. Limits hold when reading, so
// that no file makes a reader take more than it should; a writer keeps within them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace gpuscope::device::replay {

inline constexpr std::string_view kMagic{"\x8AGSR\r\n\x1A\n", 8};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kFrameHeadBytes = 12;

inline constexpr std::size_t kMaxStoredBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxRawBytes = std::size_t{64} << 20;
inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;  // of a file that is written

inline constexpr std::size_t kMaxText = 4096;
inline constexpr std::size_t kMaxMetrics = 1024;
inline constexpr std::size_t kMaxFacts = 256;
inline constexpr std::size_t kMaxGpus = 16'384;
inline constexpr std::size_t kMaxFans = 64;
inline constexpr std::size_t kMaxLinks = 256;
inline constexpr std::size_t kMaxMigInstances = 64;
inline constexpr std::size_t kMaxProcesses = 65'535;
inline constexpr std::size_t kMaxEvents = 65'535;
inline constexpr std::size_t kMaxSpreads = 64;
inline constexpr std::size_t kMaxPeers = 1024;
inline constexpr std::size_t kMaxRows = std::size_t{1} << 20;  // of all lists of one tick

// Times are from 1970 to 9999.
inline constexpr base::WallTime kMinTime{};
inline constexpr base::WallTime kMaxTime{std::chrono::seconds{253'402'300'799}};

enum class Record : std::uint8_t { kSession = 1, kInventory = 2, kTick = 3 };

// The sections of a device in a tick, as bits.
inline constexpr std::uint8_t kGpuSection = 1 << 0;
inline constexpr std::uint8_t kFanSection = 1 << 1;
inline constexpr std::uint8_t kLinkSection = 1 << 2;
inline constexpr std::uint8_t kMigSection = 1 << 3;
inline constexpr std::uint8_t kProcessSection = 1 << 4;
inline constexpr std::uint8_t kVerdictSection = 1 << 5;
inline constexpr std::uint8_t kEventSection = 1 << 6;
inline constexpr std::uint8_t kFurtherSection = 1 << 7;
// What is in the last one, as bits.
inline constexpr std::uint8_t kSpreadPart = 1 << 0;
inline constexpr std::uint8_t kPeerPart = 1 << 1;

}  // namespace gpuscope::device::replay
