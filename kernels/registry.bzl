"""The only list of kernels: the cost model, the kill table and the freestanding build follow from it."""

# To add a kernel: a folder of this name whose BUILD calls tile_kernel(), tile_kernel_cost() and
# tile_kernel_test() (see README.md), and a line here.
KERNELS = [
    "add",
    "add_norm",
    "attention",
    "convert",
    "dequantize",
    "gelu",
    "im2col",
    "layer_norm",
    "matmul",
    "passthrough",
    "quantize",
    "relu",
    "scale",
    "softmax",
    "transpose",
]

def camel_case(name):
    """layer_norm -> LayerNorm."""
    return "".join([word.capitalize() for word in name.split("_")])
