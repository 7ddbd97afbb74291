#include "decoder/decoding.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "decoder/logit_rules.h"
#include "ops/internal/row_kernels.h"

namespace xdna::decoder {
namespace {

// A sequence in the making or made.
struct Sequence {
  std::vector<int> sampled;
  double sum = 0;  // of log-probabilities
};

struct Live {
  int task;
  Sequence sequence;
  int source;  // row of the logits and of the caches that it goes on from
};

double Uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

class Run {
 public:
  Run(const Decoder& decoder, DecoderState& state, std::span<const DecodingTask> tasks,
      const SpecialTokens& special, const DecodingOptions& options, ThreadPool& pool)
      : decoder_(decoder),
        state_(state),
        tasks_(tasks),
        special_(special),
        options_(options),
        pool_(pool),
        vocabulary_(decoder.geometry().n_vocab),
        positions_(static_cast<int>(decoder.geometry().n_text_ctx)),
        group_(RowsPerTask(options)),
        blank_{options.not_first},
        suppress_{options.suppress},
        times_{special,
               options.max_initial_s < 0
                   ? -1
                   : static_cast<int>(std::lrint(options.max_initial_s / kSecondsPerTimestamp))},
        finished_(tasks.size()),
        prompt_lengths_(tasks.size()),
        results_(tasks.size()) {
    for (std::size_t t = 0; t < tasks.size(); ++t) random_.emplace_back(options.seed);
    scratch_.resize(pool.threads(), std::vector<float>(vocabulary_));
  }

  std::vector<DecodingResult> Decode() {
    Begin();
    const int most = options_.most_tokens > 0 ? options_.most_tokens : positions_ / 2;
    for (int step = 1; !live_.empty(); ++step) {
      Judge();
      std::vector<Live> next = Searching() ? Search() : Draw();
      const auto full = [&](const Live& row) {
        return step == most || prompt_lengths_[row.task] + step > positions_;
      };
      const auto stays = std::stable_partition(next.begin(), next.end(),
                                               [&](const Live& row) { return !full(row); });
      for (auto row = stays; row != next.end(); ++row) unfinished_.push_back(std::move(*row));
      next.erase(stays, next.end());
      live_ = std::move(next);
      if (!live_.empty()) Advance();
    }
    for (std::size_t t = 0; t < tasks_.size(); ++t) Finish(static_cast<int>(t));
    return std::move(results_);
  }

 private:
  bool Searching() const { return options_.temperature == 0 && options_.beam_size > 0; }

  std::vector<int> Prompt(const DecodingTask& task) const {
    std::vector<int> prompt;
    if (!task.previous.empty()) {
      prompt.push_back(special_.sot_prev);
      const std::size_t most = positions_ / 2 - 1;
      const std::size_t skip = task.previous.size() - std::min(task.previous.size(), most);
      prompt.insert(prompt.end(), task.previous.begin() + skip, task.previous.end());
    }
    prompt.insert(prompt.end(), task.start.begin(), task.start.end());
    if (!options_.timestamps) prompt.push_back(special_.no_timestamps);
    return prompt;
  }

  // One row for each task, with its prompt; all its sequences start from there.
  void Begin() {
    std::vector<int> windows;
    for (const DecodingTask& task : tasks_) windows.push_back(task.window);
    decoder_.Start(state_, windows);
    first_ = Tensor(DType::kF32, {static_cast<std::int64_t>(tasks_.size()), vocabulary_});
    logits_ = first_;
    const Tensor asked(DType::kF32, {2, vocabulary_});
    for (int t = 0; t < static_cast<int>(tasks_.size()); ++t) {
      const std::vector<int> prompt = Prompt(tasks_[t]);
      const auto sot = std::find(prompt.begin(), prompt.end(), special_.sot);
      if (sot == prompt.end()) {
        Throw(ErrorCode::kInternal, "task {} does not start with {}", t, special_.sot);
      }
      std::vector<int> wanted = {static_cast<int>(sot - prompt.begin())};
      if (sot + 1 != prompt.end()) wanted.push_back(static_cast<int>(prompt.size()) - 1);
      decoder_.Prefill(state_, t, prompt, wanted, asked);
      const std::span<const float> at_sot = Row(asked, 0);
      results_[t].no_speech_prob =
          std::exp(at_sot[special_.no_speech] - LogSumExp(at_sot, scratch_[0]));
      const std::span<const float> last = Row(asked, static_cast<int>(wanted.size()) - 1);
      std::copy(last.begin(), last.end(), Row(logits_, t).begin());
      prompt_lengths_[t] = static_cast<int>(prompt.size());
      // A beam search needs one row to fork from; draws differ from the first token on.
      for (int i = 0; i < (Searching() ? 1 : group_); ++i) live_.push_back({t, {}, t});
    }
  }

  std::span<float> Row(const TensorView& logits, int row) const {
    return {logits.data<float>() + row * vocabulary_, static_cast<std::size_t>(vocabulary_)};
  }

  // Rules out tokens, and finds the best and the normaliser of each row of logits.
  void Judge() {
    const auto rows = static_cast<std::size_t>(logits_.dim(0));
    std::vector<const Live*> of_row(rows);
    for (const Live& live : live_) of_row[live.source] = &live;
    best_.resize(std::max(rows, best_.size()));
    normalisers_.resize(rows);
    pool_.ParallelFor(static_cast<std::int64_t>(rows), [&](std::int64_t r, int thread) {
      const std::span<float> logits = Row(logits_, static_cast<int>(r));
      const std::vector<int>& sampled = of_row[r]->sequence.sampled;
      blank_.Apply(sampled, logits);
      suppress_.Apply(logits);
      if (options_.timestamps) times_.Apply(sampled, logits);
      normalisers_[r] = LogSumExp(logits, scratch_[thread]);
      LargestOf(logits, Searching() ? options_.beam_size + 1 : 1, best_[r]);
      if (best_[r].empty()) Throw(ErrorCode::kInvalidArgument, "every token is suppressed");
    });
  }

  double LogProb(int source, int token) const {
    return Row(logits_, source)[token] - normalisers_[source];
  }

  // Draws from the softmax of logits / temperature.
  int Sample(const Live& live) {
    const std::span<const float> logits = Row(logits_, live.source);
    std::vector<float>& odds = scratch_[0];
    const auto scale = static_cast<float>(1 / options_.temperature);
    ops::ExpRow(logits.data(), scale, logits.size(), odds.data(), DType::kF32);
    double left = Uniform(random_[live.task]) * std::accumulate(odds.begin(), odds.end(), 0.0);
    int token = best_[live.source].front();
    for (std::size_t i = 0; i < odds.size() && left >= 0; ++i) {
      if (odds[i] == 0) continue;
      token = static_cast<int>(i);
      left -= odds[i];
    }
    return token;
  }

  std::vector<Live> Draw() {
    std::vector<Live> next;
    for (Live& live : live_) {
      const int token = options_.temperature > 0 ? Sample(live) : best_[live.source].front();
      live.sequence.sum += LogProb(live.source, token);
      if (token == special_.eot) {
        finished_[live.task].push_back(std::move(live.sequence));
      } else {
        live.sequence.sampled.push_back(token);
        next.push_back(std::move(live));
      }
    }
    return next;
  }

  std::vector<Live> Search() {
    struct Candidate {
      const Live* from;
      int token;
      double sum;
    };
    std::vector<Live> next;
    const auto enough =
        static_cast<std::size_t>(std::lrint(options_.beam_size * options_.patience));
    for (std::size_t begin = 0, end = 0; begin < live_.size(); begin = end) {
      const int task = live_[begin].task;
      std::vector<Candidate> candidates;
      for (; end < live_.size() && live_[end].task == task; ++end) {
        const Live& live = live_[end];
        for (int token : best_[live.source]) {
          candidates.push_back({&live, token, live.sequence.sum + LogProb(live.source, token)});
        }
      }
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
      std::vector<Live> kept;
      std::vector<Sequence>& finished = finished_[task];
      for (const Candidate& c : candidates) {
        if (c.token == special_.eot) {
          if (finished.size() < enough) finished.push_back({c.from->sequence.sampled, c.sum});
          continue;
        }
        kept.push_back({task, {c.from->sequence.sampled, c.sum}, c.from->source});
        kept.back().sequence.sampled.push_back(c.token);
        if (static_cast<int>(kept.size()) == options_.beam_size) break;
      }
      auto& to = finished.size() >= enough ? unfinished_ : next;
      std::move(kept.begin(), kept.end(), std::back_inserter(to));
    }
    return next;
  }

  // Feeds each live row's newest token.
  void Advance() {
    from_.clear();
    tokens_.clear();
    for (std::size_t i = 0; i < live_.size(); ++i) {
      from_.push_back(live_[i].source);
      tokens_.push_back(live_[i].sequence.sampled.back());
      live_[i].source = static_cast<int>(i);
    }
    decoder_.Reorder(state_, from_);
    logits_ = decoder_.Step(state_, tokens_);
  }

  double Score(const Sequence& sequence) const {
    const auto length = std::max(1.0, static_cast<double>(sequence.sampled.size()));
    if (!options_.length_penalty) return sequence.sum / length;
    return sequence.sum / std::pow((5 + length) / 6, *options_.length_penalty);
  }

  // The best of what a task has; where too little came to its end, what has not counts, too.
  void Finish(int task) {
    std::vector<Sequence>& finished = finished_[task];
    std::stable_sort(unfinished_.begin(), unfinished_.end(),
                     [](const Live& a, const Live& b) { return a.sequence.sum > b.sequence.sum; });
    for (const Live& live : unfinished_) {
      if (live.task == task && static_cast<int>(finished.size()) < group_)
        finished.push_back(live.sequence);
    }
    const auto best = std::max_element(
        finished.begin(), finished.end(),
        [this](const Sequence& a, const Sequence& b) { return Score(a) < Score(b); });
    DecodingResult& result = results_[task];
    result.tokens = best->sampled;
    result.sum_logprob = best->sum;
    result.avg_logprob = best->sum / static_cast<double>(best->sampled.size() + 1);
    result.temperature = options_.temperature;
  }

  const Decoder& decoder_;
  DecoderState& state_;
  std::span<const DecodingTask> tasks_;
  const SpecialTokens& special_;
  const DecodingOptions& options_;
  ThreadPool& pool_;
  std::int64_t vocabulary_;
  int positions_;
  int group_;
  BlankRule blank_;
  SuppressRule suppress_;
  TimestampRule times_;
  std::vector<std::vector<Sequence>> finished_;  // of each task
  std::vector<int> prompt_lengths_;
  std::vector<DecodingResult> results_;
  std::vector<std::mt19937_64> random_;      // of each task
  std::vector<std::vector<float>> scratch_;  // of each thread
  Tensor first_;
  TensorView logits_;  // of each source
  std::vector<Live> live_, unfinished_;
  std::vector<std::vector<int>> best_;  // of each source: tokens
  std::vector<double> normalisers_;     // of each source: log(sum exp)
  std::vector<int> from_, tokens_;
};

void Check(const DecodingOptions& o) {
  const auto require = [](bool met, const char* what, double value, const char* wanted) {
    if (!met) Throw(ErrorCode::kInvalidArgument, "{} is {}; expected {}", what, value, wanted);
  };
  require(o.temperature >= 0, "temperature", o.temperature, "0 or more");
  require(o.best_of >= 1, "best_of", o.best_of, "1 or more");
  require(o.beam_size >= 0, "beam_size", o.beam_size, "0 (no search) or more");
  require(o.beam_size == 0 || std::lrint(o.beam_size * o.patience) >= 1, "patience", o.patience,
          "enough for one sequence to finish");
  if (o.length_penalty) {
    require(*o.length_penalty >= 0 && *o.length_penalty <= 1, "length_penalty", *o.length_penalty,
            "0 to 1");
  }
}

}  // namespace

DecodingOptions DefaultDecoding(const Tokenizer& tokenizer) {
  const SpecialTokens& s = tokenizer.special();
  DecodingOptions options;
  options.suppress = tokenizer.NonSpeechTokens();
  for (int token : {s.transcribe, s.translate, s.sot, s.sot_prev, s.sot_lm, s.no_speech})
    options.suppress.push_back(token);
  options.not_first = tokenizer.Encode(" ");
  options.not_first.push_back(s.eot);
  return options;
}

int RowsPerTask(const DecodingOptions& options) {
  if (options.temperature > 0) return options.best_of;
  return std::max(1, options.beam_size);
}

std::vector<DecodingResult> Decode(const Decoder& decoder, DecoderState& state,
                                   std::span<const DecodingTask> tasks,
                                   const SpecialTokens& special, const DecodingOptions& options,
                                   ThreadPool& pool) {
  Check(options);
  return Run(decoder, state, tasks, special, options, pool).Decode();
}

std::vector<float> DetectLanguage(const Decoder& decoder, DecoderState& state, int window,
                                  const SpecialTokens& special,
                                  std::span<const LanguageToken> languages) {
  decoder.Start(state, std::vector<int>{window});
  const TensorView logits = decoder.Step(state, std::vector<int>{special.sot});
  std::vector<float> odds;
  for (const LanguageToken& language : languages)
    odds.push_back(logits.data<const float>()[language.id]);
  const float sum = ops::ExpRow(odds.data(), 1, odds.size(), odds.data(), DType::kF32);
  for (float& p : odds) p /= sum;
  return odds;
}

}  // namespace xdna::decoder
