"""Whisper's ops and encoder in float64, written plainly from their definitions (Radford et al.,
"Robust Speech Recognition via Large-Scale Weak Supervision", 2022; Vaswani et al., 2017).

Activations are [rows, features]. Next to each op stands its scale: for each result, the magnitude
that a sensible error bound is relative to (see golden/compare.h).
"""

import math

import numpy as np

LAYER_NORM_EPSILON = 1e-5
_ROWS = 512  # of attention scores or GELU inputs in memory at a time


def linear(x, weight, bias):
    """x [m,k], weight [n,k], bias [n] -> x weight^T + bias, [m,n]."""
    return x @ weight.T + bias


def linear_scale(x, weight, bias):
    """Sum of the magnitudes of all terms."""
    return np.abs(x) @ np.abs(weight).T + np.abs(bias)


def add_scale(a, b):
    return np.abs(a) + np.abs(b)


def gelu(x):
    """x P(normal <= x) = x/2 (1 + erf(x / sqrt 2)), without cancellation for negative x."""
    result = np.empty(x.shape)
    flat, out = x.reshape(-1), result.reshape(-1)
    step = _ROWS * 2048
    for begin in range(0, flat.size, step):
        part = flat[begin : begin + step]
        argument = (part * -math.sqrt(0.5)).tolist()
        tail = np.fromiter(map(math.erfc, argument), np.float64, len(argument))
        out[begin : begin + step] = 0.5 * part * tail
    return result


def layer_norm(x, gamma, beta):
    """Each row of x [m,d] to mean 0 and variance 1, times gamma [d], plus beta [d]."""
    centred = x - x.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1, keepdims=True)
    return centred / np.sqrt(variance + LAYER_NORM_EPSILON) * gamma + beta


def layer_norm_scale(x, gamma, beta):
    """x - mean cancels, so errors are relative to |x| + |mean|, by 1/std and gamma."""
    mean = x.mean(axis=1, keepdims=True)
    std = np.sqrt(((x - mean) ** 2).mean(axis=1, keepdims=True) + LAYER_NORM_EPSILON)
    return np.abs(gamma) * (np.abs(x) + np.abs(mean)) / std + np.abs(beta)


def softmax_scale(x):
    """The error of x - max is relative to itself, and comes out relative to the probability."""
    return softmax(x) * (1 + x.max(axis=-1, keepdims=True) - x)


def softmax(x):
    """Over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def conv1d(x, weight, bias, stride):
    """x [c,t], weight [d,c,3], bias [d], padding 1 -> [u,d], u = (t - 1) / stride + 1."""
    return columns(x, stride) @ weight.reshape(len(weight), -1).T + bias


def conv1d_scale(x, weight, bias, stride):
    return conv1d(np.abs(x), np.abs(weight), np.abs(bias), stride)


def columns(x, stride):
    """[u, 3c]: for each result of the convolution, the inputs that it sees."""
    c, t = x.shape
    padded = np.pad(x, ((0, 0), (1, 1)))
    u = (t - 1) // stride + 1
    starts = stride * np.arange(u)
    return np.stack([padded[:, starts + tap] for tap in range(3)], axis=2).transpose(
        1, 0, 2).reshape(u, 3 * c)


def split_heads(x, heads):
    """[m, d] -> [heads, m, d / heads]."""
    m, d = x.shape
    return x.reshape(m, heads, d // heads).transpose(1, 0, 2)


def scores(q, k):
    """q, k [m, d / heads] of one head -> [m, m], before the softmax."""
    return (q / math.sqrt(q.shape[1])) @ k.T


def _attend(x, w, heads, value):
    """Each head's softmax(q k^T / sqrt(d / heads)) value, side by side: [m, d]."""
    q = split_heads(linear(x, w["wq"], w["bq"]), heads)
    k = split_heads(x @ w["wk"].T, heads)  # the key has no bias
    v = split_heads(value, heads)
    m, d = x.shape
    mixed = np.empty((m, d))
    for head in range(heads):
        features = slice(head * d // heads, (head + 1) * d // heads)
        for begin in range(0, m, _ROWS):
            rows = slice(begin, begin + _ROWS)
            mixed[rows, features] = softmax(scores(q[head, rows], k[head])) @ v[head]
    return mixed


def attention(x, w, heads):
    """The whole block on x [m,d]; w holds wq, wk, wv, wo [d,d] and bq, bv, bo [d]."""
    mixed = _attend(x, w, heads, linear(x, w["wv"], w["bv"]))
    return linear(mixed, w["wo"], w["bo"])


def attention_scale(x, w, heads):
    """sum |wo| P|v| + |bo|: magnitudes of what the last two products add up, taking the
    probabilities for exact."""
    mixed = _attend(x, w, heads, np.abs(linear(x, w["wv"], w["bv"])))
    return linear(mixed, np.abs(w["wo"]), np.abs(w["bo"]))


def ffn(x, w):
    """w2 gelu(w1 x + b1) + b2 on x [m,d]; w holds w1 [f,d], b1 [f], w2 [d,f], b2 [d]."""
    return linear(gelu(linear(x, w["w1"], w["b1"])), w["w2"], w["b2"])


def ffn_scale(x, w):
    """sum |w2| |h| + |b2|, h the hidden activations."""
    return linear_scale(gelu(linear(x, w["w1"], w["b1"])), w["w2"], w["b2"])


def sinusoids(length, channels):
    """[length, channels]: sines, then cosines, with wavelengths from 2 pi to 10000 * 2 pi."""
    half = channels // 2
    rates = np.exp(-math.log(10000) / (half - 1) * np.arange(half))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def attention_operands(w, layer):
    """The attention op's operands by the op's names."""
    name = f"encoder.blocks.{layer}.attn"
    operands = {"wk": w[f"{name}.key.weight"]}
    for short, part in (("q", "query"), ("v", "value"), ("o", "out")):
        operands[f"w{short}"] = w[f"{name}.{part}.weight"]
        operands[f"b{short}"] = w[f"{name}.{part}.bias"]
    return operands


def ffn_operands(w, layer):
    """The ffn op's operands by the op's names."""
    name = f"encoder.blocks.{layer}.mlp"
    return {"w1": w[f"{name}.0.weight"], "b1": w[f"{name}.0.bias"],
            "w2": w[f"{name}.2.weight"], "b2": w[f"{name}.2.bias"]}


def norm_operands(w, name):
    return w[f"encoder.{name}.weight"], w[f"encoder.{name}.bias"]


def conv_stem(mel, w):
    """Yields the taps from mel [n_mels, frames] to the first layer's input."""
    conv1 = gelu(conv1d(mel, w["encoder.conv1.weight"], w["encoder.conv1.bias"], 1))
    yield "conv1", conv1
    conv2 = gelu(conv1d(conv1.T, w["encoder.conv2.weight"], w["encoder.conv2.bias"], 2))
    yield "conv2", conv2
    yield "embedded", conv2 + w["encoder.positional_embedding"]


def projection_stem(mel, projection):
    """Likewise for the geometry without convolutions: projection [d, n_mels], sines and cosines."""
    x = mel.T @ projection.T
    yield "projection", x
    yield "embedded", x + sinusoids(*x.shape)


def transformer(x, w, heads):
    """Yields the taps from x, the embedded input, to the encoder's output."""
    layer = 0
    while f"encoder.blocks.{layer}.attn_ln.weight" in w:
        normed = layer_norm(x, *norm_operands(w, f"blocks.{layer}.attn_ln"))
        yield f"layer{layer}.attn_ln", normed
        attended = attention(normed, attention_operands(w, layer), heads)
        yield f"layer{layer}.attn", attended
        x = x + attended
        normed = layer_norm(x, *norm_operands(w, f"blocks.{layer}.mlp_ln"))
        yield f"layer{layer}.mlp_ln", normed
        fed = ffn(normed, ffn_operands(w, layer))
        yield f"layer{layer}.mlp", fed
        x = x + fed
        yield f"layer{layer}.out", x
        layer += 1
    yield "ln_post", layer_norm(x, *norm_operands(w, "ln_post"))
