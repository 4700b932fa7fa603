"""The stage of the attacks: the real causeway with its limits lowered, players around it, and what
must be true after each attack: it lives, no sanitizer spoke, the ledger is balanced, descriptors
are back."""
import os
import re
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "script"))

from dialogue import Mismatch, World  # noqa: E402
from real import PATIENCE, Channel, Real  # noqa: E402

STREAMS = "xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'"
DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
TLS_NS, SASL_NS = "urn:ietf:params:xml:ns:xmpp-tls", "urn:ietf:params:xml:ns:xmpp-sasl"


def head(sender, to, more=""):
    return f"<?xml version='1.0'?><stream:stream {STREAMS} from='{sender}' to='{to}' version='1.0'{more}>".encode()


def until(what, true, patience=PATIENCE):
    """Polls a condition; it is the condition that is waited for, never a time."""
    deadline = time.monotonic() + patience
    while True:
        got = true()
        if got:
            return got
        if time.monotonic() > deadline:
            raise Mismatch(f"not within {patience} s: {what}")
        time.sleep(0.01)


def until_all(what, count, number):
    """Waits until count() is `number`; as long as it grows there is patience."""
    had = count()
    while had < number:
        had = until(f"more than {had} of {what}", lambda: count() > had and count())
    if had != number:
        raise Mismatch(f"{had} of {what}, {number} are wanted")


class Scene:
    """What Real wants to know of a dialogue. `rest`: further settings, or what makes them of the workshop."""

    def __init__(self, remotes=(), limits=None, rest=None, files=None, quarantine=8):
        self.world = World()
        self.world.remotes = list(remotes)
        self.world.limits = dict({"conns_per_address": 2000}, **(limits or {}))
        self.rest, self.files = rest or {}, files
        self.quarantine = quarantine  # MiB the sanitizer keeps of what was freed: it counts as held memory


class Daemon(Real):
    """causeway with an admin socket and inside DNS; `files`: its descriptor limit."""

    def __init__(self, workshop, scene):
        self.scene = scene
        super().__init__(scene, workshop)
        self.players = []
        self.pid = self.process.pid
        self.warm()
        self.base = self.files()

    def warm(self):
        """The resolver opens descriptors of its own with its first question, the admin socket too."""
        until("the admin socket, or an end", lambda: self.process.poll() is not None
              or os.path.exists(os.path.join(self.folder, "admin.sock")))
        if self.process.poll() is not None:
            raise Mismatch("causeway did not start: " + self.log_tail())
        self.status()
        channel = self.outside(40)
        to_tls(self, channel, "warm.example", trust="untrusted")
        channel.send(b"<db:result from='warm.example' to='loc.example'>k</db:result>")
        read_until(channel, b"type='error'")
        channel.send(b"</stream:stream>")
        drain(channel)
        channel.close()
        until("the warming connection is gone", lambda: not self.status()["links"])

    def settings(self):
        settings = super().settings()
        settings["listen"]["inside_dns"] = f"{self.net}.2:5353"
        settings["log"] = {"level": "notice"}
        rest = self.scene.rest(self.workshop) if callable(self.scene.rest) else self.scene.rest
        for name, values in rest.items():
            settings.setdefault(name, {}).update(values)
        return settings

    def start(self):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        sanitizer = os.environ.get("ASAN_OPTIONS", "")
        os.environ["ASAN_OPTIONS"] = f"{sanitizer}:quarantine_size_mb={self.scene.quarantine}".lstrip(":")
        popen = subprocess.Popen
        limit = self.scene.files

        def limited(*args, **kwargs):
            if limit:
                kwargs["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return popen(*args, **kwargs)

        subprocess.Popen = limited
        try:
            super().start()
        finally:
            subprocess.Popen = popen
            os.environ["ASAN_OPTIONS"] = sanitizer
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def status(self):
        """As ever, but the backlog of the admin socket may be full of attackers for a moment."""
        def asked():
            try:
                return Real.status(self)
            except (BlockingIOError, ValueError):  # turned away, at the door or behind it
                return None
        return until("the admin socket answers", asked)

    # ---- what is measured

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory(self):
        """Resident KiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1])

    def cpu(self):
        """Seconds of processor time."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ledgers(self):
        """Both ways; each must be balanced whenever it is read."""
        both = self.status()["ledger"]
        for way, got in both.items():
            total = sum(got[k] for k in ("acked", "written", "bounced", "dropped", "in_doubt", "queued"))
            if got["accepted"] != total:
                raise Mismatch(f"the {way} ledger is not balanced: {got}")
        return both

    def lives(self):
        if self.process.poll() is not None:
            raise Mismatch(f"causeway ended with {self.process.returncode}: {self.log_tail()}")
        self.ledgers()

    def settles(self, spare=0):
        """Lives, balanced, and every descriptor but `spare` is back."""
        self.lives()
        try:
            until("descriptors back", lambda: self.files() <= self.base + spare)
        except Mismatch as error:
            raise Mismatch(f"{error}: {self.base} + {spare} before, {self.files()} now; {self.status()['links']}"
                           ) from None
        self.lives()

    # ---- players

    def outside(self, number=0):
        self.open("new", "outside", number)
        return self.channels.pop("new")

    def inside(self):
        self.open("new", "inside", 0)
        return self.channels.pop("new")

    def hq(self, **how):
        return self.player(LocalServer(self.listeners[self.address["hq"]], **how))

    def remote(self, domain, kind=None, **how):
        return self.player((kind or Remote)(self, domain, **how))

    def player(self, player):
        self.players.append(player)
        return player

    def end(self):
        for player in self.players:
            player.leave()
        super().end()


FEATURES = b"</stream:features>", b"<stream:features/>"


def read_until(channel, *want):
    """Reads until one of `want` (bytes) has come; the end of the connection is a mismatch."""
    data = b""
    while not any(w in data for w in want):
        more = channel.receive()
        if not more:
            raise Mismatch(f"ended before {want}: {data[-600:]!r}")
        data += more
    return data


def read_head(channel):
    """Reads a stream header; gives it."""
    data = b""
    while not re.search(rb"<stream:stream[^>]*>", data):
        more = channel.receive()
        if not more:
            raise Mismatch(f"ended before a header: {data[-600:]!r}")
        data += more
    return data


def drain(channel):
    """Reads to the end of the connection, whatever comes."""
    data = b""
    while True:
        more = channel.receive()
        if not more:
            return data
        data += more


def to_tls(daemon, channel, sender="far.example", trust="ok", to="loc.example"):
    """Plays the initiating side up to the second features."""
    channel.send(head(sender, to))
    read_until(channel, *FEATURES)
    channel.send(f"<starttls xmlns='{TLS_NS}'/>".encode())
    read_until(channel, b"<proceed")
    channel.handshake(client_context(daemon, sender, trust), to)
    channel.send(head(sender, to))
    return read_until(channel, *FEATURES)


def client_context(daemon, name, trust="ok"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(*daemon.workshop.certificate(trust, [name]))
    return context


def server_context(daemon, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*daemon.workshop.certificate("ok", [name]))
    return context


def to_proof(daemon, channel, sender="far.example", to="loc.example"):
    """... and proves itself by its certificate."""
    to_tls(daemon, channel, sender, to=to)
    channel.send(f"<auth xmlns='{SASL_NS}' mechanism='EXTERNAL'>=</auth>".encode())
    read_until(channel, b"<success")
    channel.send(head(sender, to))
    read_until(channel, *FEATURES)
    return channel


def to_pair(channel, sender, to):
    """The local server's side of an inside connection: one more pair."""
    channel.send(f"<db:result from='{sender}' to='{to}'>key</db:result>".encode())
    return read_until(channel, b"type='valid'")


def inside_stream(daemon, to="far.example", sender="loc.example"):
    channel = daemon.inside()
    channel.send(head(sender, to))
    read_until(channel, *FEATURES)
    to_pair(channel, sender, to)
    return channel


def good_peer(daemon, local_server, sender="good.example", number=1):
    """A remote that proves itself and whose message must reach the local server."""
    channel = daemon.outside(number)
    to_proof(daemon, channel, sender)
    mark = f"good-{sender}-{time.monotonic_ns()}"
    channel.send(f"<message from='u@{sender}' to='v@loc.example' id='{mark}'><body>x</body></message>".encode())
    until(f"the message of {sender} at the local server", lambda: local_server.has(mark))
    channel.send(b"</stream:stream>")
    drain(channel)
    channel.close()


class Player:
    """Takes every connection of a listener, each in a thread of its own."""

    def __init__(self, listener):
        self.listener, self.over, self.count = listener, False, 0
        self.lock, self.seen, self.channels, self.text = threading.Lock(), [], [], b""
        self.thread = threading.Thread(target=self.accepts, daemon=True)
        self.thread.start()

    def accepts(self):
        while not self.over:
            try:
                sock, _ = self.listener.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            channel = Channel(sock, False)
            sock.settimeout(None)
            with self.lock:
                self.count += 1
                self.channels.append(channel)
            threading.Thread(target=self.guarded, args=(channel, self.count), daemon=True).start()

    def guarded(self, channel, number):
        try:
            self.serve(channel, number)
        except (OSError, Mismatch, ValueError):
            pass  # an attacker's connection may end anywhere
        channel.close()

    def serve(self, channel, number):
        raise NotImplementedError

    def take(self, channel, data):
        """Answers what is whole in data; gives the rest."""
        while True:
            match = re.search(rb"<stream:stream[^>]*>|<db:result [^>]*>[^<]*</db:result>|</stream:stream>"
                              rb"|<(message|iq|presence)\b[^>]*?(/>|>.*?</\1>)", data, re.S)
            if not match:
                return data
            data = data[match.end():]
            self.answer(channel, match[0])

    def answer(self, channel, item):
        facts = dict(re.findall(rb"\b([a-z]+)='([^']*)'", item.split(b">")[0]))
        sender, to = (facts.get(k, b"").decode() for k in (b"from", b"to"))
        if item.startswith(b"<stream:stream"):
            channel.send(head(to, sender, " id='s1'") + self.features(channel))
        elif item.startswith(b"<db:result"):
            channel.send(f"<db:result from='{to}' to='{sender}' type='valid'/>".encode())
        elif item == b"</stream:stream>":
            channel.send(item)
        else:
            with self.lock:
                self.seen.append(facts.get(b"id", b"").decode())
                self.text = (self.text + item)[-65536:]

    def features(self, channel):
        return f"<stream:features>{DIALBACK}</stream:features>".encode()

    def read(self, channel):
        data = b""
        while True:
            more = channel.receive()
            if not more:
                return
            data = self.take(channel, data + more)

    def has(self, mark):
        with self.lock:
            return mark in self.seen

    def got(self):
        with self.lock:
            return len(self.seen)

    def cut(self):
        """Ends all connections there are."""
        for channel in self.channels:
            try:
                channel.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.channels.clear()

    def leave(self):
        self.over = True
        self.cut()


class LocalServer(Player):
    """Believes every key at once. `held`: an event; while it is clear, nothing is read after the first key."""

    def __init__(self, listener, held=None):
        self.held = held
        super().__init__(listener)

    def serve(self, channel, number):
        self.read(channel)

    def answer(self, channel, item):
        super().answer(channel, item)
        if self.held and item.startswith(b"<db:result"):
            self.held.wait()


class Remote(Player):
    """Wants TLS, believes every key. `ends(stage, channel, number)` is called at each stage and may end it by raising;
    `external`: takes EXTERNAL; `deaf`: an event; while it is clear, nothing is read once a pair is open."""

    def __init__(self, daemon, domain, ends=None, external=False, deaf=None):
        self.context = server_context(daemon, domain)
        self.ends, self.external, self.deaf = ends or (lambda *_: None), external, deaf
        super().__init__(daemon.listeners[daemon.address[domain]])

    def serve(self, channel, number):
        self.ends("accepted", channel, number)
        first = read_head(channel)
        self.ends("header", channel, number)
        facts = dict(re.findall(rb"\b(from|to)='([^']*)'", first))
        ours, theirs = facts[b"to"].decode(), facts[b"from"].decode()
        channel.send(head(ours, theirs, " id='s0'"))
        channel.send(f"<stream:features><starttls xmlns='{TLS_NS}'><required/></starttls></stream:features>".encode())
        read_until(channel, b"<starttls")
        self.ends("starttls", channel, number)
        channel.send(f"<proceed xmlns='{TLS_NS}'/>".encode())
        self.ends("proceed", channel, number)
        channel.handshake(self.context, None)
        self.ends("tls", channel, number)
        data = read_head(channel)
        if self.external:
            channel.send(head(ours, theirs, " id='s2'"))
            channel.send(f"<stream:features><mechanisms xmlns='{SASL_NS}'><mechanism>EXTERNAL</mechanism></mechanisms>"
                         f"{DIALBACK}</stream:features>".encode())
            read_until(channel, b"</auth>")
            channel.send(f"<success xmlns='{SASL_NS}'/>".encode())
            self.ends("success", channel, number)
            data = read_head(channel)
            channel.send(head(ours, theirs, " id='s3'") + b"<stream:features/>")
            self.ends("open", channel, number)
            data = b""
        data = self.take(channel, data)
        self.read(channel)

    def answer(self, channel, item):
        if item.startswith(b"<db:result"):
            self.ends("key", channel, self.count)
        super().answer(channel, item)
        if item.startswith(b"<db:result"):
            self.ends("open", channel, self.count)
            if self.deaf:
                self.deaf.wait()
        elif not item.startswith(b"<stream") and not item.startswith(b"</"):
            self.ends("stanza", channel, self.count)


def reset(channel):
    """Ends it by a reset, from another thread's read as well."""
    channel.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    channel.sock.close()
    channel.ended = True
