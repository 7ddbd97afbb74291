// Compiled with -ffreestanding, without exceptions and run-time types: the headers that kernels see
// need no hosted library. A small kernel, so that the templates are instantiated.
#include <lut_based_ops.h>

#include <aie_api/aie.hpp>

namespace {

// out = softmax-like: exp of x, scaled by the inverse of the sum; n is a multiple of 16.
void Scale(const bfloat16* __restrict in, bfloat16* __restrict out, unsigned n) {
  event0();
  auto from = aie::cbegin_restrict_vector<16>(in);
  auto to = aie::begin_restrict_vector<16>(out);
  aie::accum<accfloat, 16> sum = aie::zeros<accfloat, 16>();
  for (unsigned i = 0; i < n; i += 16) chess_prepare_for_pipelining {
      const v16bfloat16 e = to_v16bfloat16(getExpBf16(*from++));
      sum = aie::add(sum, e);
      *to++ = e;
    }
  const bfloat16 scale = aie::inv(aie::reduce_add(sum.to_vector<float>()));
  auto again = aie::begin_vector<16>(out);
  for (unsigned i = 0; i < n; i += 16) {
    const v16bfloat16 e = *again;
    *again++ = aie::mul(e, scale).to_vector<bfloat16>();
  }
  event1();
}

void Tile(const int8* a, const int8* b, int32* c) {
  aie::mmul<4, 8, 8, int8, int8> product(aie::load_v<32>(c));
  product.mac(aie::load_v<32>(a), aie::load_v<64>(b));
  aie::store_v(c, product.to_vector<int32>());
}

}  // namespace

extern "C" {

void aie_freestanding_scale(const bfloat16* in, bfloat16* out, unsigned n) { Scale(in, out, n); }
void aie_freestanding_tile(const int8* a, const int8* b, int32* c) { Tile(a, b, c); }

}  // extern "C"
