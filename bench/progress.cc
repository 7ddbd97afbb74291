#include "bench/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace xdna::bench {
namespace {

constexpr double kBetween = 0.5;  // seconds

}  // namespace

std::string TimeLeft(std::size_t done, std::size_t all, double elapsed_s) {
  if (done == 0 || done >= all) return "";
  const double left = elapsed_s / static_cast<double>(done) * static_cast<double>(all - done);
  return left < 100 ? fmt::format("left {:.0f} s", left)
                    : fmt::format("left {:.0f} min", left / 60);
}

Progress::Progress(std::size_t all)
    : all_(all), on_(isatty(STDERR_FILENO) != 0), begin_(std::chrono::steady_clock::now()) {}

Progress::~Progress() { Clear(); }

void Progress::Clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  shown_ = false;
  last_ = {};
}

void Progress::Next(const std::string& name) {
  const std::size_t done = begun_++;
  const auto now = std::chrono::steady_clock::now();
  if (!on_ || std::chrono::duration<double>(now - last_).count() < kBetween) return;
  last_ = now;
  shown_ = true;
  const std::string left =
      TimeLeft(done, all_, std::chrono::duration<double>(now - begin_).count());
  fmt::print(stderr, "\r\033[K{}/{} {} {}", begun_, all_, left, name);
  std::fflush(stderr);
}

}  // namespace xdna::bench
