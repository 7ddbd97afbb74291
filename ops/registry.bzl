"""The only list of ops: tests, benchmarks, goldens, sweeps and reports follow from it."""

# To add an op: a folder of this name with NAME.h declaring `Contract CamelNameContract();`,
# a line here, and its golden cases in //golden.
OPS = [
    "add",
    "attention",
    "conv1d",
    "ffn",
    "gelu",
    "layer_norm",
    "linear",
    "softmax",
]

def camel_case(name):
    """layer_norm -> LayerNorm."""
    return "".join([word.capitalize() for word in name.split("_")])
