"""Rule sets that Bazel itself needs, out of Debian packages (WORKSPACE only)."""

_COVERAGE_BUILD = """
package(default_visibility = ["//visibility:public"])

[sh_binary(
    name = name,
    srcs = ["unavailable.sh"],
) for name in ["coverage_report_generator", "lcov_merger"]]
"""

_COVERAGE_SCRIPT = """#!/bin/sh
echo 'bazel coverage is not supported with this Bazel' >&2
exit 1
"""

def _debian_rules_repository_impl(ctx):
    path = ctx.attr.path
    if not ctx.path(path).exists:
        fail("%s not found. To install it, run: apt-get install %s" % (path, ctx.attr.package))
    copied = ctx.execute(["cp", "-rL", path + "/.", "."])
    if copied.return_code:
        fail("cannot copy %s: %s" % (path, copied.stderr))

    # The package's own links go out of its folder.
    for name in ["MODULE.bazel", "WORKSPACE"]:
        ctx.delete(name)
    ctx.file("WORKSPACE", "")

    for name in ctx.attr.needs_bazel5:
        text = ctx.read(name)
        ctx.delete(name)
        text = text.replace(", \"use_cpp_toolchain\")", ")")
        text = text.replace("use_cpp_toolchain()", "[\"@bazel_tools//tools/cpp:toolchain_type\"]")
        ctx.file(name, text, executable = False)

_debian_rules_repository = repository_rule(
    doc = "Copies a rule set out of a Debian package and makes it load in Debian's Bazel.",
    implementation = _debian_rules_repository_impl,
    attrs = {
        "needs_bazel5": attr.string_list(doc = "files that use use_cpp_toolchain of Bazel 5"),
        "package": attr.string(mandatory = True, doc = "the Debian package, for the message"),
        "path": attr.string(mandatory = True, doc = "where the package puts the rule set"),
    },
    local = True,
)

def _coverage_tools_impl(ctx):
    ctx.file("BUILD.bazel", _COVERAGE_BUILD)
    ctx.file("unavailable.sh", _COVERAGE_SCRIPT)
    ctx.file("WORKSPACE", "")

_coverage_tools = repository_rule(
    doc = "Stands in for an archive that `bazel test` resolves, though only coverage runs it.",
    implementation = _coverage_tools_impl,
)

def debian_rules():
    """Declares rules_cc, rules_java and a stand-in for Bazel's coverage tools."""

    # Debian 12 pairs Bazel 4.2.3 with a rules_cc that was written for Bazel 5.
    _debian_rules_repository(
        name = "rules_cc",
        needs_bazel5 = [
            "cc/private/rules_impl/cc_flags_supplier.bzl",
            "cc/private/rules_impl/compiler_flag.bzl",
        ],
        package = "bazel-rules-cc",
        path = "/usr/share/bazel/rules/cc",
    )

    # @bazel_tools//tools/jdk, which toolchain resolution reads, loads @rules_java.
    _debian_rules_repository(
        name = "rules_java",
        package = "bazel-rules-java",
        path = "/usr/share/bazel/rules/java",
    )

    _coverage_tools(name = "remote_coverage_tools")
