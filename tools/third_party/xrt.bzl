"""XRT: AMD's run-time for the NPU.

@xrt has the public headers, for the real NPU and the simulated one alike.  Only with --config=xrt
does it link the system's library; the simulated NPU brings its own implementation of the API.
"""

_BUILD = """load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

cc_library(
    name = "xrt",
    deps = [":headers"] + select({{
        "@//tools/third_party:real_npu": [":library"],
        "//conditions:default": [],
    }}),
)

cc_library(
    name = "headers",
    hdrs = {headers},
    includes = ["include"],
    deps = ["@uuid"],
)

cc_library(
    name = "library",
    {library},
)

# Whatever includes a file of this rule cannot be built, and says why.
[genrule(
    name = name + "_absent",
    srcs = [name + "_absent.txt"],
    outs = [name + "_absent.h"],
    cmd = "cat $< >&2; exit 1",
) for name in {absent}]
"""

_NO_HEADERS = """XRT's headers could not be had: %s. With XDNA_XRT_DEB=PATH they come from a \
copy of the package libxrt-dev 2.25 that you have.
"""

_NO_LIBRARY = """--config=xrt needs libxrt_coreutil.so.2 of XRT 2.19 or later. Install the package \
libxrt2 of Debian 13 or later, or AMD's xrt-base, or build without --config=xrt.
"""

def _find_library(ctx):
    """Returns the folder of libxrt_coreutil, or None."""
    roots = [ctx.os.environ.get("XILINX_XRT", "/opt/xilinx/xrt") + "/lib"]
    for folder in roots + ["/usr/lib/x86_64-linux-gnu"]:
        if ctx.path(folder + "/libxrt_coreutil.so.2").exists:
            return folder
    return None

def _unpack_headers(ctx):
    """Links the headers to include/; returns the reason when there are none."""
    ctx.report_progress("Fetching XRT's headers")
    fetched = ctx.execute([ctx.path(ctx.attr._fetch)], timeout = 300)
    if fetched.return_code:
        return (fetched.stderr.strip().splitlines() or ["fetch_xrt.sh failed"])[-1]
    unpacked = ctx.execute(["dpkg-deb", "-x", fetched.stdout.strip(), "package"])
    if unpacked.return_code:
        return "cannot unpack: " + unpacked.stderr.strip().replace("\n", "; ")
    if not ctx.path("package/usr/include/xrt/xrt_hw_context.h").exists:
        return "%s has no XRT headers with hw_context" % fetched.stdout.strip()
    ctx.symlink("package/usr/include/xrt", "include/xrt")
    return None

def _xrt_impl(ctx):
    absent = []
    headers = "glob([\"include/**\"])"
    reason = _unpack_headers(ctx)
    if reason:
        headers = "[\":headers_absent\"]"
        absent.append("headers")
        ctx.file("headers_absent.txt", _NO_HEADERS % reason)
    folder = _find_library(ctx)
    if folder:
        # The library by its soname: Debian has the plain .so in a package of headers we do not use.
        library = "linkopts = [\"-L{0}\", \"-Wl,-rpath,{0}\", \"-l:libxrt_coreutil.so.2\"]"
        library = library.format(folder)
    else:
        library = "hdrs = [\":library_absent\"]"
        absent.append("library")
        ctx.file("library_absent.txt", _NO_LIBRARY)
    ctx.file("BUILD.bazel", _BUILD.format(
        headers = headers,
        library = library,
        absent = repr(absent),
    ))
    ctx.file("WORKSPACE", "")

xrt_repository = repository_rule(
    doc = "XRT's headers from a pinned Debian package, and the installed library for --config=xrt.",
    implementation = _xrt_impl,
    attrs = {
        "_fetch": attr.label(
            default = Label("//tools/third_party:fetch_xrt.sh"),
            allow_single_file = True,
        ),
    },
    configure = True,
    environ = [
        "HOME",
        "XDG_CACHE_HOME",
        "XDNA_OFFLINE",
        "XDNA_RETRY",
        "XDNA_XRT_DEB",
        "XILINX_XRT",
    ],
    local = True,
)
