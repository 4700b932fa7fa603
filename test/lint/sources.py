"""Checks which only read files. Each returns a list of complaints, "path:line: what"; an empty
list is a pass. All take (path, text) pairs, so that run.py can show them a bad example first."""

import os
import re
from pathlib import PurePosixPath

import csource
import tree

# ---- rooms --------------------------------------------------------------------------------------

MAY_INCLUDE = {
    "s2s": {"s2s"},
    "io": {"io", "s2s"},
    "fed": {"fed", "s2s"},
    "app": {"app", "io", "fed", "s2s"},
}

# Headers from outside which would let the clock, the network or a thread into a room that must
# not know them. (Their symbols are checked too: objects.py.)
OUTSIDE = {
    "s2s": re.compile(r"^(uv|unbound|yaml|jansson|pthread|time|unistd|errno|fcntl|netdb|poll|"
                      r"signal|threads)\.h$|^(sys|openssl|ldns|arpa|netinet|net|uv|curl)/"),
    "fed": re.compile(r"^(uv|unbound|yaml|jansson|pthread|time|unistd|errno|fcntl|netdb|poll|"
                      r"signal|threads|expat)\.h$|^(sys|openssl|ldns|arpa|netinet|net|uv|curl)/"),
    "io": re.compile(r"^(yaml|jansson|expat)\.h$"),
}


def owner_of_include(path, quoted, name):
    """The room an included header belongs to, or None when it is not ours."""
    here = PurePosixPath(path).parent
    if quoted:
        near = os.path.normpath(here / name)
        if (tree.ROOT / near).exists():
            return tree.room_of(near)
    first = PurePosixPath(name).parts[0]
    if first in tree.ROOMS:
        return first
    for room in tree.ROOMS:
        if (tree.ROOT / "src" / room / name).exists() and quoted:
            return room
    return None


def room_directions(sources):
    bad = []
    for path, text in sources:
        room = tree.room_of(path)
        if room is None:
            continue
        for line, quoted, name in csource.includes(text):
            owner = owner_of_include(path, quoted, name)
            where = f"{path}:{line}"
            if owner and owner not in MAY_INCLUDE[room]:
                bad.append(f"{where}: {room} may not include {name}, which belongs to {owner}")
            elif owner == "s2s" and (room != "s2s" or path.startswith("include/")):
                if not (tree.ROOT / "include" / name).exists():
                    bad.append(f"{where}: {name} is private to src/s2s")
            elif owner is None and room in OUTSIDE and OUTSIDE[room].match(name):
                bad.append(f"{where}: {room} must not know <{name}>")
    return bad


def header_openings(sources):
    """Each header of ours opens with what it is for, what it never does, who owns it."""
    bad = []
    for path, text in sources:
        if tree.room_of(path) and path.endswith(".h"):
            opening = text.split("*/", 1)[0]
            missing = [word for word in ("For:", "Never:") if word not in opening]
            if not text.startswith("/*") or missing:
                bad.append(f"{path}:1: the opening comment lacks {' and '.join(missing)}")
    return bad


# ---- words --------------------------------------------------------------------------------------

BANNED_CALLS = re.compile(
    r"\b(strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|strtok|atoi|atol|atoll|atof"
    r"|gets|alloca|system|popen|mktemp|tmpnam|tempnam)\s*\(")


def banned_calls(sources):
    bad = []
    for path, text in sources:
        code = csource.without_noise(text)
        for number, line in enumerate(code.splitlines(), 1):
            bad += [f"{path}:{number}: {found.group(1)}() is banned here"
                    for found in BANNED_CALLS.finditer(line)]
            if re.search(r"\bNDEBUG\b", line):
                bad.append(f"{path}:{number}: asserts stay on: no NDEBUG")
    return bad


# Spelt in pieces, or this file would find itself.
FORBIDDEN_WORDS = re.compile("|".join([
    "/wo" "rk/", "/tmp/" "cw", "/ro" "ot/", r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"\bX" r"XX\b",
    r"\.lib" r"rary/", r"\bsha" r"red/[A-Za-z-]+\.md"]))


def forbidden_words(sources):
    """Paths of somebody's machine, and work put off."""
    bad = []
    for path, text in sources:
        for number, line in enumerate(text.splitlines(), 1):
            bad += [f"{path}:{number}: '{found.group(0)}' does not belong in the tree"
                    for found in FORBIDDEN_WORDS.finditer(line)]
    return bad


def text_files():
    """(path, text) of everything that is text; corpora and golden bytes are not."""
    for name in tree.files():
        if name.startswith("test/fuzz/corpus/"):
            continue
        data = (tree.ROOT / name).read_bytes()
        if b"\0" not in data:
            yield name, data.decode("utf-8", "replace")


# ---- sizes --------------------------------------------------------------------------------------

LONGEST_FUNCTION = 80
LONGEST_FILE = 800


def function_sizes(sources):
    """(complaints, lengths of all functions)"""
    bad, lengths = [], []
    for path, text in sources:
        try:
            found = csource.functions(text)
        except csource.Lost as why:
            bad.append(f"{path}: its functions cannot be measured: {why}")
            continue
        lengths += [function.lines for function in found]
        bad += [f"{path}:{function.first}: {function.name}() has {function.lines} lines,"
                f" more than {LONGEST_FUNCTION}"
                for function in found if function.lines > LONGEST_FUNCTION]
    return bad, lengths


def file_sizes(sources):
    """(complaints, lengths of all files)"""
    lengths = {path: text.count("\n") for path, text in sources}
    bad = [f"{path}: {lines} lines, more than {LONGEST_FILE}"
           for path, lines in lengths.items() if lines > LONGEST_FILE]
    return bad, list(lengths.values())


def spread(lengths):
    """"median 12, 90th percentile 40, longest 71 of 310" """
    if not lengths:
        return "none"
    ranked = sorted(lengths)
    return (f"median {ranked[len(ranked) // 2]}, "
            f"90th percentile {ranked[min(len(ranked) - 1, len(ranked) * 9 // 10)]}, "
            f"longest {ranked[-1]} of {len(ranked)}")
