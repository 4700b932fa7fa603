#!/usr/bin/python3
"""The lint suite (TAP). Each rule is first shown a bad example it must notice, then the tree."""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import csource
import objects
import sources
import tree

HERE = Path(__file__).resolve().parent
FIXTURES = HERE / "fixtures"
JOBS = os.cpu_count() or 2
WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wstrict-prototypes",
            "-Wmissing-prototypes", "-Wvla", "-Werror")


class Tap:
    """Numbers the tests and remembers whether one failed."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def test(self, name, complaints, notes=()):
        self.count += 1
        self.failed += bool(complaints)
        for note in notes:
            print(f"# {note}")
        for complaint in complaints[:40]:
            print(f"# {complaint}")
        if len(complaints) > 40:
            print(f"# and {len(complaints) - 40} more")
        print(f"{'not ok' if complaints else 'ok'} {self.count} - {name}", flush=True)

    def notices(self, name, complaints, expected):
        """A rule was shown a bad example: it must have complained of exactly `expected`."""
        wrong = [] if len(complaints) == expected else [
            f"{len(complaints)} complaints, expected {expected}: {complaints}"]
        self.test(f"lint notices {name}", wrong)

    def finish(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def command(*words, **more):
    """(status, output) of a command; a missing program is a status too."""
    try:
        done = subprocess.run([str(word) for word in words], cwd=tree.ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    except FileNotFoundError as why:
        return 127, str(why)
    return done.returncode, done.stdout


# ---- the rules ----------------------------------------------------------------------------------


def check_rooms(tap, c_sources):
    bad = (FIXTURES / "words.c").read_text()
    # As a file of io/ the same text breaks one rule, as one of s2s/ two: fed/, and a socket.
    tap.notices("a wrong room", sources.room_directions(
        [("src/io/words.c", bad), ("src/s2s/words.c", bad)]), 3)
    tap.test("rooms include only what they may", sources.room_directions(c_sources))
    tap.notices("a header that says nothing", sources.header_openings(
        [("src/io/mute.h", "#pragma once\n")]), 1)
    tap.test("headers say what they are for", sources.header_openings(c_sources))


def check_words(tap, c_sources):
    bad = (FIXTURES / "words.c").read_text()
    tap.notices("a banned call", sources.banned_calls([("words.c", bad)]), 1)
    tap.test("no banned calls", sources.banned_calls(c_sources))
    words = "a path: /ro" + "ot/x\n" + "TO" + "DO later\n" + "mkstemp: XXXX" + "XX\n"
    tap.notices("a forbidden word", sources.forbidden_words([("a", words)]), 2)
    tap.test("no forbidden words in the tree", sources.forbidden_words(sources.text_files()))


def check_measuring(tap):
    """The ruler itself: known functions of known lengths, then one that is too long."""
    text = (FIXTURES / "sizes.c").read_text()
    got = [(function.name, function.lines) for function in csource.functions(text)]
    want = [("short_one", 7), ("gives_struct", 5)]
    tap.test("functions are found and measured", [] if got == want else [f"{got} is not {want}"])
    long_one = "int f(int a)\n{\n" + "    a++;\n" * 77 + "    return a;\n}\n"
    just, over = long_one.replace("    a++;\n", "", 1), long_one
    tap.notices("a function of 81 lines, not of 80",
                sources.function_sizes([("80.c", just), ("81.c", over)])[0], 1)
    tap.notices("a file of 801 lines, not of 800",
                sources.file_sizes([("800.c", "\n" * 800), ("801.c", "\n" * 801)])[0], 1)
    tap.notices("a file it cannot measure", sources.function_sizes([("x.c", "int f(void) {")])[0], 1)


def check_sizes(tap, c_sources):
    check_measuring(tap)
    notes, complaints = [], []
    for what, prefix in (("product", ("src/", "include/")), ("tests", ("test/", "bench/"))):
        part = [(path, text) for path, text in c_sources if path.startswith(prefix)]
        bad, lengths = sources.function_sizes(part)
        complaints += bad
        notes.append(f"functions of the {what}: {sources.spread(lengths)} (lines)")
    tap.test("no function is longer than 80 lines", complaints, notes)
    measured = [(name, tree.read(name)) for name in tree.files()
                if name.endswith((".c", ".h", ".def", ".py", ".cmake", ".sh")) or name == "dev"]
    bad, lengths = sources.file_sizes(measured)
    tap.test("no file is longer than 800 lines", bad, [f"files: {sources.spread(lengths)} (lines)"])


def build(preset, *targets):
    """Complaints of building a preset; all of its errors, not only the first."""
    status, output = command("cmake", "--preset", preset)
    if status == 0:
        status, output = command("ninja", "-C", f"build/{preset}", "-k", "0", *targets)
    if status == 0:
        return []
    lines = [line for line in output.splitlines()
             if re.search(r"error:|^FAILED|undefined reference|multiple definition", line)]
    return lines or output.splitlines()[-20:]


def compile_commands(preset):
    path = tree.ROOT / "build" / preset / "compile_commands.json"
    return json.loads(path.read_text()) if path.exists() else []


def check_warnings(tap):
    for preset, compiler in (("lint-gcc", "gcc"), ("lint-clang", "clang-14")):
        status, output = command(compiler, "-std=c11", *WARNINGS[:-1], "-fsyntax-only",
                                 FIXTURES / "warnings.c")
        missing = [flag for flag in ("shadow", "conversion", "strict-prototypes",
                                     "missing-prototypes", "vla") if flag not in output]
        tap.test(f"{compiler} notices a bad example",
                 [f"no warning of -W{flag}" for flag in missing] if status == 0 else [output])
        tap.test(f"builds without a warning with {compiler}", build(preset))
        entries = compile_commands(preset)
        lax = [f"{entry['file']} is compiled without {flag}" for entry in entries
               for flag in WARNINGS if flag not in entry["command"].split()]
        tap.test(f"all warnings are on with {compiler}", lax if entries else ["nothing is built"])


def compiled_example(folder):
    """An archive in `folder` made of the bad example, for the checks on objects."""
    for words in (["gcc", "-O2", "-fPIC", "-w", "-fcommon", "-c", "-o", folder / "words.o",
                   "-include", "string.h", "-I", FIXTURES / "include", FIXTURES / "words.c"],
                  ["ar", "rcs", folder / "libwords.a", folder / "words.o"]):
        status, output = command(*words)
        if status != 0:
            raise SystemExit(f"Bail out! {output}")
    return folder / "libwords.a"


def archive(room):
    return tree.ROOT / f"build/lint-gcc/src/{room}/lib{room}.a"


def check_symbols(tap):
    allowed = {room: objects.allow_list(HERE / f"allow-{room}.txt") for room in ("s2s", "fed")}
    with tempfile.TemporaryDirectory(prefix="causeway-lint-") as folder:
        bad = compiled_example(Path(folder))
        tap.notices("a symbol from outside", objects.outside_symbols(bad, allowed["fed"]), 1)
        tap.notices("mutable variables", objects.mutable_variables(bad), 2)
    missing = [f"{room} has no archive: it did not build" for room in ("s2s", "io", "fed")
               if not archive(room).exists()]
    if missing:
        tap.test("rooms are built", missing)
        return
    tap.test("s2s takes nothing from outside but its allow-list",
             objects.outside_symbols(archive("s2s"), allowed["s2s"]))
    core, _ = objects.symbols(archive("s2s"))
    tap.test("fed takes nothing from outside but its allow-list",
             objects.outside_symbols(archive("fed"), allowed["fed"], core))
    tap.test("no mutable variables outside app", [
        complaint for room in ("s2s", "io", "fed")
        for complaint in objects.mutable_variables(archive(room))])


def check_hardening(tap):
    program = tree.ROOT / "build/release/src/app/causeway"
    plain = tree.ROOT / "build/lint-gcc/src/app/causeway"
    if plain.exists():
        tap.notices("a program without hardening", [
            complaint for complaint in objects.hardening(plain) if "fortified" in complaint], 1)
    bad = build("release", "causeway")
    tap.test("the release build is hardened",
             bad or (objects.hardening(program) if program.exists() else ["it was not built"]))


def check_format(tap):
    tool = ("clang-format-14", "--dry-run", "-Werror", "--style=file")
    status, output = command(*tool, FIXTURES / "unformatted.c")
    tap.test("lint notices a wrong format", [] if "code should be clang-formatted" in output and
             status != 0 else [f"status {status}: {output[:300]}"])
    status, output = command(*tool, *tree.c_files())
    files = sorted({line.split(":")[0] for line in output.splitlines() if "error:" in line})
    tap.test("clang-format has nothing to change (./dev format)",
             [] if status == 0 else files or [output[:300]])


def tidy(path):
    status, output = command("clang-tidy-14", "--quiet", "-p", "build/lint-clang", path)
    if status == 0:
        return []
    found = [line for line in output.splitlines() if "error:" in line]
    return [line.replace(f"{tree.ROOT}/", "") for line in found] or [output[-500:]]


def check_tidy(tap):
    status, output = command("clang-tidy-14", "--quiet", FIXTURES / "tidy.c", "--", "-std=c11")
    tap.test("clang-tidy notices a bad example",
             [] if status != 0 and "bugprone" in output else [output[-300:]])
    paths = sorted({entry["file"] for entry in compile_commands("lint-clang")
                    if f"{tree.ROOT}/src/" in entry["file"]})
    with ThreadPoolExecutor(JOBS) as pool:
        complaints = [line for found in pool.map(tidy, paths) for line in found]
    tap.test("clang-tidy has nothing to say", sorted(set(complaints)) if paths
             else ["no file to look at"])


def check_scripts(tap):
    bad = []
    for name in tree.files():
        text = tree.read(name) if name.endswith((".py", ".sh")) or name in ("dev", ".ci/run") else ""
        if name.endswith(".py"):
            try:
                compile(text, name, "exec")
            except SyntaxError as why:
                bad.append(f"{name}:{why.lineno}: {why.msg}")
        elif text:
            status, output = command("bash", "-n", tree.ROOT / name)
            bad += output.splitlines() if status else []
        if text.startswith("#!") and "python" in text.splitlines()[0]:
            if text.splitlines()[0] != "#!/usr/bin/python3":
                bad.append(f"{name}:1: Debian's Python is /usr/bin/python3")
    tap.test("scripts can be read by their shells", bad)


def main():
    tap = Tap()
    c_sources = [(name, tree.read(name)) for name in tree.c_files()]
    check_rooms(tap, c_sources)
    check_words(tap, c_sources)
    check_sizes(tap, c_sources)
    check_scripts(tap)
    check_format(tap)
    check_warnings(tap)
    check_symbols(tap)
    check_hardening(tap)
    check_tidy(tap)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
