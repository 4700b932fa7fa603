"""What a stream said, cut into items, and patterns that fit them."""
import re
import xml.parsers.expat

STREAMS = "http://etherx.jabber.org/streams"
SERVER = "jabber:server"
DIALBACK = "jabber:server:dialback"
CONDITIONS = "urn:ietf:params:xml:ns:xmpp-streams"
DEFINED = ("bad-format bad-namespace-prefix conflict connection-timeout host-gone host-unknown improper-addressing"
           " internal-server-error invalid-from invalid-namespace invalid-xml not-authorized not-well-formed"
           " policy-violation remote-connection-failed reset resource-constraint restricted-xml see-other-host"
           " system-shutdown undefined-condition unsupported-encoding unsupported-feature unsupported-stanza-type"
           " unsupported-version").split()
XML = "http://www.w3.org/XML/1998/namespace"
OURS = "s2spec"  # attributes of a pattern that speak about it: s:only='yes', no other children than these
PROLOGUE = f"<stream:stream xmlns='{SERVER}' xmlns:stream='{STREAMS}' xmlns:db='{DIALBACK}' xmlns:s='{OURS}'>"


class Element:
    def __init__(self, name, attrs):
        self.name, self.attrs, self.children, self.text = name, attrs, [], ""

    def __str__(self):
        attrs = "".join(f" {k}='{v}'" for k, v in self.attrs.items())
        inside = "".join(map(str, self.children)) + self.text
        return f"<{self.name}{attrs}>{inside}</>"


class Reader:
    """Cuts a byte stream into ('head', Element), ('element', Element), ('end', None).

    A header has attributes of ours too: xml (the version its declaration says), standalone, xmlns:PREFIX."""

    def __init__(self):
        self.items = []
        self.restart()

    def restart(self):
        self.stack, self.rest, self.declared = [], b"", {}
        self.parser = xml.parsers.expat.ParserCreate("UTF-8", " ")
        if hasattr(self.parser, "SetReparseDeferralEnabled"):
            self.parser.SetReparseDeferralEnabled(False)
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartNamespaceDeclHandler = self._namespace

    def feed(self, data):
        try:
            self.parser.Parse(data, False)
        except xml.parsers.expat.ExpatError as error:
            self.items.append(("broken", str(error) + ": " + repr(data[:200])))

    def _declaration(self, version, _encoding, standalone):
        self.declared["xml"] = version
        if standalone >= 0:
            self.declared["standalone"] = "yes" if standalone else "no"

    def _namespace(self, prefix, uri):
        if not self.stack:
            self.declared[f"xmlns:{prefix}" if prefix else "xmlns"] = uri

    def _start(self, name, attrs):
        element = Element(name, attrs)
        if not self.stack:
            element.attrs.update(self.declared)
            self.items.append(("head", element))
        self.stack.append(element)

    def _end(self, _name):
        element = self.stack.pop()
        if not self.stack:
            self.items.append(("end", None))
        elif len(self.stack) == 1:
            self.items.append(("element", element))
        else:
            self.stack[-1].children.append(element)

    def _text(self, text):
        if len(self.stack) > 1:
            self.stack[-1].text += text


def pattern(text):
    """The element a pattern line describes."""
    reader = Reader()
    reader.feed((PROLOGUE + text).encode())
    found = [item for kind, item in reader.items if kind == "element"]
    if len(found) != 1:
        raise ValueError(f"not one element: {text}: {reader.items[-1]}")
    return found[0]


def head_pattern(words):
    attrs = {}
    for word in words:
        name, _, value = word.partition("=")
        attrs[XML + " lang" if name in ("lang", "xml:lang") else name] = value
    return Element(STREAMS + " stream", attrs)


def value_fits(want, got, names):
    if want == "*":
        return got is not None
    if want == "-":
        return got is None
    found = re.fullmatch(r"\$(\w+)", want)
    if found and found.group(1) not in names:
        if got is None:
            return False
        names[found.group(1)] = got
        return True
    return re.sub(r"\$(\w+)", lambda m: names.get(m.group(1), m.group(0)), want) == got


def element_fits(want, got, names):
    """'' when it fits, else why not."""
    if want.name != got.name:
        return f"wanted {want.name}, got {got}"
    for name, value in want.attrs.items():
        if not name.startswith(OURS + " ") and not value_fits(value, got.attrs.get(name), names):
            return f"attribute {name} should be {value}: {got}"
    text = want.text.strip()
    if text and not value_fits(text, got.text.strip(), names):
        return f"text should be {text}: {got}"
    if want.attrs.get(OURS + " only") == "yes" and len(want.children) != len(got.children):
        return f"no other children should be there: {got}"
    return children_fit(want, got, names)


def children_fit(want, got, names):
    """Each child wanted is there, in that order; the order of stream features has no meaning (RFC 6120 4.3.2)."""
    rest, ordered = list(got.children), want.name != STREAMS + " features"
    for child in want.children:
        at = next((i for i, c in enumerate(rest) if c.name == child.name), None)
        if at is None:
            return f"no child {child}: {got}"
        why = element_fits(child, rest[at], names)
        if why:
            return why
        rest = rest[at + 1:] if ordered else rest[:at] + rest[at + 1:]
    return ""


def error_is_valid(error):
    """'' when a stream error keeps to RFC 6120 4.9.2: one defined condition, one text, one element of somebody's own."""
    conditions = [c for c in error.children if c.name.startswith(CONDITIONS + " ") and not c.name.endswith(" text")]
    texts = [c for c in error.children if c.name == CONDITIONS + " text"]
    if len(conditions) != 1:
        return f"{len(conditions)} conditions in a stream error: {error}"
    if conditions[0].name.split(" ")[1] not in DEFINED:
        return f"not a defined condition: {error}"
    if len(texts) > 1 or len(error.children) - len(texts) > 2:
        return f"too much in a stream error: {error}"
    return ""
