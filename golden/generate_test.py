#!/usr/bin/python3 -B
"""Tests of the golden generator: reading the model, what exact cases promise, files and errors."""

import contextlib
import hashlib
import io
import os
import struct
import tempfile
import unittest
from unittest import mock

import h5py
import numpy as np

import encoder_golden
import exact_cases
import generate
import op_cases
import reference
import schema
import seeded
import whisper_model


def normal(name, *shape):
    return seeded.tensor(seeded.name_seed(name, 5), shape).astype(np.float64)


class TempFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)


def _text(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def _variable(name, array, kind):
    return (_text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape) +
            struct.pack("<BI", kind, array.nbytes) + array.tobytes())


def _model_file(d=4, version=6):
    """A CTranslate2 model of one encoder layer."""
    def half(*shape):
        return normal(str(shape), *shape).astype("<f2")

    def pair(name, shape, weight="weight", bias="bias"):
        return {f"{name}/{weight}": half(*shape), f"{name}/{bias}": half(shape[0])}

    layer = "encoder/layer_0"
    qkv = pair(f"{layer}/self_attention/linear_0", (3 * d, d))
    qkv[f"{layer}/self_attention/linear_0/bias"][d : 2 * d] = 0
    variables = {
        **pair("encoder/conv1", (d, 3, 3)), **pair("encoder/conv2", (d, d, 3)),
        "encoder/position_encodings/encodings": half(6, d),
        **{f"{name}/{part}": half(d) for part in ("gamma", "beta") for name in (
            "encoder/layer_norm", f"{layer}/ffn/layer_norm", f"{layer}/self_attention/layer_norm")},
        **qkv, **pair(f"{layer}/self_attention/linear_1", (d, d)),
        **pair(f"{layer}/ffn/linear_0", (4 * d, d)), **pair(f"{layer}/ffn/linear_1", (d, 4 * d)),
    }
    data = struct.pack("<I", version) + _text("WhisperSpec") + struct.pack("<I", 3)
    data += struct.pack("<I", len(variables) + 1)
    data += _variable("encoder/num_heads", np.array(2, "<i2"), 2)
    data += b"".join(_variable(name, array, 4) for name, array in variables.items())
    return data, variables


class WhisperModel(TempFolder):
    def _write(self, data):
        path = self.path("model.bin")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_reads_what_was_written(self):
        data, variables = _model_file()
        w, heads = whisper_model.encoder_weights(self._write(data + struct.pack("<I", 0)))
        self.assertEqual(heads, 2)
        qkv = variables["encoder/layer_0/self_attention/linear_0/weight"]
        np.testing.assert_array_equal(w["encoder.blocks.0.attn.key.weight"], qkv[4:8])
        np.testing.assert_array_equal(w["encoder.blocks.0.attn_ln.bias"],
                                      variables["encoder/layer_0/self_attention/layer_norm/beta"])
        np.testing.assert_array_equal(w["encoder.conv1.weight"], variables["encoder/conv1/weight"])
        self.assertNotIn("encoder.blocks.0.attn.key.bias", w)
        synthetic = encoder_golden.synthetic_weights(n_mels=3, d=4, layers=1, positions=6, seed=1)
        self.assertEqual({name: array.shape for name, array in w.items()},
                         {name: array.shape for name, array in synthetic.items()})

    def test_a_cut_or_foreign_file_is_an_error(self):
        data, _ = _model_file()
        for size in range(0, len(data), 7):
            with self.assertRaisesRegex(ValueError, "model.bin"):
                whisper_model.encoder_weights(self._write(data[:size]))
        with self.assertRaisesRegex(ValueError, "version 5"):
            whisper_model.read_variables(self._write(_model_file(version=5)[0]))
        wrong = data.replace(struct.pack("<BI", 2, 2), struct.pack("<BI", 2, 4), 1)
        with self.assertRaisesRegex(ValueError, "num_heads"):
            whisper_model.read_variables(self._write(wrong))


def _quantised(x):
    """Each row rounded to 8 bits, symmetric, as integers, and the rows' scales."""
    scale = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
    return np.rint(x / np.where(scale == 0, 1, scale)), scale


class ExactCases(unittest.TestCase):
    def _inputs(self, op):
        for case in exact_cases.cases(op):
            inputs, y, _, dims = op_cases.evaluate(op, case)
            yield inputs, y, dims

    def _assert_exact_in_int8(self, x, weight):
        for operand in (x, weight):
            whole, scale = _quantised(operand.astype(np.float32))
            self.assertTrue((scale == 1).all())
            np.testing.assert_array_equal(whole, operand)

    def _assert_sums_fit_bf16(self, x, weight, bias, unit=1):
        """Any partial sum, in any order, has 8 bits."""
        self.assertLessEqual(reference.linear_scale(x, weight, bias).max(), 256 * unit)

    def test_linear(self):
        for inputs, y, _ in self._inputs("linear"):
            self._assert_exact_in_int8(inputs["x"], inputs["weight"])
            self._assert_sums_fit_bf16(inputs["x"], inputs["weight"], inputs["bias"])
            # In the other direction, in f32: the same bits.
            got = np.zeros(y.shape, np.float32)
            for k in reversed(range(inputs["x"].shape[1])):
                got += inputs["x"][:, k, None] * inputs["weight"][None, :, k]
            np.testing.assert_array_equal(got + inputs["bias"], y)

    def test_conv1d(self):
        for inputs, _, dims in self._inputs("conv1d"):
            columns = reference.columns(inputs["x"], dims["stride"])
            weight = inputs["weight"].reshape(len(inputs["weight"]), -1)
            self._assert_exact_in_int8(columns, weight)
            self._assert_sums_fit_bf16(columns, weight, inputs["bias"], 16 if dims["gelu"] else 1)

    def test_ffn(self):
        for inputs, y, _ in self._inputs("ffn"):
            self._assert_exact_in_int8(inputs["x"], inputs["w1"])
            before = reference.linear(inputs["x"], inputs["w1"], inputs["b1"])
            self.assertTrue(((before == 0) | (np.abs(before) >= 16)).all())
            hidden = np.maximum(before, 0)
            self._assert_exact_in_int8(hidden, inputs["w2"])
            self._assert_sums_fit_bf16(hidden, inputs["w2"], inputs["b2"], 16)
            np.testing.assert_array_equal(reference.linear(hidden, inputs["w2"], inputs["b2"]), y)

    def test_attention(self):
        for inputs, y, dims in self._inputs("attention"):
            x, m = inputs["x"].astype(np.float64), dims["m"]
            self._assert_exact_in_int8(x, inputs["wv"])
            values = reference.linear(x, inputs["wv"], inputs["bv"])
            q = reference.linear(x, inputs["wq"], inputs["bq"])
            k = x @ inputs["wk"].T
            mixed = []
            for q, k, v in zip(*(reference.split_heads(part, dims["heads"])
                                 for part in (q, k, values))):
                s = reference.scores(q, k)
                gap = np.sort(s)[:, -1:] - np.sort(s)[:, :-1]
                if s.any():  # f32's exp is 0 below -104
                    self.assertTrue((gap > 105).all())
                    mixed.append(v[s.argmax(axis=1)])
                else:
                    mixed.append(np.broadcast_to(v.sum(axis=0) / m, v.shape))
            mixed = np.concatenate(mixed, axis=1)
            self._assert_exact_in_int8(mixed, inputs["wo"])
            self._assert_sums_fit_bf16(mixed, inputs["wo"], inputs["bo"])
            np.testing.assert_array_equal(reference.linear(mixed, inputs["wo"], inputs["bo"]), y)

    def test_results_could_show_a_fault(self):
        for op in op_cases.OPS:
            for _, y, _ in self._inputs(op):
                self.assertGreater(len(np.unique(y)), 1, op)
                self.assertLess((y == 0).mean(), 0.9, op)


class Files(TempFolder):
    def _run(self, *arguments):
        errors = io.StringIO()
        with mock.patch("sys.argv", ["generate.py", *arguments]), \
                contextlib.redirect_stderr(errors):
            return generate.main(), errors.getvalue()

    def _golden(self, name):
        path = self.path(name)
        self.assertEqual(self._run("op", "--op=add", f"--out={path}"), (0, ""))
        with open(path, "rb") as file:
            return file.read()

    def test_the_same_command_gives_the_same_bytes(self):
        first = self._golden("a.h5")
        with mock.patch("time.time", return_value=0):
            self.assertEqual(first, self._golden("b.h5"))

    def test_layout(self):
        self._golden("a.h5")
        with h5py.File(self.path("a.h5")) as file:
            self.assertEqual(file.attrs["schema_version"], schema.SCHEMA_VERSION)
            self.assertEqual(file.attrs["op"], b"add")
            self.assertEqual(file.attrs["model_sha256"], b"")
            x = file["cases/exact1/in/a"]
            self.assertEqual(x.attrs["symbolic"], b"m,n")
            self.assertEqual(x.attrs["sha256"].decode(),
                             hashlib.sha256(x[()].tobytes()).hexdigest())
            self.assertEqual(file["cases/exact1"].attrs["dims"], b'{"m": 7, "n": 13}')

    def test_a_failed_run_leaves_no_file(self):
        with self.assertRaises(ValueError), schema.Writer(self.path("f.h5"), "op") as writer:
            writer.begin_case("c", "exact", {})
            writer.tensor("c", "in", "x", np.array([np.nan]), "1")
        self.assertEqual(os.listdir(self.folder), [])

    def test_bad_input_is_one_line(self):
        out = f"--out={self.path('x.h5')}"
        model = self.path("model.bin")
        with open(model, "wb") as file:
            file.write(b"no model")
        for arguments in (["op", "--op=add", out, "--model", model],
                          ["encoder", "--geometry=seed-3001", out, "--model", model],
                          ["encoder", "--geometry=seed-3001", out, "--model", model, "--audio",
                           "no.wav"]):
            code, errors = self._run(*arguments)
            self.assertEqual(code, 2)
            self.assertRegex(errors, r"^generate: [^\n]+\n$")

    def test_an_encoder_golden_without_a_model_has_no_case(self):
        path = self.path("e.h5")
        code, _ = self._run("encoder", "--geometry=whisper-base", f"--out={path}", "--model",
                            "ABSENT.txt")
        self.assertEqual(code, 0)
        with h5py.File(path) as file:
            self.assertEqual(len(file["cases"]), 0)


if __name__ == "__main__":
    unittest.main()
