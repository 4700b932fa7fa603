"""RESULTS.md: the four columns, every case, and what was found when a failure was looked at by hand."""
import os

HERE = os.path.dirname(os.path.realpath(__file__))
SIGNS = {"passed": "pass", "differs": "differs", "failed": "**fail**", "not offered": "–", "not possible": "n/p"}

HEAD = """# s2spec against four servers

Written by `./dev spec`. Each server runs in a network namespace of its own with throw-away settings: our authority is
believed, dialback is allowed, TLS required, limits of rate off. Behind Causeway stands `inner.py`.

- **pass**: does what the case asks.
- **differs**: does not follow a recommendation (SHOULD, or practice), or does what a MUST asks for in other words than
  the standard's, such as another condition in a stream error.
- **fail**: does not do what a MUST asks for.
- –: does not offer what the case is about; n/p: the case is not possible with this set-up.

Where a server passes n of m, m is what was played. The whole record of each case: `./dev spec --json DIR`.
"""
LOOKED_AT = """
## Failures, looked at by hand

What was sent and what came was read for each of these, to be sure that the server is wrong and not the suite.
"""


def failed(found):
    return [c["name"] for c in found["cases"] if c["result"] == "failed"]


def by_section(found, section):
    row = found["sections"].get(section, {})
    played = sum(row.get(k, 0) for k in ("passed", "differs", "failed"))
    if not played:
        return "–"
    more = [f"{row[k]} {k}" for k in ("differs", "failed") if row.get(k)]
    return f"{row['passed']}/{played}" + (f" ({', '.join(more)})" if more else "")


def total(found):
    sums = {k: sum(row.get(k, 0) for row in found["sections"].values()) for k in ("passed", "differs", "failed")}
    return f"**{sums['passed']}/{sum(sums.values())}** ({sums['differs']} differs, {sums['failed']} failed)"


def table(found):
    titles = [title for title, _ in found.values()]
    sections = list(dict.fromkeys(s for _, data in found.values() for s in data["sections"]))
    lines = ["| section | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for section in sections:
        lines.append(f"| {section} | " + " | ".join(by_section(data, section) for _, data in found.values()) + " |")
    lines.append("| all | " + " | ".join(total(data) for _, data in found.values()) + " |")
    lines.append("| offers | " + " | ".join(", ".join(data["offered"]) for _, data in found.values()) + " |")
    return "\n".join(lines)


def cases(found):
    """Every case, a column for each server."""
    lines = ["", "## Every case", "", "| section | case | paragraphs | " + " | ".join(t for t, _ in found.values()) + " |",
             "|---" * (len(found) + 3) + "|"]
    results = [{c["name"]: c["result"] for c in data["cases"]} for _, data in found.values()]
    for case in next(iter(found.values()))[1]["cases"]:
        signs = " | ".join(SIGNS[r[case["name"]]] for r in results)
        lines.append(f"| {case['section']} | {case['name']} | {' '.join(case['rows'])} | {signs} |")
    return "\n".join(lines)


def notes():
    """(server, case) -> what was found."""
    said = {}
    with open(os.path.join(HERE, "notes.txt"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                servers, names, text = line.rstrip("\n").split(" | ", 2)
                said.update({(s, n): text for s in servers.split() for n in names.split()})
    return said


def failures(found):
    lines, said = [LOOKED_AT], notes()
    for server, (title, data) in found.items():
        names = failed(data)
        lines.append(f"\n### {title}\n")
        if not names:
            lines.append("No case failed.")
        texts = {}
        for name in names:
            texts.setdefault(said.get((server, name), "**not looked at yet**"), []).append(name)
        lines += [f"- {', '.join(group)}: {text}" for text, group in texts.items()]
    return "\n".join(lines)


def write(path, found):
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD + "\n" + table(found) + "\n" + failures(found) + "\n" + cases(found) + "\n")
