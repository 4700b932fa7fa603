"""Bytes that make no sense, at every door: both listeners, in clear and under TLS, DNS, the admin socket."""
import os
import random
import socket
import ssl
import struct

from stage import (FEATURES, Mismatch, PATIENCE, SASL_NS, TLS_NS, Scene, client_context, drain, good_peer, head,
                   read_until, to_proof, to_tls, until)

SEED = int(os.environ.get("CAUSEWAY_ATTACK_SEED", "1"))
PIECES = [b"<", b">", b"/>", b"</", b"<?xml version='1.0'?>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"&amp;", b"&#", b";",
          b"<!DOCTYPE x [", b"'", b'"', b"=", b" ", b"xmlns='", b"jabber:server", b"<stream:stream ", b"</stream:stream>",
          b"<message ", b"<iq type='get' id='1' ", b"<db:result ", b"<db:verify ", b" from='far.example'", b" to='loc.example'",
          b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>", b"=", b"</auth>", b"\xc0\x80", b"\xff", b"\x00",
          b"xml:lang='", b"<stream:error>", b"<stream:features>", b"id='", b"type='valid'", b"A" * 2000]
CLEAR = (head("far.example", "loc.example") + f"<starttls xmlns='{TLS_NS}'/>".encode())
SECRET = (head("far.example", "loc.example") + f"<auth xmlns='{SASL_NS}' mechanism='EXTERNAL'>ZmFyLmV4YW1wbGU=</auth>".encode()
          + head("far.example", "loc.example")
          + b"<message from='u@far.example' to='v@loc.example' id='m'><body>a &lt; b</body><x xmlns='urn:x' a='1'/></message>"
          + b"<iq type='get' from='far.example' to='loc.example' id='i'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>")
INSIDE = (head("loc.example", "far.example") + b"<db:result from='loc.example' to='far.example'>k</db:result>"
          + b"<db:verify from='loc.example' to='far.example' id='x'>k</db:verify>"
          + b"<message from='u@loc.example' to='v@far.example' id='m'><body>a</body></message>"
          + b"<presence from='u@loc.example' to='v@far.example'/></stream:stream>")


def noise(dice):
    return dice.randbytes(dice.randrange(1, 3000))


def pieces(dice):
    return b"".join(dice.choice(PIECES) for _ in range(dice.randrange(1, 60)))


def mutated(dice, session):
    data = bytearray(session)
    for _ in range(dice.randrange(1, 6)):
        at, n = dice.randrange(len(data)), dice.randrange(1, 40)
        how = dice.randrange(5)
        if how == 0:
            data[at] = dice.randrange(256)
        elif how == 1:
            del data[at:at + n]
        elif how == 2:
            data[at:at] = data[dice.randrange(len(data)):][:n]
        elif how == 3:
            data[at:at] = dice.choice(PIECES)
        else:
            data[at:at] = bytes([dice.randrange(256)]) * n
        data = data or bytearray(b"<")
    return bytes(data)


def throw(dice, channel, data):
    """Sends it in pieces of any size, ends in some way, and waits until Causeway has ended it too."""
    while data and not channel.ended:
        n = dice.choice([1, 7, 100, 1400, 65536])
        channel.send(data[:n])
        data = data[n:]
    how = dice.randrange(4)
    if how == 0:
        channel.close(hard=True)
        return
    try:
        channel.sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    drain(channel)
    channel.close()


def strangers(daemon):
    """Random bytes, shuffled pieces and mutated sessions on both listeners, in clear."""
    dice = random.Random(SEED)
    hq, _ = daemon.hq(), daemon.remote("far.example")
    for number in range(1000):
        outside = number % 2 == 0
        channel = daemon.outside(number % 50) if outside else daemon.inside()
        data = dice.choice([noise, pieces, lambda d: mutated(d, CLEAR if outside else INSIDE)])(dice)
        throw(dice, channel, data)
        if number % 100 == 0:
            daemon.lives()
    good_peer(daemon, hq)
    daemon.settles(spare=2)  # the trunk and a link


def proved(daemon):
    """Mutated sessions under TLS with a good certificate: whatever comes of it, the trunk carries the next peer's message."""
    dice = random.Random(SEED + 1)
    hq, _ = daemon.hq(), daemon.remote("far.example")
    good_peer(daemon, hq)  # the trunk is up
    for number in range(300):
        channel = daemon.outside(2 + number % 50)
        channel.send(head("far.example", "loc.example"))
        read_until(channel, *FEATURES)
        channel.send(f"<starttls xmlns='{TLS_NS}'/>".encode())
        read_until(channel, b"<proceed")
        channel.handshake(client_context(daemon, "far.example"), "loc.example")
        if number % 2:
            throw(dice, channel, mutated(dice, SECRET))
        else:  # garbage only once it is proved: as far as a stranger gets
            channel.send(head("far.example", "loc.example"))
            read_until(channel, *FEATURES)
            channel.send(f"<auth xmlns='{SASL_NS}' mechanism='EXTERNAL'>=</auth>".encode())
            read_until(channel, b"<success")
            data = mutated(dice, SECRET[SECRET.index(b"</auth>") + 7:])
            throw(dice, channel, data)
    good_peer(daemon, hq, "third.example")
    if hq.count != 1:
        raise Mismatch(f"the trunk was dialled {hq.count} times: garbage got it closed")
    daemon.settles(spare=2)


def tls_abuse(daemon):
    """After <proceed/>: garbage, plaintext, a handshake cut off, oversize records, TLS 1.1, a corrupted record.
    rows: R6120-5.4.3.2"""
    hq = daemon.hq()
    dice = random.Random(SEED + 2)
    hello = client_hello(daemon)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    lines = [dice.randbytes(500), head("far.example", "loc.example"), hello[:40], hello[:1], hello + dice.randbytes(800),
             b"\x16\x03\x01\xff\xff" + b"a" * 70000, b"\x16\x03\x01\x40\x01\x01\x02\x00\x00" + b"b" * 20000,
             b"\x17\x03\x03\x00\x10" + b"c" * 16, b"\x15\x03\x03\x00\x02\x02\x28", b"\x80\x80\x01\x03\x01" + b"d" * 200,
             hello[:5] + b"\x02" + hello[6:], hello * 3, b"\x14\x03\x03\x00\x01\x01" * 200]
    for line in lines + [old]:
        channel = daemon.outside(3)
        channel.send(head("far.example", "loc.example"))
        read_until(channel, *FEATURES)
        channel.send(f"<starttls xmlns='{TLS_NS}'/>".encode())
        read_until(channel, b"<proceed")
        if line is old:
            refused_handshake(channel, old)
        else:
            channel.send(line)
            try:
                channel.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            drain(channel)
        channel.close()
    corrupted(daemon)
    daemon.settles()
    good_peer(daemon, hq)


def client_hello(daemon):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(daemon, "far.example").wrap_bio(incoming, outgoing, server_hostname="loc.example")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def refused_handshake(channel, context):
    try:
        channel.handshake(context, "loc.example")
    except (Mismatch, ssl.SSLError, OSError):
        return
    raise Mismatch("TLS 1.1 was taken")


def corrupted(daemon):
    """One bit of a record is turned in mid-stanza: the connection ends, the part of a stanza reaches nobody.
    rows: R6120-8-a"""
    before = daemon.ledgers()["inbound"]["accepted"]
    channel = daemon.outside(4)
    to_proof(daemon, channel)
    channel.send(b"<message from='u@far.example' to='v@loc.example'>")
    channel.tls.write(b"<body>x</body></message>")
    record = bytearray(channel.outgoing.read())
    record[len(record) // 2] ^= 1
    channel.sock.sendall(record)
    drain(channel)
    channel.close()
    if daemon.ledgers()["inbound"]["accepted"] != before:
        raise Mismatch("a corrupted record was taken")


def question(number, name, kind=33):
    labels = b"".join(bytes([len(part)]) + part for part in name.encode().split(b"."))
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def inside_dns(daemon):
    """Random and mutated packets to the inside DNS port, by UDP and TCP; it still answers."""
    dice = random.Random(SEED + 3)
    where = (f"{daemon.net}.2", 5353)
    good = question(7, "_xmpp-server._tcp.far.example")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(where)
        for number in range(1500):
            kind = number % 3
            data = (dice.randbytes(dice.randrange(0, 700)) if kind == 0 else mutated(dice, good) if kind == 1 else
                    question(number, "_xmpp-server._tcp.far.example", dice.randrange(65536)) + dice.randbytes(dice.randrange(40)))
            udp.send(data)
            if number % 100 == 0:
                daemon.lives()
    for number in range(60):
        with socket.create_connection(where, PATIENCE) as tcp:
            data = mutated(dice, struct.pack(">H", len(good)) + good)
            try:
                tcp.sendall(dice.choice([data, dice.randbytes(300), struct.pack(">H", 65535) + b"x" * 500, b"\0\0" * 50]))
                if number % 2:
                    tcp.shutdown(socket.SHUT_WR)
                    while tcp.recv(65536):
                        pass
            except socket.timeout:
                raise Mismatch("DNS over TCP: an end was not answered by an end") from None
            except OSError:
                pass  # it had enough
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(where)
        udp.settimeout(1)

        def answered():
            udp.send(question(4711, "_xmpp-server._tcp.far.example"))
            try:
                return udp.recv(4096)[:2] == struct.pack(">H", 4711)
            except socket.timeout:
                return False
        until("an answer of the inside DNS", answered)
    daemon.settles()


def admin_socket(daemon):
    """Garbage, endless lines and clients that never speak nor read, on the admin socket; status still works."""
    dice = random.Random(SEED + 4)
    path = os.path.join(daemon.folder, "admin.sock")
    idle = []
    for number in range(60):
        sock = until("room at the admin socket", lambda: admin_client(path, idle))
        data = dice.choice([dice.randbytes(300), b"x" * 100000, b"status json\n" * 50, b"flush " + dice.randbytes(50) + b"\n",
                            b"status \0json\n", b"\n", b"flush far.example\n", b"status json"])
        try:
            sock.sendall(data)
        except OSError:
            pass  # it had enough
        if number % 3 == 0:
            sock.close()
        else:
            idle.append(sock)
        if len(idle) > 12:
            idle.pop(0).close()
    for sock in idle:
        sock.close()
    daemon.settles()


def admin_client(path, idle):
    """None: the backlog is full of clients that say nothing; the oldest makes room."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    try:
        sock.connect(path)
        return sock
    except BlockingIOError:
        sock.close()
        if idle:
            idle.pop(0).close()
        return None


def half_closed(daemon):
    """A peer that ends its side while it is owed answers gets them, and the descriptor is free."""
    for number in range(20):
        channel = daemon.outside(5)
        channel.send(head("far.example", "loc.example"))
        channel.sock.shutdown(socket.SHUT_WR)
        if b"starttls" not in drain(channel):
            raise Mismatch("the header sent before the half-close was not answered")
        channel.close()
        channel = daemon.inside()
        channel.send(INSIDE[:INSIDE.index(b"<message")])
        channel.sock.shutdown(socket.SHUT_WR)
        if b"type='valid'" not in drain(channel):
            raise Mismatch("the key sent before the half-close was not answered")
        channel.close()
    daemon.settles()


def nothing_leaks_out(daemon):
    """What a stranger is told names neither the local server, nor an address, nor another peer.
    rows: R6120-13.10.1"""
    told = b""
    far = daemon.remote("far.example")
    for number, text in enumerate([b"<x/>", head("far.example", "nope.example"), head("loc.example", "loc.example"),
                                   head("", "loc.example"), head("far.example", "loc.example") + b"<y/>"]):
        channel = daemon.outside(6)
        channel.send(text)
        channel.sock.shutdown(socket.SHUT_WR)
        told += drain(channel)
        channel.close()
    daemon.refuse("hq", True)
    channel = daemon.outside(7)
    to_proof(daemon, channel)
    channel.send(b"<iq type='get' from='u@far.example' to='v@loc.example' id='i'><q xmlns='urn:q'/></iq>"
                 b"<iq type='get' from='u@far.example' to='@' id='j'><q xmlns='urn:q'/></iq></stream:stream>")
    told += drain(channel)
    channel.close()
    until("both errors at the remote", lambda: far.has("i") and far.has("j"))
    told += far.text
    for secret in (daemon.net.encode(), b"hq", b"causeway", b"Causeway", b"5269"):
        if secret in told:
            raise Mismatch(f"{secret!r} was told outside: {told!r}")


def scene(**how):
    return lambda: Scene(remotes=["far.example"], **how)


ATTACKS = [(strangers, scene()), (proved, scene()), (tls_abuse, scene()), (inside_dns, scene()), (admin_socket, scene()),
           (half_closed, scene()), (nothing_leaks_out, scene(limits={"queue_ms": 500}))]
