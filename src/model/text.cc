#include "model/health.h"
#include "model/reading.h"
#include "model/snapshot.h"

namespace gpuscope::model {

std::string_view absence_name(Absence absence) {
  switch (absence) {
    case Absence::kPresent:
      return "present";
    case Absence::kUnsupported:
      return "unsupported";
    case Absence::kDenied:
      return "denied";
    case Absence::kFailed:
      return "failed";
    case Absence::kTimedOut:
      return "timed_out";
    case Absence::kGone:
      return "gone";
    case Absence::kNotYet:
      return "not_yet";
  }
  return "failed";
}

std::string_view absence_text(Absence absence) {
  switch (absence) {
    case Absence::kPresent:
      return "";
    case Absence::kUnsupported:
      return "this GPU or driver does not give it";
    case Absence::kDenied:
      return "the driver wants more rights for it";
    case Absence::kFailed:
      return "the driver answered with an error";
    case Absence::kTimedOut:
      return "the GPU did not answer in time";
    case Absence::kGone:
      return "the GPU is lost";
    case Absence::kNotYet:
      return "not read yet";
  }
  return "";
}

std::string_view health_name(Health health) {
  switch (health) {
    case Health::kHealthy:
      return "Healthy";
    case Health::kCaution:
      return "Caution";
    case Health::kWarning:
      return "Warning";
    case Health::kCritical:
      return "Critical";
    case Health::kUnknown:
      return "Unknown";
  }
  return "Unknown";
}

std::string_view health_label(Health health) {
  switch (health) {
    case Health::kHealthy:
      return "healthy";
    case Health::kCaution:
      return "caution";
    case Health::kWarning:
      return "warning";
    case Health::kCritical:
      return "critical";
    case Health::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view process_type_name(ProcessType type) {
  switch (type) {
    case ProcessType::kCompute:
      return "C";
    case ProcessType::kGraphics:
      return "G";
    case ProcessType::kComputeAndGraphics:
      return "C+G";
  }
  return "C";
}

void DeviceSample::mark_absent(Absence why, bool keep_once) {
  for (const MetricInfo& row : metrics(Entity::kGpu)) {
    Reading& reading = gpu[column(row.id)];
    if (keep_once && row.cadence == Cadence::kOnce && reading.present()) continue;
    reading = Reading::none(why);
  }
  fans.clear();
  links.clear();
  mig_instances.clear();
  processes.clear();
  processes_absence = why;
  source_verdict.reset();
  peers.clear();
  spreads = {};
}

}  // namespace gpuscope::model
