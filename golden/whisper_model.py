"""Reads Whisper's weights from a CTranslate2 model.bin, binary version 6.

Little-endian: u32 version, string spec, u32 revision, u32 count; per variable: string name, u8
rank, u32 dims, u8 type, u32 bytes, data; then u32 count of aliases, pairs of strings. A string is a
u16 length, which counts a final NUL, and the bytes. (OpenNMT/CTranslate2, python/ctranslate2/specs/
model_spec.py.)
"""

import hashlib
import os
import struct

import numpy as np

BINARY_VERSION = 6
_TYPES = {0: np.dtype("<f4"), 1: np.dtype("i1"), 2: np.dtype("<i2"), 3: np.dtype("<i4"),
          4: np.dtype("<f2")}


class _Reader:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.data = file.read()
        self.at = 0

    def take(self, count, what):
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise ValueError(f"{self.path}: ends at byte {len(self.data)} inside {what}")
        self.at += count
        return piece

    def number(self, form, what):
        return struct.unpack("<" + form, self.take(struct.calcsize(form), what))[0]

    def text(self, what):
        raw = self.take(self.number("H", what), what)
        return raw.rstrip(b"\0").decode("utf-8")


def read_variables(path):
    """Name -> array in its stored type."""
    reader = _Reader(path)
    version = reader.number("I", "the version")
    spec = reader.text("the spec's name")
    if (version, spec) != (BINARY_VERSION, "WhisperSpec"):
        raise ValueError(f"{path}: binary version {version}, spec {spec!r}; "
                         f"expected {BINARY_VERSION}, 'WhisperSpec'")
    reader.number("I", "the revision")
    variables = {}
    for _ in range(reader.number("I", "the count")):
        name = reader.text("a name")
        shape = [reader.number("I", name) for _ in range(reader.number("B", name))]
        dtype = _TYPES[reader.number("B", name)]
        size = reader.number("I", name)
        if size != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
            raise ValueError(f"{path}: {name}: {size} bytes for shape {shape} of {dtype}")
        variables[name] = np.frombuffer(reader.take(size, name), dtype).reshape(shape)
    return variables


def encoder_weights(path):
    """The encoder's tensors by openai-whisper's names, float64, and `heads`."""
    v = read_variables(path)
    heads = int(v["encoder/num_heads"].reshape(-1)[0])
    w = {"encoder.positional_embedding": v["encoder/position_encodings/encodings"]}
    for conv in ("conv1", "conv2"):
        _pair(w, f"encoder.{conv}", v, f"encoder/{conv}", "weight", "bias")
    _pair(w, "encoder.ln_post", v, "encoder/layer_norm", "gamma", "beta")
    layer = 0
    while f"encoder/layer_{layer}/ffn/linear_0/weight" in v:
        _layer(w, f"encoder.blocks.{layer}", v, f"encoder/layer_{layer}")
        layer += 1
    if layer == 0:
        raise ValueError(f"{path}: no encoder layers")
    return {name: array.astype(np.float64) for name, array in w.items()}, heads


def _pair(w, name, v, source, weight, bias):
    w[f"{name}.weight"] = v[f"{source}/{weight}"]
    w[f"{name}.bias"] = v[f"{source}/{bias}"]


def _layer(w, name, v, source):
    attention = f"{source}/self_attention"
    _pair(w, f"{name}.attn_ln", v, f"{attention}/layer_norm", "gamma", "beta")
    _pair(w, f"{name}.mlp_ln", v, f"{source}/ffn/layer_norm", "gamma", "beta")
    _pair(w, f"{name}.mlp.0", v, f"{source}/ffn/linear_0", "weight", "bias")
    _pair(w, f"{name}.mlp.2", v, f"{source}/ffn/linear_1", "weight", "bias")
    _pair(w, f"{name}.attn.out", v, f"{attention}/linear_1", "weight", "bias")
    # One linear makes queries, keys and values. Keys have no bias: zeros stand in its place.
    weights = np.split(v[f"{attention}/linear_0/weight"], 3)
    biases = np.split(v[f"{attention}/linear_0/bias"], 3)
    for part, weight, bias in zip(("query", "key", "value"), weights, biases):
        w[f"{name}.attn.{part}.weight"] = weight
        if part != "key":
            w[f"{name}.attn.{part}.bias"] = bias
        elif bias.any():
            raise ValueError(f"{name}: the key has a bias, which Whisper has not")


def sha256_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def find_model(paths):
    """The model.bin among `paths`: Bazel's model repository has none when it was made offline."""
    return next((path for path in paths if os.path.basename(path) == "model.bin"), None)
