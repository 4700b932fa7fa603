"""proxy.py - the program under test, as one more server of the lab.

For:    writing its settings, running it, asking it with `causeway status --json`.
Never:  looks into it by any other way than its commands and its log.
"""

import json
import os
import re

from servers import Server

FATES = ("acked", "written", "bounced", "dropped", "in_doubt", "queued")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def binary():
    return os.environ.get("CAUSEWAY_BIN") or os.path.join(ROOT, "build/asan/src/app/causeway")


class Causeway(Server):
    LOG = "output.log"
    INSIDE_NAME = "causeway.inside"     # the SRV target of its inside answers

    def __init__(self, host, domains, servers, dns, ca_file, anchors, peers, secret=None, also={}, tls={}):
        """domains: {domain: (server name, Leaf)}; servers: {name: address}; peers: besides "*"; secret: behind dialback keys;
        also: {server name: addresses it connects from besides its own}; tls: of servers where it is not none."""
        super().__init__(host, domains)
        import yaml
        settings = {
            "listen": {"outside": ["*:5269"], "direct_tls": ["*:5270"], "inside": [host.address["inside"] + ":5269"],
                       "inside_dns": host.address["inside"] + ":53",
                       "admin": host.path("admin.sock")},
            "domains": {d: {"server": s, "certificate": leaf.cert, "key": leaf.key}
                        for d, (s, leaf) in domains.items()},
            "servers": {n: {"attach": "s2s", "address": [a + ":5269"], "trust": [b + "/32" for b in (a, *also.get(n, ()))],
                            "tls": tls.get(n, "none")} for n, a in servers.items()},
            "peers": {"*": {"tls": "encrypt", "proof": ["certificate", "dialback"]}, **peers},
            "dns": {"forward": [dns], "anchor": anchors, "allow_private": ["10.77.2.0/24", "fd77:2::/64"]},
            "tls": {"ca": ca_file},
        }
        if secret:
            settings["dialback"] = {"secret": secret}
        self.settings = host.write("causeway.yaml", yaml.safe_dump(settings, sort_keys=False))
        host.resolver(dns)

    def argv(self):
        return [binary(), "run", "-c", self.settings]

    def environ(self):
        return {"UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}

    def ask(self, *words):
        return self.host.run([binary(), *words, "-c", self.settings])

    def is_serving(self):
        return self.ask("status", "--json").returncode == 0

    def status(self):
        done = self.ask("status", "--json")
        if done.returncode != 0:
            raise RuntimeError(f"causeway status: {done.stderr.strip()[-500:]}")
        return json.loads(done.stdout)

    def ledger(self):
        return self.status()["ledger"]

    def proof_of(self, local, remote, direction):
        """How the pair was proved, as it says itself; None when it knows no such pair."""
        a, b = (local, remote) if direction == "out" else (remote, local)
        for pair in self.status()["pairs"]:
            if pair["from"] == a and pair["to"] == b and pair.get("proof"):
                return pair["proof"]
        return None

    def tls_of(self, local, remote, direction):
        """How TLS came about on the outside connections of the two in that direction: "direct", "starttls", "" none."""
        links = [l for l in self.status()["links"] if l["side"] == "outside"
                 and l["role"] == ("initiating" if direction == "out" else "receiving")]
        return {l["tls"] for l in links if (l["ours"], l["theirs"]) == (local, remote)}

    def peer_proof_of(self, local, remote, direction):
        """By what the certificates of the other side were found its own, on the connections of the two in that direction."""
        return {l["peer_proof"] for l in self.status()["links"] if l["side"] == "outside"
                and l["role"] == ("initiating" if direction == "out" else "receiving")
                and (l["ours"], l["theirs"]) == (local, remote)}

    def remote(self, domain):
        return next((r for r in self.status()["remotes"] if r["domain"] == domain), {})

    def managed(self, ours, theirs):
        """(role, whether stream management is on) of each outside connection of the two."""
        return {(l["role"], l["sm"]) for l in self.status()["links"]
                if l["side"] == "outside" and (l["ours"], l["theirs"]) == (ours, theirs)}

    def links(self, **facts):
        """Connections of which the status says all of that."""
        return [l for l in self.status()["links"] if all(l[k] == v for k, v in facts.items())]

    def complaints(self):
        """What a sanitizer or an assertion said, if anything."""
        return [m.string for m in self.log.grep(re.compile(
            r"AddressSanitizer|LeakSanitizer|runtime error:|ssertion"))]


class Inner(Causeway):
    """A second one behind the first, to which it is a local server that knows stream management: it takes what remotes send, in
    clear and by dialback (which it asks the first for), and hands it to a real server."""

    def __init__(self, host, domain, server, first, secret):
        """server, first: addresses of the real server and of the first Causeway's inside."""
        Server.__init__(self, host, [domain])
        import yaml
        own = host.address["inside"]
        settings = {
            "listen": {"outside": [own + ":5269"], "inside": [own + ":5270"], "admin": host.path("admin.sock")},
            "domains": {domain: {"server": "behind"}},
            "servers": {"behind": {"address": [server + ":5269"], "trust": [server + "/32"], "tls": "none"}},
            "peers": {"*": {"tls": "none", "proof": ["dialback"]}},
            "dns": {"forward": [first], "allow_private": ["10.77.1.0/24"]},
            "dialback": {"secret": secret},
        }
        self.settings = host.write("causeway.yaml", yaml.safe_dump(settings, sort_keys=False))
        host.resolver(first)


def unbalanced(ledger):
    """The directions in which accepted is not the sum of the fates, with their figures."""
    return {d: f for d, f in ledger.items()
            if isinstance(f, dict) and f["accepted"] != sum(f[k] for k in FATES)}
