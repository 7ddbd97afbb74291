// Attention with the bits of attention.h's kernel, fast: what a host kernel uses for whole heads.
// Vectorised for the instruction set found at run time.
#ifndef KERNELS_ATTENTION_EXACT_ATTENTION_H_
#define KERNELS_ATTENTION_EXACT_ATTENTION_H_

#include <cstddef>
#include <cstdint>

namespace xdna::kernels {

// y [queries,d] = softmax(q k^T) v of one head: k and v are [keys,d], q holds AttentionScale's
// factor. Strides are the distances of two rows in elements. Sizes from 1 up; d is a multiple
// of 16.
struct AttentionShape {
  std::size_t queries = 0, keys = 0, d = 0;
  std::size_t q_stride = 0, k_stride = 0, v_stride = 0, y_stride = 0;
};

// bf16 bits in and out: those of attention_block_bf16 called for blocks of `key_block` keys (a
// multiple of 8) and attention_finish_bf16, whatever the block of queries, with the options of the
// calling thread's aie::host::core(). Infinities and NaN in v give the kernel's bits, in q and k
// too. Takes 2 d keys and some 600 key_block bytes of scratch memory. Throws kInvalidArgument for
// sizes that the kernel does not take.
void ExactAttention(const AttentionShape& shape, std::size_t key_block, const std::uint16_t* q,
                    const std::uint16_t* k, const std::uint16_t* v, std::uint16_t* y);

}  // namespace xdna::kernels

#endif  // KERNELS_ATTENTION_EXACT_ATTENTION_H_
