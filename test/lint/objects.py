"""Checks on what the compiler made: symbols, variables, hardening. They look at a plain release
build (preset lint-gcc); sanitizers and fortify would add names of their own."""

import fnmatch
import re
import subprocess

import tree

HERE = tree.ROOT / "test/lint"


def output_of(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=True).stdout


def symbols(archive):
    """(defined, undefined) names of an archive, as sets; what its members give each other is not
    undefined."""
    defined, undefined = set(), set()
    for line in output_of("nm", "-P", archive).splitlines():
        words = line.split()
        if len(words) < 2 or line.endswith(":"):
            continue
        if words[1] in "Uwv":
            undefined.add(words[0])
        elif words[1].isupper():
            defined.add(words[0])
    return defined, undefined - defined


def allow_list(path):
    lines = path.read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def outside_symbols(archive, allowed, also=frozenset()):
    """Complaints about names which an archive takes from outside and may not."""
    _, undefined = symbols(archive)
    return [f"{archive.name}: uses {name}, which is not on its allow-list"
            for name in sorted(undefined - set(also))
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed)]


# address, flags (7 characters: 'O' object is the last), section, size, name
ROW = re.compile(r"^[0-9a-f]+ .{6}O (\S+)\s+[0-9a-f]+\s+(.*)$")
COMMON = re.compile(r"^[0-9a-f]+ .{7} \*COM\*\s+[0-9a-f]+\s+(.*)$")


def mutable_variables(archive):
    """Complaints about variables that live as long as the process and can change."""
    bad = []
    for line in output_of("objdump", "-t", archive).splitlines():
        row = ROW.match(line)
        if row and re.match(r"\.(data|bss|tdata|tbss)(\.|$)", row.group(1)):
            if not row.group(1).startswith(".data.rel.ro"):
                bad.append(f"{archive.name}: {row.group(2)} is a mutable variable")
        common = COMMON.match(line)
        if common:
            bad.append(f"{archive.name}: {common.group(1)} is a mutable variable")
    return bad


def hardening(program):
    """Complaints about an installed program which lacks a protection."""
    header = output_of("readelf", "-hW", program)
    segments = output_of("readelf", "-lW", program)
    dynamic = output_of("readelf", "-dW", program)
    names = output_of("nm", "-D", program)
    wanted = {
        "position independent (PIE)": re.search(r"Type:\s+DYN", header),
        "RELRO": "GNU_RELRO" in segments,
        "bound at start (BIND_NOW)": re.search(r"BIND_NOW|\bNOW\b", dynamic),
        "without an executable stack": re.search(r"GNU_STACK.*\sRW\s", segments),
        "with stack protector": "__stack_chk_fail" in names,
        "fortified": re.search(r"__\w+_chk\b", names.replace("__stack_chk", "")),
    }
    return [f"{program.name} is not {what}" for what, found in wanted.items() if not found]
