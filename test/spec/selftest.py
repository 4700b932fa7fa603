#!/usr/bin/python3
"""s2spec against Causeway, against a server that does everything wrong, and against nobody: TAP, loopback only."""
import contextlib
import io
import json
import os
import subprocess
import sys
import traceback
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.realpath(__file__))
TEST = os.path.dirname(HERE)
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(TEST, "script")]

import cli  # noqa: E402
import inner  # noqa: E402
from badserver import BadServer  # noqa: E402
from dialogue import World  # noqa: E402
from real import Real, Workshop  # noqa: E402

DOMAINS = ["loc.example", "loc2.example"]
# What a server that believes everybody must not get away with.
MUST_FAIL = {"stanza-before-proof", "header-of-response", "sasl-in-clear", "sasl-other-domain",
             "sasl-bad-alphabet", "sasl-plain", "verify-changed-key", "from-other-domain", "from-missing", "to-third",
             "restricted-1", "bad-utf8-1", "doctype-refused", "host-unknown-3", "version-none", "wrong-namespace-1",
             "features-under-tls", "starttls-twice", "id-under-tls", "stanza-too-big", "message-in-dialback"}


class Scene:
    """What Real wants to know of a dialogue."""

    def __init__(self):
        self.world = World()
        self.world.limits = {"conns_per_address": 2000}


class Subject(Real):
    """Causeway with our small local server behind it; it asks s2spec for names."""

    def __init__(self, workshop):
        super().__init__(Scene(), workshop)
        for listener in self.listeners.values():
            listener.close()
        self.listeners.clear()
        self.inner = inner.start((f"{self.net}.3", 5269), (f"{self.net}.2", 5269))

    def settings(self):
        settings = super().settings()
        settings["dns"] = {"forward": [f"{self.net}.1:5353"], "allow_private": ["127.0.0.0/8"]}
        settings["tls"]["ca"] = os.path.join(self.workshop.folder, "spec", "ca.pem")
        return settings

    def end(self):
        self.inner.close()
        super().end()


class Suite:
    def __init__(self):
        self.build = os.environ.get("CAUSEWAY_BUILD", os.path.join(os.path.dirname(TEST), "build/asan"))
        self.workshop = Workshop(os.environ.get("CAUSEWAY_BIN") or os.path.join(self.build, "src/app/causeway"))
        self.count = self.failed = 0

    def test(self, name, run):
        self.count += 1
        try:
            run()
            print(f"ok {self.count} - {name}", flush=True)
        except Exception:  # whatever it is, it is this test's
            self.failed += 1
            print(f"not ok {self.count} - {name}\n# " + traceback.format_exc().replace("\n", "\n# "), flush=True)

    def spec(self, server, *more):
        """(status, output, results) of a run."""
        out = os.path.join(self.workshop.folder, "results")
        words = ["--server", server, "--dir", os.path.join(self.workshop.folder, "spec"), "--json", out + ".json",
                 "--junit", out + ".xml", *[w for d in DOMAINS for w in ("--domain", d)], *more]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = cli.main(os.path.join(TEST, "script"), words)
        with open(out + ".json", encoding="utf-8") as file:
            return status, said.getvalue(), json.load(file), ET.parse(out + ".xml").getroot()

    # ---- the tests

    def causeway_passes(self):
        folder = os.path.join(self.workshop.folder, "spec")
        done = subprocess.run([os.path.join(HERE, "s2spec"), "--prepare", "--dir", folder, "--listen", "127.0.0.1",
                               *[w for d in DOMAINS for w in ("--domain", d)]], capture_output=True, text=True, check=False)
        expect(done.returncode == 0 and os.path.getsize(os.path.join(folder, "zone")) > 1000, done.stdout + done.stderr)
        subject = Subject(self.workshop)
        try:
            status, said, found, _ = self.spec(f"{subject.net}.1:5269", "--dns", f"{subject.net}.1:5353", "--listen",
                                               f"{subject.net}.50", "--listen", f"{subject.net}.51",
                                               "--direct-tls", f"{subject.net}.1:5270")
        finally:
            subject.end()
        bad = [f"{c['name']}: {c['result']}: {c['why']}" for c in found["cases"] if c["result"] not in ("passed", "not offered")]
        expect(status == 0 and not bad, f"status {status}: {bad} {said[-3000:] if bad else ''}")
        expect(len(found["cases"]) > 100, f"only {len(found['cases'])} cases")

    def bad_server_fails(self):
        net = f"127.{self.workshop.block}.251"
        server = BadServer((f"{net}.1", 5269), self.workshop.certificate("ok", DOMAINS))
        try:
            status, said, found, junit = self.spec(f"{net}.1:5269", "--listen", f"{net}.2", "--patience", "0.3")
        finally:
            server.stop()
        results = {c["name"]: c["result"] for c in found["cases"]}
        missed = sorted(name for name in MUST_FAIL if results.get(name) != "failed")
        expect(status == 1, f"status {status}")
        expect(not missed, f"not noticed: {[(m, results.get(m)) for m in missed]}")
        total = sum(r == "failed" for r in results.values())
        expect(sum(int(s.get("failures")) for s in junit) == total, "JUnit counts other failures than JSON")
        expect(f"{total:>11}" in said.splitlines()[-1], f"the table does not say {total}: {said.splitlines()[-1]}")
        case = next(c for c in found["cases"] if c["name"] == "stanza-before-proof")
        expect("RFC 6120 section 4.3.5" in case["paragraphs"] and {"sent", "expected", "came"} <= {
            r["what"] for r in case["record"]}, f"the record does not tell all: {case}")

    def installs(self):
        prefix = os.path.join(self.workshop.folder, "prefix")
        done = subprocess.run(["cmake", "--install", self.build, "--prefix", prefix, "--component", "s2spec"],
                              capture_output=True, text=True, check=False)
        expect(done.returncode == 0, done.stdout + done.stderr)
        lists = [subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.splitlines()
                 for program in (os.path.join(HERE, "s2spec"), os.path.join(prefix, "bin/s2spec"))]
        expect(lists[0] == lists[1] and len(lists[0]) > 100, f"{len(lists[1])} cases installed of {len(lists[0])}")
        done = subprocess.run([os.path.join(prefix, "bin/s2spec"), "--prepare", "--dir", os.path.join(prefix, "x"),
                               "--listen", "127.0.0.1", "--domain", "loc.example"], capture_output=True, text=True,
                              check=False)
        expect(done.returncode == 0, done.stdout + done.stderr)
        expect(os.path.exists(os.path.join(prefix, "share/man/man1/s2spec.1")), "no man page")

    def nobody_is_no_pass(self):
        net = f"127.{self.workshop.block}.252"
        program = [os.path.join(HERE, "s2spec"), "--patience", "0.5"]
        for words in (["--server", f"{net}.1:5269", "--domain", "loc.example"], ["--server", "x"],
                      ["--server", f"{net}.1", "--domain", "loc.example", "--section", "nonsense"]):
            done = subprocess.run(program + words, capture_output=True, text=True, check=False)
            expect(done.returncode == 2, f"{words}: status {done.returncode}: {done.stdout}{done.stderr}")


def expect(true, sentence):
    if not true:
        raise AssertionError(sentence)


def main():
    suite = Suite()
    suite.test("s2spec: Causeway has no failing case, and none that differs", suite.causeway_passes)
    suite.test("s2spec: a server that believes everybody is noticed, case by case", suite.bad_server_fails)
    suite.test("s2spec: installed, it has all its cases and a man page", suite.installs)
    suite.test("s2spec: nobody there, wrong words: status 2", suite.nobody_is_no_pass)
    suite.workshop.end()
    print(f"1..{suite.count}")
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
