"""Just enough understanding of C source for lint: text without comments and strings, includes,
and where functions begin and end. It counts braces; it is no parser, and says so when it is lost.
"""

import re
from dataclasses import dataclass

# A string, a character or a comment, whichever begins first.
NOISE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


class Lost(Exception):
    """The braces of a file do not balance: nothing can be said about its functions."""


@dataclass
class Function:
    name: str
    first: int  # line of its first word
    last: int  # line of its closing brace
    lines: int  # from first to last, without the rows of tables inside


def blank(match):
    """As many lines as before, and nothing else in them."""
    return re.sub(r"[^\n]", " ", match.group(0))


def without_noise(text):
    """The text with comments, strings and characters blanked; line numbers stay."""
    return NOISE.sub(blank, text)


def includes(text):
    """(line, is quoted, name) of each #include. Comments are taken out, names are not."""
    bare = re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.DOTALL)
    return [(bare.count("\n", 0, found.start()) + 1, found.group(1) == '"', found.group(2))
            for found in INCLUDE.finditer(bare)]


def functions(text):
    """All functions of a file with their lengths. Tables at file scope are not functions, and a
    table inside one (`= { ... }`) counts as one line: it is data, read like a list."""
    code = DIRECTIVE.sub(blank, without_noise(text))
    line_of = _line_counter(code)
    found, depth, start, header = [], 0, 0, None
    table_depth, table_line, table_rows = None, 0, 0
    for at, char in _marks(code):
        if char == ";" and depth == 0:
            start = at + 1
        elif char == "{":
            before = code[start:at].strip()
            if depth == 0:
                header, table_rows = _function_name(before), 0
                first = line_of(start + len(code[start:at]) - len(code[start:at].lstrip()))
            elif header and table_depth is None and code[:at].rstrip().endswith("="):
                table_depth, table_line = depth, line_of(at)
            depth += 1
        elif char == "}":
            depth -= 1
            if depth < 0:
                raise Lost(f"line {line_of(at)}: a closing brace too many")
            if depth == table_depth:
                table_rows += line_of(at) - table_line
                table_depth = None
            if depth == 0:
                start = at + 1
                if header:
                    last = line_of(at)
                    found.append(Function(header, first, last, last - first + 1 - table_rows))
                header = None
    if depth != 0:
        raise Lost("a brace is never closed")
    return found


def _marks(code):
    return ((found.start(), found.group(0)) for found in re.finditer(r"[{};]", code))


def _line_counter(code):
    ends = [found.start() for found in re.finditer("\n", code)]

    def line_of(at):
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high) // 2
            if ends[middle] < at:
                low = middle + 1
            else:
                high = middle
        return low + 1

    return line_of


def _function_name(before):
    """The name of the function whose head this text is, or None: a head has a list of parameters
    and assigns nothing; a struct or an enum has no list."""
    if "=" in before or re.match(r"(typedef\s+)?(struct|union|enum)\b[^()]*$", before):
        return None
    named = re.search(r"(\w+)\s*\([^{}]*\)\s*(\w+\s*)*$", before)
    names = re.findall(r"(\w+)\s*\(", before)
    if not named or not names:
        return None
    return next((name for name in names if name != "__attribute__"), None)
