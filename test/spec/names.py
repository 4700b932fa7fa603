"""A small DNS answerer: the zone a case needs, over UDP and TCP, and a record of what was asked.

For:    leading the server under test to the remotes we play.
Never:  asks anybody else, or answers outside what it was given: other names do not exist.
"""
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33, "TLSA": 52}
NUMBERS = {number: name for name, number in TYPES.items()}
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
ANSWER_FLAGS = 0x8480  # an answer, authoritative, recursion available
TTL = 5  # seconds: a case's records are of no use to the next


def packed_name(name):
    labels = [label for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels) + b"\0"


def packed(kind, words):
    """The data of a record, from the words of a zone file."""
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(words[0]).packed
    if kind == "SRV":
        return struct.pack("!3H", *map(int, words[:3])) + packed_name(words[3])
    if kind == "CNAME":
        return packed_name(words[0])
    if kind == "TLSA":
        return bytes(int(w) for w in words[:3]) + bytes.fromhex(words[3])
    raise ValueError(f"no record of type {kind} can be answered")


def question(query):
    """(name as text, type number, end of the question) of a query."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    return ".".join(labels).lower(), struct.unpack("!H", query[at + 1:at + 3])[0], at + 5


class Zone:
    """Records by name and type; names of which every question fails."""

    def __init__(self):
        self.lock, self.records, self.failing, self.asked = threading.Lock(), {}, set(), []

    def add(self, name, kind, *words):
        with self.lock:
            self.records.setdefault(name.lower().rstrip("."), []).append((kind, words))

    def fail(self, name):
        with self.lock:
            self.failing.add(name.lower())

    def lines(self):
        """The zone as lines of a zone file, for somebody else's server."""
        with self.lock:
            return [f"{name}. {TTL} IN {kind} " + " ".join(absolute(kind, words))
                    for name, rows in sorted(self.records.items()) for kind, words in rows]

    def answer(self, query):
        name, kind, end = question(query)
        with self.lock:
            self.asked.append((name, NUMBERS.get(kind, str(kind))))
            rows = self.records.get(name, [])
            # a name below which there is something exists
            exists = rows or any(known.endswith("." + name) for known in self.records)
            failing = any(name == f or name.endswith("." + f) for f in self.failing)
        if failing:
            return self.reply(query, end, SERVER_FAILURE, [])
        fitting = [r for r in rows if TYPES[r[0]] == kind] or [r for r in rows if r[0] == "CNAME"]
        return self.reply(query, end, NO_ERROR if exists else NO_SUCH_NAME, fitting)

    @staticmethod
    def reply(query, end, code, rows):
        answers = b""
        for kind, words in rows:
            data = packed(kind, words)
            answers += b"\xc0\x0c" + struct.pack("!HHIH", TYPES[kind], 1, TTL, len(data)) + data
        authority = b""
        if not rows and code != SERVER_FAILURE:
            data = packed_name("ns.invalid") + packed_name("hostmaster.invalid") + struct.pack("!5I", 1, 60, 60, 60, TTL)
            authority = b"\0" + struct.pack("!HHIH", TYPES["SOA"], 1, TTL, len(data)) + data
        flags = ANSWER_FLAGS | (query[2] & 1) << 8 | code
        return (query[:2] + struct.pack("!5H", flags, 1, len(rows), 1 if authority else 0, 0)
                + query[12:end] + answers + authority)


def absolute(kind, words):
    return words[:-1] + (words[-1].rstrip(".") + ".",) if kind in ("SRV", "CNAME") else words


class Answerer:
    """Serves a zone on one address until it is stopped."""

    def __init__(self, zone, host, port):
        self.zone, self.over = zone, False
        self.udp = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((host, port))
        self.tcp = socket.create_server((host, self.udp.getsockname()[1]),
                                        family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.address = self.udp.getsockname()[:2]
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def serve_udp(self):
        while not self.over:
            try:
                query, peer = self.udp.recvfrom(4096)
                if len(query) > 16:
                    self.udp.sendto(self.zone.answer(query), peer)
            except (OSError, IndexError, struct.error):
                continue  # a broken question gets no answer

    def serve_tcp(self):
        while not self.over:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(sock,), daemon=True).start()

    def serve_one(self, sock):
        with sock, sock.makefile("rb") as stream:
            sock.settimeout(30)
            try:
                while True:
                    size = stream.read(2)
                    if len(size) < 2:
                        return
                    reply = self.zone.answer(stream.read(struct.unpack("!H", size)[0]))
                    sock.sendall(struct.pack("!H", len(reply)) + reply)
            except (OSError, IndexError, struct.error):
                return

    def stop(self):
        self.over = True
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
