"""What Causeway's figures are held against."""

import statistics

import links

CPU, RATE = ("cpu_per_million",), ("per_second",)
P50, P99 = ("latency_us", "p50"), ("latency_us", "p99")


def value(run, path):
    for word in path:
        run = run[word]
    return run


def by_round(runs, path):
    return {run["round"]: value(run, path) for run in runs}


def shared(a, b):
    """Ratios a/b of the rounds both have."""
    return [a[n] / b[n] for n in a if b.get(n, 0) > 0]


def against(results, scenario, program, path):
    runs = results.get(scenario, {})
    return shared(by_round(runs.get("causeway", []), path), by_round(runs.get(program, []), path))


def growth(results, program, small, large):
    return shared(by_round(results.get(large, {}).get(program, []), CPU),
                  by_round(results.get(small, {}).get(program, []), CPU))


def verdict(met, over, rounds):
    """met: of which rounds; over: by what share the median misses, or no more than 0."""
    if over > 0:
        return f"**missed by {over * 100:.{1 if over < 0.02 else 0}f} %**"
    return "met" if all(met) else f"met, in {sum(met)} of {rounds} rounds"


def row(measure, got, most, unit="x"):
    """One that must not be more than `most`; None when it was not measured."""
    if not got:
        return None
    middle = statistics.median(got)
    return (measure, f"at most {most:.3g} {unit}",
            f"{middle:.3g} {unit} ({min(got):.3g}..{max(got):.3g})",
            verdict([one <= most for one in got], middle / most - 1, len(got)))


CPU_SCENARIOS = (("record-1", "a record for each stanza, 1 link"), ("each-1", "a send for each"),
                 ("full-1", "full records"), ("record-8", "8 links"),
                 ("record-1000", "1,000 links"), ("out-1", "out, 1 link"))
SERVERS = (("jabberd2", 1 / 4), ("ejabberd", 1 / 5), ("prosody", 1 / 15), ("xmpp-proxy", 1 / 2))


def cpu_rows(results):
    for scenario, what in CPU_SCENARIOS:
        yield row(f"CPU a stanza, {what}, to the bare relay's",
                  against(results, scenario, "relay", CPU), 1.25)
    for program, most in SERVERS:
        yield row(f"CPU a stanza, a record for each, 1 link, to {program}'s",
                  against(results, "record-1", program, CPU), most)


def latency_rows(results):
    for scenario, what in (("rate-1000", "1,000/s"), ("rate-5000", "5,000/s")):
        yield row(f"p50 at {what}, to the bare relay's",
                  against(results, scenario, "relay", P50), 1.15)
        yield row(f"p99 at {what}, to the bare relay's",
                  against(results, scenario, "relay", P99), 1.5)


def growth_rows(results):
    for scenario, what in (("pairs-3000", "3,000"), ("pairs-10000", "10,000")):
        yield row(f"CPU a stanza, 1,000 links, {what} domain pairs to 1,000",
                  growth(results, "causeway", "record-1000", scenario), 1.15)
    ours = growth(results, "causeway", "record-1", "record-1000")
    relays = growth(results, "relay", "record-1", "record-1000")
    if ours and relays:
        yield row("CPU a stanza, 1,000 links to 1 link; at most the bare relay's growth", ours,
                  statistics.median(relays))


def at_least(measure, got, least):
    middle = statistics.median(got)
    return (measure, f"at least {least:,}", f"{middle:,.0f} ({min(got):,.0f}..{max(got):,.0f})",
            verdict([one >= least for one in got], 1 - middle / least, len(got)))


def rate_rows(results):
    """Those that must not be less. By the clock, what else the machine did counts too."""
    runs = results.get("record-1", {}).get("causeway", [])
    if runs:
        what = "a record for each, 1 link"
        yield at_least(f"stanzas/s by the clock, {what}", [value(run, RATE) for run in runs],
                       180_000)
        yield at_least(f"stanzas for each second of its CPU, {what}",
                       [1e6 / value(run, CPU) for run in runs], 180_000)


def loss_row(results, faults):
    runs = [run for programs in results.values() for run in programs.get("causeway", [])]
    wrong = sum(run[fault] for run in runs for fault in ("lost", "doubled", "swapped", "changed"))
    stanzas = sum(run["stanzas"] for run in runs)
    failed = sum(times for program, _, times in faults if program == "causeway")
    if not runs and not failed:
        return None
    return ("lost, doubled, out of order, changed", "0",
            f"{wrong} of {stanzas:,}; {failed} runs failed",
            "met" if wrong + failed == 0 else "**missed**")


def link_rows(results):
    for scenario in links.SCENARIOS:
        runs = results.get(scenario.name)
        for measure in scenario.held_against(runs) if runs else []:
            yield row(*measure)


def judge(whole):
    """Rows (measure, must, is, verdict) of what was measured."""
    results = whole["results"]
    rows = [*cpu_rows(results), *rate_rows(results), *latency_rows(results), *growth_rows(results),
            loss_row(results, whole["faults"]), *link_rows(whole["links"])]
    return [line for line in rows if line]
