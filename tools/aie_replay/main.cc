// Replays captures of an AIE2 core on the host, for people with hardware to compare with.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <map>
#include <string>

#include "base/error.h"
#include "base/program.h"
#include "tools/aie_replay/replay.h"

int main(int argc, char** argv) {
  return xdna::RunProgram("aie_replay", [&] {
    using aie::host::mac_underflow;
    using aie::host::nan_payload;
    const std::map<std::string, nan_payload> payloads = {{"datapath", nan_payload::datapath},
                                                         {"canonical", nan_payload::canonical}};
    const std::map<std::string, mac_underflow> underflows = {
        {"positive_zero", mac_underflow::positive_zero},
        {"signed_zero", mac_underflow::signed_zero}};
    xdna::aie_replay::Job job;
    CLI::App app("Runs captured inputs through the host's aie:: API, bit for bit.", "aie_replay");
    app.add_option("--op", job.op,
                   "mac_bf16: /acc [n] u32, /a and /b [n,8] u16 -> /out [n] u32; srs_bf16: /in [n] "
                   "u32 -> /out [n] u16; vfloor_bf16: /in [n] u16 -> /out [n] i32")
        ->required();
    app.add_option("--in", job.in, "HDF5 file with the inputs")->required();
    app.add_option("--out", job.out, "HDF5 file to write")->required();
    app.add_option("--rounding", job.rounding,
                   "the rounding register, for srs_bf16: 0 floor, 1 ceil, 2 symmetric_floor, 3 "
                   "symmetric_ceil, 8 negative_inf, 9 positive_inf, 10 symmetric_zero, 11 "
                   "symmetric_inf, 12 conv_even, 13 conv_odd");
    app.add_option("--shift", job.shift, "of vfloor_bf16: floor(x 2^shift)");
    app.add_option("--nan_payload", job.options.nan_payload,
                   "of mac_bf16, where an infinity meets a NaN: datapath or canonical")
        ->transform(CLI::CheckedTransformer(payloads));
    app.add_option("--mac_underflow", job.options.mac_underflow,
                   "of mac_bf16: positive_zero or signed_zero")
        ->transform(CLI::CheckedTransformer(underflows));
    try {
      app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      fmt::print("{}", app.help());
      return xdna::kExitOk;
    } catch (const CLI::ParseError& error) {
      xdna::Throw(xdna::ErrorCode::kInvalidArgument, "{} (see --help)", error.what());
    }
    job.in = xdna::UserPath(job.in);
    job.out = xdna::UserPath(job.out);
    const std::size_t rows = xdna::aie_replay::Replay(job);
    fmt::print("{}: {} rows -> {}\n", job.op, rows, job.out);
    return xdna::kExitOk;
  });
}
