#!/usr/bin/python3
"""run.py - the live suite: real servers, real DNS, real TLS, in network namespaces. Prints TAP.

   test/live/run.py [--list] [--logs DIR] [CASE...]     a CASE is a name or a part of one

Needs root and the Debian packages listed in the file `packages` beside it. The
program under test is $CAUSEWAY_BIN, or build/asan/src/app/causeway.
"""

import argparse
import asyncio
import importlib.util
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

NEEDS = ["prosody", "erl", "unbound", "ldns-signzone", "nginx", "ip", "ss"]


def missing():
    out = [p for p in NEEDS if not shutil.which(p)]
    out += ["python3-" + m for m in ("slixmpp", "yaml", "cryptography")
            if not importlib.util.find_spec(m)]
    return out


def arguments():
    p = argparse.ArgumentParser(description="the live suite (TAP)")
    p.add_argument("cases", nargs="*", help="names, or parts of names, of the cases to run")
    p.add_argument("--list", action="store_true", help="print the names and end")
    p.add_argument("--logs", metavar="DIR", help="copy the servers' logs there at the end")
    return p.parse_args()


class Tap:
    """The one printer of results."""

    def __init__(self, total):
        self.count = self.failed = 0
        print("TAP version 13")
        print(f"1..{total}", flush=True)

    def result(self, name, error=None, skip=None):
        self.count += 1
        self.failed += bool(error)
        line = f"{'not ok' if error else 'ok'} {self.count} - {name}"
        print(line + (f" # SKIP {skip}" if skip else ""), flush=True)
        for text in str(error or "").splitlines():
            self.note(text)

    @staticmethod
    def note(text):
        print(f"# {text}", flush=True)


def _skip_reason(case, binary):
    """Without a binary a person may still prove the lab itself; CI may not skip."""
    if case.proxy and not os.path.exists(binary) and not os.environ.get("CI"):
        return f"no {binary}"
    return None


async def run_case(case, stage, tap):
    mark = stage.proxy.log.mark()
    began = time.monotonic()
    try:
        if case.proxy:
            await asyncio.wait_for(stage.proxy_up(), 60)
        notes = await asyncio.wait_for(case.run(stage), case.seconds)
        tap.result(case.name)
        for n in notes or []:
            tap.note(n)
    except asyncio.TimeoutError:
        tap.result(case.name, f"not done in {case.seconds} s")
        _tell(stage, mark, tap)
    except Exception as e:      # a case that fails must not take the others with it
        tap.result(case.name, f"{type(e).__name__}: {e}")
        _tell(stage, mark, tap)
    tap.note(f"{time.monotonic() - began:.1f} s")
    died = stage.proxy.process and stage.proxy.process.poll()
    if died is not None and stage.proxy.process:
        tap.note(f"causeway ended with {died} during this case; it is started anew for the next")
        stage.proxy.process = None


def _tell(stage, mark, tap):
    for line in stage.proxy.log.lines(mark)[-25:]:
        tap.note("causeway: " + line[:300])


async def run_all(cases, args):
    from proxy import binary
    from stage import Stage
    tap = Tap(len(cases))
    began = time.monotonic()
    stage = Stage()
    try:
        for case in cases:
            reason = _skip_reason(case, binary())
            if reason:
                tap.result(case.name, skip=reason)
            else:
                await run_case(case, stage, tap)
    finally:
        for user in stage.users.values():
            await user.offline()
        logs = args.logs or (tap.failed and os.environ.get("CAUSEWAY_LIVE_LOGS"))
        if logs:
            stage.host_logs(logs)
            tap.note(f"logs are in {logs}")
    tap.note(f"{tap.count - tap.failed} of {tap.count} in {time.monotonic() - began:.0f} s")
    return 1 if tap.failed else 0


def main():
    args = arguments()
    lacking = missing()
    if lacking:
        print(f"Bail out! missing: {' '.join(lacking)}; install: "
              + " ".join(open(os.path.join(HERE, 'packages')).read().split()))
        return 1
    import cases as book
    chosen = [c for c in book.CASES if not args.cases or any(a in c.name for a in args.cases)]
    if args.list:
        print("\n".join(c.name for c in chosen))
        return 0
    if not chosen:
        print("Bail out! no case has such a name (see --list)")
        return 1
    import lab
    return lab.enter(lambda: asyncio.run(run_all(chosen, args)))


if __name__ == "__main__":
    sys.exit(main())
