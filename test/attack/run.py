#!/usr/bin/python3
"""Attacks on the real daemon that a dialogue cannot play: garbage, resets, floods, slow peers, too few descriptors.
TAP; loopback only; seeded (CAUSEWAY_ATTACK_SEED) and bounded; waits are always for a condition.

run.py [--causeway PROGRAM] [NAME...]"""
import argparse
import os
import sys
import time
import traceback

from stage import Mismatch, Daemon

from real import Workshop  # stage.py has put the dialogues' folder on the path

import acks
import direct
import flood
import garbage
import keys
import pins
import resets
import resume
import slow

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def arguments():
    build = os.environ.get("CAUSEWAY_BUILD", os.path.join(TOP, "build", "asan"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--causeway", default=os.environ.get("CAUSEWAY_BIN", os.path.join(build, "src/app/causeway")))
    parser.add_argument("names", nargs="*")
    return parser.parse_args()


def attacks():
    """(function, its scene) by name; the first line of a function's text is the test's name."""
    for room in (garbage, direct, resets, resume, pins, keys, flood, slow, acks):
        for act, scene in room.ATTACKS:
            yield act, scene


def play(act, scene, workshop):
    daemon = Daemon(workshop, scene())
    try:
        act(daemon)
        daemon.lives()
    except Exception:
        try:
            daemon.end()
        except Mismatch as error:
            print("# " + str(error).replace("\n", "\n# "))
        raise
    daemon.end()  # a sanitizer's complaint, a leak, a status that is not 0: a mismatch


def main():
    args = arguments()
    workshop = Workshop(args.causeway)
    number = failed = 0
    for act, scene in attacks():
        if args.names and act.__name__ not in args.names:
            continue
        number += 1
        title = act.__doc__.splitlines()[0].rstrip(".")
        begun = time.monotonic()
        try:
            play(act, scene, workshop)
            print(f"ok {number} - {act.__name__}: {title}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {act.__name__}: {title}")
            print("# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
        if args.names:
            print(f"# {time.monotonic() - begun:.1f} s")
    workshop.end()
    print(f"1..{number}")
    return 1 if failed or not number else 0


if __name__ == "__main__":
    sys.exit(main())
