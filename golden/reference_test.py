#!/usr/bin/python3 -B
"""Tests of seeded numbers, ops and log-mel against definitions written as plain loops."""

import hashlib
import math
import os
import struct
import tempfile
import unittest
import wave
from unittest import mock

import numpy as np

import audio
import reference
import seeded


def normal(name, *shape):
    return seeded.tensor(seeded.name_seed(name, 5), shape).astype(np.float64)


class Seeded(unittest.TestCase):
    def test_split_mix_64(self):
        # The first outputs for these seeds are in many implementations' tests.
        self.assertEqual(int(seeded.bits(0, 0)), 0xE220A8397B1DCDAF)
        self.assertEqual([int(x) for x in seeded.bits(1234567, np.arange(3))],
                         [6457827717110365317, 3203168211198807973, 9817491932198370423])

    def test_normals_follow_their_formula_and_look_normal(self):
        n = seeded.normals(9, 100000)
        u1, u2 = (((int(seeded.bits(9, i)) >> 11) + 0.5) / 2**53 for i in (6, 7))
        self.assertAlmostEqual(n[3], math.sqrt(-2 * math.log(u1)) * math.cos(2 * math.pi * u2), 14)
        self.assertLess(abs(n.mean()), 0.01)
        self.assertLess(abs(n.std() - 1), 0.01)
        self.assertLess(abs((n**4).mean() - 3), 0.1)

    def test_the_same_numbers_as_the_c_plus_plus_side(self):
        # encoder/weights/model_test.cc has them too.
        def value(name, index, deviation, mean=0.0):
            return seeded.tensor(seeded.name_seed(name, 7), (index + 1,), deviation, mean)[index]

        for got, want in (
                (value("encoder.conv1.weight", 92159, 1 / np.sqrt(240)), -0.0667016879),
                (value("encoder.conv1.bias", 0, 0.02), 0.0159691852),
                (value("encoder.blocks.3.attn.key.weight", 147455, 1 / np.sqrt(384)),
                 -0.0666118786),
                (value("encoder.blocks.2.mlp_ln.weight", 383, 0.1, 1), 1.25585341),
                (value("encoder.ln_post.weight", 0, 0.1, 1), 0.973329306)):
            self.assertAlmostEqual(got / np.float32(want), 1, 6)

    def test_integers_cover_their_range(self):
        x = seeded.integers(3, (1000,), -4, 4)
        self.assertEqual(sorted(set(x)), list(range(-4, 5)))


class Reference(unittest.TestCase):
    def assert_close(self, got, want, tolerance=1e-13):
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)

    def test_linear(self):
        x, w, b = normal("x", 3, 5), normal("w", 4, 5), normal("b", 4)
        terms = [[[x[i, k] * w[j, k] for k in range(5)] for j in range(4)] for i in range(3)]
        self.assert_close(reference.linear(x, w, b),
                          [[sum(terms[i][j]) + b[j] for j in range(4)] for i in range(3)])
        self.assert_close(reference.linear_scale(x, w, b),
                          [[sum(map(abs, terms[i][j])) + abs(b[j]) for j in range(4)]
                           for i in range(3)])

    def test_conv1d(self):
        x, w, b = normal("x", 3, 8), normal("w", 2, 3, 3), normal("b", 2)
        for stride, length in ((1, 8), (2, 4)):
            want = np.zeros((length, 2))
            for u in range(length):
                for d in range(2):
                    want[u, d] = b[d] + sum(
                        x[c, stride * u + tap - 1] * w[d, c, tap] for c in range(3)
                        for tap in range(3) if 0 <= stride * u + tap - 1 < 8)
            self.assert_close(reference.conv1d(x, w, b, stride), want)

    def test_gelu(self):
        x = np.concatenate([np.linspace(-6, 6, 1001), [0, 16, -16, 40, 1e5]])
        want = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x]
        self.assert_close(reference.gelu(x), want, 1e-15)
        # Far out, where 1 + erf(x) cancels: the tail's expansion, x phi(x) / |x| (1 - 1/x^2 + ...).
        tail = -math.exp(-50) / math.sqrt(2 * math.pi) * (1 - 1 / 100 + 3 / 100**2 - 15 / 100**3)
        self.assertAlmostEqual(reference.gelu(np.array([-10.0]))[0] / tail, 1, 5)

    def test_layer_norm(self):
        x, gamma, beta = normal("x", 4, 6), normal("g", 6), normal("b", 6)
        for row, got in zip(x, reference.layer_norm(x, gamma, beta)):
            mean = sum(row) / 6
            variance = sum((v - mean) ** 2 for v in row) / 6
            self.assert_close(got, [(v - mean) / math.sqrt(variance + 1e-5) * g + b
                                    for v, g, b in zip(row, gamma, beta)])

    def test_softmax(self):
        x = normal("x", 4, 6)
        want = [[math.exp(v) / sum(map(math.exp, row)) for v in row] for row in x]
        self.assert_close(reference.softmax(x), want)
        self.assert_close(reference.softmax(x + 5000), want, 1e-11)

    def test_attention(self):
        m, d, heads = 5, 6, 2
        w = {name: normal(name, *((d, d) if name[0] == "w" else (d,)))
             for name in ("wq", "bq", "wk", "wv", "bv", "wo", "bo")}
        x = normal("x", m, d)
        q, k, v = x @ w["wq"].T + w["bq"], x @ w["wk"].T, x @ w["wv"].T + w["bv"]
        mixed = np.zeros((m, d))
        for i in range(m):
            for head in range(heads):
                part = range(3 * head, 3 * head + 3)
                e = [math.exp(sum(q[i, c] * k[j, c] for c in part) / math.sqrt(3))
                     for j in range(m)]
                for c in part:
                    mixed[i, c] = sum(e[j] * v[j, c] for j in range(m)) / sum(e)
        for rows in (2, 512):  # whole, and in blocks
            with mock.patch.object(reference, "_ROWS", rows):
                y = reference.attention(x, w, heads)
                self.assert_close(y, mixed @ w["wo"].T + w["bo"])
                self.assertTrue((reference.attention_scale(x, w, heads) >= np.abs(y)).all())

    def test_ffn(self):
        x, w = normal("x", 3, 4), {"w1": normal("w1", 7, 4), "b1": normal("b1", 7),
                                   "w2": normal("w2", 4, 7), "b2": normal("b2", 4)}
        hidden = x @ w["w1"].T + w["b1"]
        hidden = np.array([[0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in row]
                           for row in hidden])
        y = reference.ffn(x, w)
        self.assert_close(y, hidden @ w["w2"].T + w["b2"])
        self.assertTrue((reference.ffn_scale(x, w) >= np.abs(y)).all())

    def test_sinusoids(self):
        table = reference.sinusoids(7, 8)
        for t in range(7):
            for i in range(4):
                angle = t * 10000 ** (-i / 3)
                self.assertAlmostEqual(table[t, i], math.sin(angle), 13)
                self.assertAlmostEqual(table[t, 4 + i], math.cos(angle), 13)


class Audio(unittest.TestCase):
    def test_power_spectrum_is_a_dft_of_windows(self):
        x = normal("audio", 1000)
        spectrum = audio.power_spectrum(x)
        self.assertEqual(spectrum.shape, (7, 201))
        for frame, k in ((0, 0), (0, 3), (3, 17), (6, 200)):
            total = 0
            for n in range(400):
                i = 160 * frame + n - 200
                i = -i if i < 0 else i
                i = 2 * 999 - i if i > 999 else i
                window = math.sin(math.pi * n / 400) ** 2
                total += x[i] * window * np.exp(-2j * math.pi * k * n / 400)
            self.assertAlmostEqual(spectrum[frame, k], abs(total) ** 2, 9)

    def test_mel_filters_are_slaney_triangles(self):
        for n_mels in (80, 128):
            filters = audio.mel_filters(n_mels)
            self.assertEqual(filters.shape, (n_mels, 201))
            self.assertTrue((filters >= 0).all())
            # Unit area, where bins of 40 Hz sample a triangle finely enough.
            self.assertTrue(np.allclose(40 * filters[-20:].sum(axis=1), 1, atol=0.03))
        # librosa.filters.mel(sr=16000, n_fft=400, n_mels=80), as in whisper's mel_filters.npz.
        filters = audio.mel_filters(80)
        self.assertAlmostEqual(filters[0, 1], 0.02486259, 7)
        self.assertAlmostEqual(filters[1, 1], 0.00199082, 7)

    def test_log_mel_has_whisper_s_range_and_frames(self):
        x = 0.1 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
        mel = audio.log_mel(x)
        self.assertEqual(mel.shape, (80, 3000))
        self.assertAlmostEqual(mel.max() - mel.min(), 2)  # 8 orders of magnitude / 4
        self.assertEqual(mel[:, 200:].max(), mel.min())   # silence
        peak = audio.mel_filters(80)[:, 11].argmax()      # 440 Hz is bin 11
        self.assertEqual(mel[:, 50].argmax(), peak)
        longer = audio.log_mel(x, frames=3001)
        np.testing.assert_array_equal(longer[:, :3000], mel)
        self.assertEqual(audio.log_mel(np.zeros(10), n_mels=128).shape, (128, 3000))

    def _wav(self, name, samples, rate=16000, channels=1):
        path = os.path.join(self.folder, name)
        with wave.open(path, "wb") as file:
            file.setparams((channels, 2, rate, 0, "NONE", ""))
            file.writeframes(np.array(samples, "<i2").tobytes())
        return path

    def test_wavs_are_joined_and_checked(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        paths = [self._wav("a.wav", [0, 16384, -32768]), self._wav("b.wav", [32767])]
        np.testing.assert_array_equal(audio.read_wavs(paths), [0, 0.5, -1, 32767 / 32768])
        samples = struct.pack("<4f", 0, 0.5, -1, 32767 / 32768)
        self.assertEqual(audio.sha256_of_samples(audio.read_wavs(paths)),
                         hashlib.sha256(samples).hexdigest())
        for bad in (self._wav("c.wav", [1], rate=8000), self._wav("d.wav", [1, 2], channels=2)):
            with self.assertRaisesRegex(ValueError, bad):
                audio.read_wavs([bad])


if __name__ == "__main__":
    unittest.main()
