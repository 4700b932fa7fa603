"""bench/RESULTS.md and its drawings out of the results of a run.

usage: report.py RESULTS.json FOLDER
"""

import json
import statistics
import sys
from pathlib import Path

import links
import plots
from figures import ratios, spread
from musts import judge

NAMES = {**plots.NAMES, "causeway-before": "Causeway before", "relay-before": "bare relay before"}
PICKS = {"CPU": lambda run: run["cpu_per_million"], "stanzas/s": lambda run: run["per_second"],
         "p50": lambda run: run["latency_us"]["p50"], "p99": lambda run: run["latency_us"]["p99"],
         "p999": lambda run: run["latency_us"]["p999"]}


def rows(runs):
    for program, own in runs.items():
        cells = [spread([pick(run) for run in own]) for pick in PICKS.values()]
        memory = spread([run["rss_kb"] / 1024 for run in own])
        yield f"| {NAMES[program]} | {' | '.join(cells)} | {memory} |"


def compared(runs, is_open):
    """Causeway's figures as ratios to each other program's."""
    others = [name for name in runs if name != "causeway" and runs[name]]
    own = runs.get("causeway")
    if not own or not others:
        return
    yield "Causeway's as ratios to theirs:"
    yield ""
    yield f"| | {' | '.join(NAMES[name] for name in others)} |"
    yield "|---|" + "---|" * len(others)
    for figure, pick in PICKS.items():
        if is_open and figure == "stanzas/s":
            continue  # it is what was asked
        cells = (spread(ratios(own, runs[name], pick)) for name in others)
        yield f"| {figure} | {' | '.join(cells)} |"
    yield ""


def told_before(results):
    """CPU of today's programs as ratios to those of the older build."""
    for name, runs in results.items():
        for program in ("causeway", "relay"):
            got = ratios(runs.get(program, []), runs.get(f"{program}-before", []), PICKS["CPU"])
            if got:
                yield (f"{name}: {NAMES[program]} now / before {statistics.median(got):.3f} "
                       f"({min(got):.3f}..{max(got):.3f}, {len(got)} rounds)")


def scenario(name, title, runs):
    first = next((run for own in runs.values() for run in own), None)
    if first is None:
        return [f"### {title}", "", "No run came to its end.", ""]
    loop = (f"{first['rate']:.0f} stanzas/s, latency from the scheduled time" if first["rate"]
            else f"{first['window']} stanzas in flight on a link")
    counts = sorted({run["stanzas"] for own in runs.values() for run in own})
    count = (f"{counts[0]:,} to {counts[-1]:,}" if len(counts) > 1 else f"{counts[0]:,}")
    return [f"### {title}", "",
            f"`{name}`: {loop}; {count} stanzas a run of {first['mean_octets']:.0f} octets on "
            f"average, {max(len(own) for own in runs.values())} rounds.", "",
            "| | CPU s/1M stanzas | stanzas/s | p50 us | p99 us | p999 us | RSS MB |",
            "|---|---|---|---|---|---|---|", *rows(runs), "",
            *compared(runs, bool(first["rate"]))]


def setting(whole):
    machine = whole["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    others = ", ".join(f"{name} {version}" for name, version in whole["versions"].items())
    kind = " A quick run: few and short rounds." if whole["quick"] else ""
    return [f"Written by `./dev bench{' --quick' if whole['quick'] else ''}` on {whole['date']}, "
            f"in {whole['seconds'] // 60} minutes.{kind}", "",
            f"- machine: {machine['cpus']} x {machine['cpu']}, Linux {machine['kernel']}; load "
            f"average at the end {machine['load']:.1f}",
            f"- {machine['compiler']}, {packages}; Causeway {machine['commit']}, release build",
            f"- beside it: {others}" if others else "- no other server was there",
            "- the program under test with all its processes on CPU 0, the load on CPU 1"
            if whole["pinned"] else "- nothing was pinned to a CPU",
            "- TLS 1.3 with AES-128-GCM (ejabberd takes AES-256-GCM by itself), certificates ECDSA "
            "P-256, everything on loopback", ""]


EXPLAINED = """\
Each cell is the **median** and least..most of the rounds. A ratio is taken within a round, program
beside program; with other machines, or other work on this one, only ratios compare. CPU is user and
system time of all processes of the program, read when all stanzas have arrived: seconds for a
million stanzas, which is microseconds for one. Every stanza was checked: none was lost, doubled, out
of order or changed, or its run is not here.

- *bare relay*: the same parser with its guard and the same writing, TLS both sides, one loop; no
  policy, routing or accounting. *bytes only*: the same moving bytes.
- *haproxy*, *nginx stream*: TLS both sides, bytes only; one thread.
- *xmpp-proxy*: TLS on the remote side only; it passes streams through and proves nobody.
- *jabberd2*, *ejabberd*, *Prosody*: between S2S with TLS and a component in clear, so they too do
  TLS on one side only. Their rate limits are off. jabberd2 has dialback only.
- A saturating run is of equal length for all, so the slow ones get fewer stanzas.
- ejabberd writes the children of a stanza in another order; that is counted and forgiven.
""".splitlines()


def links_left_out(whole):
    failed = whole["links_failed"]
    if not failed:
        return []
    short = [f"{scenario.title} ({len(whole['links'][scenario.name])})"
             for scenario in links.SCENARIOS if scenario.name in whole["links"]]
    return [f"**{failed} runs of links failed** (a storm's links did not come up in time, or links "
            "ended) and are in no figure. Rounds that count: " + "; ".join(short) + ".", ""]


def verdicts(whole):
    lines = judge(whole)
    if not lines:
        return []
    return ["## What is asked, and what it is", "", "| measure | must | is | |", "|---|---|---|---|",
            *(f"| {measure} | {must} | {got} | {verdict} |"
              for measure, must, got, verdict in lines), "",
            "A must is judged by the median of the rounds.", "", *links_left_out(whole)]


def pictures(whole):
    lines = []
    for file, caption in whole.get("plots", {}).items():
        lines += [f"![{caption}](plots/{file})", ""]
    return lines


CROWDED = """\
**The machine was busy with other work** all the time (see the load average), on the same two CPUs:

- CPU for a stanza is higher than it would be alone, for every program: caches, and the threads of a
  core, are shared. Ratios within a round hold; where least and most of a row lie far apart, less so.
- Stanzas/s by the clock say how much of a CPU was left, for Causeway and for the relay; stanzas for
  each second of its own CPU are the fairer figure, and still suffer.
- Latencies are those of the scheduler more than of the programs. They are told because they were
  measured, and decide nothing: for them a quiet machine is needed.
"""


def crowd(whole):
    machine = whole["machine"]
    return [*CROWDED.splitlines(), ""] if machine["load"] > 1.5 * machine["cpus"] else []


def remarks():
    """Written by hand: what was tried, and why a figure is what it is."""
    file = Path(__file__).with_name("remarks.md")
    return ["## Remarks", "", *file.read_text().splitlines(), ""] if file.exists() else []


def write_results(whole):
    text = ["# What a stanza costs", "", *setting(whole), *crowd(whole), *pictures(whole),
            *verdicts(whole), *remarks()]
    notes = [f"- {NAMES.get(name, name)}: {note}" for name, note in whole["notes"].items()]
    text += ["## Left out", "", *notes, ""] if notes else []
    text += ["## All figures", "", *EXPLAINED, ""]
    for name, title in whole["scenarios"].items():
        text += scenario(name, title, whole["results"][name])
    return "\n".join(text) + links.report(whole["links"])


def write_page(whole, folder):
    """RESULTS.md and plots/ there."""
    page = {**whole, "plots": plots.write_all(whole, folder / "plots")}
    (folder / "RESULTS.md").write_text(write_results(page))


if __name__ == "__main__":
    write_page(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
