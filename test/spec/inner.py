#!/usr/bin/python3
"""A small local server to stand behind a proxy under test: it answers what any server answers.

inner.py --listen ADDRESS:PORT --proxy ADDRESS:PORT

For:    pings are answered; other questions and messages are answered with service-unavailable.
Never:  checks a key, for nobody but the proxy reaches it; never speaks TLS.
"""
import argparse
import os
import queue
import socket
import sys
import threading
from xml.sax.saxutils import quoteattr

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "script")]

import xmlview  # noqa: E402
from dialogue import header_text  # noqa: E402

PING = "urn:xmpp:ping ping"
ERROR = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"


def domain_of(jid):
    return jid.partition("/")[0].rpartition("@")[2]


def reply_to(element):
    """The answer to a stanza, as text; None where there is none."""
    kind, facts = element.name.split(" ")[1], element.attrs
    if kind == "iq" and facts.get("type") in ("get", "set"):
        is_ping = any(child.name == PING for child in element.children)
        body, how = ("", "result") if is_ping and facts["type"] == "get" else (ERROR, "error")
    elif kind == "message" and facts.get("type") not in ("error", "headline", "groupchat"):
        body, how = ERROR, "error"
    else:
        return None
    ident = f" id={quoteattr(facts['id'])}" if "id" in facts else ""
    return (f"<{kind} type='{how}' from={quoteattr(facts['to'])} to={quoteattr(facts['from'])}{ident}>{body}</{kind}>")


class Way:
    """Our connection to the proxy: one for all pairs, opened when there is something to say."""

    def __init__(self, proxy, source):
        self.proxy, self.source, self.waiting = proxy, source, queue.Queue()
        threading.Thread(target=self.run, daemon=True).start()

    def say(self, sender, to, text):
        self.waiting.put((domain_of(sender), domain_of(to), text))

    def run(self):
        while True:
            first = self.waiting.get()
            try:
                self.serve(first)
            except (OSError, EOFError):
                continue  # the proxy went; the next stanza opens a new connection

    def serve(self, row):
        reader, proved = xmlview.Reader(), set()
        with socket.create_connection(self.proxy, 30, (self.source, 0)) as sock:
            sock.sendall(header_text([f"from={row[0]}", f"to={row[1]}"]).encode())
            self.until(sock, reader, "features")
            while True:
                sender, to, text = row
                if (sender, to) not in proved:
                    sock.sendall(f"<db:result from='{sender}' to='{to}'>key</db:result>".encode())
                    self.until(sock, reader, "result")
                    proved.add((sender, to))
                sock.sendall(text.encode())
                row = self.waiting.get()

    @staticmethod
    def until(sock, reader, name):
        while True:
            while reader.items:
                kind, element = reader.items.pop(0)
                if kind == "element" and element.name.endswith(" " + name):
                    return
            data = sock.recv(65536)
            if not data:
                raise EOFError
            reader.feed(data)


def trunk(sock, way):
    """Serves a connection of the proxy."""
    reader = xmlview.Reader()
    with sock:
        while True:
            data = sock.recv(65536)
            if not data:
                return
            reader.feed(data)
            while reader.items:
                act(sock, way, *reader.items.pop(0))


def act(sock, way, kind, element):
    if kind == "head":
        ours, theirs = element.attrs.get("to", ""), element.attrs.get("from", "")
        sock.sendall((header_text([f"from={ours}", f"to={theirs}", "id=inner"])
                      + f"<stream:features>{DIALBACK}</stream:features>").encode())
    elif kind == "end":
        sock.sendall(b"</stream:stream>")
    elif kind == "element" and element.name == xmlview.DIALBACK + " result":
        sock.sendall(f"<db:result from='{element.attrs['to']}' to='{element.attrs['from']}' type='valid'/>".encode())
    elif kind == "element" and element.name.startswith(xmlview.SERVER + " "):
        answer = reply_to(element)
        if answer:
            way.say(element.attrs["to"], element.attrs["from"], answer)


def guarded(sock, way):
    try:
        trunk(sock, way)
    except OSError:
        pass  # the proxy ended it


def place(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def start(listen, proxy):
    """Serves in threads; gives the listening socket."""
    listener, way = socket.create_server(listen), Way(proxy, listen[0])

    def accepts():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=guarded, args=(sock, way), daemon=True).start()
    threading.Thread(target=accepts, daemon=True).start()
    return listener


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", type=place, required=True)
    parser.add_argument("--proxy", type=place, required=True)
    args = parser.parse_args()
    start(args.listen, args.proxy)
    threading.Event().wait()


if __name__ == "__main__":
    main()
