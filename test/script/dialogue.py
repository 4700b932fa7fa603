"""A dialogue file: its header and its steps, and playing them on a backend (sim.py, real.py)."""
import base64
import hashlib
import hmac
import os
import re

import xmlview

HERE = os.path.dirname(os.path.abspath(__file__))

# What s2spec has: the sections of its table, and what a case may need of the server under test.
SECTIONS = ("stream", "xml", "starttls", "direct-tls", "certificates", "external", "dialback", "multiplexing", "bidi",
            "sm", "addressing", "limits", "dns", "closing")
NEEDS = ("starttls", "direct-tls", "external", "dialback", "dialback-errors", "second-domain", "second-address",
         "bidi", "sm", "stream-limits")


class Mismatch(Exception):
    """What came is not what the dialogue says."""


STREAM_ERROR = "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
RESTARTS = ("urn:ietf:params:xml:ns:xmpp-sasl success", "urn:ietf:params:xml:ns:xmpp-tls proceed")


class World:
    """The settings of a dialogue, the same for every backend."""

    def __init__(self):
        self.remotes, self.zone, self.peers, self.locals = [], [], [], []
        self.limits, self.inside_tls, self.doubt, self.secret = {}, "none", "bounce", ""


class Dialogue:
    """`walks`: macros the backend plays itself. `black_box`: for any server, whose inside is not ours to play."""

    def __init__(self, path, walks=(), black_box=False):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.rows, self.attacks, self.clock, self.sim_only, self.real_only = [], [], False, "", ""
        self.spec_only = ""
        self.section, self.needs, self.level = "", [], ""
        self.world, self.title, self.steps = World(), "", []
        with open(path, encoding="utf-8") as file:
            text = file.read()
        head, mark, body = text.partition("\n---\n")
        if not mark:
            raise ValueError(f"{path}: no --- line")
        for line in head.splitlines():
            self._header(line.strip(), path)
        if not self.rows and not self.attacks:
            raise ValueError(f"{path}: names no checklist row")
        self.steps = expand(body, path, walks, "spec" if black_box else "ours")

    def _header(self, line, path):
        word, _, rest = line.partition(" ")
        if not line:
            return
        if word == "#":
            self.title = (self.title + " " + rest).strip()
        elif word == "rows:":
            self.rows += rest.split()
        elif word == "attacks:":
            self.attacks += rest.split()
        elif word == "clock:":
            self.clock = rest == "yes"
        elif word == "sim-only:":
            self.sim_only = rest
        elif word == "real-only:":
            self.real_only = rest
        elif word == "spec-only:":
            self.spec_only = rest
        elif word == "spec:":
            self.section = self._section(rest, path)
        elif word == "level:":
            self.level = rest
        elif word == "needs:":
            self.needs += self._needs(rest.split(), path)
        else:
            self._world(word, rest, path)

    @staticmethod
    def _section(name, path):
        if name not in SECTIONS:
            raise ValueError(f"{path}: no section is called {name}; there are {' '.join(SECTIONS)}")
        return name

    @staticmethod
    def _needs(words, path):
        for word in words:
            if word not in NEEDS:
                raise ValueError(f"{path}: no need is called {word}; there are {' '.join(NEEDS)}")
        return words

    def _world(self, word, rest, path):
        if word == "remote":
            self.world.remotes.append(rest)
        elif word in ("srv", "srvs", "addr", "dnsfail", "signed", "tlsa", "posh"):
            self.world.zone.append([word] + rest.split())
        elif word == "peer":
            name, *facts = rest.split()
            self.world.peers.append((name, dict(f.split("=", 1) for f in facts)))
        elif word == "local":
            self.world.locals.append(rest.split())
        elif word == "limit":
            name, value = rest.split()
            self.world.limits[name] = int(value)
        elif word == "inside":
            self.world.inside_tls = rest.partition("=")[2]
        elif word == "doubt":
            self.world.doubt = rest
        elif word == "secret":
            self.world.secret = rest
        else:
            raise ValueError(f"{path}: header line not known: {word} {rest}")


def logical_lines(body, side):
    """(number, line) with continuations joined, and without the lines of the other side."""
    lines = []
    for number, line in enumerate(body.splitlines(), 1):
        if line.startswith((" ", "\t")) and lines:
            lines[-1][1] += line.strip() if line.strip().startswith("<") else " " + line.strip()
        elif line.strip() and not line.startswith("#"):
            lines.append([number, line.rstrip()])
    for number, line in lines:
        word, _, rest = line.partition(" ")
        if word not in ("ours", "spec"):
            yield number, line
        elif word == side:
            yield number, rest


def expand(body, path, walks=(), side="ours", depth=0):
    """Puts macros in, but for those in `walks`."""
    steps = []
    for number, line in logical_lines(body, side):
        words = line.split()
        if words[0] != "use" or words[1] in walks:
            steps.append((f"{os.path.basename(path)}+{number}", line))
            continue
        if depth > 4:
            raise ValueError(f"{path}: macros nest too deeply")
        macro = os.path.join(HERE, "lib", words[1] + ".steps")
        with open(macro, encoding="utf-8") as file:
            text = file.read()
        for i, argument in reversed(list(enumerate(words[2:], 1))):
            text = text.replace(f"${i}", argument)  # "$$1key" becomes "$" + argument + "key"
        # "$b64:3" is the base64 of the third argument
        text = re.sub(r"\$b64:(\d)\b", lambda m, a=words: f"$b64:{a[int(m[1]) + 1]}", text)
        steps += expand(re.sub(r" \$\d\b", "", text), macro, walks, side, depth + 1)  # arguments not given
    return steps


def header_text(words):
    facts = dict(w.split("=", 1) for w in words)
    version = facts.pop("version", "1.0")
    lang = facts.pop("lang", None)
    attrs = "".join(f" {k}='{v}'" for k, v in facts.items())
    attrs += f" version='{version}'" if version != "none" else ""
    attrs += f" xml:lang='{lang}'" if lang else ""
    return (f"<?xml version='1.0'?><stream:stream xmlns='{xmlview.SERVER}' xmlns:stream='{xmlview.STREAMS}' "
            f"xmlns:db='{xmlview.DIALBACK}'{attrs}>")


def dialback_key(secret, receiving, originating, ident):
    """XEP-0185."""
    key = hashlib.sha256(secret.encode()).hexdigest().encode()
    return hmac.new(key, f"{receiving} {originating} {ident}".encode(), "sha256").hexdigest()


def functions(line, secret=""):
    """$b64:NAME is NAME in base64; $key:RECEIVING:ORIGINATING:ID is a key of the dialogue's secret."""
    line = re.sub(r"\$key:([\w.-]+):([\w.-]+):([\w.-]+)", lambda m: dialback_key(secret, m[1], m[2], m[3]), line)
    return re.sub(r"\$b64:([\w.-]+)", lambda m: base64.b64encode(m[1].encode()).decode(), line)


class Player:
    def __init__(self, dialogue, backend):
        self.dialogue, self.backend = dialogue, backend
        self.names, self.readers, self.came_on = {}, {}, {}

    def play(self):
        for place, line in self.dialogue.steps:
            try:
                self.step(functions(line, self.dialogue.world.secret))
            except Mismatch as error:
                raise Mismatch(f"{place}: {line[:160]}\n  {error}") from error
        self.finish()

    def step(self, line):
        only, _, rest = line.partition(" ")
        if only in ("sim", "real"):
            return self.step(rest) if self.backend.name == only else None
        found = re.match(r"(\w+)([<>])(hex|each|repeat|utf-16-le|utf-16-be)?\s+(.*)$", line, re.S)
        if found:
            conn, arrow, how, rest = found.groups()
            return self.send(conn, how, rest) if arrow == ">" else self.expect(conn, rest)
        words = line.split()
        if words[0] in ("open", "dialled", "refuse", "listen", "untouched", "asked", "advance", "ledger", "log", "drain"):
            return getattr(self, "do_" + words[0])(words[1:])
        if len(words) > 1 and words[0] in self.readers:
            return getattr(self, "on_" + words[1].replace("-", "_"))(words[0], words[2:])
        raise Mismatch(f"step not known: {line}")

    def put_names(self, text):
        return re.sub(r"\$(\w+)", lambda m: self.names.get(m.group(1), m.group(0)), text)

    def send(self, conn, how, rest):
        if how == "hex":
            data = bytes.fromhex(rest)
        elif how == "repeat":
            count, _, text = rest.partition(" ")
            data = self.put_names(text).encode() * int(count)
        elif how and how.startswith("utf"):
            data = ("\ufeff" + self.put_names(rest)).encode(how)
        elif rest.startswith("head "):
            data = header_text([self.put_names(w) for w in rest.split()[1:]]).encode()
        else:
            data = self.put_names(rest).encode()
        for piece in ([data[i:i + 1] for i in range(len(data))] if how == "each" else [data]):
            self.backend.send(conn, piece)

    def item(self, conn):
        reader = self.readers[conn]
        while not reader.items:
            data = self.backend.receive(conn)
            if not data:
                raise Mismatch("nothing came" + self.backend.why(conn))
            reader.feed(data)
        self.came_on.setdefault(conn, []).append(reader.items[0])
        return reader.items.pop(0)

    def expect(self, conn, rest):
        """`WANTED | ALSO RIGHT ~ OF OTHER SERVERS`: what follows the ~ is for s2spec alone."""
        right = rest.split(" ~ ")[0].split(" | ")
        kind, element = self.item(conn)
        whys = [self.misfit(kind, element, want) for want in right]
        if all(whys):
            raise Mismatch("; ".join(whys))
        self.came(conn, element)

    def misfit(self, kind, element, want):
        """'' when the item is what is wanted, else why not."""
        if want == "end":
            return "" if kind == "end" else f"wanted the close tag, got {kind} {element}"
        is_head = want == "head" or want.startswith("head ")
        if kind != ("head" if is_head else "element"):
            return f"wanted {'a header' if is_head else want}, got {kind} {element}"
        return xmlview.element_fits(xmlview.head_pattern(want.split()[1:]) if is_head else xmlview.pattern(want),
                                    element, self.names)

    def came(self, conn, element):
        if element and element.name in RESTARTS:
            self.readers[conn].restart()

    def do_open(self, words):
        conn, side = words[0], words[1]
        self.backend.open(conn, side, int(words[3]) if len(words) > 3 else 1)
        self.readers[conn] = xmlview.Reader()

    def do_dialled(self, words):
        self.backend.dialled(words[0], words[1])
        self.readers[words[0]] = xmlview.Reader()

    def do_refuse(self, words):
        self.backend.refuse(words[0], True)

    def do_listen(self, words):
        self.backend.refuse(words[0], False)

    def do_untouched(self, words):
        """Nobody has tried to connect to that remote."""
        self.backend.untouched(words[0])

    def do_asked(self, words):
        """The DNS was asked for these records: `asked NAME TYPE`, or `asked not NAME TYPE`."""
        self.backend.asked(words[-2].lower(), words[-1], words[0] != "not")

    def do_advance(self, words):
        number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", words[0]).groups()
        self.backend.advance(int(number) * {"ms": 1, "s": 1000, "m": 60000, "h": 3600000}[unit])

    def do_ledger(self, words):
        want = dict(w.split("=") for w in words[1:])
        self.backend.ledger(words[0], {k: int(v) for k, v in want.items()})

    def do_log(self, words):
        self.backend.log(words[0], dict(w.split("=", 1) for w in words[1:]))

    def do_drain(self, words):
        self.backend.drain()

    def on_tls(self, conn, words):
        trust = words[0] if words else "ok"
        names = [n for w in words[1:] for n in ([w] if "=" in w else w.split(","))]
        self.backend.tls(conn, trust, names)
        self.readers[conn].restart()

    def on_ends(self, conn, words):
        """The stream error, the close tag, the end. What follows a ~ is for s2spec alone."""
        conditions = " ".join(words).split("~")[0].split()
        kind, element = self.item(conn)
        whys = [self.misfit(kind, element, STREAM_ERROR.format(c)) for c in conditions]
        if all(whys) or xmlview.error_is_valid(element):
            raise Mismatch(whys[0] if all(whys) else xmlview.error_is_valid(element))
        self.expect(conn, "end")
        self.on_closed(conn, [])

    def on_restart(self, conn, _words):
        self.readers[conn].restart()

    def on_closed(self, conn, _words):
        if self.readers[conn].items:
            raise Mismatch(f"not expected: {self.readers[conn].items[0]}")
        data = self.backend.receive(conn, until_closed=True)
        if data:
            raise Mismatch(f"not expected before the end: {data[:300]!r}")

    def on_dies(self, conn, _words):
        """The connection ends, without a word of XML."""
        said = b"".join(iter(lambda: self.backend.receive(conn), b""))
        if b"<" in said:
            raise Mismatch(f"nothing should have been said: {said[:300]!r}")

    def on_sni(self, conn, words):
        """The TLS of the other side named this domain; `-`: none. `NAME ~ -`: s2spec tolerates none of others."""
        got = self.backend.hello(conn).server_name
        if got is None and words[1:] == ["~", "-"]:
            return self.unwanted(f"TLS of {conn} names no server", True)
        return self.same("server name", conn, words[0], got)

    def on_alpn(self, conn, words):
        self.same("protocols", conn, words[0], ",".join(self.backend.hello(conn).protocols))

    @staticmethod
    def same(what, conn, want, got):
        if (got or "-") != want:
            raise Mismatch(f"{what} of {conn} should be {want}, is {got or '-'}")

    def on_no_tls(self, conn, words):
        """TLS as these words say does not come to be: see wrap() of tls.py."""
        self.backend.no_tls(conn, words)

    def on_shows(self, conn, words):
        """The certificate the other side shows in TLS names these domains; `-`: it shows none."""
        names = self.backend.shown(conn)
        lacking = [w for w in words if w not in (names or ["-"])]
        if lacking:
            raise Mismatch(f"the certificate should name {lacking[0]}; it names {names}")

    def on_has(self, conn, words):
        """What became of TLS: 1.2 or 1.3, ems, reneg-info, no-compression, no-session."""
        facts = self.backend.tls_facts(conn)
        lacking = [w for w in words if w not in facts]
        if lacking:
            raise Mismatch(f"TLS of {conn} lacks {' '.join(lacking)}; it has {' '.join(sorted(facts))}")

    def on_differ(self, _conn, words):
        """Two things that were read are not the same."""
        if self.put_names(words[0]) == self.put_names(words[1]):
            raise Mismatch(f"{words[0]} and {words[1]} are the same: {self.put_names(words[0])}")

    def on_is_key(self, _conn, words):
        """A key that was read is that of the dialogue's secret for: receiving domain, originating domain, id."""
        self.same("key", words[0], dialback_key(self.dialogue.world.secret, *words[1:]), self.put_names(words[0]))

    def on_close(self, conn, _words):
        self.backend.close(conn)

    def on_reset(self, conn, _words):
        self.backend.reset(conn)

    def on_not(self, conn, words):
        """The next thing that comes is something, but not this. With a ~ at its end, s2spec tolerates it of others."""
        kind, element = self.item(conn)
        if not self.misfit(kind, element, " ".join(w for w in words if w != "~")):
            self.unwanted(f"this must not come: {kind} {element}", "~" in words)

    def unwanted(self, what, tolerated):
        raise Mismatch(what)

    def on_never(self, conn, words):
        """Nothing like this has come on that connection, from its beginning until now."""
        for kind, element in self.came_on.get(conn, []):
            if not self.misfit(kind, element, " ".join(words)):
                raise Mismatch(f"this came: {kind} {element}")

    def on_silent(self, conn, _words):
        waiting = self.readers[conn].items or self.backend.waiting(conn)
        if waiting:
            raise Mismatch(f"not expected: {waiting}")

    def on_acked(self, conn, words):
        self.backend.acked(conn, words[0])

    def finish(self):
        for conn, reader in self.readers.items():
            if reader.items or self.backend.waiting(conn):
                raise Mismatch(f"left over on {conn}: {list(map(str, reader.items)) or self.backend.waiting(conn)}")
        self.backend.ledger("in", {})
        self.backend.ledger("out", {})
