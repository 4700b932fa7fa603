"""Plays a dialogue in the simulator: causeway-simd behind a pipe, with a fake clock."""
import re
import subprocess

from dialogue import Mismatch

PROOFS = {"certificate": 1, "dialback": 2, "dane": 4, "posh": 8}
YES = {"yes": "1", "no": "0"}
BIDI = {"no": 0, "certificate": 1, "yes": 2}


class Sim:
    name = "sim"

    def __init__(self, world, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.conns, self.dials, self.refused, self.logs, self.ledgers = {}, [], set(), [], []
        self.questions = set()
        self.address = {}
        self.fresh = set()  # opened by us, and nothing was sent yet
        self.state = {}  # id -> {"out": bytes, "tls": line, "closed": bool}
        self.configure(world)

    def configure(self, world):
        self.command(f"server hq 10.0.0.10:5269 10.0.0.0/8 {world.inside_tls}")
        self.address["hq"] = "10.0.0.10:5269"
        for local in [["loc.example"], ["loc2.example"]] + world.locals:
            self.command(f"local {local[0]} hq {0 if 'none' in local[1:] else 1}")
        for name, facts in world.peers + ([] if any(n == "*" for n, _ in world.peers) else [("*", {})]):
            proofs = sum(PROOFS[p] for p in facts.get("proof", "certificate,dialback").split(","))
            self.command(f"peer {name} {YES[facts.get('allow', 'yes')]} {facts.get('tls', 'required')} {proofs} "
                         f"{BIDI[facts.get('bidi', 'yes')]} {YES[facts.get('ping', 'no')]}")
        for name, value in world.limits.items():
            self.command(f"limit {name} {value}")
        self.command(f"doubt {world.doubt}")
        for number, remote in enumerate(world.remotes, 1):
            address = f"192.0.1.{number}"
            self.address[remote] = f"{address}:5269"
            self.command(f"srv {remote} 0 0 5269 xmpp.{remote}")
            self.command(f"addr xmpp.{remote} {address}")
        self.command("private 192.0.0.0/16")
        self.command("private 2001:db8::/32")
        for row in world.zone:
            self.command(" ".join(row))
            if row[0] == "addr":
                self.address[row[1]] = f"{row[2]}:5269"
        self.command("start")

    def command(self, text):
        try:
            self.process.stdin.write(text.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        while True:
            line = self.process.stdout.readline().decode()
            if not line:
                raise Mismatch("the simulator died: " + self.process.stderr.read().decode()[-3000:])
            if line == ".\n":
                return
            self.effect(line.split())

    def effect(self, words):
        verb = words[0]
        if verb == "conn":
            self.last = words[1]
            self.state[words[1]] = {"out": b"", "tls": None, "closed": False}
        elif verb == "dial":
            self.state[words[1]] = {"out": b"", "tls": None, "closed": False}
            self.dials.append((words[1], words[3]))
        elif verb == "out":
            self.state[words[1]]["out"] += bytes.fromhex(words[2])
        elif verb == "starttls":
            self.state[words[1]]["tls"] = words[2:]
        elif verb == "resolve":
            self.questions.add((words[1], words[2]))
        elif verb == "close":
            self.state[words[1]]["closed"] = True
            self.dials = [d for d in self.dials if d[0] != words[1]]
        elif verb == "ledger":
            self.ledgers.append(dict(w.split("=") for w in words[1:]))
        elif verb == "log":
            self.logs.append((words[1], dict(w.split("=", 1) for w in words[2:] if "=" in w)))
        if verb == "dial":
            self.refuse_waiting = True

    def settle_refusals(self):
        for ident, address in list(self.dials):
            if address in self.refused:
                self.dials.remove((ident, address))
                self.command(f"lost {ident} tcp_refused")
                return self.settle_refusals()

    def open(self, conn, side, number):
        peer = f"192.0.2.{number}:{40000 + len(self.conns)}" if side != "inside" else "10.0.0.10:40000"
        self.command(f"accept {side} {peer}")
        self.conns[conn] = self.last
        self.fresh.add(conn)

    def dialled(self, conn, who):
        self.settle_refusals()
        for ident, address in self.dials:
            if address == self.address.get(who, who):
                self.dials.remove((ident, address))
                self.conns[conn] = ident
                self.command(f"connected {ident}")
                return
        raise Mismatch(f"no connection to {who} was tried; waiting: {self.dials}")

    def refuse(self, who, refuse):
        (self.refused.add if refuse else self.refused.discard)(self.address.get(who, who))
        self.settle_refusals()

    def untouched(self, who):
        if any(address == self.address.get(who, who) for _, address in self.dials):
            raise Mismatch(f"a connection to {who} was tried")

    def send(self, conn, data):
        self.fresh.discard(conn)
        self.command(f"bytes {self.conns[conn]} {data.hex()}")
        self.settle_refusals()

    def receive(self, conn, until_closed=False):
        state = self.state[self.conns[conn]]
        data, state["out"] = state["out"], b""
        if until_closed and not data and not state["closed"]:
            raise Mismatch("the connection is still open")
        return data

    def waiting(self, conn):
        return self.state[self.conns[conn]]["out"]

    def why(self, conn):
        state = self.state[self.conns[conn]]
        return " (closed)" if state["closed"] else f"; last logs: {self.logs[-4:]}"

    def tls(self, conn, trust, names):
        state = self.state[self.conns[conn]]
        if conn in self.fresh and not state["tls"]:  # the first byte is TLS: it is told from XML
            self.command(f"hello {self.conns[conn]}")
        self.fresh.discard(conn)
        if not state["tls"]:
            raise Mismatch(f"TLS was not begun{self.why(conn)}")
        state["tls"] = None
        self.command(f"tls {self.conns[conn]} {trust} "
                     + ",".join(n for n in names if "=" not in n or n.startswith(("tlsa=", "ta="))))
        self.settle_refusals()

    def asked(self, name, kind, asked):
        service = "_xmpp-server._tcp."
        what = ("srv", name[len(service):]) if kind == "SRV" and name.startswith(service) else (kind.lower(), name)
        if (what in self.questions) != asked:
            raise Mismatch(f"the DNS was {'not ' if asked else ''}asked for {name} {kind}: {self.questions}")

    def close(self, conn):
        self.command(f"lost {self.conns[conn]} tcp_eof")
        self.settle_refusals()

    def reset(self, conn):
        self.command(f"lost {self.conns[conn]} tcp_reset")
        self.settle_refusals()

    def acked(self, conn, how):
        self.command(f"acked {self.conns[conn]} {how}")

    def advance(self, ms):
        self.command(f"advance {ms}")
        self.settle_refusals()

    def drain(self):
        self.command("drain 5000")

    def ledger(self, way, want):
        self.command(f"ledger {way}")
        got = self.ledgers.pop()
        if got["balanced"] != "1":
            raise Mismatch(f"the {way} ledger is not balanced: {got}")
        wrong = {k: got[k] for k, v in want.items() if int(got[k]) != v}
        if wrong:
            raise Mismatch(f"ledger {way} has {wrong}, wanted {want}; all: {got}")

    def log(self, event, want):
        for name, facts in self.logs:
            if name == event and all(re.fullmatch(v, facts.get(k, "")) for k, v in want.items()):
                return
        raise Mismatch(f"no log {event} {want} in {self.logs[-12:]}")

    def end(self):
        """Ends the simulator; its leaks and sanitizer reports are failures."""
        self.process.stdin.close()
        rest = self.process.stdout.read()
        errors = self.process.stderr.read().decode()
        if self.process.wait(60) != 0:
            raise Mismatch("the simulator ended badly: " + errors[-3000:] + rest.decode()[-200:])
