"""One call for an op: its library and its tests against goldens."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")

def xdna_op(name, srcs = None, deps = []):
    """Declares //ops/NAME and its test.

    Args:
      name: the op, as in //ops:registry.bzl; header NAME.h.
      srcs: default NAME.cc.
      deps: beyond what every op needs.
    """
    cc_library(
        name = name,
        srcs = srcs or [name + ".cc"],
        hdrs = [name + ".h"],
        visibility = ["//visibility:public"],
        deps = [
            "//base:error",
            "//base:tensor",
            "//base:thread_pool",
            "//ops:contract",
            "//ops/internal:float64",
            "//ops/internal:instance",
            "//ops/internal:row_kernels",
            "//ops/%s/npu:%s_array" % (name, name),
            "//ops/%s/npu:%s_tile" % (name, name),
            "@eigen",
            "@fmt",
        ] + deps,
    )
    cc_test(
        name = "golden_test",
        size = "medium",
        srcs = ["//ops:golden_test.cc"],
        data = ["//golden:" + name],
        visibility = ["//ops:__pkg__"],
        local_defines = ["XDNA_OP=\\\"%s\\\"" % name],
        deps = [
            "//base:cpu",
            "//base:thread_pool",
            "//golden:compare",
            "//golden:faults",
            "//golden:store",
            "//ops:registry",
            "//ops:verify",
            "@fmt",
            "@googletest//:gtest_main",
        ],
    )
