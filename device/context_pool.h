// Keeps the contexts of several xclbins, no more than the NPU can hold.
#ifndef DEVICE_CONTEXT_POOL_H_
#define DEVICE_CONTEXT_POOL_H_

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "device/session.h"

namespace xdna::device {

inline constexpr std::size_t kMaxContexts = 6;  // amdxdna npu1: hwctx_limit

class ContextPool {
 public:
  // `log` hears of each eviction. 1 <= limit <= kMaxContexts.
  explicit ContextPool(std::size_t limit = kMaxContexts,
                       std::function<void(const std::string&)> log = {});

  // The session of that name, made by Session::FromBytes(name, xclbin()) where it isn't there. One
  // too many evicts the one that was not used for longest and that nobody else holds; throws
  // kUnavailable where all are held.
  std::shared_ptr<Session> Get(const std::string& name,
                               const std::function<std::vector<char>()>& xclbin);
  // Forgets a session, as after a failure that cost it its context.
  void Drop(const std::string& name);

  std::size_t size() const { return sessions_.size(); }
  std::size_t evictions() const { return evictions_; }

 private:
  void Evict(const std::string& for_name);

  std::size_t limit_;
  std::function<void(const std::string&)> log_;
  std::list<std::shared_ptr<Session>> sessions_;  // the last used first
  std::size_t evictions_ = 0;
};

}  // namespace xdna::device

#endif  // DEVICE_CONTEXT_POOL_H_
