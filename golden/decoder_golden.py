"""Makes goldens of the whole decoder: every tap for a fixed sequence of tokens.

  decoder_golden.py --geometry=tiny-synthetic --out=F.h5
  decoder_golden.py --geometry=whisper-base --out=F.h5 [--model=model.bin --encoder=ENCODER.h5]

Layout as in golden/store.h, kind "decoder": a case "window0" with in/tokens [t] and, in the
synthetic one, in/encoded [p,d]; the real one is about ln_post of the encoder's golden, and has no
case where there is no model. Per layer the taps of decoder/decoder.h; `logits` [w,v] are of the
positions in in/wanted [w], `cross_scores` [h,t,p] of the heads in in/heads [h,2] (layer, head).
"""

import argparse
import math
import sys

import h5py
import numpy as np

import reference
import schema
import seeded
import whisper_model

_CASE = "window0"
SYNTHETIC_SEED = 1

# <|startoftranscript|><|en|><|transcribe|><|notimestamps|> And Mr. John Dashwood had then leisure
_REAL_TOKENS = (50258, 50259, 50359, 50363, 400, 2221, 13, 2619, 23453, 6092, 632, 550, 31339)
_REAL_HEADS = ((3, 1), (5, 6))  # two of those that Whisper base aligns words with


def attention(x, memory, w, heads, causal):
    """Queries from x [t,d], keys and values from memory [p,d]: the block's result [t,d] and the
    scores [heads,t,p] before the softmax."""
    t, d = x.shape
    width = d // heads
    q = reference.linear(x, w["query.weight"], w["query.bias"])
    k = memory @ w["key.weight"].T
    v = reference.linear(memory, w["value.weight"], w["value.bias"])
    scores, mixed = [], np.empty((t, d))
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        s = q[:, part] @ k[:, part].T / math.sqrt(width)
        scores.append(s)
        if causal:
            s = np.where(np.tri(t, dtype=bool), s, -np.inf)
        mixed[:, part] = reference.softmax(s) @ v[:, part]
    return reference.linear(mixed, w["out.weight"], w["out.bias"]), np.stack(scores)


def _under(w, prefix):
    """The weights below a prefix, by the rest of their names."""
    return {name[len(prefix) + 1:]: w[name] for name in w if name.startswith(prefix + ".")}


def decoder(tokens, encoded, w, heads, wanted, captured):
    """Yields the taps of the decoder."""
    x = w["token_embedding.weight"][tokens] + w["positional_embedding"][: len(tokens)]
    yield "embedded", x
    layer, scores = 0, {}
    while f"blocks.{layer}.attn_ln.weight" in w:
        b = _under(w, f"blocks.{layer}")
        normed = reference.layer_norm(x, b["attn_ln.weight"], b["attn_ln.bias"])
        yield f"layer{layer}.attn_ln", normed
        block, _ = attention(normed, normed, _under(b, "attn"), heads, causal=True)
        yield f"layer{layer}.attn", block
        x = x + block
        normed = reference.layer_norm(x, b["cross_attn_ln.weight"], b["cross_attn_ln.bias"])
        yield f"layer{layer}.cross_attn_ln", normed
        block, scores[layer] = attention(normed, encoded, _under(b, "cross_attn"), heads,
                                         causal=False)
        yield f"layer{layer}.cross_attn", block
        x = x + block
        normed = reference.layer_norm(x, b["mlp_ln.weight"], b["mlp_ln.bias"])
        yield f"layer{layer}.mlp_ln", normed
        hidden = reference.gelu(reference.linear(normed, b["mlp.0.weight"], b["mlp.0.bias"]))
        block = reference.linear(hidden, b["mlp.2.weight"], b["mlp.2.bias"])
        yield f"layer{layer}.mlp", block
        x = x + block
        yield f"layer{layer}.out", x
        layer += 1
    yield "cross_scores", np.stack([scores[layer][head] for layer, head in captured])
    x = reference.layer_norm(x, w["ln.weight"], w["ln.bias"])
    yield "ln", x[list(wanted)]
    yield "logits", x[list(wanted)] @ w["token_embedding.weight"].T


def _write(writer, data, tokens, encoded, w, heads, wanted, captured, keep_encoded):
    p, d = encoded.shape
    writer.begin_case(_CASE, data, {"t": len(tokens), "d": d, "p": p, "w": len(wanted),
                                    "v": len(w["token_embedding.weight"]), "h": len(captured),
                                    "heads": heads})
    writer.tensor(_CASE, "in", "tokens", tokens, "t")
    writer.tensor(_CASE, "in", "wanted", wanted, "w")
    writer.tensor(_CASE, "in", "heads", captured, "h,2")
    if keep_encoded:
        writer.tensor(_CASE, "in", "encoded", encoded, "p,d")
    shapes = {"cross_scores": "h,t,p", "ln": "w,d", "logits": "w,v"}
    for name, tap in decoder(np.array(tokens), encoded.astype(np.float64), w, heads, wanted,
                             captured):
        writer.tensor(_CASE, "out", name, tap, shapes.get(name, "t,d"))


def synthetic_weights(d, layers, vocabulary, positions, seed):
    """A seeded decoder, by names without "decoder.": f32 values in float64 arrays."""
    w = {}

    def normal(name, shape, deviation, mean=0.0):
        w[name] = seeded.tensor(seeded.name_seed(f"decoder.{name}", seed), shape, deviation,
                                mean).astype(np.float64)

    def linear(name, n, k, bias=True):
        normal(f"{name}.weight", (n, k), 1 / math.sqrt(k))
        if bias:
            normal(f"{name}.bias", (n,), 0.02)

    def norm(name):
        normal(f"{name}.weight", (d,), 0.1, 1)
        normal(f"{name}.bias", (d,), 0.05)

    normal("token_embedding.weight", (vocabulary, d), 0.02)
    normal("positional_embedding", (positions, d), 0.02)
    for layer in range(layers):
        for attn in (f"blocks.{layer}.attn", f"blocks.{layer}.cross_attn"):
            norm(f"{attn}_ln")
            for part in ("query", "key", "value", "out"):
                linear(f"{attn}.{part}", d, d, bias=part != "key")
        norm(f"blocks.{layer}.mlp_ln")
        linear(f"blocks.{layer}.mlp.0", 4 * d, d)
        linear(f"blocks.{layer}.mlp.2", d, 4 * d)
    norm("ln")
    return w


def write_synthetic(path):
    """decoder/decoder_test.cc makes the same model from the same formula."""
    w = synthetic_weights(d=128, layers=2, vocabulary=331, positions=64, seed=SYNTHETIC_SEED)
    # Odd, and not a multiple of any block.
    encoded = seeded.tensor(seeded.name_seed("encoded", SYNTHETIC_SEED), (75, 128))
    tokens = [(37 * i + 11) % 331 for i in range(45)]
    with schema.Writer(path, "decoder", seed=SYNTHETIC_SEED, geometry="tiny-synthetic") as writer:
        _write(writer, "random", tokens, encoded, w, 2, (0, 20, 44), ((0, 1), (1, 0)), True)


def decoder_weights(path):
    """The decoder's tensors of a CTranslate2 model by openai-whisper's names without "decoder.",
    float64, and the number of heads."""
    v = whisper_model.read_variables(path)
    w = {"token_embedding.weight": v["decoder/embeddings/weight"],
         "positional_embedding": v["decoder/position_encodings/encodings"]}

    def pair(name, source, weight="weight", bias="bias"):
        w[f"{name}.weight"], w[f"{name}.bias"] = v[f"{source}/{weight}"], v[f"{source}/{bias}"]

    def split(name, source, parts):
        for kind in ("weight", "bias"):
            arrays = np.split(v[f"{source}/{kind}"], len(parts))
            w.update({f"{name}.{part}.{kind}": array for part, array in zip(parts, arrays)})
        if w.pop(f"{name}.key.bias", np.zeros(1)).any():
            raise ValueError(f"{path}: {source}: the key has a bias, which Whisper has not")

    pair("ln", "decoder/layer_norm", "gamma", "beta")
    layer = 0
    while f"decoder/layer_{layer}/ffn/linear_0/weight" in v:
        source, name = f"decoder/layer_{layer}", f"blocks.{layer}"
        pair(f"{name}.attn_ln", f"{source}/self_attention/layer_norm", "gamma", "beta")
        split(f"{name}.attn", f"{source}/self_attention/linear_0", ("query", "key", "value"))
        pair(f"{name}.attn.out", f"{source}/self_attention/linear_1")
        pair(f"{name}.cross_attn_ln", f"{source}/attention/layer_norm", "gamma", "beta")
        pair(f"{name}.cross_attn.query", f"{source}/attention/linear_0")
        split(f"{name}.cross_attn", f"{source}/attention/linear_1", ("key", "value"))
        pair(f"{name}.cross_attn.out", f"{source}/attention/linear_2")
        pair(f"{name}.mlp_ln", f"{source}/ffn/layer_norm", "gamma", "beta")
        pair(f"{name}.mlp.0", f"{source}/ffn/linear_0")
        pair(f"{name}.mlp.2", f"{source}/ffn/linear_1")
        layer += 1
    if layer == 0:
        raise ValueError(f"{path}: no decoder layers")
    heads = int(v["decoder/num_heads"].reshape(-1)[0])
    return {name: array.astype(np.float64) for name, array in w.items()}, heads


def write_real(path, model, encoder):
    """Without a model the file has no case."""
    if model is None:
        with schema.Writer(path, "decoder", geometry="whisper-base"):
            return
    with h5py.File(encoder, "r") as golden:
        encoded = golden["cases/window0/out/ln_post"][()]
        audio = golden.attrs["audio_sha256"].decode()
    w, heads = decoder_weights(model)
    last = len(_REAL_TOKENS) - 1
    with schema.Writer(path, "decoder", geometry="whisper-base", model_name="whisper-base",
                       model_sha256=whisper_model.sha256_of_file(model),
                       audio_sha256=audio) as writer:
        _write(writer, "real", _REAL_TOKENS, encoded, w, heads, (0, 3, last), _REAL_HEADS, False)


def main():
    parser = argparse.ArgumentParser(description="Makes goldens of the decoder.",
                                     allow_abbrev=False)
    parser.add_argument("--geometry", required=True, choices=["whisper-base", "tiny-synthetic"])
    parser.add_argument("--out", required=True)
    parser.add_argument("--model", nargs="*", default=[], help="model.bin, among other files")
    parser.add_argument("--encoder", help="golden of the real encoder")
    options = parser.parse_args()
    try:
        if options.geometry == "tiny-synthetic":
            write_synthetic(options.out)
        else:
            write_real(options.out, whisper_model.find_model(options.model), options.encoder)
    except (OSError, ValueError, KeyError) as error:
        print(f"decoder_golden: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
