#!/usr/bin/python3
"""causeway-load links and storm around a real Causeway: every link and handshake is counted, and one that fails or ends is
noticed.

Nothing here is about speed.
"""

import os
import random
import socket
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(os.environ.get("CAUSEWAY_SOURCE", Path(__file__).resolve().parents[3]))
BUILD = Path(os.environ.get("CAUSEWAY_BUILD", ROOT / "build/asan")).resolve()
sys.path.insert(0, str(ROOT / "bench"))
sys.dont_write_bytecode = True

import links  # noqa: E402
import stage  # noqa: E402

COUNT, WARM = 12, 2


class Place(stage.Place):
    """With a block of loopback addresses which no other test has: whoever holds the socket has it."""

    def __init__(self, build, work):
        super().__init__(build, work)
        self.taskset = None  # other tests want the CPUs as well
        self.nets = 0
        self.claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        blocks = list(range(64, 192))
        random.shuffle(blocks)
        self.block = next(block for block in blocks if self.claims(block))

    def claims(self, block):
        try:
            self.claim.bind((f"127.{block}.255.1", 5269))
            return True
        except OSError:
            return False

    def new_net(self):
        self.nets += 1
        return f"127.{self.block}.{self.nets}"


def run(place, *words, lacks=None, **how):
    """Figures of COUNT links around a Causeway which does not know the way to remote `lacks`."""

    class Causeway(links.Causeway):
        def zone(self):
            return (record for record in super().zone()
                    if lacks is None or f"r{lacks}.far.example" not in record)

    with Causeway(place, COUNT + WARM, **how) as server:
        return links.load(place, server, ["--count", COUNT, "--warm", WARM, "--at-once", 5, *words])


def expect(figures, **wanted):
    got = {**figures, **figures.get("handshakes", {})}
    wrong = [f"{name} is {got.get(name)}, not {value}" for name, value in wanted.items()
             if got.get(name) != value]
    if wrong:
        raise AssertionError("; ".join(wrong) + "\n" + figures["command"] + "\n" + figures["said"])


def all_up(figures, by_remotes, by_server, direct=0, **more):
    expect(figures, direct=direct, ok=True, status=0, up=COUNT, failed=0, lost=0, held=COUNT,
           by_remotes=by_remotes, by_server=by_server, by_remotes_resumed=0, **more)
    if not 0 < figures["setup_ms"]["p50"] <= figures["setup_ms"]["max"]:
        raise AssertionError(f"set-up times {figures['setup_ms']}")


def inbound_external(place):
    all_up(run(place), COUNT, 0, way="in", proof="external")


def inbound_dialback_by_who_shows_no_certificate(place):
    all_up(run(place, "--proof", "dialback", "--peer-cert", "no"), COUNT, COUNT)


def inbound_dialback_by_who_shows_one_of_no_known_authority(place):
    links.certify_unknown(place)
    all_up(run(place, "--proof", "dialback", issuer="unknown"), COUNT, COUNT)


def inbound_external_of_no_known_authority(place):
    """Nobody proves anything, and dialback leads nowhere: none of those set up first comes up."""
    links.certify_unknown(place)
    figures = run(place, issuer="unknown")
    expect(figures, ok=False, status=1, up=0, failed=WARM, by_remotes=WARM, by_server=0)
    told = [f"first trouble: r{number}.far.example" in figures["said"] for number in range(WARM)]
    assert any(told), figures["said"]  # they fail side by side: whichever is first


def one_certificate_for_all(place):
    all_up(run(place, issuer=""), COUNT, 0)


def inbound_dialback_by_who_shows_a_good_certificate(place):
    """XEP-0344: nobody has to be asked back."""
    all_up(run(place, "--proof", "dialback"), COUNT, 0)


def inbound_with_rsa_keys(place):
    links.certify_rsa(place)
    all_up(run(place, far="far-rsa"), COUNT, 0)


def inbound_with_tls_first(place):
    all_up(run(place, "--tls", "direct"), COUNT, 0, COUNT)
    all_up(run(place, "--tls", "direct", "--proof", "dialback", "--peer-cert", "no"), COUNT, COUNT,
           COUNT)


def outbound_with_tls_first(place):
    all_up(run(place, "--way", "out", service="_xmpps-server"), 0, COUNT, COUNT)
    all_up(run(place, "--way", "out", "--proof", "dialback", "--tls", "direct",
               service="_xmpps-server"), COUNT, COUNT, 2 * COUNT)


def outbound_external(place):
    all_up(run(place, "--way", "out"), 0, COUNT, way="out", by_server_resumed=0)


def outbound_dialback(place):
    all_up(run(place, "--way", "out", "--proof", "dialback"), COUNT, COUNT)


def outbound_dialback_to_who_asks_for_no_certificate(place):
    all_up(run(place, "--way", "out", "--proof", "dialback", "--peer-cert", "no"), COUNT, COUNT)


def outbound_second_links(place):
    """Each resumes the session of the first."""
    figures = run(place, "--way", "out", "--resume", "yes", more="limits: {backoff_first: 10ms}\n")
    all_up(figures, 0, COUNT, resume=True, by_server_resumed=COUNT)


def a_remote_that_is_refused_is_counted(place):
    figures = run(place, more="peers: {\"r5.far.example\": {allow: no}}\n")
    expect(figures, ok=False, status=1, up=COUNT - 1, failed=1, lost=0, held=COUNT - 1)
    assert "r5.far.example" in figures["said"], figures["said"]


def a_refused_dialback_is_counted(place):
    figures = run(place, "--proof", "dialback", "--peer-cert", "no", lacks=5)
    expect(figures, ok=False, status=1, up=COUNT - 1, failed=1)
    assert "r5.far.example" in figures["said"], figures["said"]


def a_remote_that_cannot_be_reached_is_counted(place):
    figures = run(place, "--way", "out", lacks=5)
    expect(figures, ok=False, status=1, up=COUNT - 1, failed=1, held=COUNT - 1,
           by_server=COUNT - 1)
    assert "came back from r5.far.example" in figures["said"], figures["said"]


def a_link_that_ends_while_it_is_held_is_noticed(place):
    for way in ("in", "out"):
        figures = run(place, "--way", way, "--hold", 60, more="limits: {idle: 1s}\n")
        expect(figures, ok=False, status=1, up=COUNT, failed=0)
        assert figures["held"] < COUNT, figures["said"]


def storm(place, *words, more=""):
    with links.Causeway(place, COUNT + 1, more=more) as server:
        return links.load(place, server, ["--links", COUNT, "--rate", 200, "--quiet", 0.2, *words],
                          "storm")


def stanzas_before_and_in_a_storm(place):
    for words in ([], ["--proof", "dialback", "--peer-cert", "no"], ["--at-once", 3]):
        figures = storm(place, *words)
        expect(figures, ok=True, status=0, up=COUNT, failed=0, links_lost=0, lost=0, doubled=0,
               swapped=0, changed=0, foreign=0)
        quiet, stormy = figures["quiet_us"], figures["storm_us"]
        for when in (quiet, stormy):
            assert when["stanzas"] > 0 and 0 < when["p50"] <= when["p99"] <= when["max"], figures
        assert abs(figures["p99_ratio"] - stormy["p99"] / quiet["p99"]) < 0.01, figures


def a_storm_with_a_link_that_is_refused(place):
    figures = storm(place, more="peers: {\"r5.far.example\": {allow: no}}\n")
    expect(figures, ok=False, status=1, up=COUNT - 1, failed=1, lost=0)
    assert figures["storm_us"]["stanzas"] > 0 and "r5.far.example" in figures["said"], figures


def stanzas_which_nobody_takes(place):
    """The remote of the stanzas is refused: there is nothing to measure."""
    figures = storm(place, more="peers: {\"r0.far.example\": {allow: no}}\n")
    expect(figures, ok=False, status=1, up=0)
    assert "r0.far.example" in figures["said"], figures["said"]


def wrong_options_are_refused(place):
    server = links.Causeway(place, 1)
    server.process = SimplePid()
    for words in (["--count", "0"], ["--way", "up"], ["--resume", "yes"], ["--count"],
                  ["--peer-cert", "no"], ["--proof", "none"], ["--hold", "x"], ["--no-such", "1"]):
        figures = links.load(place, server, words)
        expect(figures, status=2)
        assert "usage" in figures["said"], figures["said"]
    for words in (["--links", "0"], ["--rate", "0"], ["--quiet", "0"], ["--way", "out"]):
        figures = links.load(place, server, words, "storm")
        expect(figures, status=2)
        assert "causeway-load storm" in figures["said"], figures["said"]


def the_bare_handshakes_are_those_that_were_counted(_):
    bare = links.Bare(None, links.SCENARIOS[0])
    bare.runs, bare.client, bare.server = 2, 300.0, 100.0  # 150 us to dial, 50 us to serve
    figures = {"up": 10, "handshakes": {"by_remotes": 20, "by_server": 10}}
    assert abs(bare.needed(figures) - (2 * 50 + 1 * 150) / 1e3) < 1e-9, bare.needed(figures)


def rounds_of_the_bench(place):
    """One of each kind, small: their figures belong together, and fit their table."""
    links.certify(place)
    some = ("in-external-rsa", "in-dialback-cert", "out-resumed", "idle-dialback", "storm-external")
    scenarios = [scenario for scenario in links.SCENARIOS if scenario.name in some]
    assert len(scenarios) == len(some), links.names()
    for scenario in scenarios:
        scenario.count, scenario.warm, scenario.rest, scenario.hold = COUNT, WARM, 0, 0.1
        scenario.rate, scenario.quiet = 200, 0.2
        run = scenario.run(place, 1, False)
        assert run, scenario.name
        expect(run, ok=True, up=COUNT, failed=0)
        if isinstance(scenario, links.Storm):
            assert f"{run['p99_ratio']:.2f}" in scenario.line(run), scenario.line(run)
        elif isinstance(scenario, links.SetUp):
            ratio = run["cpu_per_thousand"] / run["bare_per_thousand"]
            assert run["ratio"] == ratio > 0, run
            assert f"{run['ratio']:.2f}" in scenario.line(run), scenario.line(run)
        else:
            assert run["held_s"] > 0 and run["held_wakes"] >= 0, run
            assert f"{run['kb_per_link']:.1f}" in scenario.line(run), scenario.line(run)
        columns = scenario.row([run, run]).count("|")
        assert [head.count("|") for head in scenario.HEAD] == [columns] * 2, scenario.name
        held = list(scenario.held_against([run, run]))
        assert held and all(len(got) == 2 and most > 0 for _, got, most, _ in held), held
        assert scenario.row([run]) in links.report({scenario.name: [run]})


class SimplePid:
    pid = os.getpid()


TESTS = [inbound_external, inbound_dialback_by_who_shows_no_certificate,
         inbound_dialback_by_who_shows_one_of_no_known_authority,
         inbound_external_of_no_known_authority, one_certificate_for_all,
         inbound_dialback_by_who_shows_a_good_certificate, inbound_with_rsa_keys,
         inbound_with_tls_first, outbound_with_tls_first, outbound_external, outbound_dialback, outbound_dialback_to_who_asks_for_no_certificate,
         outbound_second_links, a_remote_that_is_refused_is_counted,
         a_refused_dialback_is_counted, a_remote_that_cannot_be_reached_is_counted,
         a_link_that_ends_while_it_is_held_is_noticed, stanzas_before_and_in_a_storm,
         a_storm_with_a_link_that_is_refused, stanzas_which_nobody_takes, wrong_options_are_refused,
         the_bare_handshakes_are_those_that_were_counted, rounds_of_the_bench]


def main():
    print(f"1..{len(TESTS)}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="causeway-links.") as work:
        place = Place(BUILD, Path(work))
        for number, test in enumerate(TESTS, 1):
            try:
                test(place)
                print(f"ok {number} - {test.__name__}", flush=True)
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {number} - {test.__name__}", flush=True)
                print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()),
                      flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
