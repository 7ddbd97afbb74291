#!/usr/bin/python3 -B
"""Measures what a busy foreign process on one CPU costs our encoder, and what is left of it after.

Windows are timed on a quiet machine, beside a loop that another process runs pinned to one CPU,
and again from the second window after its end.  With N threads on N CPUs, work handed out in small
pieces loses half a CPU: 2N / (2N - 1) of the time at best, 1.33 for N = 2; an equal share for each
thread waits for the slowest: 2 at best.  --peers runs other frameworks beside the same neighbour:
PyTorch's threads are OpenMP's, with equal shares.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time

import peers
import side_by_side
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


def measure(row, options):
    """Returns each phase's times, and the CPUs that others used while there was no neighbour."""
    seconds = {phase: [] for phase in PHASES}
    for number in range(options.rounds):
        say(f"{row.title()} {row.variant}: round {number + 1} of {options.rounds}")
        time.sleep(peers.SETTLE_SECONDS)
        for phase in PHASES:
            with neighbour(options.cpu) if phase == "beside" else contextlib.nullcontext():
                found, load = row.time(options.passes)
            seconds[phase] += found
            if phase != "beside":
                row.loads.append(load)
    return ({phase: side_by_side.summary(times) for phase, times in seconds.items()},
            statistics.mean(row.loads))


def verdict(cost, after, doubt):
    if doubt:
        return f"not decided: {doubt}"
    return "met" if cost <= MOST_COST and after <= MOST_AFTER else "NOT met"


def show(row, options):
    found, load = measure(row, options)
    cost, after = (found[phase]["median"] / found["quiet"]["median"]
                   for phase in ("beside", "after"))
    print(f"{row.precision:6}{row.title():20}" + "".join(
        f"{1e3 * found[phase]['median']:10.1f}{found[phase]['spread']:8.0%}"
        for phase in PHASES) + f"{cost:7.2f}x{after:7.2f}x{load:8.2f}", flush=True)
    if row.who == peers.OURS:
        runs = options.rounds * options.passes
        doubt = side_by_side.doubts(load, len(os.sched_getaffinity(0)), runs)
        print(f"      at most {MOST_COST:g}x beside it and {MOST_AFTER:g}x after it: "
              f"{verdict(cost, after, doubt)}")


def parse(arguments):
    cpus = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        prog="neighbour", allow_abbrev=False, description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit codes: 0 measured, whatever came out; 2 bad input; 3 anything else.")
    peers.add_common_options(parser, ["bf16", "int8"], rounds=5, passes=8)
    parser.add_argument("--peers", type=peers.names(tuple(peers.PEERS), "peer"), default=[],
                        help=f"of {','.join(peers.PEERS)}, which //bench:peers fetches "
                        "(default: none)")
    parser.add_argument("--cpu", type=int, choices=cpus, default=cpus[0],
                        help="CPU of the neighbour (default: %(default)s)")
    parser.set_defaults(audio=[], model=None, language="en", check=1)  # What a Session asks for.
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    python = peers.obtain_peers() if options.peers else None
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="neighbour."))
        session = peers.Session(options, python, folder, stack)
        session.prepare()
        print(f"{side_by_side.cpu_model()}; {options.threads} threads on "
              f"{len(os.sched_getaffinity(0))} CPUs, the neighbour on CPU {options.cpu}\n")
        print(f"{'ms a window':26}" + "".join(f"{phase:>10}{'spread':>8}" for phase in PHASES)
              + f"{'cost':>8}{'after':>8}{'others':>8}")
        for row in session.rows:
            if row.refused:
                print(f"{row.precision:6}{row.title():20} not run: {row.refused}")
            else:
                show(row, options)
    print("\nMedians; cost and after: over the quiet median; spread: (max - min) / median; others: "
          "CPUs that were\nbusy with something else while there was no neighbour.")
    return 0


if __name__ == "__main__":
    side_by_side.run_program("neighbour", main)
