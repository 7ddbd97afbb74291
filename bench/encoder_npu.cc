#include "bench/encoder_npu.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "device/sim/timing.h"
#include "encoder/npu_options.h"

namespace xdna::bench {
namespace {

using encoder::Schedule;

device::DeviceOptions DeviceOf(const NpuRunOptions& options, bool functional) {
  device::DeviceOptions device;
  device.preset = options.preset;
  device.host = options.host;
  device.codegen = options.codegen;
  device.functional = functional;
  device.threads = options.threads;
  device.keep_trace = !functional && !options.trace.empty();
  return device;
}

// Either executor.
class Executor {
 public:
  Executor(const EncoderJob& job, const Schedule& s, const NpuRunOptions& options, bool data) {
    if (s.WholeOnNpu()) {
      npu_ = std::make_unique<encoder::NpuEncoder>(
          job.chosen.model, job.shape,
          encoder::NpuOptionsOf(s, job.shape, encoder::FindCpuProfile(options.cpu)));
    } else {
      mixed_ = std::make_unique<encoder::MixedEncoder>(job.chosen.model, job.shape, s,
                                                       encoder::FindCpuProfile(options.cpu), data);
    }
  }

  Tensor Encode(const TensorView& mel) { return npu_ ? npu_->Encode(mel) : mixed_->Encode(mel); }
  double ms() const { return npu_ ? npu_->last_ms() : mixed_->last().total; }
  const device::TimeSplit& split() const {
    return npu_ ? npu_->last_split() : mixed_->last_split();
  }
  encoder::NpuEncoder* npu() { return npu_.get(); }
  encoder::MixedEncoder* mixed() { return mixed_.get(); }

 private:
  std::unique_ptr<encoder::NpuEncoder> npu_;
  std::unique_ptr<encoder::MixedEncoder> mixed_;
};

// --- proofs ------------------------------------------------------------------------------------

std::filesystem::path ProofFile(const EncoderJob& job, const Schedule& schedule,
                                const NpuRunOptions& options) {
  return std::filesystem::path(options.proofs) / (ProofKey(job, schedule) + ".json");
}

// What was found before by this very program, or nothing.
std::optional<golden::Verdict> ReadProof(const std::filesystem::path& path) {
  std::ifstream file(path);
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
  const auto number = [&json](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
  };
  if (!json.is_object()) return std::nullopt;
  golden::Verdict verdict;
  verdict.used = number("used");
  verdict.rel_l2 = number("rel_l2");
  verdict.cosine = number("cosine");
  verdict.max_abs = number("max_abs");
  if (!(verdict.used >= 0 && verdict.used <= 1) || !std::isfinite(verdict.rel_l2)) {
    return std::nullopt;
  }
  verdict.status = golden::Status::kPassed;
  return verdict;
}

void WriteProof(const std::filesystem::path& path, const golden::Verdict& verdict) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const std::filesystem::path part = path.string() + ".part";
  std::ofstream file(part);
  file << nlohmann::json{{"used", verdict.used},
                         {"rel_l2", verdict.rel_l2},
                         {"cosine", verdict.cosine},
                         {"max_abs", verdict.max_abs}}
              .dump();
  file.close();
  if (file) std::filesystem::rename(part, path, ignored);
}

// --- the two passes ----------------------------------------------------------------------------

void Verify(const EncoderJob& job, const NpuRunOptions& options, NpuResult& result) {
  const auto begin = std::chrono::steady_clock::now();
  device::ConfigureDevice(DeviceOf(options, true));
  Executor executor(job, result.schedule, options, true);
  for (std::size_t i = 0; i < job.checked.size(); ++i) {
    const Tensor y = executor.Encode(job.Window(job.checked[i]));
    const golden::Verdict verdict = golden::Compare(y, job.references[i].output, result.tolerance);
    const bool worse = i == 0 || !verdict.passed() || verdict.used > result.verdict.used;
    if (worse) result.verdict = verdict;
    if (i == 0) result.taps.push_back(StatisticsOf("ln_post", y));
    if (!verdict.passed()) break;
  }
  for (const device::Violation& violation : device::Violations()) {
    result.verdict.status = golden::Status::kMistrusted;
    result.verdict.reason = fmt::format("{}: {}", violation.rule, violation.message);
    break;
  }
  result.verdict_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Time(const EncoderJob& job, const NpuRunOptions& options, NpuResult& result) {
  device::ConfigureDevice(DeviceOf(options, false));
  Executor executor(job, result.schedule, options, false);
  const TensorView mel = job.Window(0);
  double core_ms = 0, array_ms = 0;
  if (encoder::NpuEncoder* npu = executor.npu()) {
    result.steps = npu->Profile();
    result.design = npu->Describe();
    result.runs = static_cast<std::int64_t>(npu->runs());
    for (const encoder::NpuStepTime& step : result.steps) {
      core_ms += step.core_us / 1e3;
      array_ms += step.array_us / 1e3;
    }
  }
  // The first loads overlays and makes buffers; the second is what every further window takes.
  executor.Encode(mel);
  if (encoder::MixedEncoder* mixed = executor.mixed()) {
    result.mixed = mixed->last();
    result.runs = result.mixed.runs;
    core_ms = result.mixed.core;
    array_ms = result.mixed.array;
  }
  executor.Encode(mel);
  if (executor.mixed() != nullptr && result.schedule.keep != device::Keep::kRunlists) {
    result.mixed = executor.mixed()->last();
  }
  const device::TimeSplit split = executor.split();
  NpuTime& t = result.time;
  t.total = executor.ms();
  const double array = split.array / 1e3;
  t.compute = array_ms > 0 ? std::min(array, array * core_ms / array_ms) : 0;
  t.dma = array - t.compute;
  t.dispatch = (split.submit + split.firmware + split.buffers + split.sync) / 1e3;
  t.change = (split.context_create + split.load + split.context_switch) / 1e3;
  t.cpu = split.idle / 1e3;
  const device::RunTimer timer;
  for (std::int64_t i = 0; i < options.batch; ++i) executor.Encode(mel);
  t.throughput = timer.ElapsedUs() / 1e3 / static_cast<double>(options.batch);
  if (!options.trace.empty()) device::WriteTrace(options.trace);
}

}  // namespace

TapStatistics StatisticsOf(const std::string& name, const TensorView& values) {
  TapStatistics s{
      name, 0, 0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
      true};
  const float* v = values.data<float>();
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const double x = v[i];
    s.finite = s.finite && std::isfinite(x);
    sum += x;
    squares += x * x;
    s.least = std::min(s.least, x);
    s.most = std::max(s.most, x);
  }
  const auto n = static_cast<double>(values.size());
  s.mean = sum / n;
  s.deviation = std::sqrt(std::max(0.0, squares / n - s.mean * s.mean));
  return s;
}

double NpuResult::Rtf(const EncoderJob& job) const {
  return 1e3 * job.audio.seconds / (time.total * static_cast<double>(job.windows()));
}

std::string NpuResult::Bound() const {
  const std::pair<double, const char*> parts[] = {{time.compute, "compute"},
                                                  {time.dma, "DMA"},
                                                  {time.dispatch, "dispatch"},
                                                  {time.change, "switches"},
                                                  {time.cpu, "CPU"}};
  const auto* most = std::max_element(std::begin(parts), std::end(parts));
  return fmt::format("{} {:.0f} %", most->second, 100 * most->first / time.total);
}

golden::Tolerance NpuTolerance(const std::string& precision) {
  const bool int8 = precision == "int8";
  golden::Tolerance t =
      encoder::OutputTolerance(int8 ? ops::Precision::kInt8 : ops::Precision::kBf16);
  if (int8) return t;
  t.rel_l2 = 2.5e-2;
  t.cosine = 0.9995;
  t.provenance =
      "2.5e-2: bf16 between all ops, rounded to nearest even; what a float64 encoder "
      "with those roundings loses is 0.9e-2 on real speech";
  return t;
}

void CheckNpuOptions(const NpuRunOptions& options) {
  device::FindPreset(options.preset);
  device::FindHostProfile(options.host);
  encoder::FindCpuProfile(options.cpu);
  if (options.codegen != "chess" && options.codegen != "peano") {
    Throw(ErrorCode::kInvalidArgument, "--codegen={}: there are chess and peano", options.codegen);
  }
}

RunRecord NpuEncoderRecord(const EncoderJob& job, const NpuResult& result,
                           const NpuRunOptions& options, const Environment& environment) {
  SeriesKey key;
  key.op = "encoder";
  key.shape = job.chosen.synthetic ? "synthetic-" + job.shape.name : job.shape.name;
  key.dtype = result.schedule.precision;
  key.device = "npu";
  key.preset = options.preset;
  key.schedule = result.schedule.name;
  key.tile = fmt::format("{}x{}x{}", result.schedule.tile_m, result.schedule.tile_k,
                         result.schedule.tile_n);
  key.batch = std::to_string(options.batch);
  RunRecord record(key, Provenance::kModelled, RecordedVerdict(result.verdict, result.tolerance));
  record.environment = environment;
  const std::string schedule = encoder::ScheduleJson(result.schedule);
  record.hashes = {{"model", job.chosen.model.sha256()}, {"audio", job.audio.sha256}};
  record.SetMetric("audio_s", job.audio.seconds);
  TimeModel model;
  model.version = std::string(device::TimeModelVersion());
  model.preset = options.preset;
  model.host_profile = options.host;
  model.codegen = options.codegen;
  for (const device::TimingConstant& c : device::TimingConstants()) {
    if (c.preset == "all" || c.preset == options.preset || c.preset == options.host) {
      model.constants[std::string(c.name)] = c.value;
    }
  }
  model.schedule = {{"schedule", Sha256(schedule.data(), schedule.size())},
                    {"cpu_profile", options.cpu}};
  record.model = model;
  if (!result.timed()) return record;
  const NpuTime& t = result.time;
  std::map<std::string, double> times = {{"total", t.total / 1e3}};
  const std::pair<const char*, double> parts[] = {{"compute", t.compute},
                                                  {"dma", t.dma},
                                                  {"dispatch", t.dispatch},
                                                  {"switch", t.change},
                                                  {"cpu", t.cpu}};
  for (const auto& [name, ms] : parts) {
    if (ms > 0) times[name] = ms / 1e3;
  }
  record.SetTimes(times, {t.total / 1e3});
  record.set_scope("encoder");
  record.SetMetric("flops", encoder::EncoderFlops(encoder::EncoderGraph(job.shape)));
  record.SetMetric("rtf", result.Rtf(job));
  return record;
}

std::string ProofKey(const EncoderJob& job, const Schedule& schedule) {
  static const std::string program = Sha256OfFile("/proc/self/exe");
  std::string key = fmt::format("{} {} {} {} {} {}", encoder::ScheduleJson(schedule), program,
                                device::TimeModelVersion(), job.chosen.model.sha256(),
                                job.audio.sha256, job.shape.name);
  for (const std::int64_t window : job.checked) key += fmt::format(" {}", window);
  return Sha256(key.data(), key.size());
}

NpuResult RunSchedule(const EncoderJob& job, const Schedule& schedule,
                      const NpuRunOptions& options) {
  NpuResult result;
  result.schedule = schedule;
  result.tolerance = NpuTolerance(schedule.precision);
  try {
    if (options.fast_verdicts && !options.proofs.empty()) {
      if (const auto verdict = ReadProof(ProofFile(job, schedule, options))) {
        result.verdict = *verdict;
        result.kept_proof = true;
      }
    }
    if (!result.kept_proof) {
      Verify(job, options, result);
      if (result.verdict.passed() && !options.proofs.empty()) {
        WriteProof(ProofFile(job, schedule, options), result.verdict);
      }
    }
    if (result.verdict.passed()) Time(job, options, result);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    result.verdict = golden::Verdict::Unsupported(error.message());
  }
  return result;
}

}  // namespace xdna::bench
