"""Servers that give TLS sessions, and what they make of them when they come back."""
import struct

from stage import Mismatch, Remote, Scene, inside_stream, server_context, until

ALERT = b"\x15\x03\x03\x00\x02\x02\x50"  # fatal, internal_error: what OpenSSL sends for want of a session id context
PRE_SHARED_KEY = 41  # RFC 8446 4.2


def extensions(hello):
    """The kinds of a ClientHello's extensions; hello: the record as it came."""
    at = 5 + 4 + 2 + 32  # record, handshake, version, random
    at += 1 + hello[at]
    at += 2 + struct.unpack_from(">H", hello, at)[0]
    at += 1 + hello[at]
    end = at + 2 + struct.unpack_from(">H", hello, at)[0]
    at += 2
    kinds = []
    while at < end:
        kind, length = struct.unpack_from(">HH", hello, at)
        kinds.append(kind)
        at += 4 + length
    return kinds


class Resuming(Remote):
    """Notes of each connection whether a session was offered, and whether it was resumed. `breaks`: on those that are."""

    def __init__(self, daemon, domain):
        self.breaks, self.offered, self.resumed = False, [], []
        super().__init__(daemon, domain, ends=self.note, external=True)

    def note(self, stage, channel, number):
        if stage == "proceed":
            data = b""
            while len(data) < 5 or len(data) < 5 + struct.unpack_from(">H", data, 3)[0]:
                if not channel.pull():
                    raise Mismatch("no ClientHello")
                data += channel.incoming.read()
            channel.incoming.write(data)
            self.offered.append(PRE_SHARED_KEY in extensions(data))
            if self.breaks and self.offered[-1]:
                channel.send(ALERT)
                raise Mismatch("broken off")
        elif stage == "tls":
            self.resumed.append(channel.tls.session_reused)


def sessions(daemon):
    """Sessions are resumed; a server that has new keys, or breaks off when one comes back, is reached all the same."""
    daemon.hq()
    far = daemon.remote("far.example", kind=Resuming)
    inner = inside_stream(daemon, "far.example")
    number = 0

    def link():
        return [k for k in daemon.status()["links"] if k["theirs"] == "far.example" and k["role"] == "initiating"]

    def next_link(offered, resumed):
        """The stanza arrives over the last of so many new connections; then the link is cut."""
        nonlocal number
        number += 1
        far.offered, far.resumed = [], []
        inner.send(f"<message from='u@loc.example' to='v@far.example' id='m{number}'><body>x</body></message>".encode())
        until(f"message {number}", lambda: far.has(f"m{number}"))
        if (far.offered, far.resumed) != (offered, resumed):
            raise Mismatch(f"message {number}: offered {far.offered}, resumed {far.resumed}")
        told = link()[0]
        if told["resumed"] != resumed[-1] or told["version"] != "TLSv1.3":
            raise Mismatch(f"message {number}: the status says {told}")
        pair = [p for p in daemon.status()["pairs"] if p["to"] == "far.example"][0]
        if pair["proof"] != "certificate":
            raise Mismatch(f"message {number}: {pair}")
        until("its fate", lambda: daemon.ledgers()["outbound"]["queued"] == 0)
        far.cut()
        until("the link is gone", lambda: not link())

    next_link([False], [False])
    for _ in range(3):
        next_link([True], [True])
    far.context = server_context(daemon, "far.example")  # new ticket keys
    next_link([True], [False])
    next_link([True], [True])
    far.breaks = True
    next_link([True, False], [False])
    for _ in range(2):
        next_link([False], [False])
    why = [w for w in daemon.status()["whys"] if w["why"] == "tls_not_resumed"]
    if len(why) != 1 or (why[0]["what"], why[0]["count"]) != ("attempt", 1):
        raise Mismatch(f"told as {why}")
    daemon.settles(spare=2)  # the trunk and the inside stream


def without(daemon):
    """With tls.sessions: 0 no session is offered, whatever the server gives."""
    daemon.hq()
    far = daemon.remote("far.example", kind=Resuming)
    inner = inside_stream(daemon, "far.example")
    for number in range(3):
        inner.send(f"<message from='u@loc.example' to='v@far.example' id='m{number}'><body>x</body></message>".encode())
        until(f"message {number}", lambda: far.has(f"m{number}"))  # pylint: disable=cell-var-from-loop
        far.cut()
        until("the link is gone", lambda: not [k for k in daemon.status()["links"] if k["theirs"] == "far.example"
                                               and k["role"] == "initiating"])
    if far.offered != [False] * 3 or far.resumed != [False] * 3:
        raise Mismatch(f"offered {far.offered}, resumed {far.resumed}")
    daemon.settles(spare=2)


def scene(**rest):
    fast = {"backoff_first_ms": 20, "backoff_max_ms": 40, "queue_ms": 5000}
    return lambda: Scene(remotes=["far.example"], limits=fast, rest=rest)


ATTACKS = [(sessions, scene()), (without, scene(tls={"sessions": 0}))]
