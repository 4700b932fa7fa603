"""Connections that end at every moment a connection can have, by reset and by a plain end, on all four sides."""
import socket
import threading

from stage import (FEATURES, SASL_NS, TLS_NS, Mismatch, Scene, client_context, drain, good_peer, head, inside_stream,
                   read_head, read_until, reset, until)


def end(channel, how):
    """reset: RST. cut: the socket is closed, under TLS without close_notify. half: only our side; theirs is read."""
    if how == "reset":
        reset(channel)
    elif how == "half":
        channel.sock.shutdown(socket.SHUT_WR)
        drain(channel)
        channel.close()
    else:
        channel.close()


def stranger(daemon, channel, last):
    """The initiating side, up to step `last`; gives whether there was such a step."""
    steps = [
        lambda: None,
        lambda: channel.send(b"<?xml version='1.0'?><stream:str"),
        lambda: channel.send(b"eam " + head("far.example", "loc.example").split(b" ", 2)[2]),
        lambda: read_until(channel, *FEATURES),
        lambda: channel.send(f"<starttls xmlns='{TLS_NS}'/>".encode()),
        lambda: read_until(channel, b"<proceed"),
        lambda: channel.send(b"\x16\x03\x01\x02\x00\x01\x00"),
    ]
    in_tls = [
        lambda: channel.handshake(client_context(daemon, "far.example"), "loc.example"),
        lambda: channel.send(head("far.example", "loc.example")),
        lambda: read_until(channel, *FEATURES),
        lambda: channel.send(f"<auth xmlns='{SASL_NS}' mechanism='EXTERNAL'>=</auth>".encode()),
        lambda: read_until(channel, b"<success"),
        lambda: channel.send(head("far.example", "loc.example")),
        lambda: read_until(channel, *FEATURES),
        lambda: channel.send(b"<message from='u@far.example' to='v@loc.example'><bo"),
        lambda: channel.send(b"dy>x</body></message>"),
        lambda: channel.send(b"</stream:stream>"),
    ]
    if last >= len(steps):  # the step of half a ClientHello is not on the way to TLS
        steps = steps[:-1] + in_tls
        last -= 1
    if last >= len(steps):
        return False
    for step in steps[:last + 1]:
        step()
    return True


def strangers_leave(daemon):
    """A remote that connects and ends at each of 17 steps, in three ways; the good peer is served after it.
    rows: prac-mem"""
    hq = daemon.hq()
    for how in ("reset", "cut", "half"):
        step = 0
        while True:
            channel = daemon.outside(step)
            there = stranger(daemon, channel, step)
            end(channel, how)
            if not there:
                break
            step += 1
        daemon.lives()
        if step != 17:
            raise Mismatch(f"{step} steps were played")
    good_peer(daemon, hq)
    daemon.settles(spare=1)  # the trunk


def local_leaves(daemon):
    """A local server that ends its connection at each step: of a key, between two pairs, in mid-stanza."""
    head_in = head("loc.example", "far.example")
    key = b"<db:result from='loc.example' to='far.example'>k</db:result>"
    stanza = b"<message from='u@loc.example' to='v@far.example'><body>x</body></message>"
    verify = b"<db:verify from='loc.example' to='far.example' id='1'>k</db:verify>"
    data = head_in + key + verify + stanza + key.replace(b"far", b"near") + b"</stream:stream>"
    daemon.hq()
    daemon.remote("far.example")
    for how in ("reset", "cut", "half"):
        for n in range(0, len(data) + 1, 11):
            channel = daemon.inside()
            if n:
                channel.send(data[:n])
            end(channel, how)
    until("nothing queued", lambda: daemon.ledgers()["outbound"]["queued"] == 0)
    daemon.settles(spare=2)  # the trunk and a link


class Leaves:
    """As `ends` of a Remote: ends every connection at one stage."""

    def __init__(self, how):
        self.how, self.stage, self.times, self.lock = how, None, 0, threading.Lock()

    def __call__(self, stage, channel, number):
        if stage == self.stage:
            with self.lock:
                self.times += 1
            end(channel, self.how)
            raise Mismatch("left")


def remote_leaves(daemon):
    """A remote we dial that ends at each stage, before and after proof: each stanza has one fate, the next try is served.
    rows: R6120-4.9.1.1"""
    hq = daemon.hq()
    leaves = Leaves("reset")
    far = daemon.remote("far.example", ends=leaves)
    inner = inside_stream(daemon, "far.example")
    number = 0
    for how in ("reset", "cut"):
        leaves.how = how
        for stage in ("accepted", "header", "starttls", "proceed", "tls", "key", "open", "stanza"):
            before = leaves.times
            leaves.stage = stage
            number += 1
            inner.send(f"<message from='u@loc.example' to='v@far.example' id='m{number}'><body>x</body></message>".encode())
            until(f"far.example left at {stage}", lambda: leaves.times > before)
            leaves.stage = None
            until("the stanza's fate", lambda: daemon.ledgers()["outbound"]["queued"] == 0)
            far.cut()
            until("the link is gone", lambda: not [k for k in daemon.status()["links"] if k["theirs"] == "far.example"
                                                   and k["role"] == "initiating"])
    fates = daemon.ledgers()["outbound"]
    number += 1
    inner.send(f"<message from='u@loc.example' to='v@far.example' id='m{number}'><body>x</body></message>".encode())
    until("the next message delivered", lambda: far.has(f"m{number}"))
    until("its fate", lambda: daemon.ledgers()["outbound"]["queued"] == 0)
    if fates["accepted"] != number - 1 or fates["dropped"]:
        raise Mismatch(f"{number - 1} stanzas, fates {fates}; the local server has {hq.got()}")


def trunk_leaves(daemon):
    """A local server that ends the trunk at each step of it, with stanzas on their way; it is dialled again."""
    listener = daemon.listeners[daemon.address["hq"]]
    channel = daemon.outside(2)
    from stage import LocalServer, to_proof
    to_proof(daemon, channel)
    hq, number = None, 0
    for how in ("reset", "cut"):
        for step in range(5):
            number += 1
            channel.send(f"<iq type='get' from='u@far.example' to='v@loc.example' id='t{number}'><q xmlns='q'/></iq>".encode())
            sock, _ = listener.accept()
            trunk = type(channel)(sock, False)
            if step > 0:
                read_head(trunk)
            if step > 1:
                trunk.send(head("loc.example", "far.example", " id='x'") + b"<stream:features>"
                           b"<dialback xmlns='urn:xmpp:features:dialback'/></stream:features>")
                read_until(trunk, b"</db:result>")
            if step > 2:
                trunk.send(b"<db:result from='loc.example' to='far.example' type='valid'/>")
                read_until(trunk, b"</iq>")
            if step > 3:
                trunk.send(b"<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
            end(trunk, how)
            daemon.lives()
    hq = daemon.player(LocalServer(listener))
    number += 1
    channel.send(f"<iq type='get' from='u@far.example' to='v@loc.example' id='t{number}'><q xmlns='q'/></iq>".encode())
    until("the last stanza at the local server", lambda: hq.has(f"t{number}"))
    until("every fate", lambda: daemon.ledgers()["inbound"]["queued"] == 0)
    accepted = daemon.ledgers()["inbound"]["accepted"]
    if accepted != number:
        raise Mismatch(f"{accepted} of {number} stanzas accepted")
    reset(channel)


def storm(daemon):
    """1,000 connects and ends in four ways at once leave nothing behind; a good peer is served meanwhile.
    rows: prac-mem"""
    hq = daemon.hq()
    for number in range(250):
        for how in ("reset", "cut"):
            end(daemon.outside(number % 50), how)
            channel = daemon.outside(number % 50)
            channel.send(head("far.example", "loc.example"))
            end(channel, how)
        if number == 125:
            good_peer(daemon, hq, number=51)
    good_peer(daemon, hq, "late.example", number=51)
    daemon.settles(spare=1)


FAST = {"backoff_first_ms": 20, "backoff_max_ms": 40, "queue_ms": 5000}


def scene(**limits):
    return lambda: Scene(remotes=["far.example"], limits=limits)


ATTACKS = [(strangers_leave, scene()), (local_leaves, scene(queue_ms=300, backoff_first_ms=20, backoff_max_ms=40)),
           (remote_leaves, scene(**FAST)), (trunk_leaves, scene(**FAST)), (storm, scene())]
