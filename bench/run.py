#!/usr/bin/python3
"""Runs the benchmarks: Causeway, the yardsticks and other servers side by side, on loopback.

usage: run.py --build FOLDER [--quick] [--rounds N] [--only NAME,...] [--programs NAME,...]

Each round starts every program under test anew, one after the other, with the same certificates,
links, window and flush mode; what is told are ratios of figures of the same round. Written are
bench/RESULTS.md with bench/plots and, in build/bench, results.json and all single runs.
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
import servers
import stage
from report import told_before, write_page

LIMIT_S = 300  # one load; it notices a standstill itself
ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = {**stage.PROGRAMS, **servers.SERVERS}
OURS = tuple(stage.PROGRAMS)
YARDSTICKS = ("causeway", "relay", "bytes")
RELAYS = (*YARDSTICKS, "haproxy", "nginx")
BOTH_WAYS = (*RELAYS, "jabberd2", "ejabberd", "prosody")


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
    seconds: float = 1.2
    count: int = 0  # stanzas, where that is said instead
    warm: int = 10_000
    programs: tuple = YARDSTICKS
    rounds: int = 5
    extra: list = field(default_factory=list)

    def arguments(self, quick, share):
        """`share`: of the warming stanzas, for programs that are slow."""
        words = ["--links", self.links, "--flush", self.flush, "--window", self.window,
                 "--way", self.way, "--warm", int(self.warm * share)]
        if self.count:
            words += ["--count", self.count // 2 if quick else self.count]
        else:
            words += ["--seconds", self.seconds * 0.6 if quick else self.seconds]
        words += ["--pairs", self.pairs] if self.pairs else []
        words += ["--rate", self.rate] if self.rate else []
        return [str(word) for word in words] + self.extra


SCENARIOS = [
    Scenario("record-1", "In, 1 link, a record for each stanza",
             programs=(*RELAYS, "xmpp-proxy", *BOTH_WAYS[5:])),
    Scenario("out-1", "Out, from the local server, 1 link, a record for each stanza", way="out",
             programs=BOTH_WAYS),
    Scenario("each-1", "In, 1 link, a send for each stanza", flush="each",
             programs=(*YARDSTICKS, "haproxy")),
    Scenario("full-1", "In, 1 link, full records", flush="full",
             programs=(*YARDSTICKS, "haproxy")),
    Scenario("record-8", "In, 8 links, a record for each stanza", links=8, window=64,
             programs=RELAYS),
    Scenario("record-64", "In, 64 links, a record for each stanza", links=64, window=16,
             programs=("causeway", "relay", "haproxy")),
    Scenario("record-1000", "In, 1,000 links, a record for each stanza", links=1000, window=8,
             programs=("causeway", "relay", "haproxy")),
    Scenario("pairs-3000", "In, 1,000 links with 3,000 domain pairs", links=1000, pairs=3000,
             window=8, rounds=3, programs=("causeway", "relay")),
    Scenario("pairs-10000", "In, 1,000 links with 10,000 domain pairs", links=1000, pairs=10_000,
             window=8, programs=("causeway", "relay")),
    Scenario("rate-1000", "In, 1,000 stanzas/s, open loop", rate=1000, count=2000, warm=1000,
             rounds=7, programs=BOTH_WAYS),
    Scenario("rate-5000", "In, 5,000 stanzas/s, open loop", rate=5000, count=10_000, warm=1000,
             rounds=7, programs=(*YARDSTICKS, "haproxy")),
]
QUICK = ("record-1", "out-1", "record-8", "rate-1000")


def options():
    parser = argparse.ArgumentParser(description="Causeway beside the yardsticks.")
    parser.add_argument("--build", required=True, type=Path)
    parser.add_argument("--quick", action="store_true", help="2 short rounds of the main scenarios")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", default="", help="scenarios by name: "
                        + " ".join([scenario.name for scenario in SCENARIOS] + links.names()))
    parser.add_argument("--before", type=Path, help="another build folder: its Causeway and relay "
                        "run beside those of today, which are told as ratios to them")
    parser.add_argument("--programs", default="", help="only these: " + " ".join(PROGRAMS))
    parser.add_argument("--json", type=Path, help="all figures go to this file too")
    parser.add_argument("--no-results", action="store_true", help="leaves bench/RESULTS.md alone")
    return parser.parse_args()


def words_of(text, known, what):
    words = [word for word in text.split(",") if word]
    unknown = sorted(set(words) - set(known))
    if unknown:
        sys.exit(f"bench: there is no {what} {', '.join(unknown)}")
    return words


def chosen(args):
    """The scenarios to run, and why programs are left out."""
    names = words_of(args.only, [scenario.name for scenario in SCENARIOS] + links.names(),
                     "scenario")
    programs = words_of(args.programs, PROGRAMS, "program")
    if not names and args.quick:
        names = list(QUICK)
    scenarios = [scenario for scenario in SCENARIOS if not names or scenario.name in names]
    absent = {name: kind.missing() for name, kind in servers.SERVERS.items() if kind.missing()}
    for scenario in scenarios:
        if args.before:
            scenario.programs = ("causeway", "causeway-before", "relay", "relay-before")
        scenario.programs = tuple(name for name in scenario.programs
                                  if (not programs or name in programs) and name not in absent)
        if args.rounds or args.quick:
            scenario.rounds = args.rounds or 2
    return scenarios, {name: f"not measured: {what} is not installed"
                       for name, what in absent.items()}


def chosen_links(args):
    if args.programs and "causeway" not in args.programs.split(","):
        return []
    names = [name for name in args.only.split(",") if name]
    return names or (links.QUICK if args.quick else links.names())


def run_once(place, scenario, program, args, file):
    """One program, one load; its figures, or what went wrong."""
    kind = PROGRAMS[program]
    try:
        with kind(place, scenario) as server:
            command = place.pinned(1) + [str(place.program("load")), "--json", str(file), "--pid",
                                         ",".join(map(str, server.pids()))]
            command += server.load_arguments() + scenario.arguments(args.quick, kind.share)
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=None, text=True,
                                  check=False, timeout=LIMIT_S)
            said = done.stdout + server.last_words()
    except (stage.CannotStart, subprocess.TimeoutExpired) as why:
        return None, str(why)
    figures = json.loads(file.read_text()) if file.exists() else None
    if done.returncode != 0 or not figures or not figures["ok"]:
        return None, said
    figures["command"] = " ".join(command)
    return figures, None


class Progress:
    """A line for each run, and on a terminal how much is left."""

    def __init__(self, scenarios):
        self.runs = sum(scenario.rounds * len(scenario.programs) for scenario in scenarios)
        self.done, self.begun = 0, time.monotonic()

    def show(self, scenario, program, number, figures):
        self.done += 1
        spent = time.monotonic() - self.begun
        left = spent / self.done * (self.runs - self.done)
        print(f"{scenario.name:<12} {number}/{scenario.rounds}  {program:<15} "
              f"{figures['cpu_per_million']:7.3f} s/1M  {figures['per_second']:9.0f}/s  "
              f"p50 {figures['latency_us']['p50']:7.0f}  p99 {figures['latency_us']['p99']:7.0f} us"
              f"   {self.done}/{self.runs}, {left / 60:.0f} min left", flush=True)


def run_all(place, scenarios, args, folder):
    """Figures by scenario and program, and what went wrong, by program."""
    progress = Progress(scenarios)
    results, faults = {}, {}
    for scenario in scenarios:
        runs = results.setdefault(scenario.name, {name: [] for name in scenario.programs})
        for number in range(1, scenario.rounds + 1):
            for turn in range(len(scenario.programs)):  # another one first in each round
                program = scenario.programs[(turn + number) % len(scenario.programs)]
                if faults.get((program, scenario.name), 0) > 1:
                    continue  # twice is enough
                file = folder / f"{scenario.name}-{program}-{number}.json"
                file.unlink(missing_ok=True)
                figures, wrong = run_once(place, scenario, program, args, file)
                if figures is None:
                    print(f"bench: {program}, {scenario.name}: the load failed\n{wrong}",
                          file=sys.stderr)
                    faults[program, scenario.name] = faults.get((program, scenario.name), 0) + 1
                    continue
                figures["round"] = number
                runs[program].append(figures)
                progress.show(scenario, program, number, figures)
    return results, faults


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
        scenarios, notes = chosen(args)
        results, faults = run_all(place, scenarios, args, folder)
        link_results, links_failed = links.run_all(place, chosen_links(args),
                                                   args.rounds or (2 if args.quick else 5),
                                                   args.quick)
        for (program, scenario), times in faults.items():
            notes[program] = (notes.get(program, "") + f" {times} of its runs of {scenario} failed;"
                              " they are left out.").strip()
        whole = {"date": datetime.date.today().isoformat(), "quick": args.quick,
                 "machine": stage.machine(ROOT), "pinned": place.taskset, "notes": notes,
                 "faults": [[*which, times] for which, times in faults.items()],
                 "versions": servers.versions(),
                 "scenarios": {s.name: s.title for s in scenarios}, "results": results,
                 "links": link_results, "links_failed": links_failed,
                 "seconds": round(time.monotonic() - begun)}
    for line in told_before(results) if args.before else []:
        print(line)
    save(whole, args, folder)
    return 1 if links_failed or any(program in OURS for program, _ in faults) else 0


def save(whole, args, folder):
    text = json.dumps(whole, indent=1)
    (folder / "results.json").write_text(text)
    if args.json:
        args.json.write_text(text)
    target = folder if args.no_results or args.before else ROOT / "bench"
    write_page(whole, target)
    print(f"written: {target}/RESULTS.md and {folder}/results.json")


if __name__ == "__main__":
    sys.exit(main())
