"""The benchmark of an op: //bench:NAME, and its test on a small sweep."""

load("@rules_cc//cc:defs.bzl", "cc_binary")

# Sizes that take milliseconds; all else is the op's default.
_SMOKE_SWEEPS = {
    "conv1d": "t=17 stride=1,2 gelu=0,1",
}
_SMOKE_SWEEP = "m=5,16"

def op_bench(op, name = None):
    """Declares //bench:NAME and, where that is the op's own, //bench:OP_smoke_test.

    Args:
      op: a name of //ops:registry.bzl.
      name: default the op.
    """
    cc_binary(
        name = name or op,
        srcs = ["op_main.cc"],
        data = ["//golden:" + op],
        local_defines = ["XDNA_OP=\\\"%s\\\"" % op],
        deps = [
            ":cpu_timeline",
            ":environment",
            ":op_bench",
            ":peak",
            ":progress",
            ":resume",
            ":run_record",
            ":suggest",
            "//base:error",
            "//base:program",
            "//base:sha256",
            "//base:thread_pool",
            "//golden:store",
            "//ops:registry",
            "//ops:verify",
            "@fmt",
            "@google_benchmark//:benchmark",
        ],
    )
    if name:
        return
    native.sh_test(
        name = op + "_smoke_test",
        size = "small",
        srcs = ["op_smoke_test.sh"],
        args = [
            "$(location :%s)" % op,
            "'%s'" % _SMOKE_SWEEPS.get(op, _SMOKE_SWEEP),
        ],
        data = [":" + op],
    )
