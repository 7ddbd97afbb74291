"""Writes the golden of log_mel_test: audio and its log-mel by plain numpy in float64.

Shares nothing with log_mel.cc: other formulas for window and filters, another FFT, dense products.
Usage: mel_reference.py OUT.h5 FOLDER, where FOLDER is the test data of Debian's package
pocketsphinx-testdata.
"""

import glob
import os
import sys
import wave

import h5py
import numpy as np

RATE, WINDOW, FFT, HOP = 16000, 480000, 400, 160


def read_wav(path):
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            sys.exit(f"{path}: expected 16 bits, mono, {RATE} Hz")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def read_folder(folder):
    paths = sorted(glob.glob(os.path.join(folder, "*.wav")))
    if not paths:
        sys.exit(f"{folder}: no *.wav; apt-get install pocketsphinx-testdata")
    return [read_wav(path) for path in paths]


def mel_to_hz(mel):
    """Slaney's scale: 15 mels to 1000 Hz, then 27 mels for a factor of 6.4."""
    return np.where(mel < 15, mel * 1000 / 15, 1000 * 6.4 ** ((mel - 15) / 27))


def mel_filters(bands):
    top = 15 + 27 * np.log(RATE / 2 / 1000) / np.log(6.4)
    corners = mel_to_hz(np.linspace(0, top, bands + 2))
    hz = np.arange(FFT // 2 + 1) * RATE / FFT
    triangles = (corners[i : i + 3] for i in range(bands))
    return np.array([np.interp(hz, (a, b, c), (0, 2 / (c - a), 0)) for a, b, c in triangles])


def log_mel(samples, bands, frames):
    window = np.zeros(WINDOW)
    window[: len(samples)] = samples
    padded = np.pad(window, FFT // 2, mode="reflect")
    starts = HOP * np.arange(frames)
    pieces = padded[starts[:, None] + np.arange(FFT)] * np.hanning(FFT + 1)[:-1]
    power = np.abs(np.fft.rfft(pieces)) ** 2
    logs = np.log10(np.maximum(mel_filters(bands) @ power.T, 1e-10))
    return (np.maximum(logs, logs.max() - 8) + 4) / 4


def cases(folder):
    librivox = np.concatenate(read_folder(os.path.join(folder, "librivox")))
    cards = read_folder(os.path.join(folder, "cards"))
    yield "librivox", librivox
    yield "card", cards[0]
    yield "cards", np.concatenate(cards)
    yield "silence", np.zeros(RATE)
    yield "short", librivox[20000:20800]  # 0.05 s
    yield "tiny", librivox[20000:20130]  # all of it is reflected at the start
    yield "one_sample", np.ones(1)
    yield "square", np.where(np.arange(WINDOW) * 997 % RATE < RATE // 2, 1.0, -1.0)
    yield "noise", np.random.default_rng(7).standard_normal(WINDOW)  # loud at both ends
    yield "click_at_end", np.concatenate([np.zeros(WINDOW - 1), [0.5]])


def main(out, folder):
    with h5py.File(out, "w") as file:
        for name, samples in cases(folder):
            samples = samples.astype("f4")
            group = file.create_group(f"cases/{name}")
            group["samples"] = samples
            for bands, frames in (80, 3000), (80, 3001), (128, 3000):
                mel = log_mel(samples.astype("f8"), bands, frames)
                group.create_dataset(f"mel{bands}_{frames}", data=mel, compression=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
