"""Servers under test, each on a host of its own in the lab of test/live: Causeway and Debian's servers.

For:    settings that let s2spec in: our authority believed, dialback allowed, limits of rate off.
Never:  the machine's own configuration, data or services.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TEST = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TEST, "live")]

from jabberd2 import Jabberd2  # noqa: E402
from proxy import binary  # noqa: E402
from servers import Ejabberd, Prosody, Server  # noqa: E402

DOMAINS = ["server.example", "second.example"]
NETWORK = "10.77.9"
TESTER, DNS = f"{NETWORK}.1", f"{NETWORK}.1"
DIRECT = 5270  # where TLS comes first


class Certificate:
    """Paths of what --prepare wrote."""

    def __init__(self, folder):
        self.cert, self.key, self.ca = (os.path.join(folder, n) for n in ("server.pem", "server.key", "ca.pem"))
        self.both = os.path.join(folder, "both.pem")
        with open(self.cert, "rb") as cert, open(self.key, "rb") as key, open(self.both, "wb") as both:
            both.write(cert.read() + key.read())


def version_of(package):
    return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True,
                          check=False).stdout or "?"


def prosody(host, leaf):
    server = Prosody(host, DOMAINS, dns=DNS, s2s_secure_auth=False, s2s_require_encryption=True,
                     modules_enabled=[*Prosody.MODULES, "smacks", "s2s_bidi"], modules_disabled=[],
                     s2s_direct_tls_ports=[DIRECT],
                     ssl={"key": leaf.key, "certificate": leaf.cert, "cafile": leaf.ca, "capath": False})
    server.DIRECT = DIRECT
    return server, f"Prosody {version_of('prosody')}"


def ejabberd(host, leaf):
    host.resolver(DNS)
    server = Ejabberd(host, DOMAINS, dns=DNS, s2s_use_starttls="required", certfiles=[leaf.both], ca_file=leaf.ca,
                      s2s_cafile=leaf.ca, listen=[
                          {"port": 5222, "ip": "::", "module": "ejabberd_c2s", "access": "c2s"},
                          {"port": 5269, "ip": "::", "module": "ejabberd_s2s_in", "max_stanza_size": 524288},
                          {"port": DIRECT, "ip": "::", "module": "ejabberd_s2s_in", "max_stanza_size": 524288, "tls": True}])
    server.DIRECT = DIRECT
    return server, f"ejabberd {version_of('ejabberd')}"


def jabberd2(host, leaf):
    return Jabberd2(host, DOMAINS, dns=DNS, cert=leaf.both, trust=leaf.ca), f"jabberd2 {version_of('jabberd2')}"


class Causeway(Server):
    """Causeway with our small local server behind it, both on one host; the inside is its loopback."""

    TITLE, LOG, DIRECT = "Causeway", "output.log", DIRECT
    INSIDE, INNER = "127.0.0.5", "127.0.0.10"

    def __init__(self, host, domains, leaf):
        super().__init__(host, domains)
        import yaml
        self.inner = None
        settings = {
            "listen": {"outside": [f"{self.address}:5269"], "direct_tls": [f"{self.address}:{DIRECT}"],
                       "inside": [f"{self.INSIDE}:5269"],
                       "admin": host.path("admin.sock")},
            "domains": {d: {"server": "inner", "certificate": leaf.cert, "key": leaf.key} for d in domains},
            "servers": {"inner": {"attach": "s2s", "address": [f"{self.INNER}:5269"], "trust": [f"{self.INNER}/32"],
                                  "tls": "none"}},
            "dns": {"forward": [DNS], "allow_private": [f"{NETWORK}.0/24"]},
            "tls": {"ca": leaf.ca}, "limits": {"conns_per_address": 2000}}
        self.settings = host.write("causeway.yaml", yaml.safe_dump(settings, sort_keys=False))

    def argv(self):
        return [binary(), "run", "-c", self.settings]

    def launch(self):
        self.inner = self.host.start(["/usr/bin/python3", os.path.join(HERE, "inner.py"), "--listen", f"{self.INNER}:5269",
                                      "--proxy", f"{self.INSIDE}:5269"], "inner.out")
        super().launch()

    def is_serving(self):
        return self.host.listens(5269)

    def _end(self, sig):
        super()._end(sig)
        if self.inner:
            os.killpg(self.inner.pid, sig)
            self.inner.wait(20)
            self.inner = None


def causeway(host, leaf):
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=False).stdout.split()
    return Causeway(host, DOMAINS, leaf), "Causeway " + (version[-1] if version else "?")


SUBJECTS = {"causeway": causeway, "prosody": prosody, "ejabberd": ejabberd, "jabberd2": jabberd2}
