"""Peers that take nothing: what waits for them is bounded, they are waited for no longer than settings say, and nobody
else notices."""
import threading
import time

from flood import send_numbered
from stage import PATIENCE, Mismatch, Scene, drain, good_peer, head, inside_stream, to_proof, until

BODY = b"y" * 20000
COUNT = 1000  # 20 MB


def grown(daemon, before, most):
    got = daemon.memory() - before
    if got > most:
        raise Mismatch(f"memory grew by {got} KiB, {most} are allowed")


def deaf_remote(daemon):
    """A remote that never reads, 20 MB for it: its own sender waits, memory stays, another remote gets every message.
    rows: prac-slow-read"""
    hq, deaf = daemon.hq(), threading.Event()
    far, near = daemon.remote("far.example", deaf=deaf), daemon.remote("near.example")
    to_far, to_near = inside_stream(daemon, "far.example"), inside_stream(daemon, "near.example")
    before = daemon.memory()
    sender = threading.Thread(target=send_numbered, daemon=True,
                              args=(to_far, "f", COUNT, BODY, "u@loc.example", "v@far.example"))
    sender.start()
    until("the queue is filled", lambda: daemon.ledgers()["outbound"]["queued"] > 20)
    send_numbered(to_near, "n", 200, b"x", "u@loc.example", "v@near.example")
    until("all of near.example's", lambda: near.got() == 200)
    grown(daemon, before, 40 * 1024)
    if not sender.is_alive():
        raise Mismatch("20 MB for a deaf remote were taken in")
    deaf.set()
    sender.join()
    until("each has its fate", lambda: far.got() + hq.got() >= COUNT)
    grown(daemon, before, 40 * 1024)
    until("the ledger says so", lambda: daemon.ledgers()["outbound"]["written"] == far.got() + 200)


def deaf_remote_for_ever(daemon):
    """A remote that never reads again: each stanza for it is bounced or in doubt within the limits, the link is given up."""
    hq, deaf = daemon.hq(), threading.Event()
    daemon.remote("far.example", deaf=deaf)
    inner = inside_stream(daemon, "far.example")
    sender = threading.Thread(target=send_numbered, daemon=True,
                              args=(inner, "f", COUNT // 2, BODY, "u@loc.example", "v@far.example"))
    sender.start()
    try:
        until("all taken in", lambda: daemon.ledgers()["outbound"]["accepted"] == COUNT // 2)
        until("each has its fate", lambda: daemon.ledgers()["outbound"]["queued"] == 0)
    finally:
        deaf.set()
    fates = daemon.ledgers()["outbound"]
    until("who is owed an error has it", lambda: hq.got() >= fates["bounced"] + fates["in_doubt"])
    if fates["dropped"]:
        raise Mismatch(f"fates {fates}")


def deaf_local(daemon):
    """A local server that reads nothing, 20 MB for it from a remote: the remote waits, memory stays, then all arrive."""
    held = threading.Event()
    hq = daemon.hq(held=held)
    channel = daemon.outside(1)
    to_proof(daemon, channel)
    before = daemon.memory()
    sender = threading.Thread(target=send_numbered, args=(channel, "f", COUNT, BODY), daemon=True)
    sender.start()
    until("the queue is filled", lambda: daemon.ledgers()["inbound"]["queued"] > 20)
    drain_of = daemon.inside()  # the inside is served: it may have to ask us for keys
    drain_of.send(head("loc.example", "far.example"))
    drain_of.sock.shutdown(1)
    if b"dialback" not in drain(drain_of):
        raise Mismatch("the inside listener does not answer")
    grown(daemon, before, 40 * 1024)
    if not sender.is_alive():
        raise Mismatch("20 MB for a deaf local server were taken in")
    held.set()
    sender.join()
    until("each has its fate", lambda: daemon.ledgers()["inbound"]["accepted"] == COUNT
          and daemon.ledgers()["inbound"]["queued"] == 0)
    until("all written arrived", lambda: hq.got() == daemon.ledgers()["inbound"]["written"])
    grown(daemon, before, 40 * 1024)
    good_peer(daemon, hq, number=2)


def never_reads_answers(daemon):
    """Peers that ask for answers without end and read none: ended or held back, in bounded memory, outside and inside."""
    hq = daemon.hq()
    before = daemon.memory()
    for outside in (True, False):
        channel = to_proof(daemon, daemon.outside(1)) if outside else inside_stream(daemon)
        ours, theirs = ("loc.example", "far.example") if outside else ("far.example", "loc.example")
        ask = (f"<db:result from='{theirs}' to='{ours}'>k</db:result>"
               f"<db:verify from='{theirs}' to='{ours}' id='i'>k</db:verify>").encode() * 200
        deadline = time.monotonic() + PATIENCE
        while not channel.ended and time.monotonic() < deadline:
            channel.send(ask)
        if not channel.ended:
            raise Mismatch(f"questions were taken for {PATIENCE} s without an answer being read (outside: {outside})")
        grown(daemon, before, 40 * 1024)
        channel.close()
    good_peer(daemon, hq, number=2)
    daemon.settles(spare=1)


def half_stanzas(daemon):
    """60 proved peers each hold half a stanza of 400 KB: they are ended in time, and another peer is served meanwhile."""
    hq = daemon.hq()
    held = []
    for number in range(60):
        channel = to_proof(daemon, daemon.outside(number % 40))
        channel.send(b"<message from='u@far.example' to='v@loc.example'><body>" + b"z" * 400000)
        held.append(channel)
    good_peer(daemon, hq, number=41)
    for channel in held:
        if b"<policy-violation" not in drain(channel):
            raise Mismatch("half a stanza was held without being ended for it")
        channel.close()
    daemon.settles(spare=1)


def scene(**limits):
    return lambda: Scene(remotes=["far.example", "near.example"], limits=limits, quarantine=1)


ATTACKS = [(deaf_remote, scene(queue_ms=60000)), (deaf_remote_for_ever, scene(send_ms=300, queue_ms=400, backoff_first_ms=50,
                                                                             backoff_max_ms=100)),
           (deaf_local, scene(queue_ms=60000)), (never_reads_answers, scene(send_ms=3000, close_ms=1000)),
           (half_stanzas, scene(stanza_time_ms=2000))]
