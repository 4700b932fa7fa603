"""What came of the cases: for people, as JSON, as JUnit's XML."""
import json
import xml.etree.ElementTree as ET

from case import DIFFERS, FAILED, NOT_OFFERED, NOT_POSSIBLE, PASSED
from dialogue import SECTIONS

RESULTS = (PASSED, DIFFERS, FAILED, NOT_OFFERED, NOT_POSSIBLE)
MARKS = {PASSED: "ok", DIFFERS: "differs", FAILED: "FAILED", NOT_OFFERED: "not offered", NOT_POSSIBLE: "not possible"}
WIDTH = 11


def printable(text):
    """Without what XML 1.0 and terminals do not take."""
    return "".join(c if c == "\t" or " " <= c < "\x7f" or "\xa0" <= c < "\ud800" or "\ue000" <= c < "\ufffe"
                   else f"\\u{ord(c):04x}" for c in text)


def line(outcome):
    text = f"{MARKS[outcome.result]:12} {outcome.section:14} {outcome.name}: {outcome.title}"
    return printable(text)


def block(outcome):
    """The whole record of a case."""
    lines = [f"    paragraphs  {outcome.paragraphs or 'practice'}"]
    lines += [f"    {kind:10}  {conn}  {printable(text)}" for kind, conn, text in outcome.record]
    if outcome.why:
        lines.append(f"    {outcome.result:10}  {printable(outcome.why)}")
    return "\n".join(lines)


def counts(outcomes):
    """section -> result -> how many, in the order of the sections, only those with cases."""
    table = {}
    for section in SECTIONS:
        of = [o for o in outcomes if o.section == section]
        if of:
            table[section] = {result: sum(o.result == result for o in of) for result in RESULTS}
    return table


def summary(outcomes):
    rows = list(counts(outcomes).items())
    rows.append(("all", {result: sum(o.result == result for o in outcomes) for result in RESULTS}))
    head = f"{'section':14}" + "".join(f"{result:>{max(WIDTH, len(result) + 2)}}" for result in RESULTS)
    lines = [head]
    for section, row in rows:
        lines.append(f"{section:14}" + "".join(f"{row[r]:>{max(WIDTH, len(r) + 2)}}" for r in RESULTS))
    return "\n".join(lines)


def as_json(setting, outcomes):
    return json.dumps({
        "server": ":".join(map(str, setting.server)), "domain": setting.domains[0],
        "offered": sorted(k for k, v in setting.offered.items() if v),
        "sections": counts(outcomes),
        "cases": [{"name": o.name, "section": o.section, "title": o.title, "rows": o.rows,
                   "paragraphs": o.paragraphs, "result": o.result, "why": o.why, "seconds": round(o.seconds, 3),
                   "record": [{"what": k, "connection": c, "text": t} for k, c, t in o.record]}
                  for o in outcomes]}, indent=1)


def as_junit(setting, outcomes):
    suites = ET.Element("testsuites", name="s2spec")
    for section in counts(outcomes):
        of = [o for o in outcomes if o.section == section]
        skipped = sum(o.result in (NOT_OFFERED, NOT_POSSIBLE) for o in of)
        suite = ET.SubElement(suites, "testsuite", name=section, tests=str(len(of)), errors="0",
                              failures=str(sum(o.result == FAILED for o in of)), skipped=str(skipped),
                              hostname=str(setting.server[0]), time=f"{sum(o.seconds for o in of):.3f}")
        for outcome in of:
            case = ET.SubElement(suite, "testcase", name=outcome.name, classname=f"s2spec.{section}",
                                 time=f"{outcome.seconds:.3f}")
            if outcome.result == FAILED:
                ET.SubElement(case, "failure", message=printable(outcome.why)).text = block(outcome)
            elif outcome.result in (NOT_OFFERED, NOT_POSSIBLE):
                ET.SubElement(case, "skipped", message=printable(f"{outcome.result}: {outcome.why}"))
            elif outcome.result == DIFFERS:
                ET.SubElement(case, "system-out").text = f"differs: {printable(outcome.why)}"
    return ET.tostring(suites, encoding="unicode", xml_declaration=True)
