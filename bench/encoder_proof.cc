#include "bench/encoder_proof.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "bench/user_cache.h"
#include "device/sim/timing.h"

namespace xdna::bench {

std::string ProofKey(const EncoderJob& job, const encoder::Schedule& schedule, std::int64_t batch) {
  static const std::string program = Sha256OfFile("/proc/self/exe");
  std::string key = fmt::format("{} {} {} {} {} {}", encoder::ScheduleJson(schedule), program,
                                device::TimeModelVersion(), job.chosen.model.sha256(),
                                job.audio.sha256, job.shape.name);
  if (batch > 1) key += fmt::format(" {} in flight", batch);
  for (const std::int64_t window : job.checked) key += fmt::format(" {}", window);
  return Sha256(key.data(), key.size());
}

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
  ReplaceFile(path, nlohmann::json{{"used", verdict.used},
                                   {"rel_l2", verdict.rel_l2},
                                   {"cosine", verdict.cosine},
                                   {"max_abs", verdict.max_abs}}
                        .dump());
}

}  // namespace xdna::bench
