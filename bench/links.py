"""Links: what setting one up costs a server, beside the bare TLS handshakes it needs.

Each remote domain has an address of its own in 127/8, as remote servers have.
"""

import ipaddress
import json
import subprocess
from types import SimpleNamespace

import stage

LIMIT_S = 300  # one run; it notices a standstill itself


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


def certify_own(place):
    """A certificate for the remotes which nobody has signed: it proves nothing."""
    if not place.file("far-own.pem").exists():
        stage.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                      "-nodes", "-subj", "/CN=far", "-days", "30", "-addext",
                      "subjectAltName=DNS:*.far.example", "-addext",
                      "basicConstraints=critical,CA:FALSE", "-keyout",
                      place.file("far-own.key"), "-out", place.file("far-own.pem"))


class Causeway(stage.Causeway):
    """Under test with `count` remote domains; near and far: names of certificates; more: settings."""

    def __init__(self, place, count, near="near", far="far", more=""):
        self.count, self.near, self.far, self.more = count, near, far, more
        super().__init__(place, SimpleNamespace(pairs=1, links=1))

    def zone(self):
        for i in range(self.count):
            yield f"_xmpp-server._tcp.r{i}.far.example. 60 IN SRV 0 0 5269 s.r{i}.far.example."
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
                "--local-cert", f"{near}.pem", "--local-key", f"{near}.key"]


def load(place, server, words):
    """causeway-load links: its exit status and figures."""
    file = place.file("links.json")
    file.unlink(missing_ok=True)
    command = place.pinned(1) + [str(place.program("load")), "links", "--json", str(file), "--pid",
                                 str(server.pid), *server.load_arguments(), *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=LIMIT_S)
    figures = json.loads(file.read_text()) if file.exists() else {"ok": False}
    figures.update(command=" ".join(command), said=done.stdout, status=done.returncode)
    return figures
