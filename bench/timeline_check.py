#!/usr/bin/python3
"""Checks timelines against the "Trace Event Format" (Chrome's document of that name), strictly: what
ui.perfetto.dev would drop without a word is an error here.

  bench/timeline_check.py measured|modelled FILE...

Every event has a known phase and the fields of that phase, of the right types; each lane has its
names; intervals of a lane lie apart or within each other; lanes add up to the totals in the head.
"""

import collections
import json
import math
import sys

FIELDS = {"M": {"name", "pid", "tid", "args"}, "X": {"name", "cat", "pid", "tid", "ts", "dur"}}
NAMES = {"process_name": "name", "process_sort_index": "sort_index",
         "thread_name": "name", "thread_sort_index": "sort_index"}


def require(condition, what):
    if not condition:
        raise ValueError(what)


def no_twice(pairs):
    names = [name for name, _ in pairs]
    require(len(names) == len(set(names)), f"a name twice in {names}")
    return dict(pairs)


def nanoseconds(event, field):
    """Times are microseconds; viewers round them to whole nanoseconds."""
    value = event[field]
    require(type(value) in (int, float) and math.isfinite(value), f"{field} in {event}")
    require(abs(value * 1e3 - round(value * 1e3)) < 1e-3, f"{field}: not whole ns in {event}")
    return round(value * 1e3)


def check_event(event):
    require(event.get("ph") in FIELDS, f"the phase of {event}")
    fields = set(event) - {"ph"}
    known = FIELDS[event["ph"]]
    require(known <= fields <= known | {"args"}, f"the fields of {event}")
    for number in ("pid", "tid"):
        require(type(event[number]) is int and event[number] > 0, f"{number} of {event}")
    require(type(event["name"]) is str and event["name"], f"the name of {event}")


def check_nesting(lane, intervals):
    """Sorted as viewers do: the longer first where two begin together."""
    open_ends = []
    for begin, end, name in sorted(intervals, key=lambda i: (i[0], -i[1])):
        while open_ends and open_ends[-1] <= begin:
            open_ends.pop()
        require(not open_ends or end <= open_ends[-1], f"{lane}: {name} at {begin} ns overlaps")
        open_ends.append(end)


def check_totals(facts, lanes, names):
    """Of a measured run: stages and the run against the sums that the program made itself."""
    stages = collections.defaultdict(int)
    for lane, intervals in lanes.items():
        if names[lane] == "stages":
            for begin, end, name in intervals:
                stages[name] += end - begin
        if names[lane] == "run":
            stages[None] += sum(end - begin for begin, end, _ in intervals)
    told = {key[len("ms of "):]: float(ms) for key, ms in facts.items() if key.startswith("ms of ")}
    told[None] = float(facts["ms"])
    require(set(told) == set(stages), f"stages {set(told)} in the head, {set(stages)} in lanes")
    for stage, ms in told.items():
        require(abs(ms - stages[stage] / 1e6) < 1e-4, f"{stage or 'run'}: {ms} ms in the head, "
                f"{stages[stage] / 1e6} in its lane")
    require(sum(told.values()) - told[None] <= told[None] + 1e-4, "stages exceed the run")


def check(path, provenance):
    with open(path, encoding="utf-8") as file:
        trace = json.load(file, object_pairs_hook=no_twice)
    require(set(trace) == {"displayTimeUnit", "otherData", "traceEvents"}, f"head {set(trace)}")
    require(trace["displayTimeUnit"] in ("ms", "ns"), "displayTimeUnit")
    facts = trace["otherData"]
    require(all(type(value) is str for value in facts.values()), "a fact is no text")
    require(facts["provenance"] == provenance, f"provenance {facts['provenance']}")
    names, groups, lanes = {}, {}, collections.defaultdict(list)
    for event in trace["traceEvents"]:
        check_event(event)
        lane = (event["pid"], event["tid"])
        if event["ph"] == "M":
            require(event["name"] in NAMES, f"unknown metadata {event}")
            value = event["args"][NAMES[event["name"]]]
            if event["name"] == "thread_name":
                names[lane] = value
            if event["name"] == "process_name":
                require(value.endswith(", " + provenance), f"group {value!r} is not marked")
                groups[event["pid"]] = value
            continue
        begin = nanoseconds(event, "ts")
        length = nanoseconds(event, "dur")
        require(length >= 0, f"ends before it begins: {event}")
        lanes[lane].append((begin, begin + length, event["name"]))
    require(lanes, "no intervals")
    for lane, intervals in lanes.items():
        require(lane in names and lane[0] in groups, f"lane {lane} has no name")
        check_nesting(names[lane], intervals)
    if provenance == "measured":
        check_totals(facts, lanes, names)
    return sum(map(len, lanes.values())), len(lanes)


def main():
    for path in sys.argv[2:]:
        try:
            intervals, lanes = check(path, sys.argv[1])
        except (ValueError, KeyError) as error:
            sys.exit(f"{path}: {error}")
        print(f"{path}: {intervals} intervals in {lanes} lanes, as they should be")


if __name__ == "__main__":
    main()
