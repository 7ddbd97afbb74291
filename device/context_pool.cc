#include "device/context_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/error.h"

namespace xdna::device {

ContextPool::ContextPool(std::size_t limit, std::function<void(const std::string&)> log)
    : limit_(limit), log_(std::move(log)) {
  if (limit < 1 || limit > kMaxContexts) {
    Throw(ErrorCode::kInvalidArgument, "context pool: limit {} is not from 1 to {}", limit,
          kMaxContexts);
  }
}

std::shared_ptr<Session> ContextPool::Get(const std::string& name,
                                          const std::function<std::vector<char>()>& xclbin) {
  const auto found =
      std::ranges::find_if(sessions_, [&](const auto& session) { return session->name() == name; });
  if (found != sessions_.end()) {
    sessions_.splice(sessions_.begin(), sessions_, found);
    return sessions_.front();
  }
  if (sessions_.size() >= limit_) Evict(name);
  sessions_.push_front(std::make_shared<Session>(Session::FromBytes(name, xclbin())));
  return sessions_.front();
}

void ContextPool::Drop(const std::string& name) {
  std::erase_if(sessions_, [&](const auto& session) { return session->name() == name; });
}

void ContextPool::Evict(const std::string& for_name) {
  const auto unused = std::find_if(sessions_.rbegin(), sessions_.rend(),
                                   [](const auto& session) { return session.use_count() == 1; });
  if (unused == sessions_.rend()) {
    Throw(ErrorCode::kUnavailable,
          "context for '{}': all {} are in use; release a session, or run fewer designs at once",
          for_name, limit_);
  }
  ++evictions_;
  if (log_) {
    log_(fmt::format("the context of '{}' was evicted for '{}': no more than {} are kept",
                     (*unused)->name(), for_name, limit_));
  }
  sessions_.erase(std::prev(unused.base()));
}

}  // namespace xdna::device
