#!/usr/bin/python3 -B
"""Times //tools:transcribe beside faster-whisper (CTranslate2) with the same weights.

Both run in int8 on the CPU, on the same clips, with the same threads and beam.  Each run is a
process of its own, the two taking turns.  A run loads the model, transcribes the first clip once
untimed, and then each clip, timed from the path of the file to the text.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "bench"))
# pylint: disable=wrong-import-position
from side_by_side import (EXIT_BAD_INPUT, EXIT_OTHER, PeerError, check_paths, cpu_model, doubts,
                          obtain, positive, run_program, say, summary, user_path, word_errors,
                          words, write_json)

FASTER_WHISPER = "faster-whisper==1.2.1"
CTRANSLATE2 = "ctranslate2==4.8.5"
PINS = (
    FASTER_WHISPER, CTRANSLATE2, "anyio==4.16.0", "av==18.1.0", "click==8.5.1", "filelock==4.2.12",
    "flatbuffers==25.12.19", "fsspec==2026.9.0", "h11==0.16.0", "hf-xet==1.8.0",
    "httpcore2==2.16.2", "httpx2==2.16.2", "huggingface_hub==2.4.0", "idna==3.20", "numpy==2.4.6",
    "onnxruntime==1.32.0", "packaging==26.3", "protobuf==7.36.2", "PyYAML==6.0.3",
    "tokenizers==0.23.3", "tqdm==4.70.1", "truststore==0.10.5", "typing_extensions==4.16.0",
)
DOWNLOAD_MB = 135
RUN_SECONDS = 3600
GOAL = 2.0
OURS, THEIRS = "ours", "faster-whisper"
# What a run's time consists of; `start` (program and model, once a process) is not in `total`.
STAGES = ("start", "audio", "mel", "encode", "decode", "total")


# --- runs ----------------------------------------------------------------------------------------


def run(who, command, job, clips):
    """Runs one process; returns its seconds by stage, words, tokens and seconds of audio."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(job["threads"]),
                   "OPENBLAS_NUM_THREADS": str(job["threads"])}
    try:
        done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True,
                              env=environment, timeout=RUN_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{who} took more than {RUN_SECONDS} s") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        code = EXIT_BAD_INPUT if done.returncode == EXIT_BAD_INPUT else EXIT_OTHER
        raise PeerError(f"{who} ended with {done.returncode}: {reason}", code)
    results = [json.loads(line) for line in done.stdout.splitlines()][1:]
    if len(results) != clips:
        raise PeerError(f"{who} gave {len(results)} results for {clips} clips")
    if who == OURS:
        results = [from_ours(result) for result in results]
    times = {stage: sum(result["times"][stage] for result in results) for stage in STAGES}
    times["start"] = results[0]["times"]["start"]
    return {
        "times": times,
        "words": [words(result["text"]) for result in results],
        "tokens": sum(result["tokens"] for result in results),
        "audio_seconds": sum(result["audio_seconds"] for result in results),
    }


def from_ours(result):
    """Puts one line of //tools:transcribe --format=json into the form of the worker's."""
    measured = result["timing"]["measured"]
    return {
        "text": result["text"],
        "tokens": sum(len(segment["tokens"]) for segment in result["segments"]),
        "audio_seconds": result["audio"]["seconds"],
        "times": {"start": measured["model"], "audio": measured["load"], "mel": measured["mel"],
                  "encode": measured["encode"], "decode": measured["decode"],
                  "total": measured["total"]},
    }


def compare(options, python, beam):
    """Returns the runs of both at one beam: {who: [run, ...]}."""
    clips = [options.audio[0], *options.audio]  # The first run of the first clip isn't timed.
    job = {"model": options.model, "clips": clips, "threads": options.threads, "beam_size": beam,
           "language": options.language}
    commands = {
        OURS: [options.ours, *clips, f"--model={options.model}", "--device=cpu",
               "--precision=int8", f"--threads={options.threads}", f"--beam_size={beam}",
               f"--language={options.language}", "--format=json"],
        THEIRS: [str(python), "-B", str(HERE / "faster_whisper_worker.py")],
    }
    runs = {OURS: [], THEIRS: []}
    for number in range(options.repeat):
        order = (OURS, THEIRS) if number % 2 == 0 else (THEIRS, OURS)
        for who in order:
            say(f"beam {beam}, run {number + 1} of {options.repeat}: {who}")
            runs[who].append(run(who, commands[who], job, len(options.audio)))
    return runs


# --- report --------------------------------------------------------------------------------------


def evaluate(beam, runs):
    """Returns the record of one beam."""
    record = {"beam_size": beam, "audio_seconds": runs[OURS][0]["audio_seconds"]}
    for who, each in runs.items():
        stages = {name: summary([run["times"][name] for run in each]) for name in STAGES}
        tokens = each[0]["tokens"]
        record[who] = {
            "seconds": stages, "tokens": tokens,
            "rtf": record["audio_seconds"] / stages["total"]["median"],
            "ms_per_token": 1000 * stages["decode"]["median"] / tokens if tokens else None,
        }
    record["ratio"] = {
        name: record[THEIRS]["seconds"][name]["median"] / record[OURS]["seconds"][name]["median"]
        for name in STAGES
        if min(record[who]["seconds"][name]["median"] for who in (OURS, THEIRS)) > 0
    }
    pairs = list(zip(runs[OURS][0]["words"], runs[THEIRS][0]["words"]))
    record["words"] = sum(len(theirs) for _, theirs in pairs)
    record["words_apart"] = sum(word_errors(ours, theirs) for ours, theirs in pairs)
    return record


def spread(stage):
    return f"{stage['spread']:8.1%}" if len(stage["runs"]) > 1 else f"{'-':>8}"


def show(record, doubt):
    print(f"\nbeam {record['beam_size']}, {record['audio_seconds']:.1f} s of audio\n")
    print(f"{'':8}{'ours':^26}{THEIRS:^26}{'ours is faster':>15}")
    print(f"{'seconds':8}" + 2 * f"{'min':>9}{'median':>9}{'spread':>8}" + f"{'by':>15}")
    for name in STAGES:
        line = f"{name:8}"
        for who in (OURS, THEIRS):
            stage = record[who]["seconds"][name]
            line += f"{stage['min']:9.4f}{stage['median']:9.4f}{spread(stage)}"
        ratio = record["ratio"].get(name)
        print(line + ("" if ratio is None else f"{ratio:14.2f}x"))
    for title, key, form in (("RTF x", "rtf", ".1f"), ("ms/token", "ms_per_token", ".2f"),
                             ("tokens", "tokens", "d")):
        values = [record[who][key] for who in (OURS, THEIRS)]
        shown = ["-" if value is None else format(value, form) for value in values]
        print(f"{title:8}{shown[0]:>18}{shown[1]:>26}")
    for name in ("encode", "decode", "total"):
        ratio = record["ratio"].get(name)
        if ratio is None:
            continue
        result = f"won, {ratio:.2f}x as fast" if ratio > 1 else f"LOST, {1 / ratio:.2f}x as slow"
        if name == "total":
            goal = "met" if ratio >= GOAL else "NOT met"
            result += f"; the goal of {GOAL:g}x is " + (f"not decided: {doubt}" if doubt else goal)
        print(f"{name}: {result}")
    apart = record["words_apart"]
    print("words: " + ("the same" if apart == 0 else f"DIFFER, {apart} of {record['words']}"))


def circumstances(options):
    """Returns what else the numbers depend on."""
    return {"cpu": cpu_model(), "cpus": len(os.sched_getaffinity(0)),
            "load_average": os.getloadavg()[0],
            "threads": options.threads, "repeat": options.repeat, "precision": "int8",
            "language": options.language, "clips": [os.path.basename(p) for p in options.audio],
            "peer": [FASTER_WHISPER, CTRANSLATE2]}


# --- command line --------------------------------------------------------------------------------


def beams(text):
    return [positive(part) for part in text.split(",")]


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="transcribe_peers", allow_abbrev=False, description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  bazel run //tools:transcribe_peers
  bazel run //tools:transcribe_peers -- --repeat=9 --beam_size=5 --json=peers.json talk.flac

Ratios are of medians, spread is (max - min) / median, RTF is seconds of speech a second of work.
The first use installs faster-whisper into the cache; with XDNA_OFFLINE set nothing is downloaded.
Exit codes: 0 compared, whoever won; 2 bad input; 3 anything else.""")
    parser.add_argument("audio", metavar="AUDIO", nargs="*",
                        help="sound files (default: five LibriVox clips, 24.7 s)")
    parser.add_argument("--threads", type=positive, default=len(os.sched_getaffinity(0)),
                        help="threads of each program (default: %(default)s)")
    parser.add_argument("--beam_size", type=beams, default=[1, 5],
                        help="beams, with commas; 1 is greedy (default: 1,5)")
    parser.add_argument("--repeat", type=positive, default=5,
                        help="runs of each program (default: %(default)s)")
    parser.add_argument("--language", default="en", help="code (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="writes all times there, too")
    # From the BUILD file.
    for name, count in (("--speech", "+"), ("--model_files", "+"), ("--ours", None)):
        parser.add_argument(name, nargs=count, required=True, help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args(arguments)
    options.audio = ([user_path(path) for path in options.audio] or
                     [os.path.abspath(path) for path in options.speech])
    options.ours = os.path.abspath(options.ours)
    options.json = options.json and user_path(options.json)
    return options


def find_model(options):
    """Says where the model's folder is."""
    files = {os.path.basename(path): path for path in options.model_files}
    if "ABSENT.txt" in files:
        reason = pathlib.Path(files["ABSENT.txt"]).read_text(encoding="utf-8")
        raise PeerError(f"there is no Whisper base model: {reason}")
    if "tokenizer.json" not in files:
        raise PeerError("the Whisper base model lacks tokenizer.json, which faster-whisper needs")
    options.model = os.path.abspath(os.path.dirname(files["tokenizer.json"]))


def main():
    options = parse(sys.argv[1:])
    check_paths(options.audio, options.json)
    find_model(options)
    what = (f"{FASTER_WHISPER}, {CTRANSLATE2} and {len(PINS) - 2} packages that they need (about "
            f"{DOWNLOAD_MB} MB)")
    python = obtain("peers", "\n".join(PINS) + "\n", what)
    around = circumstances(options)
    print("Whisper base, int8: //tools:transcribe beside {} ({})".format(*around["peer"]))
    print("{cpu}; {threads} threads on {cpus} CPUs; runs in turns: {repeat}; load average "
          "{load_average:.2f}".format(**around))
    doubt = doubts(around["load_average"], around["cpus"], options.repeat)
    if doubt:
        print(f"NOTE: don't quote these times: {doubt}.")
    records = []
    for beam in options.beam_size:
        records.append(evaluate(beam, compare(options, python, beam)))
        show(records[-1], doubt)
    if options.json:
        write_json(options.json, {**around, "doubt": doubt, "beams": records})
    return 0


if __name__ == "__main__":
    run_program("transcribe_peers", main)
