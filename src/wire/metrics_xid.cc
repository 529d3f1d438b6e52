#include "wire/metrics_xid.h"

#include <algorithm>
#include <array>

namespace gpuscope::wire {
namespace {

struct Row {
  std::uint64_t code;
  std::string_view text;
};

// By code. The numbers are the driver's, the words ours.
constexpr std::array kRows{
    Row{0, "No Error"},
    Row{8, "GPU stopped processing"},
    Row{11, "Invalid or corrupted command stream"},
    Row{13, "Exception in the graphics or compute engine"},
    Row{16, "Display engine hung"},
    Row{25, "Invalid or illegal command stream"},
    Row{31, "Memory page fault"},
    Row{32, "Invalid or corrupted command stream over PCIe"},
    Row{38, "Driver firmware error"},
    Row{39, "Exception in a copy engine"},
    Row{43, "GPU stopped processing a channel"},
    Row{44, "Fault while switching contexts"},
    Row{45, "Channel removed early after another error"},
    Row{46, "GPU stopped processing; reset needed"},
    Row{48, "Double bit ECC error"},
    Row{54, "Auxiliary power is not connected"},
    Row{56, "Display engine error"},
    Row{57, "Link to the video memory could not be trained"},
    Row{61, "Internal microcontroller breakpoint or warning"},
    Row{62, "Internal microcontroller halted"},
    Row{63, "Memory row or page marked for replacement"},
    Row{64, "Memory row or page could not be replaced"},
    Row{66, "Illegal access by the driver"},
    Row{68, "Exception in the video decoder"},
    Row{69, "Exception in the graphics engine class"},
    Row{74, "NVLink error"},
    Row{78, "vGPU could not be started"},
    Row{79, "GPU has fallen off the bus"},
    Row{92, "High rate of single bit ECC errors"},
    Row{93, "InfoROM wear limit exceeded"},
    Row{94, "Contained ECC error"},
    Row{95, "Uncontained ECC error"},
    Row{109, "Timeout while switching contexts"},
    Row{110, "Security fault"},
    Row{119, "GSP firmware did not answer in time"},
    Row{120, "GSP firmware error"},
    Row{121, "Corrected error of the chip-to-chip link"},
    Row{122, "Reading the SPI flash failed"},
    Row{123, "Writing the SPI flash failed"},
    Row{137, "NVLink fault that privileges do not allow"},
    Row{140, "Unrecovered ECC error"},
    Row{143, "GPU could not be initialized"},
    Row{144, "NVLink SAW error"},
    Row{145, "NVLink RLW error"},
    Row{146, "NVLink TLW error"},
    Row{147, "NVLink TREX error"},
    Row{148, "NVLink NVLPW_CTRL error"},
    Row{149, "NVLink NETIR error"},
    Row{150, "NVLink MSE error"},
    Row{154, "Recovery action of the GPU changed"},
};
static_assert(std::ranges::is_sorted(kRows, {}, &Row::code));

}  // namespace

std::string_view xid_text(std::uint64_t code) {
  const auto* const row = std::ranges::lower_bound(kRows, code, {}, &Row::code);
  return row != kRows.end() && row->code == code ? row->text : "Unknown Error";
}

}  // namespace gpuscope::wire
