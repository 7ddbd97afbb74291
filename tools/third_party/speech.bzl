"""Real speech that Debian carries: the test recordings of pocketsphinx.

@speech//:librivox: five clips (24.7 s) of Sense and Sensibility, read for LibriVox; public domain.
@speech//:cards: five short clips with the names of playing cards.
"""

_FOLDER = "/usr/share/pocketsphinx/test/data"
_SETS = ["cards", "librivox"]

_BUILD = """package(default_visibility = ["//visibility:public"])
"""

_BUILD_SET = """
filegroup(
    name = "{name}",
    srcs = glob(["{name}/*.wav"], allow_empty = False),
)
"""

def _speech_impl(ctx):
    build = _BUILD
    for name in _SETS:
        folder = ctx.path(_FOLDER + "/" + name)
        if not folder.exists:
            fail("@%s: %s not found. To install it, run: apt-get install pocketsphinx-testdata" %
                 (ctx.name, folder))
        ctx.symlink(folder, name)
        build += _BUILD_SET.format(name = name)
    ctx.file("BUILD.bazel", build)
    ctx.file("WORKSPACE", "")

speech_repository = repository_rule(
    doc = "The recordings of Debian's package pocketsphinx-testdata.",
    implementation = _speech_impl,
    configure = True,
    local = True,
)
