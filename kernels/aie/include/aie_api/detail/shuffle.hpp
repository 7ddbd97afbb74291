// Lanes to other places: shuffles, interleave, transpose, concat, filter.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_SHUFFLE_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_SHUFFLE_HPP_

#include <type_traits>
#include <utility>

#include "aie_api/detail/vector.hpp"

namespace aie {
inline namespace AIE_HOST_VARIANT {
namespace detail {

// Lane i of the result is lane from(i) of v.
template <typename T, unsigned N, typename F>
vector<T, N> Permute(const vector<T, N>& v, F&& from) {
  CountShuffle(Registers(vector<T, N>::bits()));
  vector<T, N> result;
  for (unsigned i = 0; i < N; ++i) result[i] = v[from(i)];
  return result;
}

}  // namespace detail

// Lanes one after another: concat(a, b)[size of a] is b[0].
template <typename T, unsigned N, typename... Rest>
auto concat(const vector<T, N>& first, const Rest&... rest) {
  constexpr unsigned kParts = 1 + sizeof...(Rest);
  static_assert((std::is_same_v<Rest, vector<T, N>> && ...), "vectors of one type");
  vector<T, N * kParts> result;
  unsigned i = 0;
  result.insert(i++, first);
  (result.insert(i++, rest), ...);
  return result;
}

// Down: towards lane 0. Lanes that nothing comes to are zero here and anything on the tile; fill
// takes them from `fill` (from its start when moving down, from its end when moving up).
template <typename T, unsigned N>
vector<T, N> shuffle_down_fill(const vector<T, N>& v, const vector<T, N>& fill, unsigned n) {
  detail::CountShuffle(detail::Registers(vector<T, N>::bits()));
  vector<T, N> result;
  for (unsigned i = 0; i < N; ++i) result[i] = i + n < N ? v[i + n] : fill[i + n - N];
  return result;
}
template <typename T, unsigned N>
vector<T, N> shuffle_up_fill(const vector<T, N>& v, const vector<T, N>& fill, unsigned n) {
  detail::CountShuffle(detail::Registers(vector<T, N>::bits()));
  vector<T, N> result;
  for (unsigned i = 0; i < N; ++i) result[i] = i >= n ? v[i - n] : fill[N + i - n];
  return result;
}
template <typename T, unsigned N>
vector<T, N> shuffle_down(const vector<T, N>& v, unsigned n) {
  return shuffle_down_fill(v, vector<T, N>(), n);
}
template <typename T, unsigned N>
vector<T, N> shuffle_up(const vector<T, N>& v, unsigned n) {
  return shuffle_up_fill(v, vector<T, N>(), n);
}
template <typename T, unsigned N>
vector<T, N> shuffle_down_rotate(const vector<T, N>& v, unsigned n) {
  return detail::Permute(v, [n](unsigned i) { return (i + n) % N; });
}
template <typename T, unsigned N>
vector<T, N> shuffle_up_rotate(const vector<T, N>& v, unsigned n) {
  return detail::Permute(v, [n](unsigned i) { return (i + N - n % N) % N; });
}
template <typename T, unsigned N>
vector<T, N> reverse(const vector<T, N>& v) {
  return detail::Permute(v, [](unsigned i) { return N - 1 - i; });
}

// v is a row-major matrix of rows x cols; its transpose, row-major.
template <typename T, unsigned N>
vector<T, N> transpose(const vector<T, N>& v, unsigned rows, unsigned cols) {
  return detail::Permute(v, [=](unsigned i) { return i % rows * cols + i / rows; });
}

// Blocks of `step` lanes of v and w in turn: v0 w0 v1 w1 ... in two vectors.
template <typename T, unsigned N>
std::pair<vector<T, N>, vector<T, N>> interleave_zip(const vector<T, N>& v, const vector<T, N>& w,
                                                     unsigned step = 1) {
  const auto from = [step](unsigned i) {
    const unsigned block = i / step;
    return (block % 2) * N + block / 2 * step + i % step;
  };
  const vector<T, 2 * N> both = detail::Permute(concat(v, w), from);
  return {both.template extract<N>(0), both.template extract<N>(1)};
}
// The inverse: the even blocks of v w, and the odd ones.
template <typename T, unsigned N>
std::pair<vector<T, N>, vector<T, N>> interleave_unzip(const vector<T, N>& v, const vector<T, N>& w,
                                                       unsigned step = 1) {
  const auto from = [step](unsigned i) {
    const unsigned odd = i / N, j = i % N;
    return (2 * (j / step) + odd) * step + j % step;
  };
  const vector<T, 2 * N> both = detail::Permute(concat(v, w), from);
  return {both.template extract<N>(0), both.template extract<N>(1)};
}

// The even and the odd blocks of `step` lanes.
template <typename T, unsigned N>
vector<T, N / 2> filter_even(const vector<T, N>& v, unsigned step = 1) {
  return interleave_unzip(v.template extract<N / 2>(0), v.template extract<N / 2>(1), step).first;
}
template <typename T, unsigned N>
vector<T, N / 2> filter_odd(const vector<T, N>& v, unsigned step = 1) {
  return interleave_unzip(v.template extract<N / 2>(0), v.template extract<N / 2>(1), step).second;
}

}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_SHUFFLE_HPP_
