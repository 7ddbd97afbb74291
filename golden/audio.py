"""16-bit PCM wavs and Whisper's log-mel spectrogram in float64.

The spectrogram follows openai/whisper, whisper/audio.py: 25 ms Hann windows every 10 ms, reflected
ends, power spectrum, Slaney's mel filters (M. Slaney, "Auditory Toolbox", 1998), log10, 8 orders of
magnitude below the loudest at most, (x + 4) / 4.
"""

import hashlib
import wave

import numpy as np

SAMPLE_RATE = 16000
WINDOW = 400
HOP = 160
CLIP_SAMPLES = 30 * SAMPLE_RATE


def read_wavs(paths):
    """The samples of the files, joined, as float64 (s16 / 32768)."""
    return np.concatenate([_read_wav(path) for path in paths])


def _read_wav(path):
    with wave.open(path, "rb") as file:
        form = (file.getframerate(), file.getnchannels(), 8 * file.getsampwidth())
        if form != (SAMPLE_RATE, 1, 16):
            raise ValueError(f"{path}: {form[0]} Hz, {form[1]} channels, {form[2]} bits; "
                             f"expected {SAMPLE_RATE} Hz, 1 channel, 16 bits")
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, "<i2") / 32768.0


def sha256_of_samples(samples):
    """Of the samples as little-endian f32, which holds every 16-bit sample exactly."""
    return hashlib.sha256(samples.astype("<f4").tobytes()).hexdigest()


def _hz_to_mel(hz):
    """Slaney's scale: linear below 1 kHz, 27 steps to a factor of 6.4 above."""
    return np.where(hz < 1000, 3 * hz / 200,
                    15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def _mel_to_hz(mel):
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def mel_filters(n_mels):
    """[n_mels, 201]: triangles of unit area over the FFT's bins, from 0 to 8 kHz."""
    bins = np.arange(WINDOW // 2 + 1) * (SAMPLE_RATE / WINDOW)
    top = _hz_to_mel(np.float64(SAMPLE_RATE / 2))
    edges = _mel_to_hz(np.linspace(0, top, n_mels + 2))
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (right - left))


def power_spectrum(samples):
    """[frames, 201] of the padded clip; frame i is centred on sample 160 i."""
    padded = np.pad(samples, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2


def log_mel(samples, n_mels=80, frames=3000):
    """[n_mels, frames] of the first 30 s, padded with silence. The clip makes 3001 frames, of which
    Whisper drops the last."""
    clip = np.zeros(CLIP_SAMPLES)
    clip[: len(samples)] = samples[:CLIP_SAMPLES]
    mel = mel_filters(n_mels) @ power_spectrum(clip)[:frames].T
    log = np.log10(np.maximum(mel, 1e-10))
    return (np.maximum(log, log.max() - 8) + 4) / 4
