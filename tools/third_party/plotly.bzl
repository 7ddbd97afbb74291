"""Plotly.js, which draws the charts of //reports:dashboard.

@plotly//:plotly is plotly.min.js; where it cannot be had, ABSENT.txt, which says why.
"""

_BUILD = """package(default_visibility = ["//visibility:public"])

filegroup(
    name = "plotly",
    srcs = ["{file}"],
)
"""

def _plotly_impl(ctx):
    ctx.report_progress("Fetching Plotly.js (10 MB, once)")
    fetched = ctx.execute(["/usr/bin/python3", "-I", ctx.path(ctx.attr._fetch)], timeout = 900)
    if fetched.return_code == 0:
        file = "plotly.min.js"
        ctx.symlink(fetched.stdout.strip(), file)
    else:
        file = "ABSENT.txt"
        reason = (fetched.stderr.strip().splitlines() or ["fetch_plotly.py failed"])[-1]
        ctx.file(file, reason + "\n", executable = False)
    ctx.file("BUILD.bazel", _BUILD.format(file = file))
    ctx.file("WORKSPACE", "")

plotly_repository = repository_rule(
    doc = "Plotly.js, from the user's cache or else from PyPI.",
    implementation = _plotly_impl,
    attrs = {
        "_fetch": attr.label(
            default = Label("//tools/third_party:fetch_plotly.py"),
            allow_single_file = True,
        ),
    },
    environ = [
        "HOME",
        "XDG_CACHE_HOME",
        "XDNA_OFFLINE",
        "XDNA_RETRY",
    ],
    local = True,
)
