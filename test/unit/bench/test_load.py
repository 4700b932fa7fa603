#!/usr/bin/python3
"""causeway-load as a program: it loads itself, through tunnels both ways and with servers that
believe each other, and says in its figures that all came through; what it does not understand it
refuses."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bench"))
sys.dont_write_bytecode = True

import stage  # noqa: E402  (found through the line above)

BUILD = Path(os.environ.get("CAUSEWAY_BUILD", ROOT / "build/asan"))
COUNT = 4000


def run(place, *words):
    files = ["--ca", "ca.pem", "--remote-cert", "far.pem", "--remote-key", "far.key",
             "--local-cert", "near.pem", "--local-key", "near.key"]
    return subprocess.run([str(place.program("load")), *files, *map(str, words)], cwd=place.work,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=120)


def tunnels(place, flush, net):
    """Where they are dialled they also end: nothing is between."""
    there, back = f"127.0.8.{net}:25269", f"127.0.9.{net}:25269"
    done = run(place, "--attach", "tunnel", "--outside", there, "--locals", there, "--inside",
               back, "--remotes", back, "--way", "both", "--links", 3, "--pairs", 7, "--warm", 100,
               "--count", COUNT, "--flush", flush, "--pid", f"{os.getpid()},{os.getppid()}",
               "--json", "figures")
    figures = json.loads((place.work / "figures").read_text())
    rests = [rest for rest, _ in figures["latency_rest_us"]]
    told = [us for _, us in figures["latency_rest_us"]]
    return (done.returncode == 0 and figures["ok"] and figures["stanzas"] == COUNT
            and not any(figures[fault] for fault in ("lost", "doubled", "swapped", "changed",
                                                     "foreign", "respelled", "rearranged"))
            and figures["attach"] == "tunnel" and figures["rss_kb"] > 0
            and rests == sorted(rests, reverse=True) and told == sorted(told) and told[0] > 0)


def believed(place, net, *words):
    """The remotes dial the local server itself, which verifies nobody; or somebody who is not there."""
    there = f"127.0.8.{net}:25269"
    nowhere = f"127.0.9.{net}"
    done = run(place, "--outside", there, "--locals", there, "--inside", f"{nowhere}:25269",
               "--remotes", f"{nowhere}:25270", "--links", 2, "--pairs", 4, "--warm", 10,
               "--count", 200, "--json", "figures", *words)
    figures = json.loads((place.work / "figures").read_text())
    return done.returncode == 0 and figures["ok"] and figures["stanzas"] == 200


def refuses(place, *words):
    done = run(place, *words)
    return done.returncode == 2 and "usage" in done.stderr


def main():
    with tempfile.TemporaryDirectory() as work:
        place = stage.Place(BUILD, Path(work))
        anywhere = ["--outside", "127.0.8.9:1", "--inside", "127.0.8.9:2", "--remotes",
                    "127.0.8.9:3"]
        checks = {
            "tunnels, a send for each stanza": tunnels(place, "each", 1),
            "tunnels, a record for each stanza": tunnels(place, "record", 2),
            "tunnels, full records": tunnels(place, "full", 3),
            "dialback which is believed": believed(place, 4, "--proof", "unchecked"),
            "dialback which is verified needs somebody to ask":
                not believed(place, 5, "--proof", "dialback"),
            "a tunnel needs its far end": refuses(place, *anywhere, "--attach", "tunnel"),
            "no such attachment": refuses(place, *anywhere, "--attach", "pigeon"),
            "pids are numbers": refuses(place, *anywhere, "--attach", "component", "--pid", "1,x"),
        }
    print(f"1..{len(checks)}")
    for number, (name, ok) in enumerate(checks.items(), 1):
        print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
