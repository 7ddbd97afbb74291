#!/usr/bin/python3
"""Counts the test cases of one `bazel test`, from its --build_event_json_file.

Prints the cases that failed or were skipped, then `passed failed skipped` as three numbers.  A test
that did not get as far as reporting its cases (it did not build, it crashed) is one failed case.
"""

import collections
import json
import sys
import urllib.parse
import xml.etree.ElementTree

GOOD = ("PASSED", "FLAKY")


def verdict(case):
    """Returns passed, failed or skipped, and the reason that the test gave."""
    for tag, result in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        element = case.find(tag)
        if element is not None:
            text = element.get("message") or element.text or ""
            return result, " ".join(text.split())[:200]
    return "skipped" if case.get("result") == "skipped" else "passed", ""


def cases_of(path):
    """Yields name, verdict and reason of each case in a test.xml."""
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        yield "test.xml", "failed", str(error)
        return
    for case in root.iter("testcase"):
        if case.get("status") != "notrun":  # Filtered out, or in another shard.
            yield case.get("name"), *verdict(case)


def reports(event):
    """Returns the paths of the test.xml files of a testResult event."""
    outputs = event["testResult"].get("testActionOutput", [])
    uris = [output["uri"] for output in outputs if output["name"] == "test.xml"]
    return [urllib.parse.unquote(urllib.parse.urlparse(uri).path) for uri in uris]


def main():
    counts = collections.Counter()
    failed_labels = set()
    status = {}
    with open(sys.argv[1], encoding="utf-8") as file:
        events = [json.loads(line) for line in file if line.strip()]
    for event in events:
        label = next(iter(event["id"].values())).get("label")
        if "testSummary" in event["id"]:
            status[label] = event.get("testSummary", {}).get("overallStatus", "NO_STATUS")
        elif "testResult" in event:
            for path in reports(event):
                for name, result, reason in cases_of(path):
                    counts[result] += 1
                    if result == "failed":
                        failed_labels.add(label)
                    if result != "passed":
                        print(f"{result}: {label} {name}: {reason}")
        elif "targetConfigured" in event["id"] and event.get("configured", {}).get("testSize"):
            status.setdefault(label, "NOT BUILT")
    for label, overall in sorted(status.items()):
        if overall not in GOOD and label not in failed_labels:
            counts["failed"] += 1
            print(f"failed: {label}: {overall}")
    print(counts["passed"], counts["failed"], counts["skipped"])


if __name__ == "__main__":
    main()
