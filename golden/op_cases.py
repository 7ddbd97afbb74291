"""Goldens of ops: what each op's operands are, and its results in float64."""

import dataclasses

import numpy as np

import reference


@dataclasses.dataclass
class Op:
    operands: dict  # name -> symbolic shape
    result: str     # symbolic shape of `y`
    compute: object  # (inputs, dims) -> (y, scale), all float64


def _linear(v, _):
    operands = v["x"], v["weight"], v["bias"]
    return reference.linear(*operands), reference.linear_scale(*operands)


def _conv1d(v, dims):
    operands = v["x"], v["weight"], v["bias"], dims["stride"]
    y = reference.conv1d(*operands)
    # GELU's slope is at most 1.13: errors of its input pass through.
    return (reference.gelu(y) if dims["gelu"] else y), reference.conv1d_scale(*operands)


def _layer_norm(v, _):
    operands = v["x"], v["gamma"], v["beta"]
    return reference.layer_norm(*operands), reference.layer_norm_scale(*operands)


_MATRIX = {"x": "m,n"}
_SQUARE = "d,d"

OPS = {
    "add": Op({"a": "m,n", "b": "m,n"}, "m,n",
              lambda v, _: (v["a"] + v["b"], reference.add_scale(v["a"], v["b"]))),
    "attention": Op({"x": "m,d", "wq": _SQUARE, "bq": "d", "wk": _SQUARE, "wv": _SQUARE, "bv": "d",
                     "wo": _SQUARE, "bo": "d"}, "m,d",
                    lambda v, dims: (reference.attention(v["x"], v, dims["heads"]),
                                     reference.attention_scale(v["x"], v, dims["heads"]))),
    "conv1d": Op({"x": "c,t", "weight": "d,c,3", "bias": "d"}, "u,d", _conv1d),
    "ffn": Op({"x": "m,d", "w1": "f,d", "b1": "f", "w2": "d,f", "b2": "d"}, "m,d",
              lambda v, _: (reference.ffn(v["x"], v), reference.ffn_scale(v["x"], v))),
    "gelu": Op(_MATRIX, "m,n", lambda v, _: (reference.gelu(v["x"]), np.abs(v["x"]))),
    "layer_norm": Op({"x": "m,d", "gamma": "d", "beta": "d"}, "m,d", _layer_norm),
    "linear": Op({"x": "m,k", "weight": "n,k", "bias": "n"}, "m,n", _linear),
    "softmax": Op(_MATRIX, "m,n",
                  lambda v, _: (reference.softmax(v["x"]), reference.softmax_scale(v["x"]))),
}


@dataclasses.dataclass
class Case:
    name: str
    data: str     # "exact", "real" or "random"
    inputs: dict  # operand -> array; rounded to f32 before anything is computed
    dims: dict = dataclasses.field(default_factory=dict)  # those that no operand's shape tells


def _dims_of(op, case):
    dims = dict(case.dims)
    for name, symbolic in op.operands.items():
        symbols = symbolic.split(",")
        for symbol, size in zip(symbols, case.inputs[name].shape, strict=True):
            if not symbol.isdigit() and dims.setdefault(symbol, size) != size:
                raise ValueError(f"{case.name}: {symbol} is {dims[symbol]} and, in {name}, {size}")
    if "stride" in dims:
        dims["u"] = (dims["t"] - 1) // dims["stride"] + 1
    return dims


def evaluate(op_name, case):
    """The case's rounded inputs, result, scale (all f32) and dims."""
    op = OPS[op_name]
    inputs = {name: np.ascontiguousarray(array, np.float32) for name, array in case.inputs.items()}
    if inputs.keys() != op.operands.keys():
        raise ValueError(f"{case.name}: operands {sorted(inputs)}, expected {sorted(op.operands)}")
    dims = _dims_of(op, case)
    y, scale = op.compute({name: array.astype(np.float64) for name, array in inputs.items()}, dims)
    # + 0 turns -0 into 0: which zero comes out is not part of the golden.
    return inputs, y.astype(np.float32) + np.float32(0), scale.astype(np.float32), dims


def write(writer, op_name, case):
    """Computes a case and adds it to a golden file."""
    op = OPS[op_name]
    inputs, y, scale, dims = evaluate(op_name, case)
    writer.begin_case(case.name, case.data, dims)
    for name, array in inputs.items():
        writer.tensor(case.name, "in", name, array, op.operands[name])
    writer.tensor(case.name, "out", "y", y, op.result)
    writer.tensor(case.name, "scale", "y", scale, op.result)
