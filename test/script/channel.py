"""A connection of a dialogue on real sockets."""
import select
import socket
import ssl

from dialogue import Mismatch

PATIENCE = 20  # seconds: the bound of every wait; a wait is always for a condition


def readable(sock):
    """Whether a socket has something to read, or a listener somebody to accept."""
    return bool(select.select([sock], [], [], 0)[0])


class Channel:
    """A socket, perhaps with TLS on it, read and written in plaintext.

    `hello`: the first bytes of the other side's TLS; `notified`: TLS ended with a close_notify."""

    def __init__(self, sock, client, patience=PATIENCE):
        sock.settimeout(patience)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.client, self.patience = sock, client, patience
        self.tls, self.ended, self.hello, self.notified = None, False, b"", False
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def send(self, data):
        try:
            if self.tls:
                self.tls.write(data)
                data = self.outgoing.read()
            self.sock.sendall(data)
        except (OSError, ssl.SSLError):
            self.ended = True

    def pull(self):
        """More bytes of the socket; False at its end."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, socket.timeout) as error:
            if isinstance(error, socket.timeout):
                raise Mismatch(f"nothing came within {self.patience} s") from error
            data = b""
        if data:
            self.incoming.write(data)
        if self.tls and len(self.hello) < 4096:
            self.hello += data
        return bool(data)

    def receive(self):
        while not self.ended:
            try:
                data = self.tls.read(65536) if self.tls else self.incoming.read()
            except ssl.SSLWantReadError:
                data = None
            except ssl.SSLError as error:
                data, self.notified = b"", isinstance(error, ssl.SSLZeroReturnError)
            if data and not self.tls and data[:2] == b"\x15\x03":  # an alert: no XML, and the end follows
                continue
            if data:
                return data
            if self.tls and data == b"":
                self.ended = True
            elif not self.pull():
                self.ended = True
        return b""

    def holds(self):
        """Whether there is something to read that the socket does not tell of."""
        return self.incoming.pending > 0 or bool(self.tls and self.tls.pending())

    def waiting(self):
        if self.ended:
            return b""
        self.sock.setblocking(False)
        try:
            data = self.sock.recv(65536)
            self.incoming.write(data)
        except OSError:
            pass
        finally:
            self.sock.settimeout(self.patience)
        try:
            return self.tls.read(65536) if self.tls else self.incoming.read()
        except (ssl.SSLError, OSError):
            return b""

    def handshake(self, context, name):
        self.hello = self.incoming.read()
        self.incoming.write(self.hello)
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=not self.client, server_hostname=name)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                if not self.pull():
                    raise Mismatch("the connection ended in the TLS handshake") from None
            except ssl.SSLError as error:
                self.flush()  # our alert
                raise Mismatch(f"TLS failed: {error.reason or error}") from None
        self.flush()

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.sock.sendall(data)

    def close(self, hard=False):
        if hard:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()
        self.ended = True
