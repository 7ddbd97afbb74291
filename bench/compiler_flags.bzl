"""The flags that code is compiled with, as a C++ constant: they belong to every result."""

def _compiler_flags_impl(ctx):
    cpp = ctx.fragments.cpp
    flags = ["-c", ctx.var["COMPILATION_MODE"]] + cpp.copts + cpp.cxxopts
    told = [flag for flag in flags if not flag.startswith("-W")]
    text = " ".join(told).replace("\\", "\\\\").replace("\"", "\\\"")
    ctx.actions.write(
        ctx.outputs.out,
        "inline constexpr char kCompilerFlags[] = \"%s\";\n" % text,
    )

compiler_flags = rule(
    doc = "Writes kCompilerFlags: the build's mode and flags, warnings left out.",
    implementation = _compiler_flags_impl,
    attrs = {"out": attr.output(mandatory = True)},
    fragments = ["cpp"],
)
