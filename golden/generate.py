"""Makes golden files; golden/store.h describes them.

  generate.py op --op=linear --out=F.h5 [--model=model.bin --encoder=ENCODER_GOLDEN.h5]
  generate.py encoder --geometry=whisper-base --out=F.h5 [--model=model.bin --audio A.wav B.wav]
  generate.py manifest > exact_manifest.json

Without a model, an op's golden has exact and random cases only, and an encoder's has none.
"""

import argparse
import functools
import json
import sys

import encoder_golden
import exact_cases
import model_cases
import op_cases
import schema
import whisper_model

_RANDOM_SEED = 2026


def _make_op(options):
    model = whisper_model.find_model(options.model)
    model_sha256, real = "", []
    if model is not None:
        if options.encoder is None:
            raise ValueError("--encoder is missing: real inputs come from an encoder's golden")
        model_sha256 = whisper_model.sha256_of_file(model)
        data = model_cases.RealData(options.encoder, *whisper_model.encoder_weights(model))
        real = model_cases.real_cases(options.op, data)
    with schema.Writer(options.out, "op", seed=_RANDOM_SEED, op=options.op,
                       model_name=options.model_name if model else "",
                       model_sha256=model_sha256) as writer:
        for cases in (exact_cases.cases(options.op), real,
                      model_cases.random_cases(options.op, _RANDOM_SEED)):
            for case in cases:
                op_cases.write(writer, options.op, case)


def _make_encoder(options):
    model = whisper_model.find_model(options.model)
    real = options.geometry != "tiny-synthetic" and model is not None
    new_writer = functools.partial(schema.Writer, options.out, "encoder",
                                   model_name=options.model_name if real else "",
                                   geometry=options.geometry)
    if options.geometry == "tiny-synthetic":
        encoder_golden.write_synthetic(new_writer)
    else:
        encoder_golden.write_real(new_writer, options.geometry, model, options.audio)


def _make_manifest(_):
    """The hashes of all exact cases' tensors: they are the same on any machine."""
    manifest = {}
    for op in op_cases.OPS:
        for case in exact_cases.cases(op):
            inputs, y, scale, _ = op_cases.evaluate(op, case)
            tensors = {**{f"in/{name}": array for name, array in inputs.items()}, "out/y": y,
                       "scale/y": scale}
            for name, array in tensors.items():
                manifest[f"{op}/{case.name}/{name}"] = schema.sha256_of(array)
    json.dump(manifest, sys.stdout, indent=2, sort_keys=True)
    print()


def _parser():
    parser = argparse.ArgumentParser(description="Makes golden files.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)
    op = commands.add_parser("op", allow_abbrev=False)
    op.add_argument("--op", required=True, choices=sorted(op_cases.OPS))
    op.add_argument("--encoder", help="golden of the real encoder, for real inputs")
    op.set_defaults(make=_make_op)
    encoder = commands.add_parser("encoder", allow_abbrev=False)
    encoder.add_argument("--geometry", required=True,
                         choices=["whisper-base", "seed-3001", "tiny-synthetic"])
    encoder.add_argument("--audio", nargs="*", default=[], help="16 kHz wavs, joined")
    encoder.set_defaults(make=_make_encoder)
    commands.add_parser("manifest").set_defaults(make=_make_manifest)
    for command in (op, encoder):
        command.add_argument("--out", required=True)
        command.add_argument("--model", nargs="*", default=[], help="model.bin, among other files")
        command.add_argument("--model_name", default="whisper-base")
    return parser


def main():
    options = _parser().parse_args()
    try:
        options.make(options)
    except (OSError, ValueError) as error:
        print(f"generate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
