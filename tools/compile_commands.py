#!/usr/bin/python3
"""Writes compile_commands.json, for clang-tidy and editors, from what Bazel would run.

Arguments are flags for Bazel.  Build first: generated and external headers must exist.
"""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# GCC's own flags, which clang refuses; and its warnings are not to be clang's errors.
GCC_ONLY = {
    "-Werror", "-Wno-free-nonheap-object", "-Wno-restrict", "-fno-canonical-system-headers"
}


def bazel(*arguments):
    command = [str(ROOT / "tools/bazel"), *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def absolute(flag, folders):
    for start, folder in folders.items():
        if flag.startswith(start):
            return folder + flag[len(start):]
    return flag


def compile_commands(flags):
    """Returns one entry for each of our own source files."""
    info = dict(line.split(": ", 1) for line in bazel("info", *flags).splitlines())
    # Bazel compiles in a folder of links that it changes with each build: point past the links.
    folders = {
        "external/": info["output_base"] + "/external/",
        "bazel-out/": info["execution_root"] + "/bazel-out/",
    }
    graph = json.loads(
        bazel("aquery", *flags, "--output=jsonproto", "--include_artifacts=false",
              "--noshow_progress", "--ui_event_filters=-info", 'mnemonic("CppCompile", //...)'))
    entries = {}
    for action in graph.get("actions", []):
        arguments = [absolute(flag, folders) for flag in action["arguments"]
                     if flag not in GCC_ONLY]
        if "-c" not in arguments:
            continue
        source = arguments[arguments.index("-c") + 1]
        if (ROOT / source).is_file():
            entries.setdefault(source, {
                "arguments": arguments,
                "directory": str(ROOT),
                "file": str(ROOT / source),
            })
    return [entries[source] for source in sorted(entries)]


def main():
    entries = compile_commands(sys.argv[1:])
    (ROOT / "compile_commands.json").write_text(json.dumps(entries, indent=1))
    print(f"compile_commands.json: {len(entries)} files", file=sys.stderr)


if __name__ == "__main__":
    main()
