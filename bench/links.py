"""Links: what setting one up costs a server, beside the bare TLS handshakes it needs.

Each remote domain has an address of its own in 127/8 and a certificate of its own, as remote
servers have. The yardstick, causeway-handshake, is run before and after the server in each round. A scenario has a name, a
title, `run` for one round, a line of it for the terminal, and rows for the results' table.
"""

import ipaddress
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace

import servers
import stage
from figures import spread

LIMIT_S = 300  # one run; it notices a standstill itself
READY_S = 20


# ---- the stage ----------------------------------------------------------------------------------


def address(first, number):
    """That of remote `number`; `first` is HOST:PORT of number 0."""
    return str(ipaddress.ip_address(first.split(":")[0]) + number)


def certify_rsa(place):
    """As near and far of `stage`, with RSA keys."""
    if place.file("far-rsa.pem").exists():
        return
    for serial, name in ((101, "near"), (102, "far")):
        rsa, request = place.file(f"{name}-rsa"), place.file(f"{name}-rsa.csr")
        stage.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", f"{rsa}.key", "-out", request)
        stage.openssl("x509", "-req", "-in", request, "-CA", place.file("ca.pem"), "-CAkey",
                      place.file("ca.key"), "-set_serial", serial, "-days", "30", "-extfile",
                      place.file(f"{name}.ext"), "-out", f"{rsa}.pem")


def certify_unknown(place):
    """An authority which nobody knows: what it signs proves nothing."""
    if not place.file("unknown.pem").exists():
        stage.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                      "-nodes", "-subj", "/CN=nobody", "-days", "30", "-addext",
                      "basicConstraints=critical,CA:TRUE", "-keyout", place.file("unknown.key"),
                      "-out", place.file("unknown.pem"))


def certify(place):
    certify_rsa(place)
    certify_unknown(place)


class Causeway(stage.Causeway):
    """Under test with `count` remote domains; near, far: names of certificates; issuer: of one for
    each remote, "": all show far; service: how they are found; more: settings."""

    def __init__(self, place, count, near="near", far="far", issuer="ca",
                 service="_xmpp-server", more=""):
        self.count, self.near, self.far, self.more = count, near, far, more
        self.issuer, self.service = issuer, service
        super().__init__(place, SimpleNamespace(pairs=1, links=1))

    def zone(self):
        for i in range(self.count):
            yield (f"{self.service}._tcp.r{i}.far.example. 60 IN SRV 0 0 5269 "
                   f"s.r{i}.far.example.")
            yield f"s.r{i}.far.example. 60 IN A {address(self.remotes, i)}"

    def settings_text(self):
        near = self.place.file(self.near)
        zone = "".join(f"    - \"{record}\"\n" for record in self.zone())
        return (f"listen: {{outside: [\"{self.outside}\"], inside: [\"{self.inside}\"]}}\n"
                f"domains: {{l0.near.example: {{server: hq, certificate: \"{near}.pem\", "
                f"key: \"{near}.key\"}}}}\n"
                f"servers: {{hq: {{attach: s2s, address: [\"{self.locals}\"], "
                f"trust: [\"127.0.0.0/8\"], tls: required}}}}\n"
                f"tls: {{ca: \"{self.place.file('ca.pem')}\"}}\n"
                f"log: {{level: warn}}\n"
                f"dns:\n  allow_private: [\"127.0.0.0/8\"]\n  zone:\n{zone}{self.more}")

    def load_arguments(self):
        near, far = self.place.file(self.near), self.place.file(self.far)
        return ["--outside", self.outside, "--inside", self.inside, "--remotes", self.remotes,
                "--locals", self.locals, "--ca", str(self.place.file("ca.pem")),
                "--remote-cert", f"{far}.pem", "--remote-key", f"{far}.key",
                "--local-cert", f"{near}.pem", "--local-key", f"{near}.key", *self.issuers()]

    def issuers(self):
        if not self.issuer:
            return []
        issuer = self.place.file(self.issuer)
        return ["--issuer", f"{issuer}.pem", "--issuer-key", f"{issuer}.key"]


def other(name):
    """A server of others with `count` remote domains; what is behind it is not asked for."""

    class Other(servers.SERVERS[name]):
        def __init__(self, place, count):
            self.count = count
            super().__init__(place, SimpleNamespace(pairs=1, links=1))

        def write(self, name, text):
            # ejabberd knows the name of a component only while that is there
            return super().write(name, text.replace("hosts: [near.example]",
                                                    "hosts: [near.example, l0.near.example]"))

        def hosts(self):
            return [address(self.remotes, i) for i in range(self.count)]

        def load_arguments(self):
            ca, far = self.place.file("ca"), self.place.file("far")
            return ["--outside", self.outside, "--inside", self.inside, "--remotes", self.remotes,
                    "--locals", self.locals, "--ca", f"{ca}.pem", "--remote-key", f"{far}.key",
                    "--issuer", f"{ca}.pem", "--issuer-key", f"{ca}.key"]

    return Other


class CausewayBefore(stage.Before, Causeway):
    """The same of an older build (--before)."""


def load(place, server, words, command="links"):
    """causeway-load links, or storm: its exit status and figures."""
    file = place.file("links.json")
    file.unlink(missing_ok=True)
    command = place.pinned(1) + [str(place.program("load")), command, "--json", str(file), "--pid",
                                 ",".join(map(str, server.pids())), *server.load_arguments(), *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=LIMIT_S)
    figures = json.loads(file.read_text()) if file.exists() else {"ok": False}
    figures.update(command=" ".join(command), said=done.stdout, status=done.returncode)
    return figures


def measured(scenario, place, server, words, command="links"):
    """The figures of a run, or None with the reason said."""
    figures = load(place, server, words, command)
    if figures["status"] == 0 and figures["ok"]:
        return figures
    print(f"bench: {scenario.name}: the links failed\n{figures['said']}{server.last_words()}",
          file=sys.stderr)
    return None


# ---- the yardstick ------------------------------------------------------------------------------


class Bare:
    """Handshakes of near, who serves, with far, who dials; what one costs either side, in us."""

    def __init__(self, place, scenario):
        self.place, self.scenario = place, scenario
        self.kind = [word for word, wanted in (("--mutual", scenario.mutual),
                                               ("--resume", scenario.resume)) if wanted]
        self.client = self.server = 0.0
        self.runs = 0

    def files(self, name):
        file = self.place.file
        return ["--ca", str(file("ca.pem")), "--cert", str(file(f"{name}.pem")), "--key",
                str(file(f"{name}.key")), *self.kind]

    def run(self, count):
        """Some handshakes; true: they went well."""
        program, addr = str(self.place.program("handshake")), f"{self.place.new_net()}.1:5269"
        log = self.place.file("bare.log")
        with log.open("w") as out:
            server = subprocess.Popen(self.place.pinned(0) + [program, "--serve", addr,
                                                              *self.files(self.scenario.near)],
                                      stdout=out, stderr=out)
        try:
            limit = time.monotonic() + READY_S
            while "ready" not in log.read_text() and server.poll() is None:
                if time.monotonic() > limit:
                    return False
                time.sleep(0.01)
            done = subprocess.run(
                self.place.pinned(1) + [program, "--dial", addr, "--name", "l0.near.example",
                                        "--pid", str(server.pid), "--count", str(count),
                                        *self.files(self.scenario.near.replace("near", "far"))],
                stdout=subprocess.PIPE, stderr=None, text=True, check=False, timeout=LIMIT_S)
        finally:
            server.terminate()
            server.wait(READY_S)
        if done.returncode != 0:
            return False
        self.runs += 1
        figures = json.loads(done.stdout)
        self.client += figures["client_us"]
        self.server += figures["server_us"]
        return True

    def needed(self, figures):
        """Seconds of 1,000 links: the handshakes which both sides counted, at their bare price."""
        shakes = figures["handshakes"]
        us = (shakes["by_remotes"] * self.server + shakes["by_server"] * self.client) / self.runs
        return us / 1e3 / figures["up"]


# ---- set-up -------------------------------------------------------------------------------------


@dataclass
class SetUp:
    """Links of one kind, and how many times the bare handshakes they may cost."""

    name: str
    title: str
    must: float
    aim: float
    way: str = "in"
    proof: str = "external"
    peer_cert: str = "yes"
    tls: str = "starttls"
    mutual: bool = True
    resume: bool = False
    near: str = "near"
    far: str = "far"
    issuer: str = "ca"
    count: int = 1000
    warm: int = 50

    def run(self, place, number, quick):
        """One round. An older build (--before) is measured too, first in every other round."""
        count = self.count // 4 if quick else self.count
        bare, got = Bare(place, self), {}
        builds = [Causeway, CausewayBefore] if place.before else [Causeway]
        for build in builds[::-1] if number % 2 else builds:
            got[build] = bare.run(count // 2) and self.links(place, build, count)
            if not got[build]:
                return None
        if not bare.run(count // 2):
            return None
        figures = got[Causeway]
        figures["bare_per_thousand"] = bare.needed(figures)
        figures["ratio"] = figures["cpu_per_thousand"] / figures["bare_per_thousand"]
        if place.before:
            figures["before_per_thousand"] = got[CausewayBefore]["cpu_per_thousand"]
        return figures

    def links(self, place, build, count):
        # what is measured are links, not the pause after a peer has closed one
        more = "limits: {backoff_first: 10ms}\n" if self.resume else ""
        service = "_xmpps-server" if self.tls == "direct" else "_xmpp-server"
        with build(place, count + self.warm, self.near, self.far, self.issuer, service,
                   more) as server:
            return measured(self, place, server,
                            ["--way", self.way, "--proof", self.proof, "--peer-cert",
                             self.peer_cert, "--tls", self.tls, "--resume", "yes" if self.resume else "no",
                             "--count", count, "--warm", self.warm])

    def line(self, run):
        before = run.get("before_per_thousand")
        return (f"{run['cpu_per_thousand']:6.3f} s/1,000 links, bare "
                f"{run['bare_per_thousand']:6.3f}: {run['ratio']:5.2f} (<= {self.must:.2f})  "
                f"{run['per_second']:5.0f}/s  p50 {run['setup_ms']['p50']:5.1f}  p99 "
                f"{run['setup_ms']['p99']:5.1f} ms" + self.resumed(run) +
                (f"  now / before {run['cpu_per_thousand'] / before:.3f}" if before else ""))

    def resumed(self, run):
        shakes = run["handshakes"]
        if not self.resume:
            return ""
        return f"  resumed {shakes['by_server_resumed']} of {shakes['by_server']}"

    def row(self, runs):
        def all_of(pick):
            return [pick(run) for run in runs]
        resumed = "".join(f" ({self.resumed(run).strip()})" for run in runs[-1:] if self.resume)
        return (f"| {self.title}{resumed} | {spread(all_of(lambda r: r['cpu_per_thousand']), 3)} "
                f"| {spread(all_of(lambda r: r['bare_per_thousand']), 3)} "
                f"| {spread(all_of(lambda r: r['ratio']))} | {self.must:.2f} ({self.aim:.2f}) "
                f"| {spread(all_of(lambda r: r['per_second']), 0)} "
                f"| {spread(all_of(lambda r: r['setup_ms']['p50']), 1)} "
                f"| {spread(all_of(lambda r: r['setup_ms']['p99']), 1)} |")

    def held_against(self, runs):
        """Measures, as bench/musts.py judges them: what, the figures, at most, unit."""
        yield (f"CPU a link, {self.title}, to its bare handshakes'", [r["ratio"] for r in runs],
               self.must, "x")

    HEAD = ("| links set up | CPU s/1,000 | bare handshakes | ratio | must (aim) | links/s | set-up p50 ms "
            "| p99 ms |", "|---|---|---|---|---|---|---|---|")


# ---- held ---------------------------------------------------------------------------------------


@dataclass
class Idle:
    """Links that carry nothing: what each holds of memory, and what all of them cost."""

    name: str
    title: str
    must_kb: float
    aim_kb: float
    proof: str = "external"
    peer_cert: str = "yes"
    count: int = 5000
    warm: int = 50
    rest: float = 32  # after 30 s no deadline of a set-up is left
    hold: float = 20
    rounds: int = 2

    def run(self, place, _number, quick):
        count, hold = (self.count // 5, self.hold / 4) if quick else (self.count, self.hold)
        with Causeway(place, count + self.warm) as server:
            return measured(self, place, server,
                            ["--proof", self.proof, "--peer-cert", self.peer_cert, "--count",
                             count, "--warm", self.warm, "--rest", self.rest, "--hold", hold])

    def line(self, run):
        return (f"{run['up']} links held {run['held_s']:.0f} s: {run['kb_per_link']:5.1f} KB each "
                f"(<= {self.must_kb:.0f})  CPU {run['held_cpu_share'] * 100:.4f} % (<= 0.1)  "
                f"woken {run['held_wakes'] / run['held_s']:.2f} times/s")

    def row(self, runs):
        def all_of(pick):
            return [pick(run) for run in runs]
        return (f"| {self.title} | {runs[-1]['up']:,} "
                f"| {spread(all_of(lambda r: r['kb_per_link']), 1)} "
                f"| {self.must_kb:.0f} ({self.aim_kb:.0f}) "
                f"| {spread(all_of(lambda r: r['held_cpu_share'] * 100), 4)} | 0.1 "
                f"| {spread(all_of(lambda r: r['held_wakes'] / r['held_s']))} |")

    def held_against(self, runs):
        yield (f"memory of an idle link, {self.title}", [r["kb_per_link"] for r in runs],
               self.must_kb, "KB")
        yield (f"CPU of {runs[-1]['up']:,} idle links, {self.title}",
               [r["held_cpu_share"] * 100 for r in runs], 0.1, "%")

    HEAD = ("| links held idle | links | KB each | must (aim) | CPU % in all | must "
            "| woken times/s |", "|---|---|---|---|---|---|---|")


# ---- a storm ------------------------------------------------------------------------------------


@dataclass
class Storm:
    """Stanzas at a steady rate, while many links are set up at once."""

    name: str
    title: str
    must: float
    aim: float
    proof: str = "external"
    peer_cert: str = "yes"
    count: int = 1000
    rate: int = 1000
    quiet: float = 4

    def run(self, place, _number, quick):
        count = self.count // 4 if quick else self.count
        with Causeway(place, count + 1) as server:
            return measured(self, place, server,
                            ["--proof", self.proof, "--peer-cert", self.peer_cert, "--links",
                             count, "--rate", self.rate, "--quiet", self.quiet], "storm")

    def line(self, run):
        quiet, storm = run["quiet_us"], run["storm_us"]
        return (f"{run['up']} links in {run['seconds']:.2f} s, {storm['stanzas']} stanzas: p99 "
                f"{quiet['p99']:.0f} us, in the storm {storm['p99']:.0f}: {run['p99_ratio']:5.2f} "
                f"(<= {self.must:.0f})  p50 {quiet['p50']:.0f} and {storm['p50']:.0f}  sent late "
                f"{run['late_us_p99']:.0f}")

    def row(self, runs):
        def all_of(pick):
            return [pick(run) for run in runs]
        return (f"| {self.title} | {runs[-1]['up']:,} "
                f"| {spread(all_of(lambda r: r['seconds']))} "
                f"| {spread(all_of(lambda r: r['quiet_us']['p50']), 0)} "
                f"| {spread(all_of(lambda r: r['storm_us']['p50']), 0)} "
                f"| {spread(all_of(lambda r: r['quiet_us']['p99']), 0)} "
                f"| {spread(all_of(lambda r: r['storm_us']['p99']), 0)} "
                f"| {spread(all_of(lambda r: r['p99_ratio']))} "
                f"| {self.must:.0f} ({self.aim:.0f}) |")

    def held_against(self, runs):
        yield (f"p99 of stanzas in a storm, {self.title}, to the quiet p99",
               [r["p99_ratio"] for r in runs], self.must, "x")

    HEAD = ("| storm of set-ups | links | s | quiet p50 us | in the storm | quiet p99 us "
            "| in the storm | ratio | must (aim) |", "|---|---|---|---|---|---|---|---|---|")


# ---- beside other servers -----------------------------------------------------------------------


@dataclass
class Others:
    """Links in, to Causeway and to the servers of others that are installed."""

    name: str
    title: str
    proof: str
    peer_cert: str
    programs: tuple
    count: int = 300
    warm: int = 20
    rounds: int = 3

    def run(self, place, number, quick):
        programs = [name for name in self.programs
                    if name == "causeway" or not servers.SERVERS[name].missing()]
        got = {}
        for turn in range(len(programs)):  # another one first in each round
            name = programs[(turn + number) % len(programs)]
            kind = Causeway if name == "causeway" else other(name)
            try:
                with kind(place, self.count + self.warm) as server:
                    got[name] = measured(self, place, server,
                                         ["--proof", self.proof, "--peer-cert", self.peer_cert,
                                          "--count", self.count, "--warm", self.warm])
            except stage.CannotStart as why:
                print(f"bench: {self.name}: {why}", file=sys.stderr)
                got[name] = None
        return got if all(got.values()) else None

    def line(self, run):
        return "  ".join(f"{name} {run[name]['cpu_per_thousand']:.2f} s/1,000 "
                         f"({run[name]['per_second']:.0f}/s, {run[name]['kb_per_link']:.0f} KB)"
                         for name in self.programs if name in run)

    def row(self, runs):
        def cell(name):
            have = [run for run in runs if name in run]
            cost = [run[name]["cpu_per_thousand"] for run in have]
            ratio = [run["causeway"]["cpu_per_thousand"] / run[name]["cpu_per_thousand"]
                     for run in have]
            return spread(cost) + (f"; {spread(ratio)}" if have and name != "causeway" else "")
        return f"| {self.title} | " + " | ".join(cell(name) for name in ALL) + " |"

    def held_against(self, runs):
        return []

    HEAD = ("| CPU s/1,000 links; Causeway's as a part of it | Causeway | Prosody | ejabberd "
            "| jabberd2 |", "|---|---|---|---|---|")


ALL = ("causeway", "prosody", "ejabberd", "jabberd2")
SCENARIOS = [
    SetUp("in-external", "in, EXTERNAL, ECDSA", 1.3, 1.15),
    SetUp("in-external-known", "in, EXTERNAL, ECDSA, all show one certificate", 1.3, 1.15,
          issuer=""),
    SetUp("in-external-rsa", "in, EXTERNAL, RSA", 1.3, 1.15, near="near-rsa", far="far-rsa"),
    SetUp("in-direct", "in, EXTERNAL, ECDSA, direct TLS", 1.3, 1.15, tls="direct"),
    SetUp("in-dialback", "in, dialback, peer shows no certificate", 2.0, 1.3, proof="dialback",
          peer_cert="no", mutual=False),
    SetUp("in-dialback-cert", "in, dialback, peer's certificate of an authority we do not know "
          "(bare: of one we do)", 1.5, 1.2, proof="dialback", issuer="unknown"),
    SetUp("out-external", "out, EXTERNAL, ECDSA", 1.5, 1.2, way="out"),
    SetUp("out-external-rsa", "out, EXTERNAL, RSA", 1.5, 1.2, way="out", near="near-rsa",
          far="far-rsa"),
    SetUp("out-direct", "out, EXTERNAL, ECDSA, direct TLS", 1.5, 1.2, way="out", tls="direct"),
    SetUp("out-dialback", "out, dialback, verified over the peer's own link", 1.5, 1.2, way="out",
          proof="dialback"),
    SetUp("out-resumed", "out, second link", 2.5, 1.8, way="out", resume=True),
    Idle("idle-external", "EXTERNAL, peers with certificates", 30, 26),
    Idle("idle-dialback", "dialback, a domain each, peers without certificates", 48, 36,
         proof="dialback", peer_cert="no", count=1000),
    Storm("storm-external", "in, EXTERNAL", 5, 2),
    Storm("storm-dialback", "in, dialback, peers without certificates", 5, 2, proof="dialback",
          peer_cert="no"),
    Others("others-external", "in, EXTERNAL", "external", "yes", ALL[:3]),
    Others("others-dialback", "in, dialback, peers without certificates", "dialback", "no", ALL),
]
QUICK = ("in-external", "in-dialback", "out-external")


# ---- for run.py ---------------------------------------------------------------------------------


def names():
    return [scenario.name for scenario in SCENARIOS]


def run_all(place, wanted, rounds, quick):
    """Runs those wanted by name; results by name, and how many runs failed."""
    results, failures = {}, 0
    certify(place)
    for scenario in SCENARIOS:
        if scenario.name not in wanted:
            continue
        runs = results.setdefault(scenario.name, [])
        rounds_here = min(rounds, getattr(scenario, "rounds", rounds))
        for number in range(1, rounds_here + 1):
            figures = scenario.run(place, number, quick)
            if figures is None:
                failures += 1
                continue
            runs.append(dict(figures, round=number))
            print(f"{scenario.name:<17} round {number}/{rounds_here}  {scenario.line(figures)}",
                  flush=True)
    return results, failures


def report(results):
    """The part of RESULTS.md about links."""
    text, head = [], None
    for scenario in SCENARIOS:
        runs = results.get(scenario.name)
        if not runs:
            continue
        if scenario.HEAD != head:
            head = scenario.HEAD
            text += ["", *head]
        text.append(scenario.row(runs))
    if not text:
        return ""
    text = ["# What a link costs", "",
            "Each remote domain has an address and a certificate of its own. CPU is that of the program alone, from "
            "the first link asked for until it has come to rest; *bare handshakes* is what the "
            "TLS handshakes that were counted cost on OpenSSL and nothing else, both roles "
            "measured in the same round, before and after. Memory is what the process grew by, without "
            "files, for each link.", *text, ""]
    return "\n" + "\n".join(text)
