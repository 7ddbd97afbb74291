// Routes: steps of data from a sending channel to all receiving ones.
//
// A step moves what the descriptors at all ends have left, from when the last of them is ready. A
// stream that was idle for longer than a change of descriptors takes is empty, and its first words
// need `switch_hop` for each switch on the way.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "device/sim/array_engine.h"

namespace xdna::device {

void ArrayEngine::TryStart(std::size_t index) {
  RouteState& route = routes_[index];
  if (route.moving) return;
  ChannelState& from = channels_[route.from];
  bool active = from.phase == Phase::kActive;
  std::uint64_t words = from.words_left;
  Ticks begin = std::max(now_, from.ready);
  for (const std::size_t to : route.to) {
    const ChannelState& receiver = channels_[to];
    active &= receiver.phase == Phase::kActive;
    words = std::min(words, receiver.words_left);
    begin = std::max(begin, receiver.ready);
  }
  if (!active) {
    if (!route.host) return;
    if (from.shim && from.phase == Phase::kActive) {
      lanes_[from.lane].Set(LaneState::kWaitOutput, now_);
    }
    for (const std::size_t to : route.to) {
      const ChannelState& receiver = channels_[to];
      if (receiver.shim && receiver.phase == Phase::kActive) {
        lanes_[receiver.lane].Set(LaneState::kWaitOutput, now_);
      }
    }
    return;
  }
  const bool flowing = route.last_end >= 0 && begin <= route.last_end + descriptor_start_;
  route.moving = true;
  route.words = words;
  route.begin = begin + (flowing ? 0 : route.latency);
  if (route.host) {
    if (route.begin > now_) {
      events_.Push(route.begin, EventKind::kJoin, index);
    } else {
      Join(index);
    }
    return;
  }
  const double cycles = static_cast<double>(words) / timing_.stream_words_per_cycle;
  route.end = route.begin + ToTicks(cycles);
  events_.Push(route.end, EventKind::kStepEnd, index);
}

// The step begins to use host memory.
void ArrayEngine::Join(std::size_t index) {
  RouteState& route = routes_[index];
  HostMemoryBus::Use use;
  const auto add = [&](std::size_t channel) {
    const ChannelState& state = channels_[channel];
    if (!state.shim) return;
    const auto column = static_cast<std::size_t>(ChannelAt(channel).tile.col);
    const double cost = shim_descriptors_[column][state.tasks.front().descriptor].cost;
    ++(state.sends ? use.reads : use.writes);
    double& most = state.sends ? use.read_cost : use.write_cost;
    most = std::max(most, cost);
    lanes_[state.lane].Set(LaneState::kBusy, now_);
  };
  add(route.from);
  for (const std::size_t to : route.to) add(to);
  bus_.Begin(index, static_cast<double>(route.words) * 4, use, now_);
  BusChanged();
}

void ArrayEngine::BusChanged() {
  ++bus_version_;
  if (!bus_.idle()) events_.Push(bus_.NextEnd(), EventKind::kBus, bus_version_);
}

void ArrayEngine::BusEvent() {
  bus_ended_.clear();
  bus_.TakeEnded(now_, bus_ended_);
  ++bus_version_;
  // Steps that follow at once join the bus and change its version again.
  const std::uint32_t version = bus_version_;
  for (const std::size_t route : bus_ended_) EndStep(route);
  if (bus_version_ == version) BusChanged();
}

void ArrayEngine::EndStep(std::size_t index) {
  RouteState& route = routes_[index];
  if (memory_) Copy(route, route.words * 4);
  if (route.host) idle_events_ = 0;
  const auto end = [&](std::size_t channel) {
    ChannelState& state = channels_[channel];
    state.words_left -= route.words;
    state.words_moved += route.words;
    if (state.shim) {
      (state.sends ? result_.bytes_read : result_.bytes_written) += route.words * 4;
      lanes_[state.lane].Set(LaneState::kWaitInput, now_);
    }
    if (state.words_left == 0) EndExecution(channel);
  };
  end(route.from);
  for (const std::size_t to : route.to) end(to);
  route.last_end = now_;
  route.moving = false;
  TryStart(index);
}

void ArrayEngine::Copy(RouteState& route, std::size_t bytes) {
  const std::byte* data = channels_[route.from].cursor.Piece(bytes);
  std::byte* filled = nullptr;
  std::size_t first = 0;
  if (data == nullptr) {
    filled = channels_[route.to[0]].cursor.Piece(bytes);
    if (filled != nullptr) {
      first = 1;
    } else {
      if (staging_.size() < bytes) staging_.resize(bytes);
      filled = staging_.data();
    }
    channels_[route.from].cursor.Read(filled, bytes);
    data = filled;
  }
  for (std::size_t i = first; i < route.to.size(); ++i) {
    channels_[route.to[i]].cursor.Write(data, bytes);
  }
}

// Ever, the part of the present step that has gone by included.
double ArrayEngine::WordsMovedNow(std::size_t channel) const {
  const ChannelState& state = channels_[channel];
  const auto words = static_cast<double>(state.words_moved);
  const RouteState& route = routes_[state.route];
  if (!route.moving || now_ <= route.begin) return words;
  const auto step = static_cast<double>(route.words);
  if (route.host) return words + step - bus_.BytesLeft(state.route, now_) / 4;
  return words + step * static_cast<double>(now_ - route.begin) /
                     static_cast<double>(route.end - route.begin);
}

}  // namespace xdna::device
