// Memory for what lives no longer than one Run of an op. Ops that run one after another
// share it: the hidden layer of one feed-forward half lies where that of the last one
// lay, so it is still in the cache, and nothing is allocated while the encoder runs.
#ifndef OPS_INTERNAL_WORKSPACE_H_
#define OPS_INTERNAL_WORKSPACE_H_

#include <cstddef>
#include <memory>

namespace xdna::ops {

class Workspace {
 public:
  // For loops of a pool with so many threads.
  explicit Workspace(int threads) : threads_(threads) {}

  // Makes room, at least as much as ever asked for: `shared` bytes for the op and
  // `per_thread` for each thread. For constructors: contents and addresses change.
  void Reserve(std::size_t shared, std::size_t per_thread);

  // Aligned to 64 bytes; what an op finds there is what another left.
  std::byte* shared() const { return shared_.memory.get(); }
  std::byte* of_thread(int thread) const { return each_.memory.get() + thread * each_bytes_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  // In huge pages, where Linux gives them: 6 MB are 3 entries of the TLB then, not 1500.
  struct Region {
    std::unique_ptr<std::byte[], Free> memory;
    std::size_t bytes = 0;
    void Grow(std::size_t wanted);
  };

  int threads_;
  Region shared_, each_;
  std::size_t each_bytes_ = 0;
};

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_WORKSPACE_H_
