"""The checklist: its rows, and from the name of one to the paragraph it comes from."""
import os
import re
from functools import lru_cache

BINDING = ("MUST", "REQUIRED", "SHALL")


@lru_cache(None)
def checklist(path=os.path.join(os.path.dirname(os.path.realpath(__file__)), "checklist.txt")):
    """row -> (section, level, requirement), in the checklist's order."""
    rows, section = {}, ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("## "):
                section = line[3:].strip()
            elif " | " in line and not line.startswith("#"):
                name, level, text = line.rstrip("\n").split(" | ", 2)
                rows[name] = (section, level, text)
    return rows


def binds(row):
    """Whether the standard demands it, or only recommends it."""
    return any(word in checklist()[row][1] for word in BINDING)


def paragraph(row):
    """R6120-4.7.5-a is RFC 6120 section 4.7.5; X0220-2.2.1-a is XEP-0220 section 2.2.1; prac-... is practice."""
    found = re.match(r"(R|X)(\d{4})(?:-(A\.\d+|\d+(?:\.\d+)*))?(?:-\w+)?$", row)
    if not found:
        return "practice"
    letter, number, section = found.groups()
    text = f"RFC {number}" if letter == "R" else f"XEP-{number}"
    if not section:
        return text
    return f"{text} {'appendix' if section.startswith('A') else 'section'} {section}"


def paragraphs(rows):
    """Those of several rows, each once."""
    return "; ".join(dict.fromkeys(f"{paragraph(row)} ({row})" for row in rows))
