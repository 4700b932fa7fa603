"""What the first messages of a TLS handshake say, read from their bytes (RFC 8446 4.1, RFC 5246 7.4.1)."""
import struct

HANDSHAKE_RECORD, CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 22, 1, 2, 11
SERVER_NAME, PROTOCOLS, EXTENDED_SECRET, TICKET, RENEGOTIATION = 0, 16, 23, 35, 0xff01


class Hello:
    """`kind`: CLIENT_HELLO, SERVER_HELLO or None; what it does not hold is empty."""

    def __init__(self, data):
        self.kind, self.server_name, self.protocols, self.extensions, self.compression = None, None, [], {}, None
        message = handshake_bytes(data)
        if len(message) > 4:
            self.kind = message[0]
            try:
                self.read(message[4:4 + int.from_bytes(message[1:4], "big")])
            except (IndexError, struct.error):
                self.kind = None  # cut short

    def read(self, body):
        at = 34                                    # version, random
        at += 1 + body[at]                         # session id
        if self.kind == CLIENT_HELLO:
            at += 2 + int.from_bytes(body[at:at + 2], "big")
            at += 1 + body[at]
        else:
            self.compression, at = body[at + 2], at + 3
        end = at + 2 + int.from_bytes(body[at:at + 2], "big")
        at += 2
        while at < end:
            kind, size = struct.unpack("!HH", body[at:at + 4])
            self.extensions[kind] = body[at + 4:at + 4 + size]
            at += 4 + size
        self.understand()

    def understand(self):
        names = self.extensions.get(SERVER_NAME, b"")
        if len(names) > 5:
            self.server_name = names[5:].decode("ascii", "backslashreplace")
        protocols = self.extensions.get(PROTOCOLS, b"")[2:]
        while protocols:
            self.protocols.append(protocols[1:1 + protocols[0]].decode("ascii", "backslashreplace"))
            protocols = protocols[1 + protocols[0]:]


def handshake_bytes(data):
    """The bytes of the handshake messages in the first records."""
    found = b""
    while len(data) >= 5 and data[0] == HANDSHAKE_RECORD:
        size = int.from_bytes(data[3:5], "big")
        found, data = found + data[5:5 + size], data[5 + size:]
    return found


def chain_length(data):
    """How many certificates a server of TLS 1.2 shows; 0 where none is to be seen."""
    messages = handshake_bytes(data)
    while len(messages) >= 4:
        kind, size = messages[0], int.from_bytes(messages[1:4], "big")
        if kind == CERTIFICATE:
            return certificates_in(messages[7:4 + size])
        messages = messages[4 + size:]
    return 0


def certificates_in(chain):
    count = 0
    while len(chain) > 3:
        chain = chain[3 + int.from_bytes(chain[:3], "big"):]
        count += 1
    return count
