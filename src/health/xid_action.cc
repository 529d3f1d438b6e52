#include "health/xid_action.h"

#include <algorithm>
#include <array>
#include <span>

namespace gpuscope::health {
namespace {

struct Numbers {
  XidAction action;
  std::span<const std::uint16_t> xids;  // in order
};

constexpr std::array<std::uint16_t, 25> kNone{14,  37,  38,  43,  44,  63,  66,  67,  92,
                                              93,  106, 107, 108, 121, 137, 141, 152, 153,
                                              154, 157, 160, 161, 162, 164, 165};
constexpr std::array<std::uint16_t, 52> kApp{
    8,   11,  13,  25,  31,  32,  39,  40,  41,  45,  60,  68,  69,  70,  71,  72,  75,  76,
    77,  80,  82,  83,  84,  85,  86,  88,  89,  94,  96,  97,  98,  99,  100, 101, 102, 103,
    104, 105, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 139, 151, 159, 170};
constexpr std::array<std::uint16_t, 15> kReset{46,  48,  62,  64,  95,  109, 110, 119,
                                               120, 136, 140, 143, 155, 156, 158};
constexpr std::array<std::uint16_t, 8> kNvlink{74, 144, 145, 146, 147, 148, 149, 150};
constexpr std::array<std::uint16_t, 1> kCables{54};
constexpr std::array<std::uint16_t, 1> kUpdate{78};
constexpr std::array<std::uint16_t, 1> kRestart{79};

constexpr std::array<Numbers, 7> kCatalogue{{
    {XidAction::kNone, kNone},
    {XidAction::kRestartApp, kApp},
    {XidAction::kCheckCables, kCables},
    {XidAction::kUpdate, kUpdate},
    {XidAction::kCheckNvlink, kNvlink},
    {XidAction::kResetGpu, kReset},
    {XidAction::kRestartMachine, kRestart},
}};

static_assert(std::ranges::all_of(kCatalogue, [](const Numbers& row) {
  return std::ranges::is_sorted(row.xids);
}));

}  // namespace

XidAction xid_action(std::uint64_t xid) {
  if (xid == 0) return XidAction::kNone;
  for (const Numbers& row : kCatalogue) {
    if (std::ranges::binary_search(row.xids, xid)) return row.action;
  }
  return XidAction::kSupport;
}

}  // namespace gpuscope::health
