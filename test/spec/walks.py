"""Ways through a handshake that fit themselves to the server under test, and remotes that behave.

For:    the macros of dialogues (`use outside-external a far.example loc.example`): against our own
        server they are fixed lists of steps (test/script/lib); here the server chooses the way.
Never:  judges what a case is about: that is for the case's own steps.
"""
import base64

import xmlview
from dialogue import Mismatch

TLS, SASL = "urn:ietf:params:xml:ns:xmpp-tls", "urn:ietf:params:xml:ns:xmpp-sasl"
STARTTLS_FEATURE = f"<starttls xmlns='{TLS}'><required/></starttls>"
MECHANISMS = f"<mechanisms xmlns='{SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>"
DIALBACK_FEATURE = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
KEY = "k3y"
EXTERNAL_AND_DIALBACK = f"<stream:features>{MECHANISMS}{DIALBACK_FEATURE}</stream:features>"


def offers(features, name):
    return any(child.name == name for child in features.children)


def mechanisms(features):
    return [m.text.strip() for child in features.children if child.name == SASL + " mechanisms"
            for m in child.children]


class Polite:
    """One connection of a remote that behaves: what its server does next."""

    def __init__(self, conn):
        self.conn, self.secure, self.proved, self.heads = conn, False, False, 0


class Walks:
    NAMES = ("outside-tls", "outside-external", "outside-dialback", "answer-tls", "answer-external", "provoke", "echo",
             "echo-again", "ended", "after-injection", "answer", "verdict",
             "another-key", "in-order", "outside-direct", "answer-direct", "accept", "came-not")

    def __init__(self, case):
        self.case, self.keys, self.polite, self.count = case, {}, {}, 0
        self.proved = {}    # connection -> (remote, local), as proved by a walk
        self.other = None   # a stanza that came instead
        self.last = None    # the stanza that `serve` waited for
        self.hidden = None  # (connection, remote, local, id) that waits for its key to be verified

    def walk(self, name, words):
        getattr(self, name.replace("-", "_"))(*words)

    def say(self, *steps):
        for step in steps:
            self.case.step(step)

    def ended(self, conn, condition):
        self.case.step(f"{conn} ends {condition}")

    # ---- we open

    def outside_tls(self, conn, sender, to, trust="none", *words):
        """Up to TLS and the second header; the features that follow are for the case to read."""
        self.say(f"open {conn} outside", f"{conn}> head from={sender} to={to}", f"{conn}< head id=*")
        if not offers(self.features(conn), TLS + " starttls"):
            self.case.missing("STARTTLS")
        self.say(f"{conn}> <starttls xmlns='{TLS}'/>", f"{conn}< <proceed xmlns='{TLS}'/>",
                 f"{conn} tls {trust} {' '.join(words)}", f"{conn}> head from={sender} to={to}", f"{conn}< head id=${conn}id")

    def outside_direct(self, conn, sender, to, trust="none", words="-", side="outside"):
        """Up to the header within direct TLS."""
        self.say(f"open {conn} {side}", f"{conn} tls {trust} {words if words != '-' else ''}",
                 f"{conn}> head from={sender} to={to}", f"{conn}< head id=${conn}id")

    def features(self, conn):
        kind, element = self.case.item(conn)
        if kind != "element" or element.name != xmlview.STREAMS + " features":
            raise Mismatch(f"wanted stream features, got {kind} {element}")
        return element

    def outside_external(self, conn, sender, to):
        """Proved by certificate; where the server takes none, by dialback."""
        self.outside_tls(conn, sender, to, "ok", sender)
        if "EXTERNAL" not in mechanisms(self.features(conn)):
            if "external" in self.case.dialogue.needs:
                self.case.missing("SASL EXTERNAL")
            return self.prove_by_key(conn, sender, to)
        return self.prove_by_certificate(conn, sender, to)

    def prove_by_certificate(self, conn, sender, to):
        self.say(f"{conn}> <auth xmlns='{SASL}' mechanism='EXTERNAL'>{encoded(sender)}</auth>",
                 f"{conn}< <success xmlns='{SASL}'/>", f"{conn}> head from={sender} to={to}", f"{conn}< head id=*")
        self.features(conn)
        self.proved[conn] = (sender, to)

    def outside_dialback(self, conn, sender, to, *_verify):
        self.outside_tls(conn, sender, to, "none")
        self.features(conn)
        self.prove_by_key(conn, sender, to)

    def prove_by_key(self, conn, sender, to):
        self.send_key(conn, sender, to)
        self.serve(sender, [conn])
        self.case.expect(conn, f"<db:result from='{to}' to='{sender}' type='valid'/>")
        self.proved[conn] = (sender, to)

    def send_key(self, conn, sender, to):
        self.keys[(to, sender, self.case.names[conn + "id"])] = KEY
        self.say(f"{conn}> <db:result from='{sender}' to='{to}'>{KEY}</db:result>")

    # ---- the server opens

    def answer_tls(self, conn, local, remote, trust="none", *words):
        self.say(f"{conn}< head from={local} to={remote} version=1.0", f"{conn}> head from={remote} to={local} id={conn}first",
                 f"{conn}> <stream:features>{STARTTLS_FEATURE}</stream:features>", f"{conn}< <starttls xmlns='{TLS}'/>",
                 f"{conn}> <proceed xmlns='{TLS}'/>", f"{conn} tls {trust} {' '.join(words)}",
                 f"{conn}< head from={local} to={remote} version=1.0",
                 f"{conn}> head from={remote} to={local} id={conn}second")

    def answer_external(self, conn, local, remote):
        """The remote accepts the server: by its certificate when the server wants that, else its key."""
        self.answer_tls(conn, local, remote, "ok", remote)
        self.accept(conn, local, remote)

    def answer_direct(self, conn, local, remote, trust="none", *words):
        """The same where TLS comes first, up to our header."""
        self.say(f"{conn} tls {trust} {' '.join(words)}", f"{conn}< head from={local} to={remote} version=1.0",
                 f"{conn}> head from={remote} to={local} id={conn}first")

    def accept(self, conn, local, remote):
        """Features, and whichever proof the server gives."""
        self.say(f"{conn}> {EXTERNAL_AND_DIALBACK}")
        kind, element = self.next_but_verify(conn)
        if kind == "element" and element.name == SASL + " auth":
            self.say(f"{conn}> <success xmlns='{SASL}'/>", f"{conn} restart", f"{conn}< head from={local} to={remote}",
                     f"{conn}> head from={remote} to={local} id={conn}third", f"{conn}> <stream:features/>")
        elif kind == "element" and element.name == xmlview.DIALBACK + " result":
            self.say(f"{conn}> <db:result from='{remote}' to='{local}' type='valid'/>")
        else:
            raise Mismatch(f"wanted <auth/> or <db:result/>, got {kind} {element}")

    def next_but_verify(self, conn):
        """The next thing on a connection; questions about a key of ours are answered."""
        while True:
            kind, element = self.case.next_item(conn)
            if kind != "element" or element.name != xmlview.DIALBACK + " verify":
                return kind, element
            self.answered(conn, kind, element)

    def provoke(self, conn, local, remote, ident, host=None):
        """Makes the server send to `remote`, which has pinged it; `conn` is the connection it opens for that, to the
        remote or to `host`."""
        hidden = self.hidden_name()
        self.outside_tls(hidden, remote, local, "ok", remote)
        if "EXTERNAL" in mechanisms(self.features(hidden)):
            self.prove_by_certificate(hidden, remote, local)
            self.ping(hidden, remote, local, ident)
        else:
            self.send_key(hidden, remote, local)
            self.hidden = (hidden, remote, local, ident)
        self.say(f"dialled {conn} {host or remote}")

    def hidden_name(self):
        self.count += 1
        return f"ping{self.count}"

    def ping(self, conn, sender, to, ident):
        self.say(f"{conn}> <iq type='get' from='{sender}' to='{to}' id='{ident}'><ping xmlns='urn:xmpp:ping'/></iq>")

    def answered(self, conn, kind, element):
        """Answers a key, or a question about a key of ours, that no step of the case waits for."""
        names = {xmlview.DIALBACK + " verify": "db:verify", xmlview.DIALBACK + " result": "db:result"}
        name = names.get(element.name) if kind == "element" else None
        if not name or "type" in element.attrs or self.case.backend.channels[conn].client or name in self.awaited():
            return False
        facts = element.attrs
        if name == "db:result":
            self.say(f"{conn}> <db:result from='{facts['to']}' to='{facts['from']}' type='valid'/>")
            return True
        if (facts.get("from"), facts.get("to"), facts.get("id")) not in self.keys:
            return False
        self.say(f"{conn}> <db:verify from='{facts['to']}' to='{facts['from']}' id='{facts['id']}' type='valid'/>")
        self.go_on_hidden()
        return True

    def go_on_hidden(self):
        """The key of the connection that provokes is verified: now it may ping."""
        if self.hidden:
            (hidden, remote, local, ident), self.hidden = self.hidden, None
            self.case.expect(hidden, f"<db:result from='{local}' to='{remote}' type='valid'/>")
            self.ping(hidden, remote, local, ident)

    def awaited(self):
        record = self.case.outcome.record
        return next((text for kind, _, text in reversed(record) if kind == "expected"), "")

    def goes_on(self, conn):
        """Whether a stream still works: where it is proved, a ping is answered; else nothing comes for a while."""
        if conn not in self.proved:
            return self.ready([conn], None) is None
        remote, local = self.proved[conn]
        self.ping(conn, remote, local, "goes-on")
        return self.serve(remote, [conn], "goes-on", or_watched=True)

    def after_injection(self, conn, sender, to):
        """What was sent behind <starttls/> must not count as said under TLS: refused now, or never answered."""
        kind, element = self.case.item(conn)
        if kind in ("closed", "end") or element.name == TLS + " failure" or self.case.cause(kind, element):
            return None
        if element.name != TLS + " proceed":
            raise Mismatch(f"wanted <proceed/> or the end, got {kind} {element}")
        self.case.came(conn, element)
        try:
            self.say(f"{conn} tls none")
        except Mismatch:
            return self.case.readers[conn].items.clear()  # the injected bytes were taken for TLS, or refused in clear
        self.say(f"{conn}> head from={sender} to={to}", f"{conn}< head id=*")
        self.features(conn)
        self.say(f"{conn}> <db:verify from='{sender}' to='{to}' id='fresh'>00ff</db:verify>",
                 f"{conn}< <db:verify from='{to}' to='{sender}' id='fresh'/>")
        return None

    # ---- an answer as a sign that something got through

    def echo(self, conn, sender, to, ident):
        """A ping gets through: its answer comes to `sender` on the way back."""
        self.ping(conn, sender, to, ident)
        self.serve(sender, [conn], xmlview.pattern(f"<iq id='{ident}'/>").attrs["id"])

    echo_again = echo

    def another_key(self, conn, sender, to):
        """A further domain of ours on a stream that is open, by a key."""
        self.prove_by_key(conn, sender, to)

    def came_not(self, ident):
        """No stanza with this id has come on any connection."""
        for conn, items in self.case.came_on.items():
            for kind, element in items:
                if kind == "element" and element.attrs.get("id") == ident:
                    raise Mismatch(f"this came on {conn}: {element}")

    def verdict(self, conn, sender, to):
        """Some answer to the key that was sent, or the end; the remote says of it what is true."""
        self.serve(sender, [conn])
        kind, element = self.case.item(conn)
        if kind == "element" and element.name != xmlview.DIALBACK + " result" and not self.case.cause(kind, element):
            raise Mismatch(f"wanted an answer to the key for {to}, got {kind} {element}")

    def in_order(self, conn, sender, to, count):
        """So many pings at once are answered in their order."""
        for number in range(int(count)):
            self.ping(conn, sender, to, f"n{number}")
        for number in range(int(count)):
            self.serve(sender, [conn], f"n{number}", all_stanzas=True)

    def answer(self, conn, who, ident, *wanted):
        """The stanza with this id comes to `who`, and it is like this."""
        self.serve(who, [conn], ident)
        kind, element = "element", self.last
        self.case.note("expected", conn, " ".join(wanted))
        self.case.judge(conn, kind, element, [" ".join(wanted)], [])

    def serve(self, who, watched, ident=None, or_watched=False, all_stanzas=False):
        """Behaves as the remote `who` until a stanza with that id has come: True; or, where that may be, until one of
        `watched` has something to say: False. `all_stanzas`: no other may come before."""
        while True:
            conn = self.ready(list(watched) + list(self.polite.get(who, {})), who)
            if conn is None:
                raise Mismatch(f"nothing came to {who} within {self.case.setting.patience} s"
                               + (f"; wanted the answer with the id {ident}" if ident else ""))
            if conn == who:
                self.welcome(who)
            elif conn in watched:
                if ident is None or or_watched:
                    return False
                raise Mismatch(f"before the answer came {self.case.item(conn)}")
            elif self.behave(who, self.polite[who][conn], ident):
                return True
            elif all_stanzas and self.other:
                raise Mismatch(f"wanted the stanza with the id {ident} first, got {self.other}")

    def ready(self, conns, who):
        return next((c for c in conns if self.case.readers[c].items), None) or self.case.backend.ready(conns, who)

    def welcome(self, who):
        name = f"way{len(self.polite.setdefault(who, {})) + 1}{self.case.label(who)}"
        self.say(f"dialled {name} {who}")
        self.polite[who][name] = Polite(name)

    def behave(self, who, peer, ident):
        """Answers the next thing on a connection; True when it was the stanza waited for."""
        kind, element = self.case.next_item(peer.conn)
        if kind in ("end", "closed", "broken"):
            self.case.backend.send(peer.conn, b"</stream:stream>")
            self.case.backend.close(peer.conn)
            del self.polite[who][peer.conn]
            return False
        if kind == "head":
            self.greet(peer, element.attrs)
            return False
        act = {TLS + " starttls": self.secure, SASL + " auth": self.believe, xmlview.DIALBACK + " result": self.believe_key,
               xmlview.DIALBACK + " verify": self.vouch}.get(element.name)
        if act:
            act(peer, element.attrs)
            return False
        is_stanza = element.name.startswith(xmlview.SERVER + " ")
        if element.attrs.get("id") != ident or not is_stanza:
            self.other = element if is_stanza else None
            return False
        self.last = element
        return True

    def greet(self, peer, facts):
        peer.heads += 1
        ours, theirs = facts.get("to", ""), facts.get("from", "")
        features = (STARTTLS_FEATURE if not peer.secure else "" if peer.proved else MECHANISMS + DIALBACK_FEATURE)
        self.say(f"{peer.conn}> head from={ours} to={theirs} id={peer.conn}n{peer.heads}")
        self.say(f"{peer.conn}> <stream:features>{features}</stream:features>")
        peer.domain = ours

    def secure(self, peer, _facts):
        self.say(f"{peer.conn}> <proceed xmlns='{TLS}'/>", f"{peer.conn} tls ok {peer.domain}")
        peer.secure = True

    def believe(self, peer, _facts):
        self.say(f"{peer.conn}> <success xmlns='{SASL}'/>", f"{peer.conn} restart")
        peer.proved = True

    def believe_key(self, peer, facts):
        if "type" not in facts:
            self.say(f"{peer.conn}> <db:result from='{facts['to']}' to='{facts['from']}' type='valid'/>")

    def vouch(self, peer, facts):
        """Says whether a key is one of ours."""
        if "type" not in facts:
            known = self.keys.get((facts.get("from"), facts.get("to"), facts.get("id")))
            self.say(f"{peer.conn}> <db:verify from='{facts['to']}' to='{facts['from']}' id='{facts['id']}' "
                     f"type='{'valid' if known else 'invalid'}'/>")


def encoded(text):
    return base64.b64encode(text.encode()).decode()
