#!/usr/bin/python3
"""What a benchmark's results become: ratios of the same round, verdicts that can be missed, drawings
that are XML and hold every program."""

import re
import sys
import tempfile
import xml.dom.minidom
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))
sys.dont_write_bytecode = True

import figures as figures_of  # noqa: E402
import musts  # noqa: E402  (found through the lines above)
import plots  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402


LINKS = {"in-external": [{"round": 1, "ratio": 1.4, "cpu_per_thousand": 1.4,
                          "bare_per_thousand": 1.0, "per_second": 500.0,
                          "setup_ms": {"p50": 10.0, "p99": 20.0}}]}


def figures(number, cpu, rate=0, p99=300.0):
    return {"round": number, "cpu_per_million": cpu, "per_second": 200_000.0, "rate": rate,
            "window": 256, "stanzas": 1000, "mean_octets": 486.0, "rss_kb": 10_000,
            "lost": 0, "doubled": 0, "swapped": 0, "changed": 0,
            "latency_us": {"p50": 100.0, "p99": p99, "p999": 900.0},
            "latency_rest_us": [[1, 50.0], [0.5, 100.0], [0.1, 200.0], [0.01, p99],
                                [0.001, 900.0], [0, 1000.0]]}


def results():
    """Causeway costs 1.2 of the relay and slows down with the rounds, as the relay does."""
    rounds = (1, 2, 3)
    base = {"causeway": 4.8, "relay": 4.0, "bytes": 1.0, "haproxy": 1.5, "jabberd2": 20.0,
            "ejabberd": 20.0, "prosody": 100.0}
    closed = {name: [figures(n, cpu * n) for n in rounds] for name, cpu in base.items()}
    pair = ("causeway", "relay")
    return {"record-1": closed, "out-1": closed,
            "record-1000": {name: [figures(n, 2 * base[name] * n) for n in rounds]
                            for name in pair},
            "pairs-10000": {"causeway": [figures(n, 3 * base["causeway"] * n) for n in rounds],
                            "relay": []},
            "rate-1000": {"causeway": [figures(n, 50, 1000, 700.0) for n in rounds],
                          "relay": [figures(n, 50, 1000) for n in rounds]}}


def whole():
    return {"date": "2026-01-01", "quick": True, "pinned": None, "notes": {"prosody": "is <away>"},
            "faults": [], "links": LINKS, "links_failed": 0,
            "versions": {"haproxy": "2"},
            "seconds": 100,
            "machine": {"cpus": 2, "cpu": "x", "kernel": "6", "compiler": "gcc", "packages": {},
                        "load": 1.0, "commit": "abc"},
            "scenarios": {name: name.upper() for name in results()}, "results": results(),
            "plots": {"cost.svg": "cost"}}


def verdict(start, given=None, faults=()):
    all_of_it = {"results": given or results(), "faults": list(faults),
                 "links": LINKS}
    rows = [row for row in musts.judge(all_of_it) if row[0].startswith(start)]
    return rows[0][3] if len(rows) == 1 else f"{len(rows)} rows"


def is_drawn():
    with tempfile.TemporaryDirectory() as folder:
        written = plots.write_all(whole(), Path(folder))
        texts = {name: (Path(folder) / name).read_text() for name in written}
    for text in texts.values():
        xml.dom.minidom.parseString(text)
    numbers = re.findall(r"-?\b(?:nan|inf)\b", "".join(texts.values()))
    return (set(written) == {"cost.svg", "latency.svg", "links.svg", "domains.svg"}
            and not numbers and all(">Causeway<" in text for text in texts.values())
            and all(f">{plots.NAMES[name]}<" in texts["cost.svg"]
                    for name in results()["record-1"]))


def draws_nothing_of_nothing():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "links.svg").write_text("of an older run")
        return not plots.write_all({"results": {}}, Path(folder)) and not any(
            Path(folder).iterdir())


def one_round_is_slow():
    given = results()
    given["rate-1000"]["causeway"] = [figures(n, 50, 1000, 900.0 if n == 2 else 200.0)
                                      for n in (1, 2, 3)]
    return verdict("p99 at 1,000/s", given)


def one_lost():
    given = results()
    given["record-1"]["causeway"][1]["lost"] = 1
    return verdict("lost", given)


def runs_are_as_long():
    words = run.Scenario("x", "x", seconds=2, warm=1000).arguments(False, 0.1)
    open_loop = run.Scenario("x", "x", count=500, rate=100).arguments(True, 0.1)
    return (words[words.index("--seconds") + 1] == "2" and "--count" not in words
            and words[words.index("--warm") + 1] == "100"
            and open_loop[open_loop.index("--count") + 1] == "250")


def main():
    text = report.write_results(whole())
    checks = {
        "a ratio is of one round": figures_of.spread(figures_of.ratios(
            results()["record-1"]["causeway"], results()["record-1"]["relay"],
            report.PICKS["CPU"])) == "**1.20** 1.20..1.20",
        "rounds which only one has are left out": figures_of.ratios(
            [figures(1, 2.0), figures(2, 2.0)], [figures(2, 1.0)], report.PICKS["CPU"]) == [2.0],
        "a must that is met": verdict("CPU a stanza, a record for each stanza, 1") == "met",
        "a server's that is missed":
            verdict("CPU a stanza, a record for each, 1 link, to ejabberd") == "**missed by 20 %**",
        "a server's that is met":
            verdict("CPU a stanza, a record for each, 1 link, to prosody") == "met",
        "latency that is missed": verdict("p99 at 1,000/s") == "**missed by 56 %**",
        "pairs that cost too much":
            verdict("CPU a stanza, 1,000 links, 10,000") == "**missed by 30 %**",
        "growth no more than the relay's": verdict("CPU a stanza, 1,000 links to 1") == "met",
        "links which cost too much":
            verdict("CPU a link, in, EXTERNAL, ECDSA") == "**missed by 8 %**",
        "a median that is met, and a round that is not": one_round_is_slow()
            == "met, in 2 of 3 rounds",
        "too few stanzas of the CPU": verdict("stanzas for each second of its CPU")
            == "**missed by 42 %**",
        "enough stanzas by the clock": verdict("stanzas/s by the clock") == "met",
        "nothing lost": verdict("lost") == "met",
        "one lost": one_lost() == "**missed**",
        "a failed run is no good run":
            verdict("lost", None, [["causeway", "record-1", 1]]) == "**missed**",
        "what was not measured has no verdict": verdict("CPU a stanza, full records") == "0 rows",
        "the page holds all scenarios, notes and drawings":
            all(f"### {name.upper()}" in text for name in results())
            and "- Prosody: is <away>" in text and "![cost](plots/cost.svg)" in text,
        "a crowded machine is told of": "was busy" not in text
            and "was busy" in report.write_results(
                {**whole(), "machine": {**whole()["machine"], "load": 4.0}}),
        "links that failed are told of": "links failed" not in text
            and "**2 runs of links failed**" in report.write_results(
                {**whole(), "links_failed": 2}),
        "the page names ratios to each program":
            "| | bare relay | bytes only | haproxy | jabberd2 | ejabberd | Prosody |" in text,
        "all is drawn": is_drawn(),
        "nothing is drawn of nothing": draws_nothing_of_nothing(),
        "runs are of equal length, but in an open loop of equal count": runs_are_as_long(),
    }
    print(f"1..{len(checks)}")
    for number, (name, ok) in enumerate(checks.items(), 1):
        print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
