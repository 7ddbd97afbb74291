"""Seeded numbers, the same in C++ and here: SplitMix64, and normals made from it.

SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. Normals by
Box and Muller, 1958. An element depends on the seed and its index alone.
"""

import hashlib

import numpy as np

_GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def bits(seed, index):
    """The 64-bit output number `index` (from 0) of SplitMix64; arrays allowed."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.asarray(index, np.uint64) + np.uint64(1)) * _GOLDEN_GAMMA
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def normals(seed, count):
    """Standard normals number 0 to count - 1, as float64."""
    index = np.arange(count, dtype=np.uint64)

    def uniform(z):
        return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    u1 = uniform(bits(seed, 2 * index))
    u2 = uniform(bits(seed, 2 * index + np.uint64(1)))
    return np.sqrt(-2 * np.log(u1)) * np.cos(2 * np.pi * u2)


def tensor(seed, shape, deviation=1.0, mean=0.0):
    """Normals in row-major order, mean + deviation * n in float64, then rounded to f32."""
    return (mean + deviation * normals(seed, int(np.prod(shape)))).reshape(shape).astype(np.float32)


def name_seed(name, seed):
    """The seed of the tensor `name`: first 8 bytes (little-endian) of SHA-256(name), xor `seed`."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "little") ^ seed


def integers(seed, shape, low, high):
    """Integers from low to high, both included, as float32."""
    count = int(np.prod(shape))
    span = np.uint64(high - low + 1)
    values = (bits(seed, np.arange(count, dtype=np.uint64)) % span).astype(np.int64) + low
    return values.reshape(shape).astype(np.float32)
