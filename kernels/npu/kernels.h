// What simulated cores can run.
#ifndef KERNELS_NPU_KERNELS_H_
#define KERNELS_NPU_KERNELS_H_

namespace xdna::kernels {

// Puts the tile kernels into device/sim's table, once; later calls do nothing. Thread-safe.
void RegisterNpuKernels();

}  // namespace xdna::kernels

#endif  // KERNELS_NPU_KERNELS_H_
