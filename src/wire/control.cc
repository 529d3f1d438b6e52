#include "wire/control.h"

#include "model/opinion.h"
#include "wire/json_writer.h"
#include "wire/opinions.h"

namespace gpuscope::wire {

std::string control_call(const model::GpuUse& gpu) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("gpu_id").string(gpu.gpu.gpu_id).key("pod").string(gpu.gpu.pod);
  json.key("namespace").string(gpu.gpu.name_space).key("hostname").string(gpu.gpu.hostname);
  json.key("score");
  write_rounded(json, gpu.score.value_or(0), 1);
  json.key("status").string(model::use_status_name(gpu.status));
  json.key("timestamp").time(gpu.timestamp);
  if (const auto& opinion = gpu.ai_analysis) {
    json.key("ai_analysis").begin_object();
    write_judgement(json, *opinion);
    json.end_object();
  }
  json.end_object();
  return text;
}

}  // namespace gpuscope::wire
