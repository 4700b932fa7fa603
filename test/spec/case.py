"""Plays one dialogue against the server under test: judges, and remembers what was sent, wanted and came.

Outcomes: passed; differs (a recommendation is not followed, or what had to be done is done in other words than the
standard's); failed (what the standard demands is not done); not offered (the server has no such feature); not possible
(here).
"""
import re

import xmlview
from around import Around, NotPossible
from dialogue import Mismatch, Player, functions
from paragraph import binds, paragraphs
from walks import Walks

PASSED, DIFFERS, FAILED, NOT_OFFERED, NOT_POSSIBLE = "passed", "differs", "failed", "not offered", "not possible"
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
SHOWN = 1500  # characters of one line of a record


class NotOffered(Exception):
    """The server does not offer what the case is about."""


class Enough(Exception):
    """The case ended early, in a way that is tolerated; the text says how it differs."""


class Outcome:
    def __init__(self, dialogue, names):
        self.name, self.section = dialogue.name, dialogue.section
        self.title, self.rows = names.translate(dialogue.title), dialogue.rows
        self.result, self.why, self.differences, self.record, self.seconds = PASSED, "", [], [], 0.0

    @property
    def paragraphs(self):
        return paragraphs(self.rows)


def shown(data):
    text = data if isinstance(data, str) else data.decode("utf-8", "backslashreplace")
    text = text.replace("\n", "\\n")
    return text if len(text) <= SHOWN else f"{text[:SHOWN // 2]} ... {len(text)} characters ... {text[-200:]}"


def ended(cause):
    return {"open": "goes on", "none": "ended without one"}.get(cause, f"ended with {cause}")


class Case(Player):
    def __init__(self, dialogue, setting, number):
        super().__init__(dialogue, Around(setting, dialogue, number))
        self.setting, self.outcome = setting, Outcome(dialogue, self.backend.names)
        self.walks = Walks(self)
        self.expecting = ""

    def note(self, kind, conn, text):
        self.outcome.record.append((kind, conn, shown(text)))

    def differs(self, how):
        self.outcome.differences.append(how)

    # ---- playing

    def run(self):
        """Plays it; the outcome says how it went."""
        try:
            self.needs()
            for self.expecting, line in self.dialogue.steps:
                self.step(functions(self.backend.names.translate(line), self.dialogue.world.secret))
            self.left_over()
        except Enough as how:
            self.differs(str(how))
        except NotOffered as what:
            self.end(NOT_OFFERED, str(what))
        except NotPossible as why:
            self.end(NOT_POSSIBLE, str(why))
        except Mismatch as why:
            self.end(FAILED if self.demanded() else DIFFERS, f"{self.expecting}: {why}")
        except (OSError, ValueError) as why:
            self.end(FAILED, f"{self.expecting}: {type(why).__name__}: {why}")
        finally:
            self.backend.end()
        if self.outcome.result == PASSED and self.outcome.differences:
            self.end(DIFFERS, "; ".join(self.outcome.differences))
        return self.outcome

    def end(self, result, why):
        self.outcome.result, self.outcome.why = result, shown(why)

    def demanded(self):
        return not self.dialogue.level and any(binds(row) for row in self.dialogue.rows)

    def needs(self):
        for need in self.dialogue.needs:
            if need == "second-domain":
                self.backend.names.domain("loc2")
            elif not self.setting.offered.get(need):
                raise NotOffered(need)

    def step(self, line):
        words = line.split()
        if words[0] == "use":
            return self.walks.walk(words[1], words[2:])
        return super().step(line)

    def left_over(self):
        """What came and nobody asked for is a failure; pings and keepalives apart."""
        for conn, reader in self.readers.items():
            for kind, element in reader.items:
                if kind != "end":
                    raise Mismatch(f"left over on {conn}: {kind} {element}")

    # ---- sending and receiving

    def send(self, conn, how, rest):
        self.note("sent", conn, self.put_names(rest) if how is None else f"({how}) {rest}")
        super().send(conn, how, rest)

    def item(self, conn):
        while True:
            kind, element = self.next_item(conn)
            if not self.walks.answered(conn, kind, element):
                return kind, element

    def next_item(self, conn):
        reader = self.readers[conn]
        while not reader.items:
            data = self.backend.receive(conn)
            if not data:
                self.note("came", conn, "the end of the connection")
                return "closed", None
            self.note("came", conn, data)
            reader.feed(data)
        self.came_on.setdefault(conn, []).append(reader.items[0])
        return reader.items.pop(0)

    def expect(self, conn, rest):
        wanted, _, tolerated = rest.partition(" ~ ")
        self.note("expected", conn, wanted + (f"   (tolerated: {tolerated})" if tolerated else ""))
        if "silence" in tolerated.split(" ~ ") and self.walks.ready([conn], None) is None:
            raise Enough(f"wanted {wanted}; nothing came")
        self.judge(conn, *self.item(conn), wanted.split(" | "), tolerated.split(" ~ ") if tolerated else [])

    def judge(self, conn, kind, element, wanted, tolerated):
        whys = []
        for want in wanted:
            why = self.misfit(kind, element, want)
            if not why:
                return self.came(conn, element)
            whys.append(why)
        for other in tolerated:
            if other.startswith("ends"):
                if self.ends_fits(kind, element, other.split()[1:]):
                    raise Enough(f"wanted {' or '.join(wanted)}; the stream {ended(self.cause(kind, element))}")
            elif other == "closed":
                if kind == "closed":
                    return self.differs(f"wanted {' or '.join(wanted)}, came the end of the connection")
            elif other.startswith("enough "):
                if not self.misfit(kind, element, other[7:]):
                    raise Enough(f"wanted {' or '.join(wanted)}, came {element}")
            elif not self.misfit(kind, element, other):
                self.differs(f"wanted {' or '.join(wanted)}, came {element}")
                return self.came(conn, element)
        raise Mismatch("; ".join(dict.fromkeys(whys)))

    def misfit(self, kind, element, want):
        if kind == "closed":
            return f"wanted {want}; the connection ended"
        if kind == "element" and element.name == xmlview.STREAMS + " error" and "stream:error" not in want:
            return f"wanted {want}; the stream ended with {self.cause(kind, element)}"
        return super().misfit(kind, element, want)

    def on_not(self, conn, words):
        """Silence is not what is unwanted either."""
        self.note("expected", conn, "anything but " + " ".join(words))
        if self.walks.ready([conn], None) is not None:
            super().on_not(conn, words)

    def unwanted(self, what, tolerated):
        if not tolerated:
            raise Mismatch(what)
        self.differs(what)

    # ---- the end of a stream

    @staticmethod
    def cause(kind, element):
        """The condition of a stream error, 'none' for an end without one, '' for anything else."""
        if kind in ("end", "closed"):
            return "none"
        if kind != "element" or element.name != xmlview.STREAMS + " error":
            return ""
        conditions = [c.name.split(" ")[1] for c in element.children if c.name.startswith(STREAM_ERRORS + " ")]
        return next((c for c in conditions if c != "text"), "undefined-condition")

    def ends_fits(self, kind, element, conditions):
        cause = self.cause(kind, element)
        return bool(cause) and (cause in conditions or ("*" in conditions and cause != "none"))

    def on_ends(self, conn, words):
        wanted, _, tolerated = " ".join(words).partition("~")
        wanted, tolerated = wanted.split(), tolerated.split()
        self.note("expected", conn, f"a stream error, {' or '.join(wanted)}, and the end"
                  + (f"   (tolerated: {' '.join(tolerated)})" if tolerated else ""))
        kind, element = self.item_or_open(conn) if "open" in wanted + tolerated else self.item(conn)
        cause = "open" if kind == "open" else self.cause(kind, element)
        if not cause:
            raise Mismatch(f"wanted the stream error {' or '.join(wanted)}, got {kind} {element}")
        if cause not in wanted:
            if cause not in tolerated and ("*" not in tolerated or cause in ("none", "open")):
                raise Mismatch(f"wanted the stream error {' or '.join(wanted)}; the stream {ended(cause)}")
            self.differs(f"wanted the stream error {' or '.join(wanted)}; the stream {ended(cause)}")
        if kind == "open":
            return
        if kind == "element" and xmlview.error_is_valid(element):
            self.differs(xmlview.error_is_valid(element))
        self.closing(conn, kind)

    def item_or_open(self, conn):
        """The next thing on the stream; ("open", None) when it goes on as if nothing had been."""
        if self.walks.goes_on(conn):
            return "open", None
        return self.item(conn)

    def closing(self, conn, kind):
        """After a stream error: the close tag, then the connection's end."""
        if kind == "closed":
            return
        if kind == "element" and self.item(conn)[0] == "closed":
            return self.differs("no close tag after the stream error")
        self.backend.send(conn, b"</stream:stream>")
        self.on_closed(conn, [])

    def on_closed(self, conn, _words):
        self.note("expected", conn, "the end of the connection")
        kind, element = self.item(conn)
        if kind == "end":
            kind, element = self.item(conn)
        if kind != "closed":
            raise Mismatch(f"not expected before the end of the connection: {kind} {element}")

    def on_silent(self, conn, _words):
        """Nothing may have come so far; what comes later is judged by the steps that follow."""
        for kind, element in self.readers[conn].items:
            if not self.walks.answered(conn, kind, element):
                raise Mismatch(f"not expected: {kind} {element}")

    def on_tls(self, conn, words):
        self.note("sent", conn, "TLS" + (f", showing a certificate: {' '.join(words)}" if words else ""))
        super().on_tls(conn, words)

    def do_dialled(self, words):
        self.note("expected", words[0], f"a connection to {words[1]}")
        super().do_dialled(words)

    def do_open(self, words):
        self.note("sent", words[0], "a new connection")
        super().do_open(words)

    def missing(self, what):
        raise NotOffered(what)

    @staticmethod
    def label(text):
        return re.sub(r"\W", "", text)
