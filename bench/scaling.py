#!/usr/bin/python3 -B
"""Measures how our encoder's time falls with the number of its threads.

Efficiency is the speed-up over one thread (or the fewest asked for) a thread.  All numbers of
threads take turns, so that a clock that drifts changes no ratio.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time

import side_by_side
from peers import PRECISIONS, SETTLE_SECONDS, Process, names
from side_by_side import say


def thread_list(text):
    """Reads "1,2,4" or "1..8"."""
    first, dots, last = text.partition("..")
    if dots:
        return list(range(side_by_side.positive(first), side_by_side.positive(last) + 1))
    return sorted({side_by_side.positive(part) for part in text.split(",")})


def measure(hosts, precision, options, folder):
    """Returns the seconds of a window by number of threads."""
    for host in hosts.values():
        host.ask(do="open", variant=precision, file=os.path.join(folder, "output.f32"))
    seconds = {threads: [] for threads in hosts}
    for number in range(options.rounds):
        say(f"{precision}: round {number + 1} of {options.rounds}")
        for threads, host in hosts.items():
            time.sleep(SETTLE_SECONDS)
            seconds[threads] += host.ask(do="time", variant=precision,
                                         passes=options.passes)["seconds"]
    return {threads: side_by_side.summary(times) for threads, times in seconds.items()}


def show(precision, found):
    fewest = min(found)
    for threads, times in found.items():
        gain = found[fewest]["median"] / times["median"]
        print(f"{precision:9}{threads:>8}{1e3 * times['min']:10.1f}{1e3 * times['median']:10.1f}"
              f"{times['spread']:8.0%}{gain:9.2f}x{gain * fewest / threads:12.0%}")


def parse(arguments):
    cpus = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        prog="scaling", allow_abbrev=False, description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit codes: 0 measured; 2 bad input; 3 anything else.")
    parser.add_argument("--threads", type=thread_list, default=list(range(1, cpus + 1)),
                        help=f"with commas, or 1..{cpus} (default: all of these)")
    parser.add_argument("--precision", type=names(PRECISIONS, "precision"),
                        default=list(PRECISIONS), help="with commas (default: all)")
    parser.add_argument("--rounds", type=side_by_side.positive, default=5,
                        help="turns of each (default: %(default)s)")
    parser.add_argument("--passes", type=side_by_side.positive, default=4,
                        help="timed passes of a turn (default: %(default)s)")
    parser.add_argument("--host", required=True, help=argparse.SUPPRESS)  # From the BUILD file.
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    cpus, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="scaling."))
        hosts = {}
        for threads in options.threads:
            own = os.path.join(folder, str(threads))
            os.mkdir(own)
            hosts[threads] = Process(f"ours-{threads}", [
                os.path.abspath(options.host), f"--folder={own}", f"--threads={threads}"],
                folder, threads)
            stack.callback(hosts[threads].close)
        print(f"{side_by_side.cpu_model()}; {cpus} CPUs; load average before {load:.2f}")
        doubt = side_by_side.doubts(load, cpus, options.rounds * options.passes)
        if doubt:
            print(f"NOTE: don't quote these times: {doubt}.")
        print(f"\n{'precision':9}{'threads':>8}{'ms: min':>10}{'median':>10}{'spread':>8}"
              f"{'faster':>10}{'efficiency':>12}")
        for precision in options.precision:
            show(precision, measure(hosts, precision, options, folder))
    return 0


if __name__ == "__main__":
    side_by_side.run_program("scaling", main)
