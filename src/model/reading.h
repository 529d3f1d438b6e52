// One value of one metric, or the reason that there is none.
#pragma once

#include <cstdint>
#include <string_view>

namespace gpuscope::model {

// Why a reading has no value. Absence is never written as 0, -1 or any other number.
enum class Absence : std::uint8_t {
  kPresent = 0,  // there is a value
  kUnsupported,  // this card or driver does not give it
  kDenied,       // the driver wants more rights than we have
  kFailed,       // it was asked for and the answer was an error
  kTimedOut,     // the device did not answer before its deadline
  kGone,         // the device is lost: fallen off the bus, removed
  kNotYet,       // not asked for yet
};
inline constexpr int kAbsenceCount = 7;

// "unsupported", "denied", "failed", "timed_out", "gone", "not_yet"; "present" for a value.
std::string_view absence_name(Absence absence);
// A sentence for a person, such as "this GPU or driver does not give it".
std::string_view absence_text(Absence absence);

// `value` is an integer in the decimal scale of the metric's catalogue row (mW, mJ, bytes, 0.01 %)
// and means nothing unless present().
struct Reading {
  std::int64_t value = 0;
  Absence absence = Absence::kNotYet;

  constexpr bool present() const { return absence == Absence::kPresent; }
  static constexpr Reading of(std::int64_t value) { return {value, Absence::kPresent}; }
  static constexpr Reading none(Absence why) { return {0, why}; }
  friend constexpr bool operator==(const Reading&, const Reading&) = default;
};

}  // namespace gpuscope::model
