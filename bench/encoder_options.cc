#include "bench/encoder_options.h"

namespace xdna::bench {
namespace {

constexpr const char* kHelp =
    "Encodes speech with Whisper's encoder, checks the output, and reports the real-time factor "
    "and\n"
    "where the time went. Without options: Whisper base on LibriVox speech, on the CPU in f32, "
    "bf16,\n"
    "int8 and mixed (measured), and on the NPU by the best schedule (modelled).\n"
    "Options of Google Benchmark (--benchmark_out=FILE, --benchmark_min_time=S, ...) work as "
    "always.\n";

constexpr const char* kExamples =
    "Examples:\n"
    "  bazel run //bench:encoder -- --audio=talk.flac --precision=bf16\n"
    "  bazel run //bench:encoder -- --device=npu --schedule=all --fast_verdicts\n"
    "  bazel run //bench:encoder -- --schedule=phase4-overlap --explain --against=phase3-ffn\n"
    "  bazel run //bench:encoder -- --device=npu --columns=1,2,4 --batch=1,4 --json=runs.jsonl\n"
    "  bazel run //bench:encoder -- --model=model.safetensors --json=runs.jsonl\n"
    "  bazel run //bench:encoder -- --device=cpu --explain=kernels\n"
    "  bazel run //bench:encoder -- --device=cpu --threads=1,2\n"
    "  bazel run //bench:encoder -- --geometry=synthetic-whisper-tiny --threads=1\n";

}  // namespace

const char* EncoderHelp() { return kHelp; }

void DeclareEncoderOptions(CLI::App& app, EncoderOptions& o) {
  app.add_option("--model", o.model,
                 "checkpoint: CTranslate2, safetensors, ggml or our HDF5; file or folder");
  app.add_option("--audio", o.audio, "sound file; may be given again: they are joined");
  app.add_option("--geometry", o.geometry,
                 "the model's own (default), seed-3001, or synthetic-NAME for seeded weights");
  app.add_option("--precision", o.precision, "of f32,bf16,int8,mixed")->capture_default_str();
  app.add_option("--backend", o.backend, "of fast,eigen (eigen: plain f32)")->capture_default_str();
  app.add_option("--isa", o.isa,
                 "cpu: no better instructions than portable, avx2, avx512, avx512_bf16 or amx");
  app.add_option(
         "--threads", o.thread_counts,
         "threads, this one included; cpu: several, as 1,2 or 1:8:1, for how time falls with "
         "them")
      ->capture_default_str();
  app.add_option("--batch", o.sweep.batch,
                 "cpu: times that the audio is encoded in one sample; npu: windows in flight, "
                 "several as 1,2,4");
  app.add_option("--check", o.check, "windows to compare with the float64 reference, evenly spaced")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--json", o.json, "append run records, one JSON line each, to this file");
  app.add_option("--device", o.device, "of cpu,npu: measured, modelled")->capture_default_str();
  app.add_option("--schedule", o.schedule, "npu: names, \"all\" or a file of your own (*.json)")
      ->capture_default_str();
  app.add_flag("--list_schedules", o.list_schedules, "names and claims of all schedules");
  app.add_flag(
      "--explain{schedule}", o.explain,
      "print the schedule: what runs where, what is assumed; =origin: what does not add up "
      "in the report that the ladder starts from, and what is found instead; =kernels: which code "
      "computes each product on this CPU");
  app.add_option("--against", o.against, "with --explain: what differs from this schedule");
  app.add_option("--preset", o.npu.preset, "npu: phx-1.0, hpt-1.6 or 8700g-1.8")
      ->capture_default_str();
  app.add_option("--host", o.npu.host, "npu: cpp, pyxrt or iron-jit")->capture_default_str();
  app.add_option("--codegen", o.npu.codegen, "npu: chess or peano")->capture_default_str();
  app.add_option("--cpu_profile", o.npu.cpu, "npu: CPU beside it, numpy or cpp")
      ->capture_default_str();
  app.add_option("--audio_s", o.audio_s, "only so many seconds of the audio")
      ->check(CLI::PositiveNumber);
  app.add_flag("--fast_verdicts", o.npu.fast_verdicts,
               "npu: take the proofs that earlier runs of this very program kept");
  app.add_option(
      "--sweep", o.sweep.sweep,
      "npu: axes and values, 'columns=1,2,4 tile=64x64x64 reuse=context,runlist batch=1'");
  app.add_option("--columns", o.sweep.columns, "npu: of the array, several as 1,2,4");
  app.add_option("--tile", o.sweep.tile,
                 "npu: of products, MxKxN, and of fused attention, as 64x64x64+64x48; several with "
                 "commas; \"tuned\": what a search finds");
  app.add_option("--reuse", o.sweep.reuse,
                 "npu: from run to run, of fresh,context,runlist; default the schedule's");
  app.add_option("--match", o.sweep.match, "npu: only points whose names match this expression");
  app.add_flag("--list", o.list, "what would run, by name");
  app.add_flag("--dry_run", o.dry_run, "the same with the time that it is about to take here");
  app.add_flag("--resume", o.resume, "npu: leave out points that the --json file has already");
  app.add_flag("--taps", o.taps,
               "mean, std, min and max of every result inside, beside the reference's");
  app.add_flag("--profile", o.profile, "npu: op by op, where the array's time goes");
  app.add_flag("--budget", o.budget, "npu: what must shrink for --target");
  app.add_flag("--tune", o.tune,
               "npu: search the best tile of every op and shape of the encoder; encodes nothing");
  app.add_flag("--retune", o.retune, "npu: search even where the user's cache has the tile");
  app.add_option("--target", o.target, "times real time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--trace", o.trace,
                 "timeline of one window for ui.perfetto.dev; of many runs in FILE.RUN.json");
  app.footer(kExamples);
}

}  // namespace xdna::bench
