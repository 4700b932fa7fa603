"""RESULTS.md: the four columns, and what of them surprises."""
SIGNS = {"passed": "pass", "differs": "differs", "failed": "**fail**", "not offered": "–", "not possible": "n/p"}


def failed(found):
    return [c["name"] for c in found["cases"] if c["result"] == "failed"]


def by_section(found, section):
    row = found["sections"].get(section, {})
    played = row.get("passed", 0) + row.get("differs", 0) + row.get("failed", 0)
    text = f"{row.get('passed', 0)}/{played}"
    more = [f"{row[k]} {k}" for k in ("differs", "failed") if row.get(k)]
    return text + (f" ({', '.join(more)})" if more else "")


def table(found):
    titles = [title for title, _ in found.values()]
    sections = list(dict.fromkeys(s for _, data in found.values() for s in data["sections"]))
    lines = ["| section | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for section in sections:
        lines.append(f"| {section} | " + " | ".join(by_section(data, section) for _, data in found.values()) + " |")
    return "\n".join(lines)


def write(path, found):
    with open(path, "w", encoding="utf-8") as file:
        file.write(table(found) + "\n")
