#!/usr/bin/python3
"""Runs the dialogues: TAP, one line per dialogue and backend.

run.py [--sim PROGRAM] [--causeway PROGRAM] [--only sim|real] [NAME...]"""
import argparse
import glob
import os
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import dialogue  # noqa: E402
from real import Real, Workshop  # noqa: E402
from sim import Sim  # noqa: E402

TOP = os.path.dirname(os.path.dirname(HERE))


def arguments():
    build = os.environ.get("CAUSEWAY_BUILD", os.path.join(TOP, "build", "asan"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sim", default=os.path.join(build, "test", "causeway-simd"))
    parser.add_argument("--causeway", default=os.environ.get("CAUSEWAY_BIN", os.path.join(build, "src/app/causeway")))
    parser.add_argument("--only", choices=["sim", "real"])
    parser.add_argument("names", nargs="*")
    return parser.parse_args()


def play(one, make):
    backend = make()
    try:
        dialogue.Player(one, backend).play()
    except Exception:
        try:
            backend.end()
        except dialogue.Mismatch as error:
            print("# " + str(error).replace("\n", "\n# "))
        raise
    backend.end()


def main():
    args = arguments()
    paths = sorted(glob.glob(os.path.join(HERE, "*.dlg")))
    if args.names:
        paths = [p for p in paths if os.path.splitext(os.path.basename(p))[0] in args.names]
    dialogues = [one for one in map(dialogue.Dialogue, paths) if not one.spec_only]
    workshop = Workshop(args.causeway)
    number = failed = 0
    for one in dialogues:
        runs = [] if args.only == "real" or one.real_only else [("sim", lambda: Sim(one.world, args.sim))]
        if args.only != "sim" and not one.clock and not one.sim_only:
            runs.append(("real", lambda: Real(one, workshop)))
        for where, make in runs:
            number += 1
            label = f"{one.name} ({where}): {one.title} [{' '.join(one.rows + ['attack ' + a for a in one.attacks])}]"
            try:
                play(one, make)
                print(f"ok {number} - {label}", flush=True)
            except Exception as error:
                failed += 1
                print(f"not ok {number} - {label}")
                text = str(error) if isinstance(error, dialogue.Mismatch) else traceback.format_exc()
                print("# " + text.replace("\n", "\n# "), flush=True)
    workshop.end()
    print(f"1..{number}")
    return 1 if failed or not number else 0


if __name__ == "__main__":
    sys.exit(main())
