"""Targets of an op's path on a core tile (ops/OP/npu)."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def floor_kernel(name, source, headers):
    """A kernel under the rounding mode that a core has after reset: what a forgotten mode does.

    Its functions have `floor_` before their type: layer_norm_bf16 is layer_norm_floor_bf16.

    Args:
      name: of the cc_library.
      source: of a tile_kernel.
      headers: that tile_kernel's NAME_headers.
    """
    native.genrule(
        name = name + "_source",
        srcs = [source],
        outs = [name + ".cc"],
        # Ends with an error where there is nothing to change.
        cmd = "grep -q rounding_mode::conv_even $< && sed -E " +
              "-e 's/rounding_mode::conv_even/rounding_mode::floor/g' " +
              "-e 's/^void ([a-z0-9_]+)_(bf16|f32)\\(/void \\1_floor_\\2(/' $< > $@",
    )
    cc_library(
        name = name,
        srcs = [name + ".cc"],
        copts = [
            "-ffreestanding",
            "-fno-exceptions",
            "-fno-rtti",
        ],
        deps = [headers],
    )
