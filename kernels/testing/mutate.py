"""Prints a source with one piece of text replaced: the seeded fault of a kernel.

usage: mutate.py SOURCE OLD NEW. OLD must occur exactly once, so that a fault cannot quietly stop
being one when the source changes.
"""
import sys


def main() -> None:
    path, old, new = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        source = file.read()
    if source.count(old) != 1:
        sys.exit(f"{path}: {old!r} occurs {source.count(old)} times, not once")
    sys.stdout.write(source.replace(old, new))


if __name__ == "__main__":
    main()
