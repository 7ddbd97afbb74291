"""An overlay of the NPU's array: NAME.xclbin, and NAME.insts.bin with the stream of its runs.

Two ways lead to it. By default the files are for the simulated NPU, from a design of
//kernels/array (`design`, `config`, `problem`). With --define=npu_toolchain=aiecc they are for a real
NPU, from mlir-aie's MLIR (`mlir`, `kernels`), by aiecc and Peano if the user has them; where
something is missing, the build of this target fails and says what.
"""

def _npu_overlay_impl(ctx):
    xclbin = ctx.actions.declare_file(ctx.label.name + ".xclbin")
    insts = ctx.actions.declare_file(ctx.label.name + ".insts.bin")
    outputs = [xclbin, insts]
    arguments = ctx.actions.args()
    if ctx.attr.toolchain == "aiecc":
        arguments.add_all([str(ctx.label), xclbin, insts])
        if ctx.file.mlir:
            arguments.add(ctx.file.mlir, format = "--mlir=%s")
        arguments.add_all([f for f in ctx.files.kernels if f.extension in ["cc", "cpp"]])
        ctx.actions.run(
            executable = ctx.executable._aiecc,
            arguments = [arguments],
            inputs = ctx.files.mlir + ctx.files.kernels,
            outputs = outputs,
            mnemonic = "NpuAiecc",
            use_default_shell_env = True,
        )
    else:
        arguments.add(ctx.attr.design, format = "--design=%s")
        arguments.add(ctx.attr.problem, format = "--problem=%s")
        for option, value in sorted(ctx.attr.config.items()):
            arguments.add("--%s=%s" % (option, value))
        arguments.add(xclbin, format = "--out=%s")
        arguments.add(insts, format = "--insts=%s")
        arguments.add("--quiet")
        ctx.actions.run(
            executable = ctx.executable._generator,
            arguments = [arguments],
            outputs = outputs,
            mnemonic = "NpuOverlay",
        )
    return [DefaultInfo(
        files = depset(outputs),
        runfiles = ctx.runfiles(files = outputs),
    )]

_npu_overlay = rule(
    implementation = _npu_overlay_impl,
    attrs = {
        "config": attr.string_dict(),
        "design": attr.string(mandatory = True),
        "kernels": attr.label_list(allow_files = True),
        "mlir": attr.label(allow_single_file = [".mlir"]),
        "problem": attr.string(mandatory = True),
        "toolchain": attr.string(
            mandatory = True,
            values = [
                "aiecc",
                "simulated",
            ],
        ),
        "_aiecc": attr.label(
            default = Label("//tools/overlay:aiecc"),
            executable = True,
            cfg = "exec",
        ),
        # In the target's configuration, which is the host's: in its own it would be compiled again.
        "_generator": attr.label(
            default = Label("//tools/overlay"),
            executable = True,
            cfg = "target",
        ),
    },
)

def npu_overlay(name, design, problem, config = {}, mlir = None, kernels = [], **kwargs):
    """Declares NAME, whose files are NAME.xclbin and NAME.insts.bin.

    Args:
      name: of the target.
      design: of //tools/overlay: "gemm", "layer_norm".
      problem: what the instruction stream does: "256x512x256", "1500".
      config: the design's options, without their dashes: {"m": "64", "in": "int8"}.
      mlir: the real toolchain's source of the same design.
      kernels: for it, C++ sources of kernels, compiled to the objects that the MLIR links, and
        their headers.
      **kwargs: visibility, tags and the like.
    """
    _npu_overlay(
        name = name,
        config = config,
        design = design,
        kernels = kernels,
        mlir = mlir,
        problem = problem,
        toolchain = select({
            "//tools/overlay:real_toolchain": "aiecc",
            "//conditions:default": "simulated",
        }),
        **kwargs
    )
