"""Direct TLS (XEP-0368): what its first bytes may be, on the common port and on the one for it alone."""
import random
import socket

from stage import (FEATURES, PATIENCE, SASL_NS, Mismatch, Scene, client_context, drain, good_peer, head, read_until,
                   reset, until)

SIDES = ("outside", "direct")
HELLO = b"\x16\x03\x01\x02\x00\x01"  # a record of 512 bytes, and in it the type ClientHello


def connect(daemon, side, number=0):
    daemon.open("new", side, number)
    return daemon.channels.pop("new")


def begin(daemon, side, number=0, protocols=()):
    """Up to the features; gives the channel."""
    channel = connect(daemon, side, number)
    context = client_context(daemon, "far.example")
    if protocols:
        context.set_alpn_protocols(list(protocols))
    channel.handshake(context, "loc.example")
    channel.send(head("far.example", "loc.example"))
    read_until(channel, *FEATURES)
    return channel


def protocols(daemon):
    """58: ALPN absent or with xmpp-server in it is served, any other list gets no_application_protocol; both ports."""
    for side in SIDES:
        for names, chosen in (((), None), (("xmpp-server",), "xmpp-server"), (("h2", "xmpp-server"), "xmpp-server")):
            channel = begin(daemon, side, protocols=names)
            if channel.tls.selected_alpn_protocol() != chosen:
                raise Mismatch(f"{names}: {channel.tls.selected_alpn_protocol()} was chosen")
            channel.send(f"<auth xmlns='{SASL_NS}' mechanism='EXTERNAL'>=</auth>".encode())
            read_until(channel, b"<success")
            channel.close()
        for names in (("xmpp-client",), ("h2",), ("http/1.1", "h2", "xmpp-client"), ("xmpp-serverx",)):
            try:
                begin(daemon, side, protocols=names)
            except Mismatch as error:
                if "no application protocol" not in str(error).lower().replace("_", " "):
                    raise Mismatch(f"{names} at {side}: {error}") from None
            else:
                raise Mismatch(f"{names} was served at {side}")
    daemon.settles()


def first_bytes(daemon):
    """Each value of the first byte, alone and before noise, on both ports: answered or not, always ended, nobody else hurt."""
    hq, dice = daemon.hq(), random.Random(1)
    for side in SIDES:
        for first in range(256):
            channel = connect(daemon, side, first % 40)
            channel.send(bytes([first]) + (dice.randbytes(dice.randrange(600)) if first % 3 else b""))
            try:
                channel.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            said = drain(channel)
            if side == "direct" and b"<" in said:
                raise Mismatch(f"XML in clear where TLS comes first: {said[:200]!r}")
            channel.close()
    good_peer(daemon, hq, number=41)
    daemon.settles(spare=1)


def byte_by_byte(daemon):
    """A whole session of direct TLS, each byte of it sent alone."""
    hq = daemon.hq()
    for side in SIDES:
        channel = connect(daemon, side)
        send = channel.sock.sendall

        class Dripping:
            """A socket that sends one byte at a time."""
            def __getattr__(self, name):
                return getattr(channel_sock, name)

            def sendall(self, data):
                for i in range(len(data)):
                    send(data[i:i + 1])

        channel_sock, channel.sock = channel.sock, Dripping()
        channel.handshake(client_context(daemon, "far.example"), "loc.example")
        channel.send(head("far.example", "loc.example"))
        read_until(channel, *FEATURES)
        channel.close()
    good_peer(daemon, hq, number=41)
    daemon.settles(spare=1)


def half_hellos(daemon):
    """54: 800 ClientHellos that claim 128 KiB and stop: at most 32 KiB each, ended by the head's deadline."""
    hq = daemon.hq()
    good_peer(daemon, hq, number=41)
    before, held = daemon.memory(), []
    for number in range(800):
        channel = connect(daemon, SIDES[number % 2], number % 40)
        channel.send(b"\x16\x03\x01\x02\x00\x01\x01\xff\xf0" + b"\x03\x03" + bytes(100 + number % 300))
        held.append(channel)
    good_peer(daemon, hq, number=41)
    grown = daemon.memory() - before
    if grown > 800 * 32:  # KiB; OpenSSL sees nothing of them before they are whole
        raise Mismatch(f"memory grew by {grown} KiB: {grown / 800:.0f} for each of them")
    for channel in held:
        drain(channel)
        channel.close()
    daemon.settles(spare=1)


def resets(daemon):
    """1,000 resets in mid-handshake, on both ports: descriptors and memory are back."""
    hq = daemon.hq()
    good_peer(daemon, hq, number=41)
    before = daemon.memory()
    for number in range(1000):
        channel = connect(daemon, SIDES[number % 2], number % 40)
        channel.send(HELLO[:1 + number % 6])
        reset(channel)
    until("all of them are gone", lambda: len(daemon.status()["links"]) <= 1, PATIENCE)
    good_peer(daemon, hq, number=41)
    daemon.settles(spare=1)
    grown = daemon.memory() - before
    if grown > 16 * 1024:
        raise Mismatch(f"memory grew by {grown} KiB")


def scene(**limits):
    return lambda: Scene(remotes=["far.example"], limits=limits, quarantine=1)


ATTACKS = [(protocols, scene()), (first_bytes, scene()), (byte_by_byte, scene()), (half_hellos, scene(head_ms=4000)),
           (resets, scene())]
