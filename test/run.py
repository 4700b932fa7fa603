#!/usr/bin/python3
"""Runs the test suites and counts: the last line is `N passed, N failed`, always alone.

usage: run.py [--build DIR] [--broken PRESET] [SUITE...]

Suites: unit sim script lint live fuzz. Every program is found by its name (test/CMakeLists.txt
says which), runs with a time limit, and is read as TAP (test/tap.py). One line is printed per
program when it ends; programs of the long suites also show each test as it ends. What a failing
program wrote is printed whole.

Environment: CAUSEWAY_NO_SKIP=1 makes a skipped test a failed one;
CAUSEWAY_FUZZ_SECONDS is the time for each fuzz target (60).
"""

import argparse
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import tap

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"

STRICT = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:"
                    "strict_string_checks=1:check_initialization_order=1:allocator_may_return_null=0",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    "LSAN_OPTIONS": "exitcode=23",
    "TSAN_OPTIONS": "halt_on_error=1",
    "CMOCKA_MESSAGE_OUTPUT": "TAP",
}


@dataclass
class Program:
    """One thing to run. `talks`: show its tests one by one as they end."""

    name: str
    command: list
    limit: int  # seconds
    talks: bool = False
    fuzzer: bool = False


@dataclass
class Outcome:
    """What became of a program, or of a suite (the sum of its programs)."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: list = field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        tail = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{tail}"


# ---- what there is to run -----------------------------------------------------------------------


def compiled(build, *patterns):
    """Executables below `build` with these names, in order of name."""
    found = {path for pattern in patterns for path in build.glob(f"**/{pattern}")
             if path.is_file() and os.access(path, os.X_OK) and "CMakeFiles" not in path.parts}
    return sorted(found, key=lambda path: path.name)


def python_program(path, limit, talks=False):
    file = ROOT / path
    if not file.exists():
        return []
    return [Program(str(path), [PYTHON, str(file)], limit, talks)]


def fuzz_programs(build, seconds):
    programs = []
    for binary in compiled(build, "fuzz_*"):
        short = binary.name[len("fuzz_"):]
        grown = build / "corpus" / short  # what the fuzzer finds; the tree's corpus is only read
        crashes = build / "crashes"
        grown.mkdir(parents=True, exist_ok=True)
        crashes.mkdir(parents=True, exist_ok=True)
        command = [str(binary), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                   "-print_final_stats=1", f"-artifact_prefix={crashes}/{short}-", str(grown)]
        seeds = ROOT / "test/fuzz/corpus" / short
        if seeds.is_dir():
            command.append(str(seeds))
        words = ROOT / "test/fuzz" / f"{short}.dict"
        if words.exists():
            command.insert(1, f"-dict={words}")
        programs.append(Program(binary.name, command, seconds + 120, fuzzer=True))
    return programs


def programs_of(suite, build, fuzz_build, fuzz_seconds):
    if suite == "unit":
        own = [program for path in sorted((ROOT / "test/unit").glob("*/test_*.py"))
               for program in python_program(path.relative_to(ROOT), 120)]
        return own + [Program(path.name, [str(path)], 180)
                      for path in compiled(build, "unit_*", "replay_*")]
    if suite == "sim":
        return [Program(path.name, [str(path)], 300) for path in compiled(build, "sim_*")]
    if suite == "script":
        return (python_program("test/script/run.py", 600) +
                python_program("test/attack/run.py", 300) +
                python_program("test/spec/selftest.py", 300))
    if suite == "lint":
        return python_program("test/lint/run.py", 900, talks=True)
    if suite == "live":
        return python_program("test/live/run.py", 1100, talks=True)
    return fuzz_programs(fuzz_build, fuzz_seconds)


# ---- running one program ------------------------------------------------------------------------


class Console:
    """One line at a time, from several threads."""

    def __init__(self):
        self.lock = threading.Lock()

    def say(self, text=""):
        with self.lock:
            print(text, flush=True)


def stop_group(process):
    """Ends the program and all it started (it leads a process group of its own): first asked, so
    that it can take down what it set up, then not asked."""
    for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            return
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def lines_of(process):
    """The lines a process writes, until its pipe is closed; or until it has ended, for a server
    it left behind may hold the pipe open for ever."""
    pipe, rest = process.stdout.fileno(), b""
    while True:
        ended = process.poll() is not None
        ready, _, _ = select.select([pipe], [], [], 0 if ended else 0.5)
        chunk = os.read(pipe, 65536) if ready else b""
        if (ready and not chunk) or (ended and not ready):
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace") + "\n"
    if rest:
        yield rest.decode("utf-8", "replace") + "\n"


class Run:
    """A program while it runs. The complaints of sanitizers (stderr) are kept apart, so that they
    cannot cut a TAP line in two."""

    def __init__(self, program, console, environment):
        self.program = program
        self.console = console
        self.report = tap.Report()
        self.lines = []
        self.expired = False
        self.start = time.monotonic()
        self.environment = environment

    def execute(self):
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self.program.command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
            timer = threading.Timer(self.program.limit, self._expire, [process])
            timer.start()
            for line in lines_of(process):
                self._line(line)
            process.wait()
            timer.cancel()
            stop_group(process)  # what the program left behind
            errors.seek(0)
            self.errors = errors.read().decode("utf-8", "replace")
        self.status = None if self.expired else process.returncode
        return self._outcome()

    def _expire(self, process):
        self.expired = True
        stop_group(process)

    def _line(self, line):
        self.lines.append(line)
        if self.program.fuzzer:
            return
        point = self.report.feed(line)
        if self.program.talks and point:
            why = f" ({point.reason})" if point.reason else ""
            self.console.say(f"    {point.result:7} {point.name}{why}")
        elif self.program.talks and line.startswith("# "):
            self.console.say("    " + line.rstrip())

    def _outcome(self):
        if self.program.fuzzer:
            return self._fuzz_outcome()
        report = self.report
        out = Outcome(report.count("ok"), report.count("failed"), report.count("skipped"))
        if report.skipped_whole is not None:
            out.skipped += 1
            out.reasons.append("skipped: " + report.skipped_whole)
        out.reasons += [f"skipped: {point.name}: {point.reason}"
                        for point in report.points if point.result == "skipped"]
        complaint = report.complaint(self.status)
        if complaint:
            out.failed += 1
            out.reasons.insert(0, complaint)
        if self.environment.get("CAUSEWAY_NO_SKIP") == "1" and out.skipped:
            out.failed += out.skipped
            out.skipped = 0
            out.reasons.insert(0, "tests were skipped, and CAUSEWAY_NO_SKIP forbids it")
        return out

    def _fuzz_outcome(self):
        runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", self.errors)
        count = int(runs.group(1)) if runs else 0
        if self.status == 0 and count > 0:
            return Outcome(passed=1, reasons=[f"{count} inputs"])
        if self.status == 0:
            return Outcome(failed=1, reasons=["ran no input"])
        how = "stopped: over its time" if self.status is None else f"status {self.status}"
        return Outcome(failed=1, reasons=[how + "; the input is kept in the crashes folder"])

    def tell(self, out):
        """Prints the program's line, and all it wrote if it failed."""
        took = time.monotonic() - self.start
        verdict = "FAILED" if out.failed else "ok"
        text = f"  {verdict:6} {self.program.name:36} {out}  {took:.1f} s"
        notes = "".join(f"\n         {reason}" for reason in out.reasons)
        if out.failed:
            # What a talking program wrote has been shown already.
            wrote = ("" if self.program.talks else "".join(self.lines)) + self.errors
            notes += "\n" + "".join(f"       | {line}\n" for line in wrote.splitlines()).rstrip()
        self.console.say(text + notes)


# ---- suites -------------------------------------------------------------------------------------


def run_suite(suite, programs, console, environment):
    console.say(f"{suite}")
    total = Outcome()

    def one(program):
        if program.talks:
            console.say(f"  ...    {program.name}")
        run = Run(program, console, environment)
        out = run.execute()
        run.tell(out)
        return out

    with ThreadPoolExecutor(max_workers=2) as pool:
        for out in pool.map(one, programs):
            total.add(out)
    if not programs:
        console.say("  FAILED nothing was found to run")
        total.failed += 1
    console.say(f"  {suite}: {total}")
    console.say()
    return total


def missing_build(suite, args):
    """The preset this suite needs whose build failed, or None."""
    needs = {"lint": None, "fuzz": "fuzz"}.get(suite, "asan")
    return needs if needs in args.broken else None


def environment_for(build, scratch):
    environment = dict(os.environ, **STRICT)
    environment["CAUSEWAY_BUILD"] = str(build)
    environment["CAUSEWAY_BIN"] = str(build / "src/app/causeway")
    environment["CAUSEWAY_SOURCE"] = str(ROOT)
    environment["TMPDIR"] = scratch
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build/asan")
    parser.add_argument("--broken", action="append", default=[], metavar="PRESET",
                        help="the build of this preset failed: its suites count as failed")
    parser.add_argument("suites", nargs="*", default=["unit", "sim", "script", "lint", "live"],
                        metavar="SUITE", help="unit sim script lint live fuzz")
    args = parser.parse_args()
    unknown = set(args.suites) - {"unit", "sim", "script", "lint", "live", "fuzz"}
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")

    console = Console()
    total = Outcome()
    seconds = int(os.environ.get("CAUSEWAY_FUZZ_SECONDS", "60"))
    scratch = tempfile.mkdtemp(prefix="causeway-test-")
    try:
        environment = environment_for(args.build.resolve(), scratch)
        for suite in args.suites:
            preset = missing_build(suite, args)
            if preset:
                console.say(f"{suite}\n  FAILED preset {preset} did not build; nothing was run\n")
                total.failed += 1
                continue
            programs = programs_of(suite, args.build.resolve(), ROOT / "build/fuzz", seconds)
            total.add(run_suite(suite, programs, console, environment))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        console.say(str(total))
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
