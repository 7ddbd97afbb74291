"""Cases whose results are exact: every intermediate is an integer or a power of two that f32, bf16
and int8 arithmetic represent, in any order of summation, so any correct kernel gives these bits.

For int8, each row of activations and of weights has 127 as its largest magnitude, so that symmetric
quantisation by row has scale 1. These 127s stand where they meet a zero, and so change no result.
"""

import numpy as np

import seeded
from op_cases import Case, evaluate

_PEAK = 127


def _integers(name, shape, low, high):
    return seeded.integers(seeded.name_seed(name, 0), shape, low, high)


def _signs(name, shape):
    return 2 * _integers(name, shape, 0, 1) - 1


def _peaked(name, x, weight):
    """Sets feature 0 of x to 127 where weights are 0, and of weights feature 1 to +-127 where x is
    0. x [.., features], weight [.., features]."""
    x[..., 0], x[..., 1] = _PEAK, 0
    weight[..., 0], weight[..., 1] = 0, _PEAK * _signs(f"{name}/peak", weight.shape[:-1])


def _sparse_signs(name, shape, count):
    """-1, 0 and 1, with about `count` that are not 0 in a row."""
    kept = _integers(f"{name}/kept", shape, 0, shape[1] - 1) < count
    return np.where(kept, _signs(name, shape), 0)


def _linear(name, m, k, n, reach):
    x = _integers(f"{name}/x", (m, k), -reach, reach)
    weight = _integers(f"{name}/weight", (n, k), -reach, reach)
    _peaked(name, x, weight)
    return {"x": x, "weight": weight, "bias": _integers(f"{name}/bias", (n,), -8, 8)}


def _conv1d(name, c, t, d, step, reach):
    """Values are multiples of `step`: 16 makes results 0 or large, where GELU is exact."""
    x = step * _integers(f"{name}/x", (t, c), -reach, reach)
    weight = _integers(f"{name}/weight", (d, 3, c), -1, 1)
    _peaked(name, x, weight)
    bias = step * _integers(f"{name}/bias", (d,), -2, 2)
    return {"x": x.T, "weight": weight.transpose(0, 2, 1), "bias": bias}


def _layer_norm(name, m, d):
    """Rows of +-2^k, balanced, whose variance swallows epsilon, and each third row constant."""
    order = np.argsort(seeded.bits(seeded.name_seed(name, 1), np.arange(m * d)).reshape(m, d))
    x = np.where(order < d // 2, 1.0, -1.0) * 2.0 ** (20 + np.arange(m) % 5)[:, None]
    x[1::3] = _integers(f"{name}/constant", (len(x[1::3]), 1), -9, 9)
    return {"x": x, "gamma": _integers(f"{name}/gamma", (d,), 1, 8) * _signs(name, (d,)),
            "beta": _integers(f"{name}/beta", (d,), -8, 8)}


def _softmax(name, m, n):
    """2^k equal entries a row; the others so far below that they vanish."""
    order = np.argsort(seeded.bits(seeded.name_seed(name, 1), np.arange(m * n)).reshape(m, n))
    kept = 2 ** (np.arange(1, m + 1) % int(np.log2(n) + 1))
    level = _integers(f"{name}/level", (m, 1), -3, 3)
    return {"x": np.where(order < kept[:, None], level, -1024)}


def _gelu(name, m, n):
    """0, and magnitudes from which on the normal's tail is lost beside 1."""
    magnitude = _integers(f"{name}/x", (m, n), 15, 200)
    return {"x": np.where(magnitude == 15, 0, magnitude) * _signs(name, (m, n))}


def _add(name, m, n):
    return {part: _integers(f"{name}/{part}", (m, n), -100, 100) for part in "ab"}


def _attention(name, m, d, heads, uniform):
    """Either all keys are 0 and each row attends to all alike, or each row attends to one other.

    x holds a one-hot code of its row in the first d / heads features, and values in the others.
    Where a code meets itself the score is 128 and elsewhere about 0: the softmax is 0 or 1.
    """
    codes = d // heads
    x = np.zeros((m, d), np.float32)
    x[np.arange(m), np.arange(m)] = 16
    x[:, codes:] = _integers(f"{name}/x", (m, d - codes), -2, 2)
    if uniform:  # means over rows must be integers
        x[-1, codes:] -= x[:, codes:].sum(axis=0) % m
    weights = {part: np.zeros((d, d), np.float32) for part in ("wq", "wk", "wv", "wo")}
    key = 2 * np.sqrt(codes / 16)
    for head in range(heads):
        rows = head * codes
        code = np.arange(m)
        weights["wq"][rows + code, (code + head + 1) % m] = key
        if not uniform:
            weights["wk"][rows + code, code] = 1
    value = slice(codes, d)
    weights["wv"][:, value] = _sparse_signs(f"{name}/wv", (d, d - codes), 10)
    _peaked(f"{name}/v", x[:, value], weights["wv"][:, value])
    weights["wo"] = _sparse_signs(f"{name}/wo", (d, d), 16)
    bv = _integers(f"{name}/bv", (d,), -2, 2)
    for first in range(0, d, codes):  # of each head: one channel always 127, one always 0
        weights["wv"][first : first + 2, codes] = _PEAK, 0
        weights["wv"][first : first + 2, codes + 2 :] = 0
        weights["wv"][first, codes] = 1
        bv[first : first + 2] = 0
        weights["wo"][:, first] = 0
        weights["wo"][:, first + 1] = _PEAK * _signs(f"{name}/o{first}", (d,))
    return {"x": x, **weights, "bq": _integers(f"{name}/bq", (d,), -1, 1), "bv": bv,
            "bo": _integers(f"{name}/bo", (d,), -8, 8)}


def _ffn(name, m, d, f):
    """Hidden units get 0 or at least 16 before GELU; unit 0 is always 127, unit 1 always 0."""
    x = 16 * _integers(f"{name}/x", (m, d), -1, 1)
    w1 = _sparse_signs(f"{name}/w1", (f, d), 4)
    b1 = 16 * _integers(f"{name}/b1", (f,), -1, 1)
    _peaked(f"{name}/1", x, w1)
    w1[:2, 2:], w1[:2, 0], b1[:2] = 0, (1, 0), 0
    w2 = _integers(f"{name}/w2", (d, f), -1, 1)
    w2[:, 0], w2[:, 1] = 0, _PEAK * _signs(f"{name}/peak2", (d,))
    return {"x": x, "w1": w1, "b1": b1, "w2": w2,
            "b2": 16 * _integers(f"{name}/b2", (d,), -3, 3)}


# op -> [(builder, its arguments, further dims)]
_CASES = {
    "add": [(_add, (1, 16), {}), (_add, (7, 13), {}), (_add, (13, 48), {})],
    "attention": [(_attention, (1, 32, 2, False), {"heads": 2}),
                  (_attention, (13, 32, 2, False), {"heads": 2}),
                  (_attention, (16, 128, 2, True), {"heads": 2})],
    "conv1d": [(_conv1d, (16, 13, 16, 1, 3), {"stride": 1, "gelu": 0}),
               (_conv1d, (5, 7, 13, 1, 4), {"stride": 2, "gelu": 0}),
               (_conv1d, (6, 11, 8, 16, 1), {"stride": 1, "gelu": 1})],
    "ffn": [(_ffn, (1, 16, 48), {}), (_ffn, (13, 16, 31), {}), (_ffn, (7, 48, 64), {})],
    "gelu": [(_gelu, (1, 16), {}), (_gelu, (7, 13), {}), (_gelu, (13, 48), {})],
    "layer_norm": [(_layer_norm, (1, 16), {}), (_layer_norm, (7, 64), {}),
                   (_layer_norm, (13, 512), {})],
    "linear": [(_linear, (1, 16, 16, 4), {}), (_linear, (7, 48, 13, 3), {}),
               (_linear, (13, 16, 31, 4), {})],
    "softmax": [(_softmax, (1, 16), {}), (_softmax, (7, 48), {}), (_softmax, (13, 331), {})],
}


def _check_bf16(case, name, array):
    if (array.view(np.uint32) & 0xFFFF).any():
        raise ValueError(f"{case.name}: {name} is not exact in bf16")


def cases(op):
    """The op's exact cases, after a check that bf16 holds operands and results."""
    for number, (build, arguments, dims) in enumerate(_CASES[op]):
        case = Case(f"exact{number}", "exact", build(f"{op}/exact{number}", *arguments), dims)
        inputs, y, _, _ = evaluate(op, case)
        for name, array in {**inputs, "y": y}.items():
            _check_bf16(case, name, array)
        yield case
