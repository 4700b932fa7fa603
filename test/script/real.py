"""Plays a dialogue against the real causeway: loopback sockets, real TLS, embedded zone data.

Each dialogue has loopback addresses of its own (127.X.Y.0/24), so that port 5269 is free for everybody."""
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import tls
from certs import Certificates
from channel import PATIENCE, Channel, readable
from dialogue import Mismatch
from hello import Hello


class Workshop:
    """What all dialogues share: a throw-away CA, certificates by names, the program."""

    def __init__(self, program):
        self.program, self.folder = program, tempfile.mkdtemp(prefix="causeway-script-")
        self.count = itertools.count(1)
        self.claim, self.block = self.claimed()
        self.certificates = Certificates(self.folder)
        self.ca = self.certificates.ca.path

    @staticmethod
    def claimed():
        """A block of loopback addresses (127.X) which no other run has: whoever holds this socket has it."""
        for n in range(128):
            sock, block = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 64 + (os.getpid() + n) % 128
            try:
                sock.bind((f"127.{block}.255.1", 5269))
                return sock, block
            except OSError:
                sock.close()
        raise OSError("every block of loopback addresses is taken")

    def certificate(self, trust, names):
        """(certificate path, key path) of a leaf: see certs.py."""
        return self.certificates.leaf(trust, names)

    def end(self):
        self.claim.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Real:
    name = "real"

    def __init__(self, dialogue, workshop):
        self.workshop, self.world = workshop, dialogue.world
        number = next(workshop.count)
        self.net = f"127.{workshop.block}.{number % 250 + 1}"
        self.folder = os.path.join(workshop.folder, f"run{number}")
        os.mkdir(self.folder)
        self.channels, self.listeners, self.address = {}, {}, {}
        self.lay_addresses()
        self.start()

    def lay_addresses(self):
        self.address["hq"] = (f"{self.net}.3", 5269)
        for i, remote in enumerate(self.world.remotes):
            self.address[remote] = (f"{self.net}.{10 + i}", 5269)
        for row in self.world.zone:
            if row[0] == "addr" and row[2] not in self.address:
                self.address.setdefault(row[1], (f"{self.net}.{60 + len(self.address)}", 5269))
        for who in self.address:
            self.refuse(who, False)

    def zone(self):
        lines = []
        for remote in self.world.remotes:
            lines += [f"_xmpp-server._tcp.{remote}. 60 IN SRV 0 0 5269 xmpp.{remote}.",
                      f"xmpp.{remote}. 60 IN A {self.address[remote][0]}"]
        for row in self.world.zone:
            if row[0] in ("srv", "srvs"):
                target = "." if row[5] == "." else row[5] + "."
                service = "_xmpp-server" if row[0] == "srv" else "_xmpps-server"
                lines.append(f"{service}._tcp.{row[1]}. 60 IN SRV {row[2]} {row[3]} {row[4]} {target}")
            elif row[0] == "addr":
                where = self.address.get(row[2], self.address[row[1]])[0]
                lines.append(f"{row[1]}. 60 IN {'AAAA' if ':' in where else 'A'} {where}")
        return lines

    def settings(self):
        cert, key = self.workshop.certificate("ok", ["loc.example", "loc2.example"])
        domains = {"loc.example": {"server": "hq", "certificate": cert, "key": key},
                   "loc2.example": {"server": "hq", "certificate": cert, "key": key}}
        for local in self.world.locals:
            domains[local[0]] = {"server": "hq"}
            if "none" not in local[1:]:
                cert, key = self.workshop.certificate("ok", [local[0], *(w for w in local[1:] if "=" in w)])
                domains[local[0]].update(certificate=cert, key=key)
        peers = {}
        for name, facts in self.world.peers + ([] if any(n == "*" for n, _ in self.world.peers) else [("*", {})]):
            peers[name] = {"tls": facts.get("tls", "required"),
                           "proof": facts.get("proof", "certificate,dialback").split(",")}
            if "bidi" in facts:
                peers[name]["bidi"] = facts["bidi"]
            if "ping" in facts:
                peers[name]["ping"] = facts["ping"] == "yes"
            if "allow" in facts:
                peers[name]["allow"] = facts["allow"] == "yes"
        return {"listen": {"outside": [f"{self.net}.1:5269"], "direct_tls": [f"{self.net}.1:5270"],
                           "inside": [f"{self.net}.2:5269"],
                           "admin": os.path.join(self.folder, "admin.sock")},
                "domains": domains,
                "servers": {"hq": {"attach": "s2s", "address": [f"{self.net}.3:5269"],
                                   "trust": [f"{self.net}.0/24"], "tls": self.world.inside_tls}},
                "peers": peers, "tls": {"ca": self.workshop.ca}, "doubt": self.world.doubt,
                "dns": {"zone": self.zone(), "allow_private": ["127.0.0.0/8"]},
                "limits": self.limits(), "dialback": self.dialback()}

    def dialback(self):
        return {"secret": self.world.secret} if self.world.secret else {}

    def limits(self):
        return {k[:-3] if k.endswith("_ms") else k: f"{v}ms" if k.endswith("_ms") else v
                for k, v in self.world.limits.items()}

    def start(self):
        path = os.path.join(self.folder, "causeway.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.settings(), file, indent=1)  # JSON is YAML
        self.errors = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen([self.workshop.program, "run", "-c", path], stdin=subprocess.DEVNULL,
                                        stdout=self.errors, stderr=self.errors)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with socket.create_connection((f"{self.net}.2", 5269), 1):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Mismatch("causeway did not start: " + self.log_tail()) from None
                time.sleep(0.02)  # polls a condition: the listener is up, or the process ended

    def log_tail(self):
        with open(self.errors.name, "rb") as file:
            return file.read().decode(errors="replace")[-4000:]

    def open(self, conn, side, number):
        sock = socket.socket()
        sock.bind((f"{self.net}.{200 + number}" if side != "inside" else f"{self.net}.3", 0))
        sock.settimeout(PATIENCE)
        sock.connect((f"{self.net}.{2 if side == 'inside' else 1}", 5270 if side.startswith("direct") else 5269))
        self.channels[conn] = Channel(sock, True)

    def dialled(self, conn, who):
        listener = self.listeners.get(self.address.get(who))
        if not listener:
            raise Mismatch(f"{who} does not listen")
        try:
            sock, _ = listener.accept()
        except socket.timeout:
            raise Mismatch(f"no connection to {who} was tried within {PATIENCE} s") from None
        self.channels[conn] = Channel(sock, False)

    def untouched(self, who):
        if readable(self.listeners[self.address[who]]):
            raise Mismatch(f"a connection to {who} was tried")

    def refuse(self, who, refuse):
        where = self.address[who]
        if refuse and where in self.listeners:
            self.listeners.pop(where).close()
        elif not refuse and where not in self.listeners:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(64)
            listener.settimeout(PATIENCE)
            self.listeners[where] = listener

    def send(self, conn, data):
        self.channels[conn].send(data)

    def receive(self, conn, until_closed=False):
        return self.channels[conn].receive()

    def waiting(self, conn):
        return self.channels[conn].waiting()

    def why(self, conn):
        ended = " (closed)" if self.channels[conn].ended else ""
        return f"{ended}; the log ends: {self.log_tail()}"

    def tls(self, conn, trust, words):
        channel = self.channels[conn]
        made = tls.context(channel.client, tls.of_tls(words), self.workshop.ca)
        if trust != "none":
            made.load_cert_chain(*self.workshop.certificate(trust, [w for w in words if w not in tls.of_tls(words)]))
        channel.handshake(made, "loc.example" if channel.client else None)

    def no_tls(self, conn, words):
        tls.refused(self.channels[conn], words, "loc.example")

    def hello(self, conn):
        return Hello(self.channels[conn].hello)

    def shown(self, conn):
        return tls.names_shown(self.channels[conn])

    def tls_facts(self, conn):
        return tls.facts(self.channels[conn])

    def asked(self, name, kind, asked):
        """The resolver is asked inside the process: the simulator shows it."""

    def close(self, conn):
        self.channels[conn].close()

    def reset(self, conn):
        self.channels[conn].close(hard=True)

    def acked(self, conn, how):
        raise Mismatch("the kernel acknowledges as it likes: mark this dialogue sim-only")

    def advance(self, ms):
        raise Mismatch("the real clock is not ours: mark this dialogue clock: yes")

    def drain(self):
        self.process.send_signal(signal.SIGTERM)

    def log(self, event, want):
        """Logs are compared in the simulator only."""

    def status(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(os.path.join(self.folder, "admin.sock"))
            sock.sendall(b"status json\n")
            data = b"".join(iter(lambda: sock.recv(65536), b""))
        return json.loads(data)

    def ledger(self, way, want):
        if self.process.poll() is not None or (not want and "drain" in vars(self)):
            return
        deadline = time.monotonic() + PATIENCE
        while True:
            got = self.status()["ledger"]["inbound" if way == "in" else "outbound"]
            total = sum(got[k] for k in ("acked", "written", "bounced", "dropped", "in_doubt", "queued"))
            if got["accepted"] != total:
                raise Mismatch(f"the {way} ledger is not balanced: {got}")
            if all(got[k] == v for k, v in want.items()):
                return
            if time.monotonic() > deadline:
                raise Mismatch(f"ledger {way} is {got}, wanted {want}; the log ends: {self.log_tail()}")
            time.sleep(0.02)  # polls a condition: the fates wanted

    def end(self):
        for channel in self.channels.values():
            channel.close()
        for listener in self.listeners.values():
            listener.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Mismatch("causeway did not end after SIGTERM: " + self.log_tail()) from None
        finally:
            self.errors.close()
        text = self.log_tail()
        if code != 0 or "ERROR: AddressSanitizer" in text or "runtime error" in text:
            raise Mismatch(f"causeway ended with {code}: {text}")
