#!/usr/bin/python3
"""Runs the benchmarks: Causeway and the yardsticks side by side, on loopback.

usage: run.py --build FOLDER [--quick] [--rounds N] [--only NAME,...]

Each round starts every program under test anew, one after the other, with the same certificates,
links, window and flush mode; what is told are ratios of figures of the same round. Written are
bench/RESULTS.md and, in build/bench, results.json and all single runs.
"""

import argparse
import datetime
import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import links
import stage
from report import told_before, write_results

LIMIT_S = 300  # one load; it notices a standstill itself
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Scenario:
    """What is asked of every program in turn."""

    name: str
    title: str
    links: int = 1
    flush: str = "record"
    window: int = 256
    way: str = "in"
    pairs: int = 0
    rate: int = 0
    count: int = 500_000
    warm: int = 20_000
    programs: tuple = ("causeway", "relay", "bytes")
    extra: list = field(default_factory=list)

    def arguments(self, quick):
        count = self.count // 5 if quick else self.count
        words = ["--links", self.links, "--flush", self.flush, "--window", self.window,
                 "--way", self.way, "--count", count, "--warm", self.warm]
        words += ["--pairs", self.pairs] if self.pairs else []
        words += ["--rate", self.rate] if self.rate else []
        return [str(word) for word in words] + self.extra


SCENARIOS = [
    Scenario("record-1", "saturated, 1 link, a record for each stanza"),
    Scenario("record-8", "saturated, 8 links, a record for each stanza", links=8, window=64),
    Scenario("each-1", "saturated, 1 link, a send for each stanza", flush="each", count=300_000),
    Scenario("full-1", "saturated, 1 link, full records", flush="full"),
    Scenario("out-1", "saturated, from the local server out, 1 link", way="out"),
    Scenario("record-1000", "saturated, 1,000 links, a record for each stanza", links=1000,
             window=8, count=300_000, programs=("causeway", "relay")),
    Scenario("rate-1000", "1,000 stanzas/s, open loop", rate=1000, count=10_000, warm=1000),
    Scenario("rate-5000", "5,000 stanzas/s, open loop", rate=5000, count=50_000, warm=1000),
]
QUICK = ("record-1", "record-8", "rate-1000")


def options():
    parser = argparse.ArgumentParser(description="Causeway beside the yardsticks.")
    parser.add_argument("--build", required=True, type=Path)
    parser.add_argument("--quick", action="store_true", help="3 short rounds of the main scenarios")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", default="", help="scenarios by name: "
                        + " ".join([scenario.name for scenario in SCENARIOS] + links.names()))
    parser.add_argument("--before", type=Path, help="another build folder: its Causeway and relay "
                        "run beside those of today, which are told as ratios to them")
    parser.add_argument("--no-results", action="store_true", help="leaves bench/RESULTS.md alone")
    return parser.parse_args()


def chosen(args):
    names = [name for name in args.only.split(",") if name]
    unknown = set(names) - {scenario.name for scenario in SCENARIOS} - set(links.names())
    if unknown:
        sys.exit(f"bench: there is no scenario {', '.join(sorted(unknown))}")
    if not names and args.quick:
        names = list(QUICK)
    scenarios = [scenario for scenario in SCENARIOS if not names or scenario.name in names]
    if args.before:
        for scenario in scenarios:
            scenario.programs = ("causeway", "causeway-before", "relay", "relay-before")
    return scenarios


def chosen_links(args):
    names = [name for name in args.only.split(",") if name]
    return names or (links.QUICK if args.quick else links.names())


def run_once(place, scenario, program, args, file):
    """One program, one load; its figures, or None with the reason said."""
    with stage.PROGRAMS[program](place, scenario) as server:
        command = place.pinned(1) + [str(place.program("load")), "--json", str(file),
                                     "--pid", str(server.pid)]
        command += server.load_arguments() + scenario.arguments(args.quick)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=None, text=True, check=False,
                              timeout=LIMIT_S)
    figures = json.loads(file.read_text()) if file.exists() else None
    if done.returncode != 0 or not figures or not figures["ok"]:
        print(f"bench: {program}, {scenario.name}: the load failed\n{done.stdout}"
              f"{server.last_words()}", file=sys.stderr)
        return None
    figures["command"] = " ".join(command)
    return figures


def show(scenario, program, number, rounds, figures):
    print(f"{scenario.name:<12} round {number}/{rounds}  {program:<15} "
          f"{figures['cpu_per_million']:7.3f} s/1M  {figures['per_second']:9.0f}/s  "
          f"p50 {figures['latency_us']['p50']:7.0f}  p99 {figures['latency_us']['p99']:7.0f} us",
          flush=True)


def rounds_of(args):
    return args.rounds or (3 if args.quick else 5)


def run_all(place, scenarios, args, folder):
    rounds = rounds_of(args)
    results, failures = {}, 0
    for scenario in scenarios:
        runs = results.setdefault(scenario.name, {name: [] for name in scenario.programs})
        for number in range(1, rounds + 1):
            for turn in range(len(scenario.programs)):  # another one first in each round
                program = scenario.programs[(turn + number) % len(scenario.programs)]
                file = folder / f"{scenario.name}-{program}-{number}.json"
                file.unlink(missing_ok=True)
                figures = run_once(place, scenario, program, args, file)
                if figures is None:
                    failures += 1
                    continue
                figures["round"] = number
                runs[program].append(figures)
                show(scenario, program, number, rounds, figures)
    return results, failures


def main():
    args = options()
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="causeway-bench.") as work:
        place = stage.Place(args.build.resolve(), Path(work),
                            args.before and args.before.resolve())
        scenarios = chosen(args)
        results, failures = run_all(place, scenarios, args, folder)
        link_results, failed = links.run_all(place, chosen_links(args), rounds_of(args), args.quick)
        failures += failed
        whole = {"date": datetime.date.today().isoformat(), "quick": args.quick,
                 "machine": stage.machine(ROOT), "pinned": place.taskset,
                 "scenarios": {s.name: s.title for s in scenarios}, "results": results,
                 "links": link_results,
                 "seconds": round(time.monotonic() - begun)}
    for line in told_before(results) if args.before else []:
        print(line)
    (folder / "results.json").write_text(json.dumps(whole, indent=1))
    target = folder / "RESULTS.md" if args.no_results or args.before else ROOT / "bench/RESULTS.md"
    target.write_text(write_results(whole) + links.report(link_results))
    print(f"written: {target} and {folder}/results.json")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
