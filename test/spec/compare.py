#!/usr/bin/python3
"""compare.py - s2spec against Causeway, Prosody, ejabberd and jabberd2, each started for it; writes RESULTS.md.

   test/spec/compare.py [--only SERVER,...] [--json DIR] [--no-results] [S2SPEC'S OPTIONS...]

Needs root: the servers run in network namespaces which nobody else sees.
"""
import argparse
import asyncio
import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "live"), os.path.join(os.path.dirname(HERE), "script"), HERE]

import lab  # noqa: E402
import results  # noqa: E402
import subjects  # noqa: E402

PROGRAM = os.path.join(HERE, "s2spec")
LONGEST = 1800  # seconds for all cases against one server
PATIENCE = "5"  # seconds for one answer; what never comes costs as much
A_FAILURE = 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="SERVER,...", default=",".join(subjects.SUBJECTS))
    parser.add_argument("--json", metavar="DIR", help="keep each server's results and logs there")
    parser.add_argument("--no-results", action="store_true", help="leave RESULTS.md alone")
    return parser.parse_known_args()


def stage(names):
    """The lab: the tester with two addresses, and a host for each server."""
    made = lab.Lab()
    made.bridge("spec", subjects.NETWORK)
    tester = made.host("tester", {"spec": 1})
    lab._ip([f"addr add {subjects.NETWORK}.2/24 dev to-spec"], "tester")
    return tester, {name: made.host(name, {"spec": 10 + i}) for i, name in enumerate(names)}


def s2spec(tester, words, seconds=LONGEST):
    return tester.run([PROGRAM, *words], seconds)


def certificate(tester):
    folder = tester.path("spec")
    domains = [w for d in subjects.DOMAINS for w in ("--domain", d)]
    done = s2spec(tester, ["--prepare", "--dir", folder, "--listen", subjects.TESTER, *domains])
    if done.returncode:
        raise SystemExit(f"s2spec --prepare: {done.stdout}{done.stderr}")
    return subjects.Certificate(folder), domains


async def judge(name, host, tester, leaf, domains, more):
    """(title, results) of one server; it is started before and stopped after."""
    server, title = subjects.SUBJECTS[name](host, leaf)
    await server.start()
    out = tester.path(f"{name}.json")
    words = ["--server", server.address, "--dns", subjects.DNS, "--dir", tester.path("spec"), "--json", out,
             "--listen", subjects.TESTER, "--listen", f"{subjects.NETWORK}.2", "--patience", PATIENCE, *domains, *more]
    if hasattr(server, "DIRECT"):
        words += ["--direct-tls", f"{server.address}:{server.DIRECT}"]
    try:
        done = await asyncio.to_thread(s2spec, tester, words)
    finally:
        server.stop()
    print(f"\n==== {title}\n{done.stdout}{done.stderr}", flush=True)
    if not os.path.exists(out):
        raise SystemExit(f"s2spec against {title} ended with {done.returncode}")
    with open(out, encoding="utf-8") as file:
        return title, json.load(file)


async def run(args, more):
    names = args.only.split(",")
    tester, hosts = stage(names)
    leaf, domains = certificate(tester)
    found = {}
    for name in names:
        found[name] = await judge(name, hosts[name], tester, leaf, domains, more)
        if args.json:
            os.makedirs(args.json, exist_ok=True)
            with open(os.path.join(args.json, name + ".json"), "w", encoding="utf-8") as file:
                json.dump(found[name][1], file, indent=1)
            shutil.copytree(hosts[name].dir, os.path.join(args.json, name), dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("mnesia", "*.sock", "fs"))
    if not args.no_results and not more and args.only == ",".join(subjects.SUBJECTS):
        results.write(os.path.join(HERE, "RESULTS.md"), found)
    print(results.table(found))
    return A_FAILURE if "causeway" in found and results.failed(found["causeway"][1]) else 0


def main():
    args, more = arguments()
    unknown = [n for n in args.only.split(",") if n not in subjects.SUBJECTS]
    if unknown:
        raise SystemExit(f"no server is called {unknown[0]}; there are {' '.join(subjects.SUBJECTS)}")
    if not os.path.exists(subjects.binary()):
        raise SystemExit(f"{subjects.binary()} is not built")
    if args.json:
        args.json = os.path.abspath(args.json)
    return lab.enter(lambda: asyncio.run(run(args, more)))


if __name__ == "__main__":
    sys.exit(main())
