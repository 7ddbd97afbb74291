"""Targets of a kernel: what the tile runs, its tests, and its fault suite."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

# A kernel sees no hosted library, on the tile as here.
_FREESTANDING = [
    "-ffreestanding",
    "-fno-exceptions",
    "-fno-rtti",
]

def tile_kernel(name, srcs, hdrs, deps = []):
    """What the tile runs, NAME_headers with its declarations alone, NAME_counted which counts.

    NAME_freestanding, which //kernels:freestanding builds for all of the registry, is the source
    against no more than the names of the vendor's headers.
    """
    cc_library(
        name = name + "_headers",
        hdrs = hdrs,
        deps = deps + [
            "//kernels/aie:aie_api",
            "//kernels/common:tile",
        ],
    )
    cc_library(
        name = name,
        srcs = srcs,
        copts = _FREESTANDING,
        deps = [":" + name + "_headers"],
    )
    cc_library(
        name = name + "_counted",
        srcs = srcs,
        copts = _FREESTANDING,
        local_defines = ["AIE_HOST_COUNT=1"],
        deps = [":" + name + "_headers"],
    )

    cc_library(
        name = name + "_freestanding",
        srcs = srcs,
        # Before the host's headers, which come with the kernel's own.
        copts = _FREESTANDING + ["-Ikernels/aie/vendor_layout"],
        tags = ["manual"],
        deps = [
            ":%s_headers" % name,
            "//kernels/aie:vendor_layout",
        ],
    )

def tile_kernel_cost(name):
    """NAME_cost: how //kernels/cost calls the functions of the kernel NAME, out of NAME_cost.cc."""
    cc_library(
        name = name + "_cost",
        srcs = [name + "_cost.cc"],
        local_defines = ["AIE_HOST_COUNT=1"],
        deps = [
            ":%s_counted" % name,
            ":%s_headers" % name,
            "//base:error",
            "//kernels/cost:kernel_cost",
        ],
    )

def tile_kernel_test(
        name,
        kernel,
        source,
        srcs,
        faults,
        variants = {},
        deps = [],
        more_faults = []):
    """The test NAME of a kernel, and NAME_faults, which expects it to fail for faulty kernels.

    KERNEL_VARIANT_test is the part of NAME that is about a variant. The package's `faults` are the
    programs of the test that is named like the package, for the kill table of all kernels.

    Args:
      name: of the test.
      kernel: label of a tile_kernel of this package.
      source: the kernel's source, which the faults change.
      srcs: of the test; they see the kernel's header and no more of it.
      faults: name -> (old text, new text); the old text occurs once in `source`.
      variants: name -> the Google Test filter of its tests.
      deps: of the test.
      more_faults: `faults` of other tests of this package (OTHER_test_programs).
    """
    package = native.package_name().split("/")[-1]
    for variant, filter in variants.items():
        native.sh_test(
            name = "%s_%s_test" % (package, variant),
            size = "small",
            srcs = ["//kernels/testing:variant_test.sh"],
            args = [
                "$(rootpath :%s)" % name,
                "'%s'" % filter,
            ],
            data = [":" + name],
        )
    cc_library(
        name = name + "_cases",
        testonly = True,
        srcs = srcs,
        alwayslink = True,
        deps = deps + [
            kernel + "_headers",
            "//kernels/testing:tile_test",
            "@googletest//:gtest",
        ],
    )
    cc_test(
        name = name,
        size = "small",
        deps = [
            ":" + name + "_cases",  # before the kernel, for the linker
            kernel,
            "@googletest//:gtest_main",
        ],
    )
    args = []
    programs = []
    for fault, (old, new) in faults.items():
        faulty = name + "_" + fault
        native.genrule(
            name = faulty + "_source",
            testonly = True,
            srcs = [source],
            outs = [faulty + ".cc"],
            cmd = "python3 $(execpath //kernels/testing:mutate.py) $(execpath %s) %s %s > $@" %
                  (source, _quoted(old), _quoted(new)),
            exec_tools = ["//kernels/testing:mutate.py"],
        )
        cc_binary(
            name = faulty,
            testonly = True,
            srcs = [faulty + ".cc"],
            # A fault may leave names unused.
            copts = _FREESTANDING + [
                "-O1",
                "-Wno-unused",
            ],
            deps = [
                ":" + name + "_cases",
                kernel + "_headers",
                "@googletest//:gtest_main",
            ],
        )
        args.append("$(rootpath :%s)" % faulty)
        programs.append(":" + faulty)
    native.sh_test(
        name = name + "_faults",
        size = "small",
        srcs = ["//kernels/testing:kill_table.sh"],
        args = args,
        data = programs,
    )
    native.filegroup(
        name = name + "_programs",
        testonly = True,
        srcs = programs,
    )
    if name == package + "_test":
        native.filegroup(
            name = "faults",
            testonly = True,
            srcs = [":%s_programs" % name] + more_faults,
        )

def _quoted(text):
    return "'" + text.replace("'", "'\\''").replace("$", "$$") + "'"
