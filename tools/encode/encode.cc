// Speech in, encoder output as HDF5 out:
//   /mel             [windows, n_mels, frames] f32
//   /encoder/output  [windows, positions, d] f32
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "bench/command_line.h"
#include "device/measure.h"
#include "encoder/audio/log_mel.h"
#include "encoder/cpu_encoder.h"
#include "encoder/graph.h"
#include "encoder/inputs.h"
#include "encoder/mixed_encoder.h"
#include "encoder/npu_encoder.h"
#include "encoder/npu_options.h"
#include "encoder/schedule.h"
#include "encoder/verify.h"
#include "golden/compare.h"
#include "golden/hdf5_file.h"
#include "ops/contract.h"

namespace xdna {
namespace {

constexpr const char* kHelp =
    "Encodes speech with Whisper's encoder and writes HDF5: /mel [windows,n_mels,frames] and\n"
    "/encoder/output [windows,positions,d], both f32, with attributes that say of what and how.\n";
constexpr const char* kExamples =
    "Example:\n"
    "  bazel run //tools:encode -- --audio=talk.flac --out=f32.h5\n"
    "  bazel run //tools:encode -- --audio=talk.flac --out=npu.h5 --device=npu --against=f32.h5\n";

struct Options {
  std::vector<std::string> audio;
  std::string out, against, model, geometry, precision, backend = "fast";
  std::string device = "cpu", schedule = "phase6-resident", preset = "phx-1.0";
  int threads = AvailableCpus();
};

void WriteAttributes(Hdf5File& file, const Options& options, const encoder::ChosenModel& chosen,
                     const encoder::EncoderShape& shape, const encoder::Audio& audio) {
  file.SetAttribute("/", "kind", "encoder_output");
  file.SetAttribute("/", "schema_version", std::int64_t{1});
  file.SetAttribute("/", "geometry", shape.name);
  file.SetAttribute("/", "device", options.device);
  file.SetAttribute("/", "precision", options.precision);
  if (options.device == "cpu") {
    file.SetAttribute("/", "backend", options.backend);
  } else {
    file.SetAttribute("/", "schedule", options.schedule);
    file.SetAttribute("/", "preset", options.preset);
    file.SetAttribute("/", "provenance", std::string(device::Provenance()));
  }
  file.SetAttribute("/", "model_name", chosen.model.geometry().name);
  file.SetAttribute("/", "model_sha256", chosen.model.sha256());
  file.SetAttribute("/", "synthetic", std::int64_t{chosen.synthetic});
  file.SetAttribute("/", "audio_source", audio.source);
  file.SetAttribute("/", "audio_sha256", audio.sha256);
  file.SetAttribute("/", "audio_seconds", audio.seconds);
}

// One window: mel in, encoder output out.
using Encode = std::function<void(const TensorView& mel, const TensorView& out)>;

Encode CpuEncode(const encoder::Model& model, const encoder::EncoderShape& shape,
                 ops::Variant variant, ThreadPool& pool) {
  const auto cpu = std::make_shared<encoder::CpuEncoder>(
      model, shape, encoder::CpuEncoder::Options{variant, false}, ops::CpuContext{&pool, nullptr});
  return [cpu](const TensorView& mel, const TensorView& out) { cpu->Run(mel, out); };
}

Encode NpuEncode(const encoder::Model& model, const encoder::EncoderShape& shape,
                 const encoder::Schedule& schedule, const Options& options) {
  device::DeviceOptions device;
  device.preset = options.preset;
  device.threads = options.threads;
  device::ConfigureDevice(device);
  std::function<Tensor(const TensorView&)> run;
  if (schedule.WholeOnNpu()) {
    const auto npu = std::make_shared<encoder::NpuEncoder>(
        model, shape, encoder::NpuOptionsOf(schedule, shape, encoder::FindCpuProfile("numpy")));
    run = [npu](const TensorView& mel) { return npu->Encode(mel); };
  } else {
    const auto mixed = std::make_shared<encoder::MixedEncoder>(
        model, shape, schedule, encoder::FindCpuProfile("numpy"), true);
    run = [mixed](const TensorView& mel) { return mixed->Encode(mel); };
  }
  return [run](const TensorView& mel, const TensorView& out) {
    const Tensor y = run(mel);
    std::copy_n(y.data<float>(), y.size(), out.data<float>());
  };
}

constexpr const char* kOutput = "/encoder/output";

// An output of the same speech and model that this program wrote earlier. Throws kInvalidArgument
// for one that is of another.
Tensor ReadReference(const std::string& path, const encoder::ChosenModel& chosen,
                     const encoder::EncoderShape& shape, const encoder::Audio& audio) {
  return WithContext("--against", [&] {
    const Hdf5File file = Hdf5File::Open(UserPath(path));
    const std::pair<const char*, std::string> same[] = {{"kind", "encoder_output"},
                                                        {"geometry", shape.name},
                                                        {"model_sha256", chosen.model.sha256()},
                                                        {"audio_sha256", audio.sha256}};
    for (const auto& [name, want] : same) {
      const std::string found =
          file.HasAttribute("/", name) ? file.StringAttribute("/", name) : "nothing";
      if (found == want) continue;
      Throw(ErrorCode::kInvalidArgument, "{}: its {} is {}, this run's {}", path, name, found,
            want);
    }
    return file.Read(kOutput);
  });
}

// --against: each window by the limits of the precision; the worst is printed.
int Compare(const Options& options, const Tensor& output, const Tensor& reference) {
  if (output.shape() != reference.shape()) {
    Throw(ErrorCode::kInvalidArgument, "--against={}: its output is {}, this run's {}",
          options.against, ShapeString(reference.shape()), ShapeString(output.shape()));
  }
  const golden::Tolerance limits =
      encoder::OutputTolerance(ops::PrecisionFromName(options.precision));
  const std::int64_t rows = output.dim(1), d = output.dim(2);
  golden::Verdict worst;
  for (std::int64_t w = 0; w < output.dim(0); ++w) {
    const auto window = [&](const Tensor& t) {
      return TensorView(t.data<float>() + w * rows * d, {rows, d});
    };
    const golden::Verdict verdict = golden::Compare(window(output), window(reference), limits);
    if (w == 0 || !verdict.passed() || verdict.used > worst.used) worst = verdict;
    if (!verdict.passed()) break;
  }
  fmt::print("against {}: {}; worst window: rel-L2 {:.1e} of at most {:g}, cosine {:.6f}\n",
             options.against, golden::Describe(worst), worst.rel_l2, limits.rel_l2, worst.cosine);
  return worst.passed() ? kExitOk : kExitWrong;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app(kHelp, "encode");
  app.add_option("--audio", options.audio, "sound file; may be given again: they are joined")
      ->required();
  app.add_option("--out", options.out, "HDF5 file to write")->required();
  app.add_option(
      "--against", options.against,
      "an --out file of the same speech, of f32 say: exit code 1 where this run's output "
      "is not the same within its precision's limits");
  app.add_option("--model", options.model,
                 "checkpoint: CTranslate2, safetensors, ggml or our HDF5; file or folder");
  app.add_option("--geometry", options.geometry, "the model's own (default) or seed-3001");
  app.add_option("--precision", options.precision,
                 "cpu: f32 (default), bf16 or int8; the npu's is its schedule's");
  app.add_option("--device", options.device, "cpu or npu (simulated)")
      ->check(CLI::IsMember({"cpu", "npu"}))
      ->capture_default_str();
  app.add_option("--schedule", options.schedule, "npu: a name or a file, as //bench:encoder's")
      ->capture_default_str();
  app.add_option("--preset", options.preset, "npu: phx-1.0, hpt-1.6 or 8700g-1.8")
      ->capture_default_str();
  app.add_option("--backend", options.backend, "fast, or eigen (plain f32)")->capture_default_str();
  app.add_option("--threads", options.threads, "threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.footer(kExamples);
  if (!bench::ParseOptions(app, argc, argv)) return kExitOk;
  const bool npu = options.device == "npu";
  encoder::Schedule schedule;
  if (npu) {
    schedule = encoder::FindSchedule(options.schedule);
    if (!options.precision.empty() && options.precision != schedule.precision) {
      Throw(ErrorCode::kInvalidArgument, "--precision={}: schedule {} computes in {}",
            options.precision, schedule.name, schedule.precision);
    }
    options.precision = schedule.precision;
  } else if (options.precision.empty()) {
    options.precision = "f32";
  }
  const ops::Variant variant = {ops::PrecisionFromName(options.precision),
                                ops::BackendFromName(options.backend)};

  const encoder::Audio audio = encoder::ChooseAudio(options.audio);
  const encoder::ChosenModel chosen = encoder::ChooseModel(options.model, options.geometry);
  const encoder::EncoderShape shape = encoder::ChooseShape(options.geometry, chosen.model);
  const Tensor reference =
      options.against.empty() ? Tensor() : ReadReference(options.against, chosen, shape, audio);
  // Before the work, so that a place that can't be written to costs nobody any time.
  const std::string path = UserPath(options.out);
  Hdf5File file = Hdf5File::Create(path);

  ThreadPool pool(options.threads);
  const encoder::LogMel log_mel(static_cast<int>(shape.n_mels));
  const Tensor mel = log_mel.Windows(audio, static_cast<int>(shape.frames), &pool);
  const std::int64_t windows = mel.dim(0);
  const Encode encode = npu ? NpuEncode(chosen.model, shape, schedule, options)
                            : CpuEncode(chosen.model, shape, variant, pool);
  const Tensor output(DType::kF32, {windows, shape.positions, shape.d});
  for (std::int64_t w = 0; w < windows; ++w) {
    encode(TensorView(mel.data<float>() + w * shape.n_mels * shape.frames,
                      {shape.n_mels, shape.frames}),
           TensorView(output.data<float>() + w * shape.positions * shape.d,
                      {shape.positions, shape.d}));
    if (isatty(STDERR_FILENO) != 0 && windows > 1)
      fmt::print(stderr, "\r\033[Kwindow {} of {}", w + 1, windows);
  }
  if (isatty(STDERR_FILENO) != 0 && windows > 1) fmt::print(stderr, "\n");
  file.Write("/mel", mel);
  file.Write(kOutput, output);
  WriteAttributes(file, options, chosen, shape, audio);
  file.Close();
  fmt::print("{}{}: {} {} in {}, {:.2f} s of speech in {} window{}\n",
             chosen.synthetic ? "SYNTHETIC WEIGHTS | " : "", options.out, shape.name,
             ShapeString(output.shape()), options.precision, audio.seconds, windows,
             windows == 1 ? "" : "s");
  return options.against.empty() ? kExitOk : Compare(options, output, reference);
}

}  // namespace
}  // namespace xdna

int main(int argc, char** argv) {
  return xdna::RunProgram("encode", [&] { return xdna::Main(argc, argv); });
}
