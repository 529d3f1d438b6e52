#include "bench/history/stream.h"

#include <algorithm>
#include <cmath>

namespace gpuscope::bench {

namespace {

constexpr std::int64_t kMebibyte = 1 << 20;
constexpr std::int64_t kMemory = 85'520'809'984;  // of an 80 GB card
constexpr std::int64_t kReserved = 617'611'264;
constexpr std::int64_t kFirstSecond = 1'780'002'000;  // begins an hour

// Where in a row a metric stands.
enum Column : std::uint8_t {
  kUtil,
  kMemoryUtil,
  kEncoder,
  kDecoder,
  kJpeg,
  kOfa,
  kTotal,
  kUsed,
  kFree,
  kReservedBytes,
  kBar1,
  kPowerAvg,
  kPowerNow,
  kPowerMax,
  kEnergyTotal,
  kTemp,
  kMemoryTemp,
  kMargin,
  kFan,
  kSm,
  kMem,
  kGraphics,
  kVideo,
  kState,
  kPowerCap,
  kTx,
  kRx,
  kGeneration,
  kWidth,
  kReplay,
  kLinkTxTotal,
  kLinkRxTotal,
  kLinks,
  kCorrected,
  kUncorrected,
  kRowsCorrectable,
  kRowsUncorrectable,
  kXid,
  kViolation,
  kProcesses,
};

}  // namespace

Stream::Stream() {
  for (Card& card : cards_) {
    card.bias = 9 * noise();
    card.energy = 4e11 + 1e11 * dice();
    card.link_tx = 8e15 * dice();
    card.link_rx = 8e15 * dice();
    card.corrected = static_cast<std::int64_t>(3 * dice());
  }
}

// A day of the node, the same every day: of the GPUs' time 36 % is idle, 48 % training, 11 %
// inference and 5 % notebooks.
void Stream::plan() {
  struct Shift {
    Job job;
    int minutes;
  };
  static constexpr std::array kDay{
      Shift{Job::kTraining, 205}, Shift{Job::kInference, 130}, Shift{Job::kIdle, 117},
      Shift{Job::kTraining, 270}, Shift{Job::kNotebooks, 198}, Shift{Job::kInference, 188},
      Shift{Job::kTraining, 215}, Shift{Job::kIdle, 117},
  };
  if (second_ < job_until_) return;
  const Shift& shift = kDay[shift_++ % kDay.size()];
  node_ = shift.job;
  job_until_ = second_ + 60 * std::int64_t{shift.minutes};
  checkpoint_ = stall_ = 0;
}

Stream::Job Stream::job_of(std::size_t gpu) const {
  if (node_ == Job::kInference) return gpu < kGpus / 2 ? Job::kInference : Job::kIdle;
  if (node_ == Job::kNotebooks) return gpu % 3 == 0 ? Job::kNotebooks : Job::kIdle;
  return node_;
}

double Stream::load_of(Card& card) {
  const auto bursts = [&](double chance, int shortest, double spread, double low, double high) {
    if (card.burst > 0) {
      --card.burst;
    } else if (dice() < chance) {
      card.burst = shortest + static_cast<int>(spread * dice());
      card.duty = low + (high - low) * dice();
    }
  };
  switch (card.job) {
    case Job::kTraining:
      if (checkpoint_ > 0) return 0;
      if (stall_ > 0) return 20 * dice();
      return dice() < 0.82 ? 100 : 99 - std::floor(6 * dice() * dice());
    case Job::kInference:
      bursts(0.08, 3, 40, 30, 100);
      card.load += ((card.burst > 0 ? card.duty : 4) - card.load) * 0.5;
      return std::clamp(card.load + 5 * noise(), 0.0, 100.0);
    case Job::kNotebooks:
      bursts(0.01, 5, 120, 20, 80);
      return card.burst > 0 ? std::clamp(card.duty + 8 * noise(), 0.0, 100.0) : 0;
    case Job::kIdle:
      break;
  }
  return 0;
}

void Stream::fill_memory(Card& card, std::array<std::int64_t, kMetrics>& row) {
  const bool idle = card.job == Job::kIdle;
  if (idle) {
    card.memory = 0;
  } else if (card.memory < card.plateau) {
    card.memory = std::min(
        card.plateau, card.memory + (1500 + static_cast<std::int64_t>(3000 * dice())) * kMebibyte);
  } else if (card.job != Job::kTraining && dice() < 0.02) {
    card.memory = card.plateau + static_cast<std::int64_t>(256 * dice()) * 2 * kMebibyte;
  }
  const std::int64_t used = card.memory + (idle ? 3 : 522) * kMebibyte;
  row[kTotal] = kMemory;
  row[kUsed] = used;
  row[kFree] = kMemory - kReserved - used;
  row[kReservedBytes] = kReserved;
  row[kBar1] = (idle ? 1 : 6) * kMebibyte;
}

void Stream::fill_power(Card& card, std::array<std::int64_t, kMetrics>& row, std::size_t gpu) {
  const bool idle = card.job == Job::kIdle;
  const double load = static_cast<double>(row[kUtil]) / 100;
  card.drift = 0.95 * card.drift + noise();
  const double target = idle ? 71 + card.bias * 0.2
                             : 115 + (card.job == Job::kTraining ? 5.15 : 4.1) * load + card.bias;
  const double average = target + card.drift * (idle ? 0.02 : 3.5) + noise() * (idle ? 0.03 : 4);
  const double now = target + (idle ? 0.15 * noise() : card.drift * 3.5 + 26 * noise());
  const double watts = std::clamp(average, 40.0, 702.0);
  row[kPowerAvg] = std::llround(watts * 1000);
  row[kPowerNow] = std::llround(std::clamp(now, 40.0, 760.0) * 1000);
  row[kPowerMax] = 700'000;
  card.energy += watts * 1000 * (1 + 0.001 * noise());
  row[kEnergyTotal] = std::llround(card.energy);
  card.temperature += (30 + watts * 0.052 + static_cast<double>(gpu % 4) - card.temperature) * 0.03;
  card.memory_temperature += (38 + watts * 0.06 - card.memory_temperature) * 0.025;
  row[kTemp] = static_cast<std::int64_t>(std::floor(card.temperature + 0.15 * noise()));
  row[kMemoryTemp] = static_cast<std::int64_t>(std::floor(card.memory_temperature + 0.1 * noise()));
  row[kMargin] = 87 - row[kTemp];
  std::int64_t clock = idle ? 345 : 1980;
  if (card.job == Job::kTraining && load >= 1 && watts > 628) {
    clock -= 15 * static_cast<std::int64_t>((watts - 628) / 4 + std::fabs(noise()) * 1.2);
    clock = std::max<std::int64_t>(clock, 1410);
  }
  const bool capped = !idle && clock < 1980;
  if (capped) card.throttled += 2e8 + 1e8 * dice();
  row[kSm] = row[kGraphics] = clock;
  row[kMem] = 2619;
  row[kVideo] = idle ? 765 : 1545;
  row[kPowerCap] = capped ? 1 : 0;
  row[kViolation] = static_cast<std::int64_t>(card.throttled);
}

void Stream::fill_traffic(Card& card, std::array<std::int64_t, kMetrics>& row) {
  const double busy = static_cast<double>(row[kUtil]) / 10'000;
  const bool trains = card.job == Job::kTraining;
  if (card.job == Job::kIdle) {
    row[kTx] = 1024 * 50 * static_cast<std::int64_t>(3 * dice());
    row[kRx] = 1024 * 75 * static_cast<std::int64_t>(3 * dice());
  } else {
    const auto rate = [&](double typical, double spread) {
      return 1024 *
             static_cast<std::int64_t>(typical * std::exp(spread * noise()) * std::max(busy, 0.02));
    };
    row[kTx] = rate(trains ? 900e3 : 250e3, 0.55);
    row[kRx] = rate(trains ? 1.6e6 : 700e3, 0.5);
  }
  const double links = trains && busy > 0.1                         ? 1.45e8 * busy
                       : card.job == Job::kInference && busy > 0.05 ? 6e6 * busy
                                                                    : 0;
  const double spread = trains ? 0.09 : 0.2;
  card.link_tx += 1024 * std::floor(links * (1 + spread * noise()));
  card.link_rx += 1024 * std::floor(links * (1 + spread * noise()));
  row[kLinkTxTotal] = static_cast<std::int64_t>(card.link_tx / 1024) * 1024;
  row[kLinkRxTotal] = static_cast<std::int64_t>(card.link_rx / 1024) * 1024;
  if (dice() < 2e-6) ++card.replays;
  if (dice() < 4e-6) ++card.corrected;
  row[kReplay] = card.replays;
  row[kCorrected] = card.corrected;
}

void Stream::fill(std::size_t gpu) {
  Card& card = cards_[gpu];
  auto& row = tick_.values[gpu];
  if (const Job job = job_of(gpu); job != card.job) {
    card.job = job;
    const double size = dice();
    card.plateau =
        kMebibyte * static_cast<std::int64_t>(job == Job::kTraining    ? 71'000 + 400 * size
                                              : job == Job::kInference ? 64'000 + 6000 * size
                                                                       : 2000 + 20'000 * size);
  }
  const double load = load_of(card);
  row[kUtil] = 100 * static_cast<std::int64_t>(load);
  const double share = card.job == Job::kTraining ? 0.42 : 0.55;
  row[kMemoryUtil] =
      card.job == Job::kIdle
          ? 0
          : 100 * static_cast<std::int64_t>(std::clamp(load * share + 2 * noise(), 0.0, 100.0));
  fill_memory(card, row);
  fill_power(card, row, gpu);
  fill_traffic(card, row);
  row[kGeneration] = 5;
  row[kWidth] = 16;
  row[kLinks] = 18;
  row[kProcesses] = card.job == Job::kIdle ? 0 : card.job == Job::kInference ? 2 : 1;
}

const StreamTick& Stream::next() {
  plan();
  if (node_ == Job::kTraining) {
    if (checkpoint_ > 0) {
      --checkpoint_;
    } else if (second_ % 1800 == 1200) {
      checkpoint_ = 25 + static_cast<int>(20 * dice());
    }
    if (stall_ > 0) {
      --stall_;
    } else if (dice() < 0.0015) {
      stall_ = 2 + static_cast<int>(8 * dice());
    }
  }
  // A tick is stamped to the microsecond; how late it is varies by 0.4 ms.
  tick_.time = (kFirstSecond + second_) * 1'000'000 + 2000 + std::llround(400 * noise());
  for (std::size_t gpu = 0; gpu < kGpus; ++gpu) fill(gpu);
  ++second_;
  return tick_;
}

}  // namespace gpuscope::bench
