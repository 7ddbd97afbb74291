#!/usr/bin/python3 -B
"""Times Whisper's encoder beside OpenVINO, PyTorch, onnxruntime and CTranslate2, on the CPU.

All have the same weights (PyTorch's module gets ours, and is exported to ONNX for OpenVINO and
onnxruntime; CTranslate2 reads the model file itself), the same log-mel spectrogram (ours) and the
same number of threads.  They take turns: a turn is one window untimed and some timed, and a round
is a turn of each.  Every output is held against the float64 reference and decoded to text.
"""

import argparse
import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

import side_by_side
from side_by_side import PeerError, say

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "peers_requirements.txt"
ENVIRONMENT = "encoder-peers"
DOWNLOAD_MB, INSTALLED_MB = 2700, 5000
OURS = "ours"
# Framework: its variants, in the order of the table.  A variant begins with its precision.
PEERS = {
    "openvino": {"f32": "", "bf16": "", "int8": "NNCF's, calibrated on the clip; rest bf16",
                 "int8-with-f32": "the same; rest f32"},
    "torch": {"f32": "Hugging Face's WhisperEncoder, sdpa", "bf16": "the same under autocast"},
    "onnxruntime": {"f32": "the exported graph", "f32-fused": "with MultiHeadAttention",
                    "int8": "the exported graph, dynamic",
                    "int8-fused": "with MultiHeadAttention, dynamic"},
    "ctranslate2": {"f32": "", "bf16": "", "int8": "int8_float32, as in faster-whisper"},
}
NEED_ONNX = ("openvino", "onnxruntime")
PRECISIONS = ("f32", "bf16", "int8", "mixed")
SETTLE_SECONDS = 0.3  # For which some frameworks' idle threads still spin.
ANSWER_SECONDS = 900


# --- processes -----------------------------------------------------------------------------------


class Process:
    """A program that answers a line of JSON with a line of JSON."""

    def __init__(self, name, command, folder, threads):
        self.name = name
        self.log = pathlib.Path(folder) / f"{name}.log"
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads),
                       "OPENVINO_TELEMETRY_OPT_OUT": "1"}
        for name_of_setting in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(name_of_setting, None)  # They halve a library's speed where wrong.
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=environment)
        self.first = self.receive()

    def receive(self):
        ready = select.select([self.process.stdout], [], [], ANSWER_SECONDS)[0]
        line = self.process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        if ready:
            code = self.process.wait()
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            bad_input = code == side_by_side.EXIT_BAD_INPUT
            raise PeerError(f"{self.name} ended with {code}: {(lines or ['no message'])[-1]}",
                            side_by_side.EXIT_BAD_INPUT if bad_input else side_by_side.EXIT_OTHER)
        raise PeerError(f"{self.name} gave no answer within {ANSWER_SECONDS} s")

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receive() says why it ended.
        return self.receive()

    def cpu_seconds(self):
        """CPU time of all its threads so far."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def busy_seconds():
    """CPU time that all programs together have used, and what the hypervisor took."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


# --- session -------------------------------------------------------------------------------------


class Row:
    """One variant of one framework: what is known and measured of it."""

    def __init__(self, who, variant, process):
        self.who, self.variant, self.process = who, variant, process
        self.precision = variant.partition("-")[0]
        self.version = process.first.get("version", "") if process else ""
        self.refused = process.first.get("refused", "") if process else ""
        self.executes, self.judgement = "", {}
        self.seconds, self.loads = [], []

    def title(self):
        return " ".join(filter(None, (self.who, self.version, self.variant.partition("-")[2])))

    def schedule(self):
        """Returns the part of the series' key that names it."""
        if self.who == OURS:
            return "fast-beside-peers"
        return "-".join(filter(None, (self.who, self.version, self.variant.partition("-")[2])))

    def time(self, passes):
        """Returns the seconds of each pass, and the CPUs that others used meanwhile."""
        wall, busy, own = time.monotonic(), busy_seconds(), self.process.cpu_seconds()
        answer = self.process.ask(do="time", variant=self.variant, passes=passes)
        wall = time.monotonic() - wall
        others = busy_seconds() - busy - (self.process.cpu_seconds() - own)
        return answer["seconds"], max(0.0, others) / wall

    def median(self):
        return side_by_side.summary(self.seconds)["median"]


class Session:
    """All processes of a comparison, and its rows."""

    def __init__(self, options, python, folder, exit_stack):
        self.options, self.folder, self.stack = options, folder, exit_stack
        self.python = python
        host = [options.host, f"--folder={folder}", f"--threads={options.threads}",
                f"--check={options.check}", f"--language={options.language}"]
        host += [f"--model={options.model}"] if options.model else []
        host += [f"--audio={path}" for path in options.audio]
        self.host = self.start(OURS, host)
        self.job = {**self.host.first, "folder": folder, "threads": options.threads}
        self.job_file = os.path.join(folder, "job.json")
        with open(self.job_file, "w", encoding="utf-8") as file:
            json.dump(self.job, file)
        self.rows = []

    def start(self, name, command):
        process = Process(name, command, self.folder, self.options.threads)
        self.stack.callback(process.close)
        return process

    def start_peer(self, name):
        """Starts a framework; where it fails, its reason stands in for its first answer."""
        try:
            return self.start(name, [str(self.python), "-B", str(HERE / "peers_worker.py"), name,
                                     self.job_file])
        except PeerError as error:
            return argparse.Namespace(first={"refused": str(error)})

    def prepare(self):
        """Makes every row ready: opened, judged, or refused."""
        peers = {}
        if set(self.options.peers) & {"torch", *NEED_ONNX}:
            say("torch: the module with our weights, and its ONNX graph")
            peers["torch"] = self.start_peer("torch")
            if set(self.options.peers) & set(NEED_ONNX) and not peers["torch"].first.get("refused"):
                peers["torch"].ask(do="export")
        for precision in self.job["precisions"]:
            self.rows.append(Row(OURS, precision, self.host))
        for name in self.options.peers:
            process = peers.get(name) or self.start_peer(name)
            self.rows += [Row(name, variant, process) for variant in PEERS[name]]
        self.rows = [row for row in self.rows if row.precision in self.options.precision]
        for row in self.rows:
            if not row.refused:
                say(f"{row.title()} {row.variant}: first output, verdict and text")
                self.open(row)

    def open(self, row):
        file = os.path.join(self.folder, f"{row.who}-{row.variant}.f32")
        try:
            answer = row.process.ask(do="open", variant=row.variant, file=file)
        except PeerError as error:
            if row.who == OURS:
                raise
            answer = {"refused": str(error)}
        row.refused = answer.get("refused", "")
        if not row.refused:
            row.executes = answer["executes"]
            row.judgement = self.host.ask(do="judge", row=f"{row.who}/{row.variant}", file=file,
                                          precision=row.precision)
            os.remove(file)

    def running(self):
        return [row for row in self.rows if not row.refused]

    def measure(self):
        """The rounds."""
        for number in range(self.options.rounds):
            say(f"round {number + 1} of {self.options.rounds}")
            for row in self.running():
                time.sleep(SETTLE_SECONDS)
                seconds, load = row.time(self.options.passes)
                row.seconds += seconds
                row.loads.append(load)

    def load(self):
        """CPUs that others used while ours and theirs ran."""
        loads = [load for row in self.running() for load in row.loads]
        return sum(loads) / len(loads)

    def record(self):
        for row in self.running():
            self.host.ask(do="record", row=f"{row.who}/{row.variant}", file=self.options.json,
                          precision=row.precision, schedule=row.schedule(), samples=row.seconds,
                          library={} if row.who == OURS else {row.who: row.version})


# --- report --------------------------------------------------------------------------------------


def goals(machine_class):
    """Returns what part of a peer's time ours may take at most, by precision, and which peer's."""
    if "-amx-" in machine_class:
        return {"f32": (1.0, "f32"), "bf16": (0.6, "bf16"), "int8": (0.5, None),
                "mixed": (0.5, None)}
    return {"f32": (1.0, "f32"), "bf16": (0.8, "bf16"), "int8": (0.8, None), "mixed": (0.8, None)}


def fastest(rows, precision):
    """Returns the fastest peer of a precision, or of all for None; None where there is none."""
    peers = [row for row in rows if row.who != OURS and precision in (None, row.precision)]
    return min(peers, key=Row.median, default=None)


def text_column(row, reference):
    ours = side_by_side.words(reference.judgement["text"])
    apart = side_by_side.word_errors(side_by_side.words(row.judgement["text"]), ours)
    return "same" if apart == 0 else f"{apart} of {len(ours)}"


def show(session, doubt):
    """Prints the table, and the ratio to the best peer of each precision."""
    job, rows = session.job, session.running()
    reference = next((row for row in rows if row.who == OURS), None)
    has_text = reference and not job["no_text"]
    print(f"\n{'':35}{'ms a window':^27}{'':25}{'words':>17}{'ours is':>12}")
    print(f"{'':6}{'who':29}{'min':>9}{'median':>9}{'spread':>9}{'RTF':>8}{'rel-L2':>9} "
          f"{'verdict':12}{'apart':>11}{'faster by':>12}")
    for precision in PRECISIONS:
        ours = next((row for row in rows if (row.who, row.precision) == (OURS, precision)), None)
        for row in (row for row in rows if row.precision == precision):
            times, judged = side_by_side.summary(row.seconds), row.judgement
            rtf = job["audio_s"] / (times["median"] * job["windows"])
            text = text_column(row, reference) if has_text else "-"
            ratio = f"{times['median'] / ours.median():11.2f}x" if ours and row is not ours else ""
            print(f"{precision:5} {row.title():29}{1e3 * times['min']:9.1f}"
                  f"{1e3 * times['median']:9.1f}{times['spread']:9.1%}{rtf:7.0f}x"
                  f"{judged['rel_l2']:9.1e} {judged['status']:12}{text:>11}{ratio:>12}")
    for row in session.rows:
        if row.refused:
            print(f"{row.precision:5} {row.title():29} not run: {row.refused}")
    print("\nWhat ran, as the frameworks say themselves:")
    for row in rows:
        if row.executes:
            print(f"  {row.precision:5} {row.title():29} {row.executes}")
    print()
    for precision, (goal, against) in goals(job["machine_class"]).items():
        ours = next((row for row in rows if (row.who, row.precision) == (OURS, precision)), None)
        peer = fastest(rows, against)
        if ours and peer:
            print(judgement_line(ours, peer, goal, doubt))
    print("faster by: their median over ours of the same precision; spread: (max - min) / median; "
          "verdict: against\nthe project's limit for the precision; words: beside our f32's.")


def judgement_line(ours, peer, goal, doubt):
    part = ours.median() / peer.median()
    outcome = "not decided" if doubt else "won" if part < 1 else "LOST"
    met = f"not decided ({doubt})" if doubt else "met" if part <= goal else "NOT met"
    return (f"{ours.precision}: {1e3 * ours.median():.1f} ms, {part:.2f} of the best peer's "
            f"{1e3 * peer.median():.1f} ms ({peer.title()}, {peer.precision}): {outcome}; rel-L2 "
            f"{ours.judgement['rel_l2']:.1e} to {peer.judgement['rel_l2']:.1e}; at most {goal:g} "
            f"is {met}")


def introduce(session):
    job, options = session.job, session.options
    print(f"encoder    {job['model_name']}, {job['model_format']}; outputs held against "
          f"{job['reference']}")
    windows = "1 window" if job["windows"] == 1 else f"{job['windows']} windows"
    print(f"speech     {job['audio_s']:.2f} s in {windows} of 30 s: {job['audio']}")
    print(f"machine    {job['cpu']}, {job['machine_class']}; {options.threads} threads on "
          f"{job['cpus']} CPUs; {job['revision']}; {job['date']}")
    print(f"turns      {options.rounds} rounds of {options.passes} timed passes each, encoder only")


# --- command line --------------------------------------------------------------------------------


def names(known, what):
    def chosen(text):
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is no {what}; of {', '.join(known)}")
        return [name for name in known if name in text.split(",")]
    return chosen


def add_common_options(parser, precisions, rounds, passes):
    """Options of every program that makes a Session, with the defaults that they differ in."""
    parser.add_argument("--precision", type=names(PRECISIONS, "precision"), default=precisions,
                        help=f"of {','.join(PRECISIONS)} (default: {','.join(precisions)})")
    parser.add_argument("--rounds", type=side_by_side.positive, default=rounds,
                        help="turns of each (default: %(default)s)")
    parser.add_argument("--passes", type=side_by_side.positive, default=passes,
                        help="timed passes over the speech in a turn (default: %(default)s)")
    parser.add_argument("--threads", type=side_by_side.positive,
                        default=len(os.sched_getaffinity(0)),
                        help="threads of each program (default: %(default)s)")
    parser.add_argument("--host", required=True, type=os.path.abspath,
                        help=argparse.SUPPRESS)  # From the BUILD file.


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="peers", allow_abbrev=False, description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"""examples:
  bazel run //bench:peers
  bazel run //bench:peers -- --peers=openvino --precision=bf16,int8 --rounds=15 --json=runs.jsonl

The first use downloads about {DOWNLOAD_MB} MB (PyTorch with the CUDA libraries that it does not
load without: PyPI has no other) into the cache; with XDNA_OFFLINE set nothing is downloaded.
--json appends run records; like all records they have times only where the verdict is "passed".
Exit codes: 0 compared, whoever won; 2 bad input; 3 anything else.""")
    parser.add_argument("--peers", type=names(tuple(PEERS), "peer"), default=list(PEERS),
                        help=f"of {','.join(PEERS)} (default: all)")
    add_common_options(parser, list(PRECISIONS), rounds=7, passes=3)
    parser.add_argument("--audio", action="append", default=[],
                        help="sound file, may be given again (default: LibriVox, 24.7 s)")
    parser.add_argument("--model", help="checkpoint (default: Whisper base)")
    parser.add_argument("--language", default="en", help="of the speech (default: %(default)s)")
    parser.add_argument("--check", type=side_by_side.positive, default=1,
                        help="windows to hold against the reference (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="appends run records there")
    parser.add_argument("--list", action="store_true", help="says what there is, and runs nothing")
    options = parser.parse_args(arguments)
    options.audio = [side_by_side.user_path(path) for path in options.audio]
    options.model = options.model and side_by_side.user_path(options.model)
    options.json = options.json and side_by_side.user_path(options.json)
    return options


def show_list():
    pins = [line.split()[0] for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    for name, variants in PEERS.items():
        print(next(pin for pin in pins if pin.startswith(f"{name}==")))
        for variant, what in variants.items():
            print(f"  {variant:14} {what}".rstrip())


def obtain_peers():
    """Returns the Python that has all peers, installed first where it is not."""
    pins = REQUIREMENTS.read_text(encoding="utf-8")
    what = (f"{', '.join(PEERS)} and what they need, {len(pins.splitlines())} packages "
            f"(about {DOWNLOAD_MB} MB, {INSTALLED_MB} MB installed)")
    return side_by_side.obtain(ENVIRONMENT, pins, what)


def main():
    options = parse(sys.argv[1:])
    if options.list:
        show_list()
        return 0
    side_by_side.check_paths(options.audio, options.json)
    python = obtain_peers()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="peers."))
        session = Session(options, python, folder, stack)
        introduce(session)
        session.prepare()
        session.measure()
        cpus = session.job["cpus"]
        print(f"load       {session.load():.2f} of {cpus} CPUs were busy with something else")
        doubt = side_by_side.doubts(session.load(), cpus, options.rounds * options.passes)
        if doubt:
            print(f"NOTE: don't quote these times: {doubt}.")
        show(session, doubt)
        if options.json:
            session.record()
    return 0


if __name__ == "__main__":
    side_by_side.run_program("peers", main)
