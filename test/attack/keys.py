"""A peer that shows another key than before: told, with both keys, and by what it was proved (attack 83)."""
import re

import ssl

from stage import Mismatch, Scene, inside_stream, until
from pins import come

PEER = "far.example"


def told(daemon):
    """[(old, new, good)] of the log's lines."""
    with open(daemon.errors.name, "rb") as file:
        text = file.read().decode(errors="replace")
    return [m.groups() for m in re.finditer(
        rf'event=peer_key_changed domain={PEER} \S+ old="?(sha256//[^" ]+)"? old_good=\w+ '
        r'new="?(sha256//[^" ]+)"? good=(\w+)', text)]


def another_key(daemon):
    """Of the authority's too, and with the peer's name; a further name makes it another certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*daemon.workshop.certificate("ok", [PEER, "renewed.example"]))
    return context


def key_changed(daemon):
    """Outwards: a new key of the authority's is told as good, the same one again is not. Inwards: somebody else's is not."""
    daemon.hq()
    far = daemon.remote(PEER, external=True)
    inner = inside_stream(daemon, PEER)
    for number, context in enumerate([None, None, another_key(daemon)]):
        far.context = context or far.context
        inner.send(f"<message from='u@loc.example' to='v@{PEER}' id='m{number}'><body>x</body></message>".encode())
        until(f"message {number}", lambda n=number: far.has(f"m{n}"))
        far.cut()
        until("the link is gone", lambda: not [link for link in daemon.status()["links"] if link["side"] == "outside"])
    until("the new key is told", lambda: len(told(daemon)) == 1)
    old, new, good = told(daemon)[0]
    if old == new or good != "yes":
        raise Mismatch(f"told as {told(daemon)}")
    if come(daemon, "self", "stranger"):
        raise Mismatch("a stranger was let in")
    until("the stranger's key is told", lambda: len(told(daemon)) == 2)
    if told(daemon)[1][0] != new or told(daemon)[1][2] != "no":
        raise Mismatch(f"told as {told(daemon)}")


def scene():
    return Scene(remotes=[PEER], limits={"backoff_first_ms": 20, "backoff_max_ms": 40},
                 rest=lambda _: {"peers": {PEER: {"proof": "certificate"}}})


ATTACKS = [(key_changed, scene)]
