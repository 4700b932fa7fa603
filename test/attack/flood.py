"""Too much of everything: connections, stanzas, domains, keys."""
import threading
import time

from resets import Leaves
from stage import (Mismatch, Scene, drain, good_peer, head, inside_stream, read_until, to_pair, to_proof, to_tls, until,
                   until_all)

LIMIT = 400  # descriptors of the daemon in `descriptors`; what it keeps for itself leaves 60 outside connections


def outside_full(daemon):
    """300 silent strangers where 60 fit: the first 60 are served, few are told why not, the rest is reset; then a good peer."""
    hq = daemon.hq()
    strangers, early = [], 0
    for number in range(300):
        try:
            strangers.append(daemon.outside(number % 40))
        except ConnectionResetError:
            early += 1
    told = [drain(channel) for channel in strangers]
    served = sum(b"connection-timeout" in text for text in told)
    polite = sum(b"policy-violation" in text for text in told)
    quiet = early + told.count(b"")
    if served != 60 or not polite or not quiet or polite + served + quiet != 300:
        raise Mismatch(f"{served} served, {polite} refused with words, {quiet} reset")
    for channel in strangers:
        channel.close()
    good_peer(daemon, hq, number=41)
    daemon.settles(spare=1)


def one_address_full(daemon):
    """100 connections of one address where 5 fit: those are served, ten a second are told why not, the rest is reset (attack 148).
    rows: R6120-13.12-1"""
    hq, begun, early = daemon.hq(), time.monotonic(), 0
    crowd = []
    for _ in range(100):
        try:
            crowd.append(daemon.outside(1))
        except ConnectionResetError:
            early += 1
    good_peer(daemon, hq, number=2)
    told = [drain(channel) for channel in crowd]
    served = sum(b"connection-timeout" in text for text in told)
    polite = sum(b"policy-violation" in text and b"<stream:stream" in text for text in told)
    quiet = early + told.count(b"")
    most = 10 * (2 + time.monotonic() - begun)
    if served != 5 or not 10 <= polite <= most or served + polite + quiet != 100:
        raise Mismatch(f"{served} served, {polite} refused with words, {quiet} reset")
    for channel in crowd:
        channel.close()
    daemon.settles(spare=1)


def descriptors(daemon):
    """500 silent inside connections at a limit of 400 descriptors: no spin, none dropped unheard, remotes get their turn.
    rows: prac-fd"""
    hq = daemon.hq()
    silent = [daemon.inside() for _ in range(500)]
    until("the descriptors are taken", lambda: daemon.files() > LIMIT - 40)
    cpu, begun = daemon.cpu(), time.monotonic()
    good_peer(daemon, hq, number=41)
    for number, channel in enumerate(silent):
        if b"connection-timeout" not in drain(channel):
            raise Mismatch(f"connection {number} was dropped without a word")
        channel.close()
    spent, took = daemon.cpu() - cpu, time.monotonic() - begun
    if spent > 0.5 * took + 0.5:
        raise Mismatch(f"{spent:.1f} s of processor in {took:.1f} s at the descriptor limit")
    daemon.settles(spare=1)


def send_numbered(channel, name, count, body=b"x", sender="u@far.example", to="v@loc.example"):
    for number in range(count):
        channel.send(f"<message from='{sender}' to='{to}' id='{name}{number}'><body>".encode() + body + b"</body></message>")


def one_floods(daemon):
    """One remote sends 20,000 stanzas as fast as it can while five others get every one of theirs through.
    rows: prac-fair"""
    hq = daemon.hq()
    channel = daemon.outside(1)
    to_proof(daemon, channel)
    flood = threading.Thread(target=send_numbered, args=(channel, "f", 20000), daemon=True)
    flood.start()
    for number in range(5):
        good_peer(daemon, hq, f"good{number}.example", number=10 + number)
        daemon.lives()
    flood.join()
    until("all accepted", lambda: daemon.ledgers()["inbound"]["accepted"] == 20005)
    until("every fate", lambda: daemon.ledgers()["inbound"]["queued"] == 0)
    fates = daemon.ledgers()["inbound"]
    until("what was written is there", lambda: hq.got() == fates["written"])
    if fates["in_doubt"] or fates["dropped"]:
        raise Mismatch(f"a flood lost something: {fates}")
    channel.close()


def many_domains(daemon):
    """A local user writes to 3,000 domains that do not exist: 3,000 errors come back, work grows with their number only.
    rows: prac-negcache"""
    hq = daemon.hq()
    inner = inside_stream(daemon, "d0.example")
    half = None
    cpu = daemon.cpu()
    reader = threading.Thread(target=drain, args=(inner,), daemon=True)
    reader.start()
    for number in range(3000):
        domain = f"d{number}.example"
        inner.send((f"<db:result from='loc.example' to='{domain}'>k</db:result>" if number else "").encode()
                   + f"<iq type='get' from='u@loc.example' to='{domain}' id='q{number}'><q xmlns='q'/></iq>".encode())
        if number == 1499:
            until_all("1,500 errors", hq.got, 1500)
            half = daemon.cpu() - cpu
    until_all("3,000 errors", hq.got, 3000)
    whole = daemon.cpu() - cpu
    fates = daemon.ledgers()["outbound"]
    if fates["accepted"] != 3000 or fates["bounced"] != 3000:
        raise Mismatch(f"3,000 stanzas, fates {fates}")
    if whole > 3 * half + 0.5:
        raise Mismatch(f"1,500 domains took {half:.2f} s of processor, 3,000 took {whole:.2f} s")
    inner.sock.shutdown(2)
    reader.join()
    inner.close()


def made_up_domains(daemon):
    """A local user makes up 17,000 domains: each is answered, and of so many not all are remembered."""
    hq = daemon.hq()
    inner = inside_stream(daemon, "d0.example")
    reader = threading.Thread(target=drain, args=(inner,), daemon=True)
    reader.start()
    for number in range(17000):
        domain = f"d{number}.example"
        inner.send((f"<db:result from='loc.example' to='{domain}'>k</db:result>" if number else "").encode()
                   + f"<iq type='get' from='u@loc.example' to='{domain}' id='q{number}'><q xmlns='q'/></iq>".encode())
    until_all("17,000 errors", hq.got, 17000)
    inner.sock.shutdown(2)  # with the stream its pairs go; what is left are memories of failures
    reader.join()
    inner.close()
    until("no more than 16,384 domains remembered", lambda: len(daemon.status()["remotes"]) <= 16384, patience=5)


def flapping(daemon):
    """A remote that closes right after EXTERNAL, for ever: dialled ever more seldom, each stanza has a fate, no busy loop.
    rows: R6120-3.3-a"""
    hq = daemon.hq()
    leaves = Leaves("cut")
    inner = inside_stream(daemon, "far.example")
    far = daemon.remote("far.example", ends=leaves, external=True)
    number = 0
    for stage in ("success", "open"):
        leaves.stage, count, cpu, begun = stage, far.count, daemon.cpu(), time.monotonic()
        for _ in range(2):
            number += 1
            inner.send(f"<iq type='get' from='u@loc.example' to='v@far.example' id='x{number}'><q xmlns='q'/></iq>".encode())
            until("the error or the writing", lambda: daemon.ledgers()["outbound"]["accepted"] == number
                  and daemon.ledgers()["outbound"]["queued"] == 0)
        took = time.monotonic() - begun
        most = 8 + 2 * took / 0.2 if stage == "success" else 8 + took / 0.2  # dialback is tried after EXTERNAL
        if far.count - count > most:
            raise Mismatch(f"{far.count - count} connections in {took:.1f} s at {stage}")
        if daemon.cpu() - cpu > 0.5 * took + 0.5:
            raise Mismatch(f"{daemon.cpu() - cpu:.1f} s of processor in {took:.1f} s at {stage}")
    inner.close()


def amplifier(daemon):
    """A stranger claims a domain again and again: its server is not dialled each time.
    rows: prac-db-limit"""
    leaves = Leaves("cut")
    leaves.stage = "accepted"
    victim = daemon.remote("far.example", ends=leaves)
    keys, begun = 10, time.monotonic()
    channel = daemon.outside(1)
    to_proof(daemon, channel, "evil.example")
    for number in range(keys):
        channel.send(b"<db:result from='far.example' to='loc.example'>bad</db:result>")
        read_until(channel, b"type='error'")
    took = time.monotonic() - begun
    if victim.count > 1 + took / 0.25:
        raise Mismatch(f"{keys} keys made {victim.count} connections to the victim in {took:.1f} s")
    channel.send(b"</stream:stream>")
    drain(channel)
    channel.close()


def many_claims(daemon):
    """A stranger claims 4,000 domains that do not exist: nothing is remembered of them.
    rows: prac-db-limit"""
    channel = daemon.outside(1)
    to_proof(daemon, channel, "evil.example")
    before = len(daemon.status()["remotes"])
    for number in range(4000):
        channel.send(f"<db:result from='c{number}.example' to='loc.example'>bad</db:result>".encode())
        read_until(channel, b"type='error'")
    until("all forgotten", lambda: len(daemon.status()["remotes"]) <= before, patience=5)
    channel.close()
    daemon.settles()


def many_pairs(daemon):
    """One remote proves as many pairs as fit on a stream, and more; a second local domain's peer is still served.
    rows: prac-mux-cap"""
    hq = daemon.hq()
    channel = daemon.outside(1)
    to_tls(daemon, channel, "far.example", trust="untrusted")
    for number in range(200):
        channel.send(f"<db:result from='p{number}.example' to='loc.example'>k</db:result>".encode())
    told = b""
    while told.count(b"type='error'") < 200:
        more = channel.receive()
        if not more:
            break
        told += more
    if told.count(b"type='error'") < 200 and b"policy-violation" not in told:
        raise Mismatch(f"200 keys, {told.count(b'error')} answers: {told[-300:]!r}")
    channel.close()
    good_peer(daemon, hq)
    daemon.settles(spare=1)


def scene(files=None, **limits):
    return lambda: Scene(remotes=["far.example"], limits=limits, files=files)


ATTACKS = [(outside_full, scene(head_ms=1500, conns_outside=60)),
           (one_address_full, scene(head_ms=1500, conns_per_address=5)),
           (descriptors, scene(files=LIMIT, head_ms=1500, conns_outside=60)), (one_floods, scene()), (many_domains, scene()),
           (made_up_domains, scene(backoff_first_ms=60000)),
           (flapping, scene(backoff_first_ms=200, backoff_max_ms=600, queue_ms=1000)), (amplifier, scene()), (many_claims, scene()),
           (many_pairs, scene())]
