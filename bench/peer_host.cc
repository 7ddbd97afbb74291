// Our part of //bench:peers, which talks to this program: the inputs for all, our encoder, and the
// judgement of every output. A request is a line of JSON on standard input, its answer a line on
// standard output; the first answer comes unasked. See peers.py for who asks what.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "bench/command_line.h"
#include "bench/encoder_measure.h"
#include "bench/environment.h"
#include "bench/machine_peak.h"
#include "bench/run_record.h"
#include "bench/samples.h"
#include "bench/strict_json.h"
#include "decoder/decoder.h"
#include "decoder/decoding.h"
#include "decoder/text/tokenizer.h"
#include "encoder/cpu_encoder.h"
#include "encoder/graph.h"
#include "encoder/inputs.h"
#include "encoder/precision_plan.h"
#include "encoder/verify.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostRequestBytes = std::size_t{1} << 20;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Numbers as they lie in memory, one tensor after the other.
class RawFile {
 public:
  explicit RawFile(std::string path) : path_(std::move(path)), file_(path_, std::ios::binary) {}

  void Append(const TensorView& tensor) {
    file_.write(static_cast<const char*>(tensor.raw()),
                static_cast<std::streamsize>(tensor.bytes()));
  }
  void Close() {
    file_.close();
    if (!file_) Throw(ErrorCode::kUnavailable, "{}: can't be written", path_);
  }

 private:
  std::string path_;
  std::ofstream file_;
};

Tensor ReadRaw(const std::string& path, const Shape& shape) {
  Tensor tensor(DType::kF32, shape);
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(tensor.data<float>()),
            static_cast<std::streamsize>(tensor.bytes()));
  if (error || !file || size != tensor.bytes()) {
    Throw(ErrorCode::kCorrupt, "{}: not the {} bytes of f32 {}", path, tensor.bytes(),
          ShapeString(shape));
  }
  return tensor;
}

// From an encoder's output to text: greedy, without time stamps.
class Reader {
 public:
  Reader(const encoder::Model& model, const std::string& language, ThreadPool& pool)
      : tokenizer_(decoder::Tokenizer::Open(model.path())),
        decoder_(model, ops::Precision::kF32, {&pool, nullptr}),
        state_(decoder_.NewState(1, 1)),
        options_(decoder::DefaultDecoding(tokenizer_)),
        start_(tokenizer_.SotSequence(language, decoder::Task::kTranscribe)),
        pool_(pool) {
    options_.timestamps = false;
  }

  std::string Read(const TensorView& window) {
    decoder_.SetAudio(*state_, 0, window);
    const std::vector<decoder::DecodingTask> tasks = {{0, start_, {}}};
    const auto results =
        decoder::Decode(decoder_, *state_, tasks, tokenizer_.special(), options_, pool_);
    return tokenizer_.Decode(results.at(0).tokens);
  }

 private:
  decoder::Tokenizer tokenizer_;
  decoder::Decoder decoder_;
  std::unique_ptr<decoder::DecoderState> state_;
  decoder::DecodingOptions options_;
  std::vector<int> start_;
  ThreadPool& pool_;
};

struct Options {
  std::string model, folder, language = "en";
  std::vector<std::string> audio;
  std::int64_t check = 1;
  int threads = AvailableCpus();
};

class Host {
 public:
  explicit Host(const Options& options)
      : options_(options),
        environment_(CurrentEnvironment(options.threads)),
        pool_(options.threads),
        job_(PrepareJob(encoder::ChooseModel(options.model), "",
                        encoder::ChooseAudio(options.audio), 1, options.check, pool_)) {
    if (job_.chosen.synthetic) {
      Throw(ErrorCode::kUnavailable, "there is no model to compare with: {}", job_.chosen.note);
    }
    out_ = Tensor(DType::kF32, {job_.windows(), job_.shape.positions, job_.shape.d});
    try {
      reader_.emplace(job_.chosen.model, options.language, pool_);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      no_text_ = error.message();
    }
  }

  // Writes what the others need: /mel.f32 [windows,n_mels,frames] and /weights.f32, whose tensors
  // the answer locates by name, offset in elements, and shape.
  Json Start() {
    RawFile mel(options_.folder + "/mel.f32");
    mel.Append(job_.mel);
    mel.Close();
    RawFile weights(options_.folder + "/weights.f32");
    Json tensors;
    std::int64_t offset = 0;
    for (const encoder::TensorInfo& info : job_.chosen.model.tensors()) {
      if (!info.name.starts_with("encoder.")) continue;
      weights.Append(job_.chosen.model.Load(info.name));
      tensors[info.name] = {{"offset", offset}, {"shape", info.shape}};
      offset += NumElements(info.shape);
    }
    weights.Close();
    Json precisions = Json::array();
    for (const ops::Precision precision : {ops::Precision::kF32, ops::Precision::kBf16,
                                           ops::Precision::kInt8, ops::Precision::kMixed}) {
      precisions.push_back(ops::PrecisionName(precision));
    }
    return {{"tensors", tensors},
            {"windows", job_.windows()},
            {"n_mels", job_.shape.n_mels},
            {"frames", job_.shape.frames},
            {"positions", job_.shape.positions},
            {"d", job_.shape.d},
            {"heads", job_.shape.heads},
            {"layers", job_.shape.layers},
            {"model_name", job_.shape.name},
            {"model_path", job_.chosen.model.path()},
            {"model_format", job_.chosen.model.format()},
            {"audio", job_.audio.source},
            {"audio_s", job_.audio.seconds},
            {"checked", job_.checked},
            {"reference", job_.references.at(0).source},
            {"precisions", precisions},
            {"no_text", no_text_},
            {"machine_class", environment_.machine_class},
            {"cpu", environment_.cpu_model},
            {"cpus", environment_.cpus},
            {"revision", RevisionString(environment_)},
            {"date", environment_.date}};
  }

  Json Answer(const std::string& line) {
    const nlohmann::json request = ParseStrictJson(line, kMostRequestBytes);
    JsonFields fields(request, "");
    const std::string what = fields.Text("do");
    Json answer;
    if (what == "open") answer = Open(fields);
    if (what == "time") answer = Time(fields);
    if (what == "judge") answer = Judge(fields);
    if (what == "record") answer = Record(fields);
    if (answer.is_null()) Throw(ErrorCode::kInvalidArgument, "do: there is no '{}'", what);
    fields.ExpectNoMore();
    return answer;
  }

 private:
  void Encode(encoder::CpuEncoder& encoder) {
    for (std::int64_t w = 0; w < job_.windows(); ++w) {
      encoder.Run(job_.Window(w), Window(out_, w));
    }
  }

  static TensorView Window(const Tensor& tensor, std::int64_t w) {
    const Shape& shape = tensor.shape();
    return {tensor.data<float>() + w * shape[1] * shape[2], {shape[1], shape[2]}};
  }

  // Makes an encoder; its first output goes into a file.
  Json Open(JsonFields& fields) {
    const std::string name = fields.Text("variant");
    const std::string file = fields.Text("file");
    auto encoder = std::make_unique<encoder::CpuEncoder>(
        job_.chosen.model, job_.shape,
        encoder::CpuEncoder::Options{{ops::PrecisionFromName(name), ops::Backend::kFast}, false},
        ops::CpuContext{&pool_, nullptr});
    Encode(*encoder);
    RawFile raw(file);
    raw.Append(out_);
    raw.Close();
    encoders_[name] = std::move(encoder);
    return {{"executes", encoder::Describe(encoder::MakePrecisionPlan(ops::PrecisionFromName(name),
                                                                      job_.shape.layers))}};
  }

  // Seconds a window of each pass over all; one more before, untimed.
  Json Time(JsonFields& fields) {
    encoder::CpuEncoder& encoder = *encoders_.at(fields.Text("variant"));
    const std::int64_t passes = fields.Integer("passes", 1, 1000);
    Encode(encoder);
    Json seconds = Json::array();
    for (std::int64_t i = 0; i < passes; ++i) {
      const double begin = Now();
      Encode(encoder);
      seconds.push_back((Now() - begin) / static_cast<double>(job_.windows()));
    }
    return {{"seconds", seconds}};
  }

  // Holds an output against the float64 reference within the precision's limits, and reads it.
  Json Judge(JsonFields& fields) {
    const Tensor got = ReadRaw(fields.Text("file"), out_.shape());
    const golden::Tolerance limits =
        encoder::OutputTolerance(ops::PrecisionFromName(fields.Text("precision")));
    golden::Verdict worst;
    for (std::size_t i = 0; i < job_.checked.size(); ++i) {
      const golden::Verdict verdict =
          golden::Compare(Window(got, job_.checked[i]), job_.references[i].output, limits);
      if (i == 0 || !(verdict.used <= worst.used)) worst = verdict;
    }
    std::string text;
    for (std::int64_t w = 0; reader_ && w < job_.windows(); ++w)
      text += reader_->Read(Window(got, w));
    judged_.insert_or_assign(fields.Text("row"), RecordedVerdict(worst, limits));
    return {{"status", golden::StatusName(worst.status)},
            {"reason", golden::Describe(worst)},
            {"rel_l2", worst.rel_l2},
            {"limit", limits.rel_l2},
            {"text", text}};
  }

  // Multiplications and additions of a window.
  double Flops() const { return encoder::EncoderFlops(encoder::EncoderGraph(job_.shape)); }

  // Appends the run record of a row that was judged.
  Json Record(JsonFields& fields) {
    const std::string precision = fields.Text("precision");
    std::vector<double> samples;
    for (const auto& sample : fields.Take("samples")) samples.push_back(sample.get<double>());
    SeriesKey key;
    key.op = "encoder";
    key.shape = job_.shape.name;
    key.dtype = precision;
    key.device = "cpu";
    key.preset = fmt::format("threads={}", environment_.threads);
    key.schedule = fields.Text("schedule");
    key.batch = "1";
    RunRecord record(key, Provenance::kMeasured, judged_.at(fields.Text("row")));
    record.environment = environment_;
    if (const auto library = fields.Texts("library"); !library.empty()) {
      record.environment.libraries = library;
    }
    record.hashes = {{"model", job_.chosen.model.sha256()}, {"audio", job_.audio.sha256}};
    const double peak = MeasurePeak(options_.threads).Of(ops::PrecisionFromName(precision)).flops;
    record.SetMetric("audio_s", job_.audio.seconds);
    record.SetMetric("flops", Flops());
    record.SetMetric("peak_flops", peak);
    if (record.verdict().passed()) {
      const double median = Summarize(samples).median;
      record.SetTimes({{"total", median}}, samples);
      record.set_scope("encoder");
      record.SetMetric("rtf", job_.audio.seconds / (median * static_cast<double>(job_.windows())));
      record.SetMetric("percent_of_peak", 100 * Flops() / peak / median);
      record.CheckFloor(Flops() / peak / 1.05);
    }
    AppendRecord(fields.Text("file"), record);
    return {{"valid", record.valid()}};
  }

  const Options& options_;
  Environment environment_;
  ThreadPool pool_;
  EncoderJob job_;
  Tensor out_;
  std::optional<Reader> reader_;
  std::string no_text_;  // why there is no reader
  std::map<std::string, std::unique_ptr<encoder::CpuEncoder>> encoders_;
  std::map<std::string, RecordedVerdict> judged_;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Our part of //bench:peers, which starts it.", "peer_host");
  app.add_option("--model", options.model, "checkpoint");
  app.add_option("--audio", options.audio, "sound file; may be given again");
  app.add_option("--folder", options.folder, "for what the peers read")->required();
  app.add_option("--language", options.language, "of the speech")->capture_default_str();
  app.add_option("--check", options.check, "windows to compare")->check(CLI::Range(1, 100000));
  app.add_option("--threads", options.threads, "threads")->check(CLI::Range(1, 1024));
  if (!ParseOptions(app, argc, argv)) return kExitOk;
  Host host(options);
  std::cout << host.Start().dump() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << host.Answer(line).dump() << std::endl;
  }
  return kExitOk;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("peer_host", [&] { return xdna::bench::Main(argc, argv); });
}
