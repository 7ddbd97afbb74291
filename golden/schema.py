"""Writes golden files; golden/store.h describes the layout and reads them."""

import hashlib
import json
import os

import h5py
import numpy as np

SCHEMA_VERSION = 1
GENERATOR_VERSION = 1  # raise whenever a golden changes; golden/store.h has the same number

_ROOT_STRINGS = ("op", "model_sha256", "model_name", "audio_sha256", "geometry")


def sha256_of(array):
    """Of the array's little-endian f32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()


def _timeless(property_class):
    """Creation properties that record no times: the same content gives the same bytes."""
    plan = h5py.h5p.create(property_class)
    plan.set_obj_track_times(False)
    return plan


def _set_text(owner, name, text):
    """As fixed length: it lies in the header, which has a checksum."""
    data = text.encode()
    owner.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", len(data) + 1))


class Writer:
    """A golden file in the making. Use in a `with`: it appears at `path` when that ends well."""

    def __init__(self, path, kind, seed=0, **strings):
        self._path = path
        self._partial = path + ".partial"
        # HDF5 1.10's format, whose metadata have checksums.
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
        self._file = h5py.File(h5py.h5f.create(os.fsencode(self._partial), h5py.h5f.ACC_TRUNC,
                                               _timeless(h5py.h5p.FILE_CREATE), access))
        _set_text(self._file, "kind", kind)
        for name in _ROOT_STRINGS:
            _set_text(self._file, name, strings.pop(name, ""))
        if strings:
            raise ValueError(f"unknown attributes {sorted(strings)}")
        for name, value in (("schema_version", SCHEMA_VERSION), ("seed", seed),
                            ("generator_version", GENERATOR_VERSION)):
            self._file.attrs.create(name, value, dtype=np.int64)
        self._group("/cases")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self._file.close()
        if kind is None:
            os.rename(self._partial, self._path)
        else:
            os.remove(self._partial)

    def _group(self, path):
        if path not in self._file:
            h5py.h5g.create(self._file.id, path.encode(), gcpl=_timeless(h5py.h5p.GROUP_CREATE))
        return self._file[path]

    def begin_case(self, case, data, dims):
        """`data` is "exact", "real" or "random"; `dims` maps symbols to sizes."""
        group = self._group(f"/cases/{case}")
        _set_text(group, "data", data)
        _set_text(group, "dims", json.dumps(dims, sort_keys=True))

    def tensor(self, case, part, name, array, symbolic):
        """Adds a tensor, rounded to f32, to a case's `part`: in, out or scale."""
        rounded = np.ascontiguousarray(array, "<f4")
        if not np.isfinite(rounded).all():
            raise ValueError(f"{case}/{part}/{name}: not all values are finite")
        group = self._group(f"/cases/{case}/{part}")
        dataset = group.create_dataset(name, data=rounded, track_times=False)
        _set_text(dataset, "sha256", sha256_of(rounded))
        _set_text(dataset, "symbolic", symbolic)
