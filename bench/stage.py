"""Where a benchmark takes place: addresses, certificates, and the programs under test.

A program under test is a context manager: entering starts it on CPU 0 and waits until it is ready;
`load_arguments` says how causeway-load reaches it.
"""

import os
import platform
import random
import shutil
import subprocess
import time
from pathlib import Path

READY_S = 20
STOP_S = 15


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


class Place:
    """The build, a work folder with certificates of one CA, and addresses on loopback."""

    def __init__(self, build, work, before=None):
        self.build, self.work, self.before = build, work, before
        self.taskset = shutil.which("taskset") if os.cpu_count() > 1 else None
        self.certify()

    def program(self, name):
        return self.build / "bench" / f"causeway-{name}"

    def pinned(self, cpu):
        return [self.taskset, "-c", str(cpu)] if self.taskset else []

    def file(self, name):
        return self.work / name

    def new_net(self):
        """Addresses nobody used a moment ago, for no port has to be waited for."""
        return f"127.{random.randint(60, 119)}.{random.randint(1, 250)}"

    def certify(self):
        """ca, near (all local domains), far (all remote ones), both: for who speaks for all."""
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                self.file("ca.key"))
        openssl("req", "-x509", "-new", "-key", self.file("ca.key"), "-subj", "/CN=bench CA",
                "-days", "30", "-addext", "basicConstraints=critical,CA:TRUE",
                "-out", self.file("ca.pem"))
        names = {"near": "DNS:*.near.example", "far": "DNS:*.far.example",
                 "both": "DNS:*.near.example,DNS:*.far.example"}
        for serial, (name, domains) in enumerate(names.items(), 2):
            key, request = self.file(f"{name}.key"), self.file(f"{name}.csr")
            extension = self.file(f"{name}.ext")
            extension.write_text(f"subjectAltName={domains}\n")
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
            openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
            openssl("x509", "-req", "-in", request, "-CA", self.file("ca.pem"), "-CAkey",
                    self.file("ca.key"), "-set_serial", serial, "-days", "30", "-extfile",
                    extension, "-out", self.file(f"{name}.pem"))


class CannotStart(Exception):
    """A program under test did not come up; says what it said."""


class Program:
    """A process under test."""

    def __init__(self, place, scenario):
        net = place.new_net()
        self.place, self.scenario = place, scenario
        self.outside, self.inside = f"{net}.1:5269", f"{net}.2:5270"
        self.locals, self.remotes = f"{net}.3:5269", f"{net}.4:5269"
        self.log = place.file("log")
        self.process = None
        self.environment = {}  # beside ours

    @property
    def build(self):
        return self.place.build

    share = 1.0  # of the warming stanzas that it is given

    @property
    def pid(self):
        return self.process.pid

    def pids(self):
        """All processes whose CPU and memory is its own."""
        return [self.pid]

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def __enter__(self):
        with self.log.open("w") as log:
            self.start(log)
        return self.wait_until_ready()

    def start(self, log):
        # taskset becomes the program: its pid is the one to be measured
        self.process = subprocess.Popen(self.place.pinned(0) + self.command(), stdout=log,
                                        stderr=log, env={**os.environ, **self.environment})

    def wait_until_ready(self):
        limit = time.monotonic() + READY_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.__exit__()
                raise CannotStart(f"{self.command()[0]} does not start\n{self.last_words()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def last_words(self):
        return "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-20:])

    def load_arguments(self):
        file = self.place.file
        return ["--outside", self.outside, "--inside", self.inside, "--remotes", self.remotes,
                "--locals", self.locals, "--ca", str(file("ca.pem")),
                "--remote-cert", str(file("far.pem")), "--remote-key", str(file("far.key")),
                "--local-cert", str(file("near.pem")), "--local-key", str(file("near.key"))]


class Before:
    """The same of an older build (--before)."""

    @property
    def build(self):
        return self.place.before


class Causeway(Program):
    """As it is delivered; only what loopback and one peer address demand is set."""

    def __init__(self, place, scenario):
        super().__init__(place, scenario)
        self.settings = place.file("causeway.yaml")
        self.settings.write_text(self.settings_text())

    def settings_text(self):
        scenario, file = self.scenario, self.place.file
        pairs = max(scenario.pairs, scenario.links)
        n_locals = (pairs + scenario.links - 1) // scenario.links
        domains = "".join(f"  l{i}.near.example: {{server: hq, certificate: \"{file('near.pem')}\","
                          f" key: \"{file('near.key')}\"}}\n" for i in range(n_locals))
        zone = "".join(f"    - \"_xmpp-server._tcp.r{i}.far.example. 60 IN SRV 0 0 5269 "
                       f"all.far.example.\"\n" for i in range(scenario.links))
        return (f"listen: {{outside: [\"{self.outside}\"], inside: [\"{self.inside}\"]}}\n"
                f"domains:\n{domains}"
                f"servers: {{hq: {{attach: s2s, address: [\"{self.locals}\"], "
                f"trust: [\"127.0.0.0/8\"], tls: required}}}}\n"
                f"tls: {{ca: \"{file('ca.pem')}\"}}\n"
                f"limits: {{conns_per_address: 100000}}\n"
                f"log: {{level: warn}}\n"
                f"dns:\n  allow_private: [\"127.0.0.0/8\"]\n  zone:\n{zone}"
                f"    - \"all.far.example. 60 IN A {self.remotes.split(':', 1)[0]}\"\n")

    def command(self):
        return [str(self.build / "src/app/causeway"), "run", "-c", str(self.settings)]

    def is_ready(self):
        return listens(self.outside) and listens(self.inside)


class Relay(Program):
    """The yardstick with the same parser; bytes: moving bytes only."""

    bytes = False

    def command(self):
        file = self.place.file
        return [str(self.build / "bench/causeway-relay"), "--ca", str(file("ca.pem")),
                "--cert", str(file("both.pem")), "--key", str(file("both.key")),
                "--door", f"{self.outside},{self.locals}", "--door",
                f"{self.inside},{self.remotes}"] + (["--bytes"] if self.bytes else [])

    def is_ready(self):
        return "ready" in self.log.read_text()


class Bytes(Relay):
    bytes = True


class CausewayBefore(Before, Causeway):
    pass


class RelayBefore(Before, Relay):
    pass


PROGRAMS = {"causeway": Causeway, "relay": Relay, "bytes": Bytes,
            "causeway-before": CausewayBefore, "relay-before": RelayBefore}


def listens(address):
    """Looked up, not tried: a connection would be one of those measured."""
    host, port = address.split(":")
    number = "".join(f"{int(part):02X}" for part in reversed(host.split(".")))
    want = f"{number}:{int(port):04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1] == want and line.split()[3] == "0A" for line in lines)


def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.splitlines()[0] if done.stdout else ""


def package(name):
    """Its version; "" when it is not installed."""
    status, _, version = first_line("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}",
                                    name).partition(" ")
    return version if status == "installed" else ""


def machine(root):
    model = next((line.split(":", 1)[1].strip()
                  for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "compiler": first_line("gcc", "--version"),
            "packages": {name: package(name) for name in ("libexpat1", "libssl3", "libuv1")},
            "load": os.getloadavg()[0],
            "commit": first_line("git", "-c", f"safe.directory={root}", "-C", str(root),
                                 "describe", "--always", "--dirty")}
