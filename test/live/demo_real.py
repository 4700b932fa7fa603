#!/usr/bin/python3
"""demo_real.py - Causeway between real servers, told step by step (`./dev demo --real`).

   test/live/demo_real.py [--keep]

Prosody inside; Prosody and ejabberd outside, one proved by certificate and one
by dialback; each in its own network namespace, unbound serving the zones. Real
users write and ping both ways. Needs root; leaves nothing behind.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

LOCAL_HOST = "hq1"
REMOTES = ["pro-cert", "ejb-dial"]
MESSAGES = 20       # each way, each conversation
PINGS = 9


class Teller:
    """Speaks to the person who watches."""

    def __init__(self, steps):
        self.steps, self.step, self.began = steps, 0, time.monotonic()

    def head(self, text):
        self.step += 1
        print(f"\n[{self.step}/{self.steps}] {text}", flush=True)

    @staticmethod
    def say(text):
        print("      " + text, flush=True)

    def table(self, heads, rows):
        rows = [[str(c) for c in r] for r in rows]
        width = [max(len(r[i]) for r in [heads] + rows) for i in range(len(heads))]
        for r in [heads, ["-" * w for w in width]] + rows:
            self.say("  ".join(c.ljust(w) for c, w in zip(r, width)).rstrip())


def version(package):
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                         capture_output=True, text=True).stdout
    return out.split("-")[0]


def describe(tell, stage):
    from stage import domain_of
    hosts = stage.lab.hosts
    def kind(server):
        return f"{server.TITLE} {version(server.PACKAGE)}"
    local = stage.servers[LOCAL_HOST]
    rows = [[LOCAL_HOST, kind(local), hosts[LOCAL_HOST].address["inside"],
             "private", ", ".join(local.domains)],
            ["proxy", "Causeway", " and ".join(hosts["proxy"].address.values()), "both", ""]]
    for name in REMOTES:
        address = hosts[name].address["outside"]
        rows.append([name, kind(stage.servers[name]), address, "internet",
                     domain_of(name)])
    rows.append(["dns", f"unbound {version('unbound')}", stage.dns, "internet",
                 "the zones of all of them"])
    tell.table(["host", "program", "address", "network", "domains"], rows)
    tell.say("Each is a network namespace of its own. The two networks are not joined:")
    tell.say("whatever passes from one to the other has gone through Causeway.")


async def start(tell, stage):
    await stage.up("dns", LOCAL_HOST, *REMOTES)
    tell.say("unbound, Prosody (twice) and ejabberd serve")
    await stage.proxy_up()
    tell.say(f"Causeway runs: {stage.proxy.settings}")
    users = [await stage.user(u) for u in ["alice@alpha.example", "alice@beta.example"]
             + [f"ann@{n}.example" for n in REMOTES]]
    tell.say("logged in: " + ", ".join(u.jid for u in users))


async def write_both_ways(tell, a, b):
    for sender, receiver in ((a, b), (b, a)):
        began = time.monotonic()
        first = f"Hello from {sender.jid}"
        sender.say(receiver.jid, first)
        await receiver.hears(sender.jid, first, 30)
        tell.say(f"{sender.jid} -> {receiver.jid}: the first message arrives after "
                 f"{(time.monotonic() - began) * 1000:.0f} ms")
        for n in range(MESSAGES):
            sender.say(receiver.jid, n)
        await receiver.hears(sender.jid, MESSAGES - 1, 30)
        got = receiver.numbers(sender.jid)
        if got != list(range(MESSAGES)):
            raise RuntimeError(f"messages lost or out of order: {got}")
        tell.say(f"{' ' * len(sender.jid)}    and {MESSAGES} more, in order")


async def ping_both_ways(tell, a, b):
    """Median milliseconds of each way round, by who asked."""
    median = {}
    for asker, asked in ((a, b), (b, a)):
        took = []
        for _ in range(PINGS):
            began = time.monotonic()
            await asker.ping(asked.jid + "/lab")
            took.append((time.monotonic() - began) * 1000)
        median[asker.jid] = statistics.median(took)
        tell.say(f"{asker.jid} pings {asked.jid}: {PINGS} answers, median "
                 f"{median[asker.jid]:.1f} ms there and back")
    return median


def seen_outside(stage, direction, inner, remote):
    from cases import facts_at
    return facts_at(stage.servers[remote], direction, inner, f"{remote}.example")


def closing_table(tell, stage, talks):
    """One row per pair: what Causeway says of it, and what the outside server saw."""
    status = stage.proxy.status()
    links = {l["id"]: l for l in status["links"]}
    rows = []
    for inner, remote, median in talks:
        outer = f"{remote}.example"
        for direction, a, b in (("out", inner, outer), ("in", outer, inner)):
            pair = next(p for p in status["pairs"] if (p["from"], p["to"]) == (a, b))
            link = links.get(pair.get("link"), {})
            proof, _tls = seen_outside(stage, direction, inner, remote)
            rows.append([f"{a} -> {b}", link.get("peer", ""), " ".join((link.get("tls", ""), link.get("version", ""))), proof,
                         pair["stanzas"], f"{median[direction]:.1f} ms"])
    tell.table(["pair", "endpoint", "TLS", "proof", "stanzas", "ping, median"], rows)


def ledger_line(tell, ledger):
    from proxy import FATES, unbalanced
    for way in ("inbound", "outbound"):
        f = ledger[way]
        tell.say(f"{way:8}: accepted {f['accepted']} = "
                 + " + ".join(f"{k} {f[k]}" for k in FATES if f[k]))
    wrong = unbalanced(ledger)
    if wrong:
        raise RuntimeError(f"ledger NOT balanced: {wrong}")
    print("\nledger balanced", flush=True)


async def keep(tell, stage):
    import lab
    from proxy import binary
    enter = f"nsenter -t {lab.OUTER_PID} -m -n -p"
    on = enter + " ip netns exec"
    print("\nIt goes on running; end it with Ctrl-C. To look at it from another terminal, as root:")
    for what, command in (
            ("what it carries", f"{on} proxy {binary()} status -c {stage.proxy.settings}"),
            ("its log", f"{enter} tail -f {stage.proxy.log.path}"),
            ("the one trunk", f"{on} {LOCAL_HOST} ss -tn 'sport = :5269'"),
            ("its links", f"{on} proxy ss -tn"),
            ("the inside DNS", f"{on} {LOCAL_HOST} cat /etc/resolv.conf"),
            ("a shell there", f"{on} proxy bash")):
        tell.say(f"{what + ':':16}{command}")
    await asyncio.Event().wait()


async def demo(args):
    from stage import Stage
    print("Causeway between real XMPP servers")
    stage = Stage()
    try:
        await show(Teller(5), stage, args)
    except Exception as e:      # a person watches: say what failed, and what Causeway said last
        print(f"\nthe demo failed: {type(e).__name__}: {e}")
        for line in stage.proxy.log.lines()[-15:]:
            print("  causeway: " + line)
        return 1
    return 0


async def show(tell, stage, args):
    tell.head("A private network, an internet, and Causeway between them")
    describe(tell, stage)
    tell.head("Everything is started")
    await start(tell, stage)
    talks = []
    for inner, remote in (("alpha.example", REMOTES[0]), ("beta.example", REMOTES[1])):
        a, b = stage.users["alice@" + inner], stage.users[f"ann@{remote}.example"]
        proof = "a certificate" if remote.endswith("cert") else \
            "dialback over TLS (it trusts no certificate of ours, nor we its)"
        tell.head(f"{inner} and {remote}.example, proved by {proof}")
        await write_both_ways(tell, a, b)
        median = await ping_both_ways(tell, a, b)
        talks.append((inner, remote, {"out": median[a.jid], "in": median[b.jid]}))
    tell.head("What was carried, and the account of it")
    closing_table(tell, stage, talks)
    trunk = stage.lab.hosts[LOCAL_HOST].connections(5269)
    tell.say("")
    tell.say(f"connections to Prosody's port 5269, for all remote domains together: {len(trunk)}")
    ledger_line(tell, stage.proxy.ledger())
    if args.keep:
        await keep(tell, stage)
    for user in stage.users.values():
        await user.offline()
    stage.proxy.stop()
    print(f"done in {time.monotonic() - tell.began:.0f} s; nothing is left behind")


def main():
    parser = argparse.ArgumentParser(description="Causeway between real servers, step by step")
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    args = parser.parse_args()
    import run
    lacking = run.missing()
    if lacking:
        print("missing:", " ".join(lacking))
        return 1
    import lab
    code = lab.enter(lambda: asyncio.run(demo(args)))
    return 0 if code == 130 and args.keep else code


if __name__ == "__main__":
    sys.exit(main())
