"""A server that does everything wrong: it believes everybody, answers everything, and checks nothing.

For:    showing that s2spec notices.
Never:  looks at XML but with regular expressions.
"""
import re
import socket
import threading

import tls
from channel import Channel
from dialogue import Mismatch

STREAMS = "xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'"
TLS, SASL = "urn:ietf:params:xml:ns:xmpp-tls", "urn:ietf:params:xml:ns:xmpp-sasl"
FEATURES = (f"<stream:features><starttls xmlns='{TLS}'/><mechanisms xmlns='{SASL}'><mechanism>EXTERNAL</mechanism>"
            "</mechanisms><dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback></stream:features>")
ITEM = re.compile(rb"<(stream:stream|stream|starttls|auth|db:result|db:verify|iq|message|presence)\b[^>]*>")


class BadServer:
    """Serves on an address until it is stopped; shows one certificate to all."""

    def __init__(self, address, certificate):
        self.certificate, self.listener = certificate, socket.create_server(address)
        threading.Thread(target=self.accepts, daemon=True).start()

    def accepts(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.guarded, args=(Channel(sock, False),), daemon=True).start()

    def guarded(self, channel):
        try:
            self.serve(channel)
        except (Mismatch, OSError):
            pass  # whoever it was has had enough
        channel.close()

    def serve(self, channel):
        while True:
            data = channel.receive()
            if not data:
                return
            for found in ITEM.finditer(data):
                self.answer(channel, found[1].decode(), found[0])

    def answer(self, channel, name, tag):
        facts = {k: v.decode("utf-8", "replace") for k, v in re.findall(rb"(\w+)='([^']*)'", tag)
                 for k in [k.decode()]}
        back = f"from='{facts.get('to', '')}' to='{facts.get('from', '')}'"
        if name in ("stream:stream", "stream"):
            channel.send(f"<stream:stream {STREAMS} {back} id='always-the-same' version='1.0'>{FEATURES}".encode())
        elif name == "starttls":
            channel.send(f"<proceed xmlns='{TLS}'/>".encode())
            made = tls.context(False, [])
            made.load_cert_chain(*self.certificate)
            channel.handshake(made, None)
        elif name == "auth":
            channel.send(f"<success xmlns='{SASL}'/>".encode())
        elif name.startswith("db:") and "type" not in facts:
            ident = f" id='{facts['id']}'" if "id" in facts else ""
            channel.send(f"<{name} {back}{ident} type='valid'/>".encode())
        elif name == "iq":
            channel.send(f"<iq type='result' {back} id='{facts.get('id', '')}'/>".encode())

    def stop(self):
        self.listener.close()
