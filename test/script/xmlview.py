"""What a stream said, cut into items, and patterns that fit them."""
import re
import xml.parsers.expat

STREAMS = "http://etherx.jabber.org/streams"
SERVER = "jabber:server"
DIALBACK = "jabber:server:dialback"
XML = "http://www.w3.org/XML/1998/namespace"
PROLOGUE = (f"<stream:stream xmlns='{SERVER}' xmlns:stream='{STREAMS}' xmlns:db='{DIALBACK}'>")


class Element:
    def __init__(self, name, attrs):
        self.name, self.attrs, self.children, self.text = name, attrs, [], ""

    def __str__(self):
        attrs = "".join(f" {k}='{v}'" for k, v in self.attrs.items())
        inside = "".join(map(str, self.children)) + self.text
        return f"<{self.name}{attrs}>{inside}</>"


class Reader:
    """Cuts a byte stream into ('head', Element), ('element', Element), ('end', None)."""

    def __init__(self):
        self.items = []
        self.restart()

    def restart(self):
        self.stack, self.rest = [], b""
        self.parser = xml.parsers.expat.ParserCreate("UTF-8", " ")
        if hasattr(self.parser, "SetReparseDeferralEnabled"):
            self.parser.SetReparseDeferralEnabled(False)
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def feed(self, data):
        try:
            self.parser.Parse(data, False)
        except xml.parsers.expat.ExpatError as error:
            self.items.append(("broken", str(error) + ": " + repr(data[:200])))

    def _start(self, name, attrs):
        element = Element(name, attrs)
        if not self.stack:
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
        if not value_fits(value, got.attrs.get(name), names):
            return f"attribute {name} should be {value}: {got}"
    text = want.text.strip()
    if text and not value_fits(text, got.text.strip(), names):
        return f"text should be {text}: {got}"
    rest = list(got.children)
    for child in want.children:
        while rest and rest[0].name != child.name:
            rest.pop(0)
        if not rest:
            return f"no child {child}: {got}"
        why = element_fits(child, rest.pop(0), names)
        if why:
            return why
    return ""
