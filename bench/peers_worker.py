"""One other framework of peers.py, in its environment: `peers_worker.py FRAMEWORK JOB`.

JOB is a file of JSON: folder, threads, the model's dimensions, and where each tensor lies in the
folder's weights.f32.  Requests and answers are lines of JSON, as bench/peer_host.cc's.
"""

import collections
import importlib.metadata
import json
import os
import sys
import time

import numpy as np

# pylint: disable=import-outside-toplevel,import-error
OPSET = 23  # Of the ONNX graph: the first with attention as one node.
# Whisper's names of the parts of a layer, Hugging Face's first.
PARTS = (
    ("self_attn.q_proj", "attn.query"), ("self_attn.k_proj", "attn.key"),
    ("self_attn.v_proj", "attn.value"), ("self_attn.out_proj", "attn.out"),
    ("self_attn_layer_norm", "attn_ln"), ("final_layer_norm", "mlp_ln"),
    ("fc1", "mlp.0"), ("fc2", "mlp.2"),
)


class Refusal(Exception):
    """Why a variant does not run on this machine, in one line."""


def our_name(theirs):
    """Returns openai-whisper's name of a tensor of Hugging Face's WhisperEncoder."""
    name = theirs.replace("layers.", "blocks.", 1) if theirs.startswith("layers.") else theirs
    for old, new in PARTS:
        name = name.replace(f".{old}.", f".{new}.")
    name = name.replace("embed_positions.weight", "positional_embedding")
    return "encoder." + name.replace("layer_norm.", "ln_post.")


class Torch:
    """Hugging Face's WhisperEncoder, with scaled_dot_product_attention."""
    VARIANTS = {"f32": "", "bf16": "autocast"}

    def __init__(self, job):
        import torch
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder
        torch.set_num_threads(job["threads"])
        config = WhisperConfig(
            d_model=job["d"], encoder_layers=job["layers"], encoder_attention_heads=job["heads"],
            encoder_ffn_dim=4 * job["d"], num_mel_bins=job["n_mels"],
            max_source_positions=job["positions"], attn_implementation="sdpa")
        encoder = WhisperEncoder(config).eval()
        numbers = np.fromfile(os.path.join(job["folder"], "weights.f32"), dtype=np.float32)
        tensors = {}
        for name, present in encoder.state_dict().items():
            there = job["tensors"][our_name(name)]
            count = int(np.prod(there["shape"]))
            flat = numbers[there["offset"]:there["offset"] + count]
            tensors[name] = torch.from_numpy(flat.reshape(there["shape"]).copy())
            assert tensors[name].shape == present.shape, name
        encoder.load_state_dict(tensors)

        class Output(torch.nn.Module):
            """Gives the tensor alone."""

            def __init__(self):
                super().__init__()
                self.encoder = encoder

            def forward(self, mel):
                return self.encoder(mel).last_hidden_state

        self.torch = torch
        self.module = Output().eval()

    def open(self, variant):
        torch = self.torch

        def run(mel):
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16,
                                                        enabled=variant == "bf16"):
                return self.module(torch.from_numpy(mel)).float().numpy()

        if variant == "bf16":
            # pylint: disable-next=protected-access
            native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
            return run, f"autocast, oneDNN {'has' if native else 'lacks'} bf16 here"
        return run, "oneDNN" if torch.backends.mkldnn.is_available() else "no oneDNN"

    def export(self, job):
        """Writes encoder.onnx."""
        torch = self.torch
        mel = torch.zeros(1, job["n_mels"], job["frames"])
        torch.onnx.export(self.module, (mel,), os.path.join(job["folder"], "encoder.onnx"),
                          input_names=["mel"], output_names=["encoded"], opset_version=OPSET,
                          dynamo=True)


class OpenVino:
    """OpenVINO's conversion of the ONNX graph; int8 is NNCF's, calibrated on these very windows."""
    VARIANTS = {"f32": "", "bf16": "", "int8": "NNCF + bf16", "int8-with-f32": "NNCF + f32"}

    def __init__(self, job):
        import openvino
        self.job = job
        self.openvino = openvino
        self.core = openvino.Core()
        self.plain = openvino.convert_model(os.path.join(job["folder"], "encoder.onnx"))
        self.quantised = None

    def quantise(self):
        import nncf
        mel = read_mel(self.job)
        data = nncf.Dataset([mel[i:i + 1] for i in range(len(mel))])
        return nncf.quantize(self.plain.clone(), data, subset_size=len(mel),
                             model_type=nncf.ModelType.TRANSFORMER)

    def open(self, variant):
        model = self.plain
        if variant.startswith("int8"):
            self.quantised = model = self.quantised or self.quantise()
        hint = "f32" if variant.endswith("f32") else "bf16"
        able = self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if hint == "bf16" and "BF16" not in able:
            raise Refusal("OpenVINO says that this CPU has no bf16")
        compiled = self.core.compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self.job["threads"]})
        request = compiled.create_infer_request()
        return lambda mel: request.infer({0: mel})[0], self.executes(compiled)

    @staticmethod
    def executes(compiled):
        """Says which kernels were chosen for the linears."""
        kinds = collections.Counter()
        for node in compiled.get_runtime_model().get_ordered_ops():
            info = {key: node.get_rt_info()[key].astype(str)
                    for key in ("layerType", "primitiveType") if key in node.get_rt_info()}
            if info.get("layerType") == "FullyConnected":
                kinds[info["primitiveType"]] += 1
        return "linears " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


class OnnxRuntime:
    """onnxruntime: the exported graph, and with attention and GELU fused by its own optimizer."""
    VARIANTS = {"f32": "plain graph", "f32-fused": "fused attention", "int8": "plain, dynamic",
                "int8-fused": "fused attention, dynamic"}

    def __init__(self, job):
        self.job = job

    def path(self, name):
        return os.path.join(self.job["folder"], name)

    def fuse(self):
        """Writes the graph with onnxruntime's own attention, and returns its path and its name."""
        import onnx
        model = onnx.load(self.path("encoder.onnx"))
        nodes = {output: node for node in model.graph.node for output in node.output}
        users = {name: node for node in model.graph.node for name in node.input}
        attentions = [node for node in model.graph.node if node.op_type == "Attention"]
        if len(attentions) != self.job["layers"]:
            raise Refusal(f"the graph has {len(attentions)} nodes Attention, "
                          f"not {self.job['layers']}")
        gone = []
        for node in attentions:
            flat = [name for name in node.input if name]
            for i, name in enumerate(flat):  # Past what splits [1, positions, d] into heads.
                while nodes[name].op_type in ("Transpose", "Reshape"):
                    name = nodes[name].input[0]
                flat[i] = name
            last = node  # To where the heads are joined again.
            while users[last.output[0]].op_type in ("Transpose", "Reshape"):
                gone.append(last)
                last = users[last.output[0]]
            scale = next(part.f for part in node.attribute if part.name == "scale")
            last.CopyFrom(onnx.helper.make_node(
                "MultiHeadAttention", flat, list(last.output), domain="com.microsoft",
                scale=scale, num_heads=self.job["heads"]))
        for node in gone:
            model.graph.node.remove(node)
        model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
        onnx.save(model, self.path("fused.onnx"))
        return self.path("fused.onnx"), "com.microsoft.MultiHeadAttention"

    def open(self, variant):
        import onnxruntime
        from onnxruntime.quantization import QuantType, quantize_dynamic
        precision, _, fused = variant.partition("-")
        path, what = self.fuse() if fused else (self.path("encoder.onnx"), "as exported")
        if precision == "int8":
            source, path = path, self.path(f"{variant}.onnx")
            quantize_dynamic(source, path, weight_type=QuantType.QInt8, per_channel=True,
                             op_types_to_quantize=["MatMul"],
                             extra_options={"MatMulConstBOnly": True})
            what += "; linears u8 x s8, weights per channel"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.job["threads"]
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda mel: session.run(None, {"mel": mel})[0], what


class CTranslate2:
    """CTranslate2, which is what faster-whisper runs."""
    VARIANTS = {"f32": "float32", "bf16": "bfloat16", "int8": "int8_float32"}

    def __init__(self, job):
        self.job = job
        if not job["model_format"].startswith("ctranslate2"):
            raise Refusal(f"the model is {job['model_format']}, not CTranslate2's")

    def open(self, variant):
        import ctranslate2
        try:
            model = ctranslate2.models.Whisper(
                os.path.dirname(self.job["model_path"]), device="cpu", inter_threads=1,
                compute_type=self.VARIANTS[variant], intra_threads=self.job["threads"])
        except ValueError as error:
            raise Refusal(error) from error

        def run(mel):
            encoded = model.encode(ctranslate2.StorageView.from_array(mel), to_cpu=True)
            return np.array(encoded.to(ctranslate2.DataType.float32))

        return run, f"compute type {model.compute_type}"


FRAMEWORKS = {"torch": Torch, "openvino": OpenVino, "onnxruntime": OnnxRuntime,
              "ctranslate2": CTranslate2}


def read_mel(job):
    numbers = np.fromfile(os.path.join(job["folder"], "mel.f32"), dtype=np.float32)
    return numbers.reshape(job["windows"], job["n_mels"], job["frames"])


class Worker:
    """Answers requests."""

    def __init__(self, framework, job):
        self.job = job
        self.framework = FRAMEWORKS[framework](job)
        self.windows = np.split(read_mel(job), job["windows"])
        self.variants = {}

    def open(self, variant, file):
        """Makes a variant ready; its first output goes into a file."""
        run, executes = self.framework.open(variant)
        self.variants[variant] = run
        np.concatenate([run(mel) for mel in self.windows]).astype(np.float32).tofile(file)
        return {"executes": executes}

    def time(self, variant, passes):
        """Seconds a window of each pass over all; one more before, untimed."""
        run = self.variants[variant]
        seconds = []
        for number in range(passes + 1):
            begin = time.perf_counter()
            for mel in self.windows:
                run(mel)
            if number:
                seconds.append((time.perf_counter() - begin) / len(self.windows))
        return {"seconds": seconds}

    def export(self):
        self.framework.export(self.job)
        return {}

    def answer(self, request):
        try:
            return getattr(self, request.pop("do"))(**request)
        except Refusal as refusal:
            return {"refused": " ".join(str(refusal).split())}


def main():
    # Frameworks print what they like: it goes where errors go.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with open(sys.argv[2], encoding="utf-8") as file:
        job = json.load(file)
    try:
        worker = Worker(sys.argv[1], job)
        first = {"version": importlib.metadata.version(sys.argv[1])}
    except Refusal as refusal:
        worker, first = None, {"refused": str(refusal)}
    print(json.dumps(first), file=answers, flush=True)
    for line in sys.stdin if worker else ():
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
