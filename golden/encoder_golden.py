"""Goldens of the whole encoder: every tap, for each geometry."""

import numpy as np

import audio
import reference
import seeded
import whisper_model

_CASE = "window0"
_PROJECTION_SEED = 3001
SYNTHETIC_SEED = 1


def synthetic_weights(n_mels, d, layers, positions, seed):
    """A seeded model by canonical names: f32 values in float64 arrays."""
    w = {}

    def normal(name, shape, deviation, mean=0.0):
        w[name] = seeded.tensor(seeded.name_seed(name, seed), shape, deviation, mean).astype(
            np.float64)

    def linear(name, shape, bias=True):
        normal(f"{name}.weight", shape, 1 / np.sqrt(np.prod(shape[1:])))
        if bias:
            normal(f"{name}.bias", shape[:1], 0.02)

    def norm(name):
        normal(f"{name}.weight", (d,), 0.1, 1)
        normal(f"{name}.bias", (d,), 0.05)

    linear("encoder.conv1", (d, n_mels, 3))
    linear("encoder.conv2", (d, d, 3))
    w["encoder.positional_embedding"] = _rounded(reference.sinusoids(positions, d))
    for layer in range(layers):
        block = f"encoder.blocks.{layer}"
        norm(f"{block}.attn_ln")
        for part in ("query", "key", "value", "out"):
            linear(f"{block}.attn.{part}", (d, d), bias=part != "key")
        norm(f"{block}.mlp_ln")
        linear(f"{block}.mlp.0", (4 * d, d))
        linear(f"{block}.mlp.2", (d, 4 * d))
    norm("encoder.ln_post")
    return w


def _rounded(x):
    """To f32's values."""
    return x.astype(np.float32).astype(np.float64)


def _taps(geometry, mel, w, heads):
    """Yields all taps; the stem's last one, the embedded input, feeds the transformer."""
    if geometry == "seed-3001":
        d, n_mels = len(w["encoder.ln_post.weight"]), len(mel)
        projection = seeded.tensor(_PROJECTION_SEED, (d, n_mels), 1 / np.sqrt(n_mels))
        stem = reference.projection_stem(mel, projection.astype(np.float64))
    else:
        stem = reference.conv_stem(mel, w)
    for name, tap in stem:
        yield name, tap
    yield from reference.transformer(tap, w, heads)


def _write(writer, geometry, mel, w, heads):
    n_mels, frames = mel.shape
    dims = {"n_mels": n_mels, "frames": frames, "heads": heads,
            "p": frames if geometry == "seed-3001" else frames // 2,
            "d": len(w["encoder.ln_post.weight"]),
            "layers": sum(name.endswith(".attn_ln.weight") for name in w)}
    writer.begin_case(_CASE, "random" if geometry == "tiny-synthetic" else "real", dims)
    writer.tensor(_CASE, "in", "mel", mel, "n_mels,frames")
    for name, tap in _taps(geometry, _rounded(mel), w, heads):
        writer.tensor(_CASE, "out", name, tap, "frames,d" if name == "conv1" else "p,d")


def write_synthetic(new_writer):
    w = synthetic_weights(n_mels=80, d=128, layers=2, positions=64, seed=SYNTHETIC_SEED)
    mel = seeded.tensor(seeded.name_seed("mel", SYNTHETIC_SEED), (80, 128), 0.5)
    with new_writer(seed=SYNTHETIC_SEED) as writer:
        _write(writer, "tiny-synthetic", mel, w, heads=2)


def write_real(new_writer, geometry, model, wavs):
    """Without a model the file has no case."""
    if model is None:
        with new_writer():
            return
    if not wavs:
        raise ValueError("--audio is missing")
    w, heads = whisper_model.encoder_weights(model)
    samples = audio.read_wavs(wavs)
    frames = 3001 if geometry == "seed-3001" else 3000
    mel = audio.log_mel(samples, w["encoder.conv1.weight"].shape[1], frames)
    with new_writer(seed=_PROJECTION_SEED if frames == 3001 else 0,
                    model_sha256=whisper_model.sha256_of_file(model),
                    audio_sha256=audio.sha256_of_samples(samples)) as writer:
        _write(writer, geometry, mel, w, heads)
