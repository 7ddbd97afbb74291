// How far a long list of work is, on standard error where that is a terminal.
#ifndef BENCH_PROGRESS_H_
#define BENCH_PROGRESS_H_

#include <chrono>
#include <cstddef>
#include <string>

namespace xdna::bench {

// "left 2 min": from what the points before took; empty before the first is done.
std::string TimeLeft(std::size_t done, std::size_t all, double elapsed_s);

// One line, written again and again, and taken away in the end.
class Progress {
 public:
  explicit Progress(std::size_t all);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Before each point of `all`.
  void Next(const std::string& name);
  // Makes room for other output.
  void Clear();

 private:
  std::size_t all_, begun_ = 0;
  bool on_, shown_ = false;
  std::chrono::steady_clock::time_point begin_, last_;
};

}  // namespace xdna::bench

#endif  // BENCH_PROGRESS_H_
