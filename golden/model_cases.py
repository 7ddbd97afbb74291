"""Cases with real data, taken from an encoder golden and the model's weights, and seeded ones."""

import h5py
import numpy as np

import reference
import seeded
from op_cases import OPS, Case

_ROWS = 256  # of long activations, evenly spaced: goldens stay small


class RealData:
    """The taps of an encoder golden, and the weights it was made with."""

    def __init__(self, encoder_golden, weights, heads):
        self._file = h5py.File(encoder_golden, "r")
        self.w = weights
        self.heads = heads
        self.layers = sum(name.endswith(".attn_ln.weight") for name in weights)

    def tap(self, name):
        return self._file[f"cases/window0/out/{name}"][()].astype(np.float64)

    def mel(self):
        return self._file["cases/window0/in/mel"][()]

    def stream(self, layer):
        """The residual stream before a layer."""
        return self.tap("embedded" if layer == 0 else f"layer{layer - 1}.out")

    def hidden(self, layer, rows):
        """Before GELU."""
        w = reference.ffn_operands(self.w, layer)
        return reference.linear(_spaced(self.tap(f"layer{layer}.mlp_ln"), rows), w["w1"], w["b1"])


def _spaced(x, rows):
    return x[np.linspace(0, len(x) - 1, min(rows, len(x))).astype(int)]


def _linear(real):
    middle, last = real.layers // 2, real.layers - 1
    q = reference.attention_operands(real.w, 0)
    yield "layer0_query", {"x": _spaced(real.tap("layer0.attn_ln"), _ROWS), "weight": q["wq"],
                           "bias": q["bq"]}, {}
    w = reference.ffn_operands(real.w, middle)
    yield f"layer{middle}_fc1", {"x": _spaced(real.tap(f"layer{middle}.mlp_ln"), _ROWS),
                                 "weight": w["w1"], "bias": w["b1"]}, {}
    w = reference.ffn_operands(real.w, last)
    yield f"layer{last}_fc2", {"x": reference.gelu(real.hidden(last, _ROWS)), "weight": w["w2"],
                               "bias": w["b2"]}, {}


def _conv1d(real):
    def operands(name, x):
        return {"x": x, "weight": real.w[f"encoder.{name}.weight"],
                "bias": real.w[f"encoder.{name}.bias"]}

    # conv1 on a third of the window: its results are twice as long as any other's.
    yield "conv1", operands("conv1", real.mel()[:, :1001]), {"stride": 1, "gelu": 1}
    yield "conv2", operands("conv2", real.tap("conv1").T), {"stride": 2, "gelu": 1}


def _layer_norm(real):
    last = real.layers - 1
    for name, norm, x in ((f"layer{0}_attn_ln", "blocks.0.attn_ln", real.stream(0)[::2]),
                          (f"layer{last}_attn_ln", f"blocks.{last}.attn_ln",
                           real.stream(last)[::2]),
                          ("ln_post", "ln_post", real.stream(real.layers))):
        gamma, beta = reference.norm_operands(real.w, norm)
        yield name, {"x": x, "gamma": gamma, "beta": beta}, {}


def _softmax(real):
    layer, head = min(2, real.layers - 1), min(3, real.heads - 1)
    x = real.tap(f"layer{layer}.attn_ln")
    w = reference.attention_operands(real.w, layer)
    q = reference.split_heads(reference.linear(x, w["wq"], w["bq"]), real.heads)[head]
    k = reference.split_heads(x @ w["wk"].T, real.heads)[head]
    yield f"layer{layer}_head{head}", {"x": reference.scores(_spaced(q, _ROWS), k)}, {}


def _gelu(real):
    for layer in (0, real.layers - 1):
        yield f"layer{layer}", {"x": real.hidden(layer, _ROWS)}, {}


def _add(real):
    layer = real.layers // 2
    yield f"layer{layer}_attn", {"a": _spaced(real.stream(layer), 2 * _ROWS),
                                 "b": _spaced(real.tap(f"layer{layer}.attn"), 2 * _ROWS)}, {}


def _attention(real):
    # Of one layer a prefix of odd length, of the other the whole window.
    late = max(real.layers - 2, 0)
    for layer, rows in ((0, 749), (late, None)):
        yield f"layer{layer}", {"x": real.tap(f"layer{layer}.attn_ln")[:rows],
                                **reference.attention_operands(real.w, layer)}, {
                                    "heads": real.heads}


def _ffn(real):
    last = real.layers - 1
    yield f"layer{last}", {"x": real.tap(f"layer{last}.mlp_ln"),
                           **reference.ffn_operands(real.w, last)}, {}


_REAL = {"add": _add, "attention": _attention, "conv1d": _conv1d, "ffn": _ffn, "gelu": _gelu,
         "layer_norm": _layer_norm, "linear": _linear, "softmax": _softmax}


def real_cases(op, real):
    """Real inputs of the op; its results are computed from them once they are rounded to f32."""
    for name, inputs, dims in _REAL[op](real):
        yield Case(name, "real", inputs, dims)


# op -> (sizes, deviation of activations, dims that no shape tells). Mostly primes: no size is a
# multiple of a tile's.
_RANDOM = {
    "add": [({"m": 11, "n": 37}, 1, {})],
    "attention": [({"m": 37, "d": 64}, 1, {"heads": 2})],
    "conv1d": [({"c": 80, "t": 17, "d": 29}, 1, {"stride": 2, "gelu": 1}),
               ({"c": 7, "t": 31, "d": 64}, 1, {"stride": 1, "gelu": 0})],
    "ffn": [({"m": 11, "d": 32, "f": 131}, 1, {})],
    "gelu": [({"m": 11, "n": 331}, 2, {})],
    "layer_norm": [({"m": 7, "d": 97}, 3, {})],
    "linear": [({"m": 7, "k": 64, "n": 33}, 1, {}), ({"m": 1, "k": 331, "n": 101}, 1, {})],
    "softmax": [({"m": 11, "n": 331}, 4, {})],
}


def _seeded_operand(op, name, shape, seed, deviation):
    """Activations as asked for, weights normal by 1 / sqrt(fan-in), biases small, gains about 1."""
    own_seed = seeded.name_seed(f"{op}/{name}", seed)
    if name in ("x", "a", "b"):
        return seeded.tensor(own_seed, shape, deviation)
    if name == "gamma":
        return seeded.tensor(own_seed, shape, 0.1, 1)
    if len(shape) == 1:
        return seeded.tensor(own_seed, shape, 0.1)
    return seeded.tensor(own_seed, shape, 1 / np.sqrt(np.prod(shape[1:])))


def random_cases(op, seed):
    for number, (sizes, deviation, dims) in enumerate(_RANDOM[op]):
        inputs = {}
        for name, symbolic in OPS[op].operands.items():
            shape = [sizes.get(symbol) or int(symbol) for symbol in symbolic.split(",")]
            inputs[name] = _seeded_operand(op, name, shape, seed + number, deviation)
        yield Case(f"random{number}", "random", inputs, dims)
