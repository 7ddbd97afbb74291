"""What programs that compare ours with other people's share: how theirs are installed, how runs are
summed up, and when a machine is too busy for a verdict."""

import argparse
import fcntl
import json
import os
import pathlib
import statistics
import string
import subprocess
import sys
import tempfile

INSTALL_SECONDS = 1800
EXIT_BAD_INPUT, EXIT_OTHER = 2, 3
FEWEST_RUNS = 3  # From which a median says something.
MOST_LOAD = 0.25  # Of a CPU's time by others, above which times decide nothing.


class PeerError(Exception):
    """A reason, in one line, for which there is no comparison, and the exit code."""

    def __init__(self, message, code=EXIT_OTHER):
        super().__init__(" ".join(str(message).split()))
        self.code = code


def say(line):
    print(line, file=sys.stderr, flush=True)


# --- installation --------------------------------------------------------------------------------


def third_party():
    """Returns the module that fetches models: its cache, and its reading of pip's errors."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools/third_party"))
    import fetch_model  # pylint: disable=import-outside-toplevel
    return fetch_model


def install(folder, pins, pip_error):
    """Makes a virtual environment with `pins`, lines of a requirements file, in an empty folder."""
    listed = folder.with_suffix(".txt")
    listed.write_text(pins, encoding="utf-8")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input",
           "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--retries=1",
           "--timeout=20", "--requirement", str(listed)]
    for command in (["/usr/bin/python3", "-m", "venv", str(folder)], pip):
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=INSTALL_SECONDS,
                                  check=False)
        except subprocess.TimeoutExpired as error:
            raise PeerError(f"{command[2]} took more than {INSTALL_SECONDS} s") from error
        if done.returncode and "venv" in command:
            raise PeerError(f"no virtual environment (apt-get install python3-venv): {done.stdout}")
        if done.returncode:
            raise PeerError(f"the peers can't be installed: {pip_error(done.stdout)}")


def obtain(name, pins, what):
    """Returns the Python of the user's virtual environment `name` that has exactly `pins`.

    Installs them first where it has not; `what` says how much of what is downloaded for that.
    """
    fetch_model = third_party()
    try:
        root = fetch_model.cache_root()
    except fetch_model.FetchError as error:
        raise PeerError(error) from error
    target = root / name
    root.mkdir(parents=True, exist_ok=True)
    with open(root / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = target / "pins.txt"
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != pins:
            if os.environ.get("XDNA_OFFLINE"):
                raise PeerError(f"XDNA_OFFLINE is set and {target} does not have {what}")
            say(f"Downloading {what} from PyPI, once, into {target}")
            with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=root) as scratch:
                fresh = pathlib.Path(scratch) / "fresh"
                install(fresh, pins, fetch_model.pip_error)
                (fresh / "pins.txt").write_text(pins, encoding="utf-8")
                if target.exists():
                    target.rename(pathlib.Path(scratch) / "stale")
                fresh.rename(target)
    return target / "bin" / "python"


# --- results -------------------------------------------------------------------------------------


def summary(seconds):
    median = statistics.median(seconds)
    return {"min": min(seconds), "median": median, "runs": seconds,
            "spread": (max(seconds) - min(seconds)) / median if median else 0.0}


def words(text):
    kept = (word.strip(string.punctuation) for word in text.lower().split())
    return [word for word in kept if word]


def word_errors(left, right):
    """Returns the least number of words to change, drop or add to make left right."""
    row = list(range(len(right) + 1))
    for i, word in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            diagonal, row[j] = row[j], min(diagonal + (word != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "unknown CPU"


def doubts(load, cpus, runs):
    """Returns why times don't decide anything; empty if they do. `load`: CPUs that others used."""
    reasons = []
    if load > MOST_LOAD * cpus:
        reasons.append("the machine was busy with something else")
    if runs < FEWEST_RUNS:
        reasons.append(f"fewer than {FEWEST_RUNS} runs")
    return " and ".join(reasons)


def write_json(path, record):
    beside = f"{path}.{os.getpid()}"
    with open(beside, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.write("\n")
    os.replace(beside, path)


# --- command line --------------------------------------------------------------------------------


def positive(text):
    if not (text.isdecimal() and 1 <= int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1024")
    return int(text)


def user_path(path):
    """Returns `path` as the user meant it: `bazel run` says where they stood."""
    return os.path.abspath(os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), path))


def check_paths(audio, output):
    """Turns away what would fail only after minutes."""
    for path in audio:
        if not os.path.isfile(path):
            raise PeerError(f"{path}: no such file", EXIT_BAD_INPUT)
    if output and not os.access(os.path.dirname(output), os.W_OK):
        raise PeerError(f"{output}: its folder can't be written to", EXIT_BAD_INPUT)


def run_program(name, body):
    """Ends the program with body()'s exit code, or with one line that says why there is none."""
    try:
        sys.exit(body())
    except (PeerError, OSError) as error:
        say(f"{name}: {error}")
        sys.exit(getattr(error, "code", EXIT_OTHER))
    except KeyboardInterrupt:
        sys.exit(130)
