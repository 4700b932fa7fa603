#!/usr/bin/python3
"""conformance.py - writes test/conformance.md: for each row of the checklist the tests that show it.

   test/spec/conformance.py [--check]     --check: writes nothing, says what is out of date

A test says which rows it shows: a dialogue in its `rows:` line, any other test with the same words in a comment in
front of it or in its text: `rows: R2782-b`. What no test shows stands in remarks.txt, with the reason.
"""
import argparse
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TEST = os.path.dirname(HERE)
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(TEST, "script")]

from dialogue import Dialogue  # noqa: E402
from paragraph import checklist  # noqa: E402

TARGET = os.path.join(TEST, "conformance.md")
REMARKS = os.path.join(HERE, "remarks.txt")
KINDS = ("does not apply", "open")
ROW = r"(?:[RX]\d{4}|RTBL|prac)(?:-\w+(?:\.\w+)*)*"
TAG = re.compile(rf"(?:\brows: |Checklist rows? )({ROW}(?:,?\s+{ROW})*)")
FUNCTION = {".c": re.compile(r"static void (\w+)\(void \*\*"), ".py": re.compile(r"def (\w+)\(|@case\(f?\"([^\"]+)\"")}

HEAD = """# What of S2S is shown by which test

Written by `test/spec/conformance.py` from the tests' own tags; `./dev test unit` says when it is out of date. The rows
are those of [the checklist](spec/checklist.txt); P is Causeway. A name without a folder is a dialogue of
[test/script](script/README.md): it is played in the simulator and against the real program; those in **bold** are also
cases of [s2spec](spec/README.md), played against any server.
"""


class Unfit(Exception):
    """The tags and the remarks do not fit the checklist."""


def cases():
    """Every dialogue."""
    folder = os.path.join(TEST, "script")
    return [Dialogue(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".dlg")]


def dialogues():
    """(row, how it is written) of each dialogue."""
    for one in cases():
        for row in () if one.spec_only else one.rows:
            yield row, f"**{one.name}**" if one.section else one.name


def others():
    """(row, FILE or FILE: test) of each tag in another test."""
    for folder, _, names in sorted(os.walk(TEST)):
        if os.path.relpath(folder, TEST).split(os.sep)[0] in ("script", "spec", "lint", "fuzz"):
            continue
        for name in sorted(names):
            ending = os.path.splitext(name)[1]
            if ending in FUNCTION:
                yield from tags(os.path.join(folder, name), FUNCTION[ending])


def tags(path, function):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for found in TAG.finditer(text):
        where = named(text, found, function)
        for row in re.findall(ROW, found[1]):
            yield row, f"{os.path.relpath(path, TEST)}" + (f": {where}" if where else "")


def named(text, found, function):
    """The test a tag belongs to: the one it stands in or before; None for a tag of the whole file."""
    line = text.rfind("\n", 0, found.start()) + 1
    inside = text[line:line + 1] == " " and text[line:].lstrip()[:1] not in "*"
    around = list(function.finditer(text, 0, found.start())) if inside else [function.search(text, found.end())]
    last = around[-1] if around else None
    return next((g for g in last.groups() if g), None) if last else None


def remarks():
    """row -> (kind, reason)"""
    found = {}
    with open(REMARKS, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            rows, kind, reason = line.rstrip("\n").split(" | ", 2)
            if kind not in KINDS:
                raise Unfit(f"remarks.txt:{number}: '{kind}' is none of {KINDS}")
            for row in rows.split():
                found[row] = (kind, reason)
    return found


def shown():
    """row -> the tests that show it, each once"""
    found = {row: [] for row in checklist()}
    for row, where in list(dialogues()) + list(others()):
        if row not in found:
            raise Unfit(f"{where} names a row that the checklist has not: {row}")
        if where not in found[row]:
            found[row].append(where)
    return found


def fitting(tests, said):
    """Each row has tests or a remark; where it has tests the remark is old."""
    for row, names in tests.items():
        if not names and row not in said:
            raise Unfit(f"{row} is shown by no test; remarks.txt does not say why")
    unknown = [row for row in said if row not in tests]
    if unknown:
        raise Unfit(f"remarks.txt names a row that the checklist has not: {unknown[0]}")


def few(names, most=6):
    """Many names in few words: numbered ones of a kind stand for each other."""
    first = {}
    for name in names:
        first.setdefault(re.sub(r"-\d+(\**)$", r"\1", name), []).append(name)
    words = [stem if len(group) == 1 and stem == group[0] else f"{group[0]} and {len(group) - 1} like it"
             if len(group) > 1 else group[0] for stem, group in first.items()]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def text_of(tests, said):
    lines, section = [HEAD], None
    count = {kind: sum(not tests[row] and k == kind for row, (k, _) in said.items()) for kind in KINDS}
    lines.append(f"**{len(tests)} rows: {sum(map(bool, tests.values()))} shown, {count['does not apply']} do not apply,"
                 f" {count['open']} open.**")
    for row, (title, level, requirement) in checklist().items():
        if title != section:
            section = title
            lines += ["", f"## {title}", "", "| row | level | requirement | shown by |", "|---|---|---|---|"]
        where = few(tests[row]) if tests[row] else f"*{said[row][0]}*: {said[row][1]}"
        lines.append(f"| {row} | {level} | {requirement} | {where} |")
    return "\n".join(lines) + "\n"


def written():
    """What the file should say."""
    tests, said = shown(), remarks()
    fitting(tests, said)
    return text_of(tests, said)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    try:
        text = written()
    except (Unfit, ValueError) as why:
        print(f"conformance.py: {why}", file=sys.stderr)
        return 1
    if args.check:
        with open(TARGET, encoding="utf-8") as file:
            if file.read() != text:
                print("test/conformance.md is out of date: run test/spec/conformance.py", file=sys.stderr)
                return 1
        return 0
    with open(TARGET, "w", encoding="utf-8") as file:
        file.write(text)
    print(next(line for line in text.splitlines() if line.startswith("**")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
