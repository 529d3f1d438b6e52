// The least that a GPU agent can do: twelve NVML calls per GPU and tick, text by snprintf, one
// scraper at a time. The floor that bench/agent/run holds the real agent against.
//   bench_floor_agent PORT INTERVAL_MS
#include <dlfcn.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "floor_server.h"

namespace {

using Device = void*;

struct Nvml {
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  template <typename Function>
  Function symbol(const char* name) const {
    auto function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) {
      std::fprintf(stderr, "bench_floor_agent: cannot find %s\n", name);
      std::exit(1);
    }
    return function;
  }
};

struct Calls {
  explicit Calls(const Nvml& nvml)
      : utilization(nvml.symbol<int (*)(Device, unsigned*)>("nvmlDeviceGetUtilizationRates")),
        power(nvml.symbol<int (*)(Device, unsigned*)>("nvmlDeviceGetPowerUsage")),
        temperature(nvml.symbol<int (*)(Device, int, unsigned*)>("nvmlDeviceGetTemperature")),
        clock(nvml.symbol<int (*)(Device, int, unsigned*)>("nvmlDeviceGetClockInfo")),
        memory(nvml.symbol<int (*)(Device, unsigned long long*)>("nvmlDeviceGetMemoryInfo")),
        encoder(
            nvml.symbol<int (*)(Device, unsigned*, unsigned*)>("nvmlDeviceGetEncoderUtilization")),
        decoder(
            nvml.symbol<int (*)(Device, unsigned*, unsigned*)>("nvmlDeviceGetDecoderUtilization")),
        energy(nvml.symbol<int (*)(Device, unsigned long long*)>(
            "nvmlDeviceGetTotalEnergyConsumption")) {}
  int (*utilization)(Device, unsigned*);
  int (*power)(Device, unsigned*);
  int (*temperature)(Device, int, unsigned*);
  int (*clock)(Device, int, unsigned*);
  int (*memory)(Device, unsigned long long*);
  int (*encoder)(Device, unsigned*, unsigned*);
  int (*decoder)(Device, unsigned*, unsigned*);
  int (*energy)(Device, unsigned long long*);
};

void sample(const Calls& calls, const std::vector<Device>& devices, std::string& body) {
  body.clear();
  for (std::size_t i = 0; i < devices.size(); ++i) {
    Device device = devices[i];
    std::array<unsigned, 2> utilization{};
    std::array<unsigned, 4> clocks{};
    std::array<unsigned long long, 3> memory{};
    unsigned power = 0;
    unsigned temperature = 0;
    unsigned encoder = 0;
    unsigned decoder = 0;
    unsigned period = 0;
    unsigned long long energy = 0;
    calls.utilization(device, utilization.data());
    calls.power(device, &power);
    calls.temperature(device, 0, &temperature);
    for (int kind = 0; kind < 4; ++kind)
      calls.clock(device, kind, &clocks[static_cast<std::size_t>(kind)]);
    calls.memory(device, memory.data());
    calls.encoder(device, &encoder, &period);
    calls.decoder(device, &decoder, &period);
    calls.energy(device, &energy);
    std::array<char, 2048> text{};
    const int length = std::snprintf(text.data(), text.size(),
                                     "u{gpu=\"%zu\"} %u\nm{gpu=\"%zu\"} %u\np{gpu=\"%zu\"} "
                                     "%.3f\nt{gpu=\"%zu\"} %u\ng{gpu=\"%zu\"} %u\n"
                                     "s{gpu=\"%zu\"} %u\nf{gpu=\"%zu\"} %u\nv{gpu=\"%zu\"} "
                                     "%u\nb{gpu=\"%zu\"} %llu\ne{gpu=\"%zu\"} %u\n"
                                     "d{gpu=\"%zu\"} %u\nj{gpu=\"%zu\"} %llu\n",
                                     i, utilization[0], i, utilization[1], i, power / 1000.0, i,
                                     temperature, i, clocks[0], i, clocks[1], i, clocks[2], i,
                                     clocks[3], i, memory[2], i, encoder, i, decoder, i, energy);
    body.append(text.data(), static_cast<std::size_t>(length));
  }
}

void answer(int listener, const std::string& body) {
  const int client = accept(listener, nullptr, nullptr);
  if (client < 0) return;
  std::array<char, 4096> request{};
  if (recv(client, request.data(), request.size(), 0) > 0) {
    const std::string head =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n";
    send(client, head.data(), head.size(), MSG_MORE | MSG_NOSIGNAL);
    send(client, body.data(), body.size(), MSG_NOSIGNAL);
  }
  close(client);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_floor_agent PORT INTERVAL_MS\n");
    return 1;
  }
  const Nvml nvml;
  if (nvml.library == nullptr || nvml.symbol<int (*)()>("nvmlInit_v2")() != 0) {
    std::fprintf(stderr, "bench_floor_agent: cannot use NVML\n");
    return 1;
  }
  unsigned count = 0;
  nvml.symbol<int (*)(unsigned*)>("nvmlDeviceGetCount_v2")(&count);
  std::vector<Device> devices(count);
  const auto by_index = nvml.symbol<int (*)(unsigned, Device*)>("nvmlDeviceGetHandleByIndex_v2");
  for (unsigned i = 0; i < count; ++i) by_index(i, &devices[i]);
  const Calls calls(nvml);

  const int listener =
      gpuscope::bench::listen_on_loopback(static_cast<std::uint16_t>(std::atoi(argv[1])));
  const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  const long interval_ms = std::atol(argv[2]);
  itimerspec period{};
  period.it_value.tv_nsec = 1;
  period.it_interval.tv_sec = interval_ms / 1000;
  period.it_interval.tv_nsec = interval_ms % 1000 * 1'000'000;
  timerfd_settime(timer, 0, &period, nullptr);

  std::string body;
  for (;;) {
    std::array<pollfd, 2> waiting{{{timer, POLLIN, 0}, {listener, POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), -1) < 0) return 1;
    if ((waiting[0].revents & POLLIN) != 0) {
      std::uint64_t expirations = 0;
      if (read(timer, &expirations, sizeof expirations) > 0) sample(calls, devices, body);
    }
    if ((waiting[1].revents & POLLIN) != 0) answer(listener, body);
  }
}
