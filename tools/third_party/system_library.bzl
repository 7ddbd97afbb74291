"""A repository rule for a library that the system (Debian) has installed."""

_LIBRARY_FOLDERS = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
]

_BUILD_HEAD = """load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])
"""

_BUILD_TARGET = """
cc_library(
    name = {name},
    hdrs = {hdrs},
    defines = {defines},
    includes = {includes},
    linkopts = {linkopts},
    deps = {deps},
)
"""

def _is_installed(ctx, library):
    for folder in _LIBRARY_FOLDERS:
        for suffix in [".so", ".a"]:
            if ctx.path("%s/lib%s%s" % (folder, library, suffix)).exists:
                return True
    return False

def _system_library_impl(ctx):
    root = ctx.attr.include_root
    headers = ctx.attr.headers
    missing = []
    for header in headers or [""]:
        target = ctx.path(root + "/" + header)
        if target.exists:
            ctx.symlink(target, "include/" + header if header else "include")
        else:
            missing.append(str(target))
    for libraries in ctx.attr.targets.values():
        missing += ["lib" + name for name in libraries if not _is_installed(ctx, name)]
    if missing:
        fail("@%s: %s not found. To install it, run: apt-get install %s" %
             (ctx.name, ", ".join(missing), ctx.attr.package))

    build = _BUILD_HEAD
    main = None
    for target, libraries in ctx.attr.targets.items():
        build += _BUILD_TARGET.format(
            name = repr(target),
            hdrs = "[]" if main else "glob([\"include/**\"])",
            defines = [] if main else ctx.attr.defines,
            includes = [] if main else ["include"],
            linkopts = ["-l" + name for name in libraries] + ([] if main else ctx.attr.linkopts),
            deps = [":" + main] if main else [],
        )
        main = main or target
    ctx.file("BUILD.bazel", build)
    ctx.file("WORKSPACE", "")

system_library = repository_rule(
    doc = "Headers and libraries of one installed package, as cc_library targets.",
    implementation = _system_library_impl,
    attrs = {
        "defines": attr.string_list(doc = "macros for whatever uses the library"),
        "headers": attr.string_list(
            doc = "files and folders of include_root to expose; all when empty",
        ),
        "include_root": attr.string(default = "/usr/include", doc = "the folder given to -isystem"),
        "linkopts": attr.string_list(doc = "more flags to link with"),
        "package": attr.string(mandatory = True, doc = "the Debian package, for the message"),
        "targets": attr.string_list_dict(
            doc = "target -> libraries to link; the first has the headers, the others depend on it",
        ),
    },
    configure = True,
    local = True,
)
