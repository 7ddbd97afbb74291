// Where the time of a run goes: a list of named spans, in order.
#ifndef OPS_INTERNAL_PROFILE_H_
#define OPS_INTERNAL_PROFILE_H_

#include <chrono>
#include <string_view>
#include <vector>

namespace xdna::ops {

struct Span {
  using Clock = std::chrono::steady_clock;
  std::string_view stage;  // "attention.scores": a name that outlives the profile
  int layer = -1;          // -1 outside the layers
  Clock::time_point begin;
  double seconds = 0;
};

// Belongs to one run at a time; spans follow each other on the calling thread.
class Profile {
 public:
  using Clock = Span::Clock;
  void Clear() { spans_.clear(); }
  void set_layer(int layer) { layer_ = layer; }
  void Add(std::string_view stage, Clock::time_point begin, Clock::time_point end) {
    spans_.push_back({stage, layer_, begin, std::chrono::duration<double>(end - begin).count()});
  }
  const std::vector<Span>& spans() const { return spans_; }

 private:
  int layer_ = -1;
  std::vector<Span> spans_;
};

// Adds the time from its construction to its end; does nothing without a profile.
class ScopedSpan {
 public:
  ScopedSpan(Profile* profile, std::string_view stage) : profile_(profile), stage_(stage) {
    if (profile_ != nullptr) begin_ = Profile::Clock::now();
  }
  ~ScopedSpan() {
    if (profile_ != nullptr) profile_->Add(stage_, begin_, Profile::Clock::now());
  }
  ScopedSpan(const ScopedSpan&) = delete;
  ScopedSpan& operator=(const ScopedSpan&) = delete;

 private:
  Profile* profile_;
  std::string_view stage_;
  Profile::Clock::time_point begin_;
};

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_PROFILE_H_
