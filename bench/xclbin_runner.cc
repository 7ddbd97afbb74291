#include "bench/xclbin_runner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "bench/suggest.h"
#include "device/container/axlf.h"
#include "device/container/container.h"
#include "device/session.h"
#include "kernels/npu/kernels.h"
#include "xrt/detail/xclbin.h"

namespace xdna::bench {
namespace {

using device::DeviceBuffer;
using device::Keep;
using device::Session;

constexpr std::uint64_t kMaxXclbinBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kMaxInstructionBytes = std::uint64_t{48} << 20;  // the driver's heap
constexpr std::size_t kWord = sizeof(std::uint32_t);

// What the manifest names, loaded.
struct Loaded {
  std::vector<char> xclbin;
  std::vector<std::uint32_t> instructions;
  std::vector<Tensor> data;      // by argument; empty where it has none
  std::vector<Tensor> expected;  // f64 for integers
};

// Throws unless the xclbin has the manifest's kernel with as many buffers, and a session opens it.
void CheckKernel(const Manifest& manifest, const device::XclbinFile& file) {
  const device::XclbinSection* section = file.Find(EMBEDDED_METADATA);
  if (section == nullptr) {
    Throw(ErrorCode::kCorrupt, "{}: no EMBEDDED_METADATA, which lists kernels", manifest.xclbin);
  }
  const std::vector<device::XclbinKernel> kernels =
      device::ParseMetadata({section->data.data(), section->data.size()});
  const auto found = std::ranges::find(kernels, manifest.kernel, &device::XclbinKernel::name);
  if (found == kernels.end()) {
    std::vector<std::string> names;
    for (const device::XclbinKernel& kernel : kernels) names.push_back(kernel.name);
    Throw(ErrorCode::kInvalidArgument, "kernel: {} is not in {};{}", Quoted(manifest.kernel),
          manifest.xclbin, Suggest(manifest.kernel, names));
  }
  const auto opened = std::ranges::find_if(kernels, [](const device::XclbinKernel& kernel) {
    return kernel.name.starts_with(device::kKernelName);
  });
  if (opened != found) {
    Throw(ErrorCode::kUnsupported, "kernel: {} is not the first '{}*' in {}, which is what runs",
          Quoted(manifest.kernel), device::kKernelName, manifest.xclbin);
  }
  const std::size_t fixed = device::kFirstDataArgument;
  const std::size_t buffers = std::max(found->arguments.size(), fixed) - fixed;
  if (manifest.arguments.size() > buffers) {
    Throw(ErrorCode::kInvalidArgument, "arguments: {}, and kernel {} of {} takes {} buffers",
          manifest.arguments.size(), found->name, manifest.xclbin, buffers);
  }
}

std::vector<std::uint32_t> LoadInstructions(const Manifest& manifest,
                                            const device::XclbinFile& file) {
  if (manifest.instructions.empty()) {
    std::vector<std::uint32_t> words =
        WithContext(manifest.xclbin, [&] { return device::ContainerInstructions(file); });
    if (!words.empty()) return words;
    Throw(ErrorCode::kInvalidArgument, "instructions: missing, and {} brings none of its own",
          manifest.xclbin);
  }
  const std::vector<char> bytes = ReadBytes(manifest.instructions, kMaxInstructionBytes);
  if (bytes.empty() || bytes.size() % kWord != 0) {
    Throw(ErrorCode::kCorrupt, "{}: {} bytes are no instruction words of {}", manifest.instructions,
          bytes.size(), kWord);
  }
  std::vector<std::uint32_t> words(bytes.size() / kWord);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

Loaded Load(const Manifest& manifest) {
  Loaded loaded;
  loaded.xclbin = ReadBytes(manifest.xclbin, kMaxXclbinBytes);
  const device::XclbinFile file =
      WithContext(manifest.xclbin, [&] { return device::ParseXclbin(loaded.xclbin); });
  WithContext(manifest.xclbin, [&] {
    if (device::IsSimulated() && !device::DecodeContainer(file)) {
      Throw(ErrorCode::kUnsupported,
            "a binary for hardware, which the simulated NPU can't run: use --config=xrt on a "
            "machine with the NPU");
    }
  });
  CheckKernel(manifest, file);
  loaded.instructions = LoadInstructions(manifest, file);
  for (std::size_t i = 0; i < manifest.arguments.size(); ++i) {
    const ManifestArgument& argument = manifest.arguments[i];
    const auto load = [&](const char* field, const DataSource& source) {
      return WithContext(fmt::format("arguments[{}].{}", i, field),
                         [&] { return LoadData(source, argument.shape, argument.dtype); });
    };
    loaded.data.push_back(argument.has_data() ? load("data", argument.data) : Tensor());
    Tensor expected = argument.has_result() ? load("expected", argument.expected) : Tensor();
    if (!expected.empty() && expected.dtype() != DType::kF32) expected = expected.To(DType::kF64);
    loaded.expected.push_back(std::move(expected));
  }
  return loaded;
}

// The buffers of one run.
class Lane {
 public:
  Lane(const Manifest& manifest, const Loaded& loaded, const Session& session)
      : manifest_(manifest), loaded_(loaded) {
    for (std::size_t i = 0; i < manifest.arguments.size(); ++i) {
      buffers_.emplace_back();
      if (manifest.arguments[i].role == ManifestArgument::Role::kUnused) continue;
      // Whole words, as poison is.
      const std::size_t bytes = (manifest.arguments[i].bytes() + kWord - 1) / kWord * kWord;
      buffers_[i].emplace(session.MakeData(static_cast<int>(i), bytes));
    }
  }

  void MakeRun(const Session& session, const DeviceBuffer& instructions) {
    std::vector<const DeviceBuffer*> data;
    data.reserve(buffers_.size());
    for (const auto& buffer : buffers_) data.push_back(buffer ? &*buffer : nullptr);
    run_.emplace(session.MakeRun(instructions, data));
  }
  void DropRun() { run_.reset(); }
  bool has_run() const { return run_.has_value(); }
  device::Run& run() { return *run_; }

  // The host's copies of inputs; poison where only the device writes.
  void Prepare() {
    ForEach([&](std::size_t i, const ManifestArgument& argument, DeviceBuffer& buffer) {
      if (argument.role == ManifestArgument::Role::kOut) return buffer.Poison();
      std::memcpy(buffer.As<std::byte>().data(), loaded_.data[i].view().raw(), argument.bytes());
    });
  }
  void ToDevice() {
    ForEach([](std::size_t, const ManifestArgument& argument, DeviceBuffer& buffer) {
      if (argument.has_data()) buffer.ToDevice();
    });
  }
  void FromDevice() {
    ForEach([](std::size_t, const ManifestArgument& argument, DeviceBuffer& buffer) {
      if (argument.has_result()) buffer.FromDevice();
    });
  }

  // The bytes of all results, one behind the other. Throws where one was not written.
  std::vector<std::byte> Results() {
    std::vector<std::byte> all;
    ForEach([&](std::size_t, const ManifestArgument& argument, DeviceBuffer& buffer) {
      if (!argument.has_result()) return;
      const std::size_t bytes = argument.bytes();
      if (argument.role == ManifestArgument::Role::kOut) {
        buffer.CheckWritten(0, bytes / kWord * kWord);
      }
      const auto result = buffer.As<std::byte>().first(bytes);
      all.insert(all.end(), result.begin(), result.end());
    });
    return all;
  }

 private:
  template <typename Body>
  void ForEach(Body&& body) {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      if (buffers_[i]) body(i, manifest_.arguments[i], *buffers_[i]);
    }
  }

  const Manifest& manifest_;
  const Loaded& loaded_;
  std::vector<std::optional<DeviceBuffer>> buffers_;
  std::optional<device::Run> run_;
};

class Runner {
 public:
  Runner(const Manifest& manifest, const Loaded& loaded) : manifest_(manifest), loaded_(loaded) {}

  // Runs once, or a runlist; the seconds of a run.
  double Iterate() {
    double us = 0;
    const auto timed = [&us](auto&& body) {
      const device::RunTimer timer;
      body();
      us += timer.ElapsedUs();
    };
    timed([this] { Open(); });
    for (Lane& lane : lanes_) lane.Prepare();
    timed([this] {
      for (Lane& lane : lanes_) lane.ToDevice();
      if (list_) {
        list_->Execute();
      } else {
        lanes_.front().run().Execute();
      }
      for (Lane& lane : lanes_) lane.FromDevice();
    });
    results_.clear();
    for (Lane& lane : lanes_) results_.push_back(lane.Results());
    Close();
    return us * 1e-6 / static_cast<double>(manifest_.reuse.runs);
  }

  // Of the last Iterate(), by run.
  const std::vector<std::vector<std::byte>>& results() const { return results_; }
  std::string device_name() {
    Open();
    std::string name = home_->device_name();
    Close();
    return name;
  }

 private:
  void Open() {
    const Keep keep = manifest_.reuse.keep;
    if (!home_) home_.emplace(Session::FromBytes(manifest_.xclbin, loaded_.xclbin));
    if (lanes_.empty()) {
      instructions_.emplace(home_->MakeInstructions(loaded_.instructions));
      for (int i = 0; i < manifest_.reuse.runs; ++i)
        lanes_.emplace_back(manifest_, loaded_, *home_);
    }
    if (keep == Keep::kBuffers) {
      visited_.emplace(Session::FromBytes(manifest_.xclbin, loaded_.xclbin));
    }
    if (lanes_.front().has_run()) return;
    for (Lane& lane : lanes_) lane.MakeRun(visited_ ? *visited_ : *home_, *instructions_);
    if (keep != Keep::kRunlists) return;
    list_.emplace(*home_);
    for (Lane& lane : lanes_) list_->Add(lane.run());
  }

  void Close() {
    const Keep keep = manifest_.reuse.keep;
    if (keep >= Keep::kContext) return;
    for (Lane& lane : lanes_) lane.DropRun();
    visited_.reset();
    if (keep == Keep::kBuffers) return;
    lanes_.clear();
    instructions_.reset();
    home_.reset();
  }

  const Manifest& manifest_;
  const Loaded& loaded_;
  std::vector<std::vector<std::byte>> results_;
  // The last ones end first.
  std::optional<Session> home_;     // whose buffers they are
  std::optional<Session> visited_;  // a context of its own for each run, where buffers are kept
  std::optional<DeviceBuffer> instructions_;
  std::vector<Lane> lanes_;
  std::optional<device::RunList> list_;
};

// Compares one run's results; false where one did not pass.
bool Check(const Manifest& manifest, const Loaded& loaded, const std::string& when,
           const std::vector<std::byte>& results, std::vector<XclbinCheck>& checks) {
  std::size_t at = 0;
  bool passed = true;
  for (std::size_t i = 0; i < manifest.arguments.size(); ++i) {
    const ManifestArgument& argument = manifest.arguments[i];
    if (!argument.has_result()) continue;
    Tensor got(argument.dtype, argument.shape);
    std::memcpy(got.view().raw(), results.data() + at, argument.bytes());
    at += argument.bytes();
    const bool whole = argument.dtype != DType::kF32 && argument.dtype != DType::kBf16;
    if (whole) got = got.To(DType::kF64);
    checks.push_back({when, argument.name,
                      golden::Compare(got, loaded.expected[i], argument.tolerance),
                      argument.tolerance});
    passed = passed && checks.back().verdict.passed();
  }
  return passed;
}

}  // namespace

const XclbinCheck& XclbinResult::decisive() const {
  const auto worse = [](const XclbinCheck& a, const XclbinCheck& b) {
    if (a.verdict.passed() != b.verdict.passed()) return a.verdict.passed();
    return a.verdict.used < b.verdict.used;
  };
  return *std::max_element(checks.begin(), checks.end(), worse);
}

XclbinResult RunXclbin(const Manifest& manifest) {
  if (device::IsSimulated()) kernels::RegisterNpuKernels();
  const Loaded loaded = Load(manifest);
  XclbinResult result;
  result.xclbin_sha256 = Sha256(loaded.xclbin.data(), loaded.xclbin.size());
  result.instructions_sha256 =
      Sha256(loaded.instructions.data(), loaded.instructions.size() * kWord);
  Runner runner(manifest, loaded);
  result.device = runner.device_name();
  runner.Iterate();
  const std::vector<std::byte> verified = runner.results().front();
  if (!Check(manifest, loaded, "before timing", verified, result.checks)) return result;

  std::vector<double> samples;
  const auto check_all = [&](const std::string& when) {
    return std::ranges::all_of(runner.results(), [&](const std::vector<std::byte>& results) {
      return results == verified || Check(manifest, loaded, when, results, result.checks);
    });
  };
  if (!check_all("before timing")) return result;
  for (int i = 0; i < manifest.warm_up + manifest.iterations; ++i) {
    const double seconds = runner.Iterate();
    if (!check_all(fmt::format("in run {}", i + 1))) return result;
    if (i >= manifest.warm_up) samples.push_back(seconds);
  }
  if (!Check(manifest, loaded, "after timing", runner.results().back(), result.checks)) {
    return result;
  }
  result.samples_s = std::move(samples);
  return result;
}

}  // namespace xdna::bench
