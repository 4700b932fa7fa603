#!/usr/bin/python3
"""test/run.py must notice every way in which a test program can fail: a runner which cannot fail
would make all other tests worthless. Small programs are written to a scratch folder, run by
run.py as if they had been built, and its closing line and status are compared."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

RUNNER = Path(__file__).resolve().parents[2] / "run.py"
sys.path.insert(0, str(RUNNER.parent))

import run  # noqa: E402  (found through the line above)

# name: (what the program does, extra environment, closing line, exit status)
CASES = {
    "all well": ("echo 'ok 1 - a'; echo 'ok 2 - b'; echo 1..2", {}, "2 passed, 0 failed", 0),
    "plan first": ("echo 1..1; echo 'ok 1 - a'", {}, "1 passed, 0 failed", 0),
    "two groups": ("echo 1..1; echo 'ok 1 - a'; echo 1..1; echo 'ok 1 - b'", {},
                   "2 passed, 0 failed", 0),
    "one test fails": ("echo 'ok 1 - a'; echo 'not ok 2 - b'; echo 1..2; exit 1", {},
                       "1 passed, 1 failed", 1),
    "fails but exits 0": ("echo 'not ok 1 - a'; echo 1..1", {}, "0 passed, 1 failed", 1),
    "crash after success": ("echo 'ok 1 - a'; echo 1..1; kill -SEGV $$", {},
                            "1 passed, 1 failed", 1),
    "status without a failure": ("echo 'ok 1 - a'; echo 1..1; exit 3", {},
                                 "1 passed, 1 failed", 1),
    "no plan": ("echo 'ok 1 - a'", {}, "1 passed, 1 failed", 1),
    "silent": ("exit 0", {}, "0 passed, 1 failed", 1),
    "fewer than planned": ("echo 1..3; echo 'ok 1 - a'", {}, "1 passed, 1 failed", 1),
    "more than planned": ("echo 1..1; echo 'ok 1 - a'; echo 'ok 2 - b'", {},
                          "2 passed, 1 failed", 1),
    "bail out": ("echo 'ok 1 - a'; echo 'Bail out! no disk'; echo 1..1", {},
                 "1 passed, 1 failed", 1),
    "empty plan": ("echo 1..0", {}, "0 passed, 1 failed", 1),
    "one skipped": ("echo 'ok 1 - a'; echo 'ok 2 - b # SKIP no net'; echo 1..2", {},
                    "1 passed, 0 failed, 1 skipped", 0),
    "skips forbidden": ("echo 'ok 1 - a'; echo 'ok 2 - b # SKIP no net'; echo 1..2",
                        {"CAUSEWAY_NO_SKIP": "1"}, "1 passed, 1 failed", 1),
    "all skipped": ("echo '1..0 # SKIP no net'", {}, "0 passed, 0 failed, 1 skipped", 1),
    "failure marked as skip": ("echo 'not ok 1 - a # SKIP no'; echo 1..1", {},
                               "0 passed, 1 failed", 1),
    "leaves a process behind": (
        # It holds the pipe until this test is over: a runner which waits for it hangs.
        "setsid sh -c 'while [ -e \"$0\" ]; do sleep 0.2; done' \"$0\" & echo 'ok 1 - a'; echo 1..1",
        {}, "1 passed, 0 failed", 0),
    "name with a hash": ("echo 'ok 1 - C# skips nothing'; echo 1..1", {},
                         "1 passed, 0 failed", 0),
}


def run_one(folder, script, extra):
    # Suite sim runs nothing but this: it finds only compiled programs named sim_*.
    program = folder / "sim_probe"
    program.write_text("#!/bin/sh\n" + script + "\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environment = {key: value for key, value in os.environ.items() if key != "CAUSEWAY_NO_SKIP"}
    done = subprocess.run([sys.executable, str(RUNNER), "--build", str(folder), "sim"],
                          env=dict(environment, **extra), capture_output=True, text=True,
                          timeout=60, check=False)
    return done.stdout.splitlines()[-1], done.returncode


def too_long_is_a_failure():
    """The limits are minutes, so this one runs inside this process with one of its own."""
    program = run.Program("probe", ["/bin/sh", "-c", "echo 'ok 1 - a'; echo 1..1; exec sleep 600"],
                          limit=0.2)
    out = run.Run(program, run.Console(), dict(os.environ)).execute()
    return (out.passed, out.failed) == (1, 1) and "too long" in out.reasons[0]


def main():
    failures = 0
    for number, (name, (script, extra, line, status)) in enumerate(CASES.items(), 1):
        with tempfile.TemporaryDirectory() as folder:
            got = run_one(Path(folder), script, extra)
        good = got == (line, status)
        failures += not good
        print(f"{'ok' if good else 'not ok'} {number} - runner: {name}")
        if not good:
            print(f"# expected {(line, status)}, got {got}")
    good = too_long_is_a_failure()
    failures += not good
    print(f"{'ok' if good else 'not ok'} {len(CASES) + 1} - runner: a program that does not end")
    print(f"1..{len(CASES) + 1}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
