// GPUs read through the NVIDIA Management Library, loaded at run time and never linked.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "model/source.h"

namespace gpuscope::device::nvml {

struct Options {
  // What dlopen() is given. The loader's own search order applies (LD_LIBRARY_PATH, ld.so.cache).
  std::string library = "libnvidia-ml.so.1";
};

// `clock` must outlive the source.
std::unique_ptr<model::Source> make_nvml_source(const Options& options, const base::Clock& clock);

}  // namespace gpuscope::device::nvml
