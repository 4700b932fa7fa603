"""The surroundings of a server under test: addresses, names and connections of one case.

For:    backend of a dialogue (as test/script/real.py is): it opens connections to the server,
        listens as its remotes, and shows certificates.
Never:  looks inside the server: no log, no ledger, no clock.
"""
import re
import select
import socket

import tls
from channel import Channel, readable
from dialogue import Mismatch
from hello import Hello

PORTS_OF_A_CASE, XMPP_SERVER = 8, 5269


class NotPossible(Exception):
    """The case cannot be played here; the text says why."""


class Setting:
    """What all cases share. `bases`: domains below which our remotes are; `listen`: our addresses, as the server
    can reach them; `ports`: the first port of the remotes."""

    def __init__(self, server, domains, bases, listen, ports, certificates, zone, patience):
        self.server, self.domains, self.bases = server, domains, bases
        self.listen, self.ports, self.certificates, self.zone = listen, ports, certificates, zone
        self.patience = patience
        self.direct_tls = None     # (host, port) where the server does TLS at once
        self.asks_certificate = False  # whether the server's certificate is one we can judge
        self.answers_dns = False   # whether the server asks us for names
        self.offered = {}          # what the survey saw


class Names:
    """The domains of one case: a dialogue says far.example and loc.example."""

    def __init__(self, setting, number):
        self.setting, self.number = setting, number
        self.fixed = {"loc": setting.domains[0]}
        if len(setting.domains) > 1:
            self.fixed["loc2"] = setting.domains[1]

    def domain(self, role):
        if role in self.fixed:
            return self.fixed[role]
        if role == "loc2":
            raise NotPossible("needs a second domain of the server (--domain twice)")
        return f"{role}{self.number:03}.{self.setting.bases[0]}"

    def translate(self, text):
        def put(match):
            name = self.domain(match[1].lower())
            return name.upper() if match[1].isupper() else name.title() if match[1].istitle() else name
        return re.sub(r"(?<![\w-])([A-Za-z][\w-]*)\.example\b", put, text, flags=re.I)


class Around:
    name = "spec"

    def __init__(self, setting, dialogue, number, listens=True):
        """`listens`: no: only the zone is laid."""
        self.setting, self.world, self.number = setting, dialogue.world, number
        self.names = Names(setting, number)
        self.channels, self.listeners, self.address = {}, {}, {}
        self.lay_remotes()
        self.lay_zone()
        for who in self.address if listens else ():
            self.refuse(who, False)

    # ---- addresses and names

    def lay_remotes(self):
        targets = {row[5] for row in self.world.zone if row[0] in ("srv", "srvs")}
        hosts = [row[1] for row in self.world.zone if row[0] == "addr" and row[1] in targets]
        for index, name in enumerate(self.world.remotes + hosts):
            self.address[self.names.translate(name)] = (self.setting.listen[0],
                                                        self.setting.ports + PORTS_OF_A_CASE * self.number + index)
        for row in self.world.zone:
            if row[0] == "addr" and row[1] not in hosts:
                self.address[self.names.translate(row[1])] = (self.setting.listen[-1], XMPP_SERVER)

    def lay_zone(self):
        zone = self.setting.zone
        for remote in self.world.remotes:
            name = self.names.translate(remote)
            host, port = self.address[name]
            self.record(f"_xmpp-server._tcp.{name}", "SRV", "0", "0", str(port), f"xmpp.{name}")
            self.record(f"xmpp.{name}", "AAAA" if ":" in host else "A", host)
        for kind, name, *words in self.world.zone:
            name = self.names.translate(name)
            if kind == "dnsfail":
                for service in ("_xmpp-server._tcp.", "_xmpps-server._tcp.") if words else ("",):
                    zone.fail(service + name)
            elif kind == "addr":
                host = self.address[name][0]
                self.record(name, "AAAA" if ":" in host else "A", host)
            else:
                target = self.names.translate(words[3])
                port = str(self.address[target][1]) if target in self.address else words[2]
                service = "_xmpps-server" if kind == "srvs" else "_xmpp-server"
                self.record(f"{service}._tcp.{name}", "SRV", words[0], words[1], port, target)

    def record(self, name, kind, *words):
        self.setting.zone.add(name, kind, *words)

    # ---- connections

    def open(self, conn, side, number):
        if side == "inside":
            raise NotPossible("the inside of the server is not ours")
        if number != 1:
            raise NotPossible("needs a second address to connect from")
        if side == "direct-only" and self.setting.direct_tls == self.setting.server:
            raise NotPossible("needs a port where the server speaks direct TLS alone (--direct-tls)")
        self.channels[conn] = self.connect(self.setting.server if side == "outside" else self.setting.direct_tls)

    def connect(self, address):
        try:
            sock = socket.create_connection(address, self.setting.patience)
        except OSError as error:
            raise Mismatch(f"no connection to {address[0]}:{address[1]}: {error}") from None
        return Channel(sock, True, self.setting.patience)

    def dialled(self, conn, who):
        listener = self.listeners.get(who)
        if not listener:
            raise Mismatch(f"{who} does not listen")
        try:
            sock, _ = listener.accept()
        except socket.timeout:
            raise Mismatch(f"no connection to {who} was tried within {self.setting.patience} s") from None
        self.channels[conn] = Channel(sock, False, self.setting.patience)

    def untouched(self, who):
        if readable(self.listeners[who]):
            raise Mismatch(f"a connection to {who} was tried")

    def refuse(self, who, refuse):
        if refuse and who in self.listeners:
            self.listeners.pop(who).close()
        elif not refuse and who not in self.listeners:
            host, port = self.address[who]
            try:
                self.listeners[who] = socket.create_server(
                    (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=16)
            except OSError as error:
                raise NotPossible(f"cannot listen on {host}:{port}: {error.strerror}") from None
            self.listeners[who].settimeout(self.setting.patience)

    def ready(self, conns, who=None):
        """Waits until one of `conns` has something to read, or somebody dials `who`: its name, `who`, or None."""
        for conn in conns:
            if self.channels[conn].ended or self.channels[conn].holds():
                return conn
        sockets = {self.channels[c].sock: c for c in conns}
        if who in self.listeners:
            sockets[self.listeners[who]] = who
        found, _, _ = select.select(list(sockets), [], [], self.setting.patience)
        return sockets[found[0]] if found else None

    def send(self, conn, data):
        self.channels[conn].send(data)

    def receive(self, conn, until_closed=False):
        return self.channels[conn].receive()

    def waiting(self, conn):
        return self.channels[conn].waiting()

    def why(self, conn):
        return " (the connection is closed)" if self.channels[conn].ended else ""

    def close(self, conn):
        self.channels[conn].close()

    def reset(self, conn):
        self.channels[conn].close(hard=True)

    def tls(self, conn, trust, words):
        channel = self.channels[conn]
        made = tls.context(channel.client, tls.of_tls(words),
                           self.setting.certificates.ca.path if self.setting.asks_certificate else None)
        if trust != "none":
            certificate = self.setting.certificates.leaf(trust, [w for w in words if w not in tls.of_tls(words)])
            made.load_cert_chain(*certificate)
        channel.handshake(made, self.setting.domains[0] if channel.client else None)

    def no_tls(self, conn, words):
        tls.refused(self.channels[conn], words, self.setting.domains[0])

    def hello(self, conn):
        return Hello(self.channels[conn].hello)

    def shown(self, conn):
        return tls.names_shown(self.channels[conn])

    def tls_facts(self, conn):
        return tls.facts(self.channels[conn])

    def asked(self, name, kind, asked):
        if not self.setting.answers_dns:
            raise NotPossible("needs the server to ask our DNS (--dns)")
        if ((name, kind) in self.setting.zone.asked) != asked:
            raise Mismatch(f"the DNS was {'not ' if asked else ''}asked for {name} {kind}")

    # ---- what only our own server shows

    def ledger(self, way, want):
        """Nobody outside can see it."""

    def log(self, event, want):
        """Nobody outside can see it."""

    def acked(self, conn, how):
        raise NotPossible("needs our own kernel")

    def advance(self, ms):
        raise NotPossible("needs a clock of its own")

    def drain(self):
        raise NotPossible("the server is not ours to stop")

    def end(self):
        for channel in self.channels.values():
            channel.close()
        for listener in self.listeners.values():
            listener.close()
