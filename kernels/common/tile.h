// Brackets around the functions that a tile's program calls, which have C's linkage. A build that
// counts what they issue (AIE_HOST_COUNT=1) gives them another name instead, so that a program can
// hold both builds.
#ifndef KERNELS_COMMON_TILE_H_
#define KERNELS_COMMON_TILE_H_

#if defined(AIE_HOST_COUNT) && AIE_HOST_COUNT
#define TILE_BUILD counted
#define TILE_FUNCTIONS_BEGIN inline namespace counted {
#else
#define TILE_BUILD plain
#define TILE_FUNCTIONS_BEGIN extern "C" {
#endif
#define TILE_FUNCTIONS_END }

#endif  // KERNELS_COMMON_TILE_H_
