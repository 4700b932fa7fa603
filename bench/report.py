"""bench/RESULTS.md out of the results of a run."""

import statistics

NAMES = {"causeway": "Causeway", "relay": "bare relay", "bytes": "bytes only",
         "causeway-before": "Causeway before", "relay-before": "bare relay before"}


def spread(values, digits=2):
    if not values:
        return "-"
    middle = statistics.median(values)
    return f"**{middle:,.{digits}f}** {min(values):,.{digits}f}..{max(values):,.{digits}f}"


def ratios(runs, base, pick):
    """Of the same round only: the machine may have been another one in the next."""
    by_round = {run["round"]: pick(run) for run in base}
    return [pick(run) / by_round[run["round"]] for run in runs
            if by_round.get(run["round"], 0) > 0]


def rows(runs):
    picks = {"cpu": lambda run: run["cpu_per_million"], "rate": lambda run: run["per_second"],
             "p50": lambda run: run["latency_us"]["p50"],
             "p99": lambda run: run["latency_us"]["p99"],
             "p999": lambda run: run["latency_us"]["p999"]}
    for program, own in runs.items():
        figures = {name: [pick(run) for run in own] for name, pick in picks.items()}
        base = runs.get("relay", [])
        yield (f"| {NAMES[program]} | {spread(figures['cpu'], 3)} "
               f"| {spread(ratios(own, base, picks['cpu']))} "
               f"| {spread(figures['rate'], 0)} | {spread(figures['p50'], 0)} "
               f"| {spread(ratios(own, base, picks['p50']))} "
               f"| {spread(figures['p99'], 0)} | {spread(ratios(own, base, picks['p99']))} "
               f"| {spread(figures['p999'], 0)} "
               f"| {spread([run['rss_kb'] / 1024 for run in own], 1)} |")


def told_before(results):
    """CPU of today's programs as ratios to those of the older build."""
    for name, runs in results.items():
        for program in ("causeway", "relay"):
            got = ratios(runs[program], runs[f"{program}-before"],
                         lambda run: run["cpu_per_million"])
            if got:
                yield (f"{name}: {NAMES[program]} now / before {statistics.median(got):.3f} "
                       f"({min(got):.3f}..{max(got):.3f}, {len(got)} rounds)")


def scenario(name, title, runs):
    first = next((run for own in runs.values() for run in own), None)
    if first is None:
        return [f"## {title}", "", "No run came to its end.", ""]
    loop = (f"{first['rate']:.0f} stanzas/s, latency from the scheduled time" if first["rate"]
            else f"{first['window']} stanzas in flight on a link")
    return [f"## {title}", "",
            f"`{name}`: {first['links']} link(s), {first['pairs']} pair(s), {loop}, flush "
            f"{first['flush']}, {first['stanzas']:,} stanzas a run of {first['mean_octets']:.0f} "
            f"octets on average, {max(len(own) for own in runs.values())} rounds.", "",
            "| | CPU s/1M stanzas | of the relay's | stanzas/s | p50 us | of the relay's | p99 us "
            "| of the relay's | p999 us | RSS MB |", "|---|---|---|---|---|---|---|---|---|---|",
            *rows(runs), ""]


def write_results(whole):
    machine = whole["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    kind = " A quick run: few and short rounds." if whole["quick"] else ""
    text = ["# What a stanza costs", "",
            f"Written by `./dev bench{' --quick' if whole['quick'] else ''}` on {whole['date']}, "
            f"in {whole['seconds']} s.{kind}", "",
            f"- machine: {machine['cpus']} x {machine['cpu']}, Linux {machine['kernel']}; load "
            f"average at the end {machine['load']:.1f}",
            f"- {machine['compiler']}, {packages}; Causeway {machine['commit']}, release build",
            "- the program under test on CPU 0, the load on CPU 1" if whole["pinned"] else
            "- nothing was pinned to a CPU",
            "- TLS 1.3 on both sides, certificates ECDSA P-256, everything on loopback", "",
            "Each cell is the **median** and least..most of the rounds. A ratio is taken within a "
            "round, program beside program; with other machines, or other work on this one, only "
            "ratios compare. CPU is user and system time of the program alone, read when all "
            "stanzas have arrived. Every stanza was checked: none was lost, doubled, out of order "
            "or changed, or its run is not here.", "",
            "*bare relay*: the same parser with its guard and the same writing, TLS both sides, "
            "one loop; no policy, routing or accounting. *bytes only*: the same moving bytes.", ""]
    for name, title in whole["scenarios"].items():
        text += scenario(name, title, whole["results"][name])
    return "\n".join(text)
