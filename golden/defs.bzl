"""Rules that make golden files with generate.py."""

_GENERATOR = [
    "//golden:audio.py",
    "//golden:encoder_golden.py",
    "//golden:exact_cases.py",
    "//golden:model_cases.py",
    "//golden:op_cases.py",
    "//golden:reference.py",
    "//golden:schema.py",
    "//golden:seeded.py",
    "//golden:whisper_model.py",
]

# OpenBLAS picks its kernels by the CPU unless it is told otherwise.
_PYTHON = "env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE /usr/bin/python3 -B"

_MODEL = "@whisper_base//:model"
_SPEECH = "@speech//:librivox"

def _golden(name, srcs, arguments):
    native.genrule(
        name = name,
        srcs = srcs + _GENERATOR + ["//golden:generate.py"],
        outs = [name + ".h5"],
        cmd = "{} $(location //golden:generate.py) {} --out=$@".format(_PYTHON, arguments),
        message = "Computing golden in float64",
    )

def golden_encoder(name, geometry):
    """Makes NAME.h5: every tap of the encoder on one window; no case where the model is absent.

    Args:
      name: the target, and the file without ".h5".
      geometry: whisper-base, seed-3001 or tiny-synthetic.
    """
    if geometry == "tiny-synthetic":
        _golden(name, [], "encoder --geometry=" + geometry)
        return
    _golden(
        name,
        [_MODEL, _SPEECH],
        "encoder --geometry={} --model $(locations {}) --audio $(locations {})".format(
            geometry,
            _MODEL,
            _SPEECH,
        ),
    )

def golden_op(name, op):
    """Makes NAME.h5: exact, random and, where the model is to be had, real cases of an op.

    Args:
      name: the target, and the file without ".h5".
      op: as in //ops:registry.bzl.
    """
    encoder = "//golden:encoder_whisper_base"
    _golden(
        name,
        [encoder, _MODEL],
        "op --op={} --encoder=$(location {}) --model $(locations {})".format(op, encoder, _MODEL),
    )
