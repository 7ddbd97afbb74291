// What an encoder asks of the heap after its first window: nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "encoder/cpu_encoder.h"
#include "encoder/graph.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"
#include "ops/contract.h"
#include "ops/internal/fused_matmul.h"
#include "ops/internal/profile.h"

namespace {

std::atomic<std::size_t> allocations{0};

void* Allocate(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Not inlined: GCC takes the parts of a pair for strangers.
#define NOT_INLINED [[gnu::noinline]]
NOT_INLINED void* operator new(std::size_t bytes) {
  return Allocate(bytes, alignof(std::max_align_t));
}
NOT_INLINED void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<std::size_t>(alignment));
}
NOT_INLINED void operator delete(void* memory) noexcept { std::free(memory); }
NOT_INLINED void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
NOT_INLINED void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
NOT_INLINED void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace xdna::encoder {
namespace {

Model SmallModel() {
  Geometry g = KnownGeometry("whisper-tiny");
  g.name = "small-synthetic";
  g.d_model = 128;
  g.n_heads = g.n_decoder_heads = 2;
  g.n_layers = g.n_decoder_layers = 2;
  g.n_audio_ctx = 64;
  return SyntheticModel(g, 1);
}

class SteadyState : public testing::TestWithParam<ops::Precision> {};

TEST_P(SteadyState, AllocatesNothing) {
  for (DType dtype : {DType::kF32, DType::kBf16, DType::kU8}) {
    if (!ops::FusedMatmul::Usable(dtype, 128)) {
      GTEST_SKIP() << "oneDNN multiplies here, which allocates in each call";
    }
  }
  const Model model = SmallModel();
  const EncoderShape shape = WhisperShape(model.geometry());
  ThreadPool pool(2);
  ops::Profile profile;
  CpuEncoder encoder(model, shape, {{GetParam(), ops::Backend::kFast}, true}, {&pool, &profile});
  const Tensor mel(DType::kF32, {shape.n_mels, shape.frames});
  const Tensor out(DType::kF32, {shape.positions, shape.d});
  std::map<std::string, std::size_t> by_node;  // its entries exist from the first window on
  std::size_t before = 0;
  for (int window = 0; window < 3; ++window) {
    profile.Clear();
    before = allocations;
    encoder.Run(mel, out, [&](const std::string& node, const TensorView&) {
      const std::size_t now = allocations;
      by_node[node] = now - before;
      before = allocations;
    });
  }
  ASSERT_GT(allocations, 0U);  // they are counted
  EXPECT_EQ(by_node.size(), EncoderGraph(shape).size());
  for (const auto& [node, count] : by_node) {
    EXPECT_EQ(count, 0U) << node;
  }

  // Without taps, as it is timed.
  CpuEncoder fused(model, shape, {{GetParam(), ops::Backend::kFast}, false}, {&pool, &profile});
  for (int window = 0; window < 3; ++window) {
    profile.Clear();
    before = allocations;
    fused.Run(mel, out);
  }
  EXPECT_EQ(allocations - before, 0U);
}

INSTANTIATE_TEST_SUITE_P(Precisions, SteadyState,
                         testing::Values(ops::Precision::kF32, ops::Precision::kBf16,
                                         ops::Precision::kInt8, ops::Precision::kMixed),
                         [](const auto& info) { return ops::PrecisionName(info.param); });

}  // namespace
}  // namespace xdna::encoder
