#!/usr/bin/python3 -B
"""Measures what a busy foreign process on one CPU costs our encoder, and what is left of it after.

Windows are timed on a quiet machine, beside a loop that another process runs pinned to one CPU,
and again from the second window after its end.  With N threads on N CPUs, work handed out in small
pieces loses half a CPU: 2N / (2N - 1) of the time at best, 1.33 for N = 2; an equal share for each
thread waits for the slowest: 2.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile

import side_by_side
from peers import PRECISIONS, Process, names
from side_by_side import say

MOST_COST = 2.2  # Times the quiet time beside the neighbour, at most.
MOST_AFTER = 1.1  # After it, at most: what two medians of one thing may differ by.
PHASES = ("quiet", "beside", "after")
LOOP = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); print(flush=True)\nwhile 1: 0"


@contextlib.contextmanager
def neighbour(cpu):
    """A process that does nothing but loop on one CPU."""
    with subprocess.Popen([sys.executable, "-c", LOOP, str(cpu)],
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # It runs.
        try:
            yield
        finally:
            process.kill()


def measure(host, precision, options, folder):
    """Returns the seconds of each phase's windows."""
    host.ask(do="open", variant=precision, file=os.path.join(folder, "output.f32"))
    request = {"do": "time", "variant": precision, "passes": options.passes}
    seconds = {phase: [] for phase in PHASES}
    for number in range(options.rounds):
        say(f"{precision}: round {number + 1} of {options.rounds}")
        seconds["quiet"] += host.ask(**request)["seconds"]
        with neighbour(options.cpu):
            seconds["beside"] += host.ask(**request)["seconds"]
        seconds["after"] += host.ask(**request)["seconds"]
    return {phase: side_by_side.summary(times) for phase, times in seconds.items()}


def verdict(cost, after, doubt):
    if doubt:
        return f"not decided: {doubt}"
    return "met" if cost <= MOST_COST and after <= MOST_AFTER else "NOT met"


def parse(arguments):
    cpus = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        prog="neighbour", allow_abbrev=False, description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit codes: 0 measured, whatever came out; 2 bad input; 3 anything else.")
    parser.add_argument("--precision", type=names(PRECISIONS, "precision"),
                        default=["bf16", "int8"], help="with commas (default: bf16,int8)")
    parser.add_argument("--threads", type=side_by_side.positive, default=len(cpus),
                        help="threads of the encoder (default: %(default)s)")
    parser.add_argument("--rounds", type=side_by_side.positive, default=5,
                        help="times that the neighbour comes and goes (default: %(default)s)")
    parser.add_argument("--passes", type=side_by_side.positive, default=8,
                        help="timed passes of each phase of a round (default: %(default)s)")
    parser.add_argument("--cpu", type=int, choices=cpus, default=cpus[0],
                        help="CPU of the neighbour (default: %(default)s)")
    parser.add_argument("--host", required=True, help=argparse.SUPPRESS)  # From the BUILD file.
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    cpus, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    doubt = side_by_side.doubts(load, cpus, options.rounds * options.passes)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="neighbour."))
        host = Process("ours", [os.path.abspath(options.host), f"--folder={folder}",
                                f"--threads={options.threads}"], folder, options.threads)
        stack.callback(host.close)
        print(f"{side_by_side.cpu_model()}; {options.threads} threads on {cpus} CPUs, the "
              f"neighbour on CPU {options.cpu}; load average before {load:.2f}\n")
        print(f"{'ms a window':10}" + "".join(f"{phase:>16}{'spread':>8}" for phase in PHASES)
              + f"{'cost':>8}{'after':>8}")
        for precision in options.precision:
            found = measure(host, precision, options, folder)
            cost, after = (found[phase]["median"] / found["quiet"]["median"]
                           for phase in ("beside", "after"))
            print(f"{precision:11}" + "".join(
                f"{1e3 * found[phase]['median']:16.1f}{found[phase]['spread']:8.0%}"
                for phase in PHASES) + f"{cost:7.2f}x{after:7.2f}x")
            print(f"  at most {MOST_COST:g}x beside it and {MOST_AFTER:g}x after it: "
                  f"{verdict(cost, after, doubt)}")
    print("\nMedians; cost and after: over the quiet median; spread: (max - min) / median.")
    return 0


if __name__ == "__main__":
    side_by_side.run_program("neighbour", main)
