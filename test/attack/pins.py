"""A peer that is known by its key: neither an authority nor a name helps anybody else."""
import ssl
import subprocess

from stage import FEATURES, SASL_NS, Mismatch, Scene, drain, head, inside_stream, read_until, server_context, to_tls, until

PEER = "far.example"


def own_context(daemon):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*daemon.workshop.certificate("self", [PEER]))
    return context


def come(daemon, trust, mark):
    """As the peer, with a certificate; True: it proved itself and its message was taken."""
    channel = daemon.outside(1)
    try:
        to_tls(daemon, channel, PEER, trust)
        channel.send(f"<auth xmlns='{SASL_NS}' mechanism='EXTERNAL'>=</auth>".encode())
        read_until(channel, b"<success")
    except Mismatch:
        return False
    channel.send(head(PEER, "loc.example"))
    read_until(channel, *FEATURES)
    channel.send(f"<message from='u@{PEER}' to='v@loc.example' id='{mark}'><body>x</body></message>".encode())
    return channel


def pinned_in(daemon):
    """Who has the pinned key is let in, signed by himself; a certificate of an authority with the peer's name is not.
    rows: R6120-13.6"""
    local = daemon.hq()
    channel = come(daemon, "self", "by-pin")
    if not channel:
        raise Mismatch("the pinned key did not prove the peer")
    until("the message by pin", lambda: local.has("by-pin"))
    for trust in ("ok", "untrusted", "expired"):
        if come(daemon, trust, "by-" + trust):
            raise Mismatch(f"a certificate that is {trust} proved the peer")
    until("three refusals", lambda: [w["count"] for w in daemon.status()["whys"] if w["why"] == "proof_policy"] == [3])
    channel.send(b"</stream:stream>")
    drain(channel)
    channel.close()
    daemon.settles(spare=1)  # the trunk


def pinned_out(daemon):
    """We speak only to the server with the pinned key; when another one answers there, stanzas come back.
    rows: R6120-13.6"""
    daemon.hq()
    far = daemon.remote(PEER, external=True)
    far.context = own_context(daemon)
    inner = inside_stream(daemon, PEER)
    inner.send(f"<message from='u@loc.example' to='v@{PEER}' id='m1'><body>x</body></message>".encode())
    until("the message", lambda: far.has("m1"))
    pair = [p for p in daemon.status()["pairs"] if p["to"] == PEER][0]
    if pair["proof"] != "certificate":
        raise Mismatch(f"our own name was proved by {pair['proof']}")
    if [link["peer_proof"] for link in daemon.status()["links"] if link["theirs"] == PEER] != ["pin"]:
        raise Mismatch(f"the peer was proved by {daemon.status()['links']}")
    far.cut()
    far.context = server_context(daemon, PEER)  # of the authority we trust, with the right name
    until("the cut is noticed", lambda: not [k for k in daemon.status()["links"] if k["theirs"] == PEER and k["role"] == "initiating"])
    inner.send(f"<message from='u@loc.example' to='v@{PEER}' id='m2'><body>x</body></message>".encode())
    until("it has come back", lambda: daemon.ledgers()["outbound"]["bounced"] == 1)
    if far.has("m2"):
        raise Mismatch("a message went to a key that is not pinned")
    why = [w for w in daemon.status()["whys"] if w["why"] == "cert_pin"]
    if not why:
        raise Mismatch(f"told as {daemon.status()['whys']}")


def pins_of(workshop):
    certificate = workshop.certificate("self", [PEER])[0]
    pin = subprocess.run([workshop.program, "pin", certificate], check=True, stdout=subprocess.PIPE, text=True, timeout=20)
    return {"peers": {PEER: {"proof": "pin", "pins": [pin.stdout.strip()]}}}


def scene():
    return Scene(remotes=[PEER], limits={"backoff_first_ms": 20, "backoff_max_ms": 40, "queue_ms": 3000}, rest=pins_of)


ATTACKS = [(pinned_in, scene), (pinned_out, scene)]
