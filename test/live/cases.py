"""cases.py - the cases of the live suite, in the order they run.

Each is a coroutine that gets the stage, raises Wrong (or anything) when it
does not hold, and may return lines to print. Every wait in it has a bound.
"""

import asyncio
import collections
import re

import burst
from jabberd2 import Jabberd2
from lab import until
from proxy import binary, unbalanced
from stage import (BAD_POSH, BEHIND, BIDI, BIDI_LOCAL, BOGUS, DANE, DIRECT, DIRECT_LOCAL, HALF_DEAD, INSECURE, LOCAL, MANY, MISMATCH, NOBODY,
                   POSH, REMOTE, SHUT, domain_of)
from traffic import Flow, judge

Case = collections.namedtuple("Case", "name seconds proxy run")
CASES = []


class Wrong(Exception):
    """The case does not hold; the text says what was seen."""


def case(name, seconds, proxy=True):
    def add(run):
        CASES.append(Case(name, seconds, proxy, run))
        return run
    return add


def expect(true, sentence):
    if not true:
        raise Wrong(sentence)


async def presence_reaches(sender, receiver):
    n = len(receiver.presence)
    sender.show(receiver.jid)
    await until(lambda: (sender.jid, "available") in receiver.presence[n:], 15,
                f"presence of {sender.jid} at {receiver.jid}")


async def talk(sender, receiver, number):
    """Message, presence and ping from one user to the other."""
    sender.say(receiver.jid, number)
    await receiver.hears(sender.jid, number)
    await presence_reaches(sender, receiver)
    await sender.ping(receiver.jid + "/lab")


def facts_at(server, direction, inner, outer):
    """What the outside server saw: how the pair was proved, and whether by TLS (and which)."""
    if direction == "out":
        return server.facts_in(inner, outer)
    return server.facts_out(outer, inner)


async def expect_facts(server, direction, inner, outer, proof):
    seen = await until(lambda: facts_at(server, direction, inner, outer), 10,
                       f"{server.host.name} logs how {inner} and {outer} were proved")
    expect(seen == (proof, True), f"{server.host.name} saw proof {seen[0]}, TLS {seen[1]};"
                                  f" expected {proof} over TLS")


# -- the lab proves itself: no Causeway anywhere ------------------------------------------

def _self_test(kind, proof):
    pro, ejb = f"pro-{kind}", f"ejb-{kind}"

    @case(f"lab: Prosody and ejabberd federate directly, both ways, proof {proof}", 90,
          proxy=False)
    async def run(stage):
        await stage.up("dns", pro, ejb)
        a = await stage.user("ann@" + domain_of(pro))
        b = await stage.user("ann@" + domain_of(ejb))
        await talk(a, b, 1)
        await talk(b, a, 2)
        for server, inner, outer in ((pro, ejb, pro), (ejb, pro, ejb)):
            for direction in ("in", "out"):
                await expect_facts(stage.servers[server], direction, domain_of(inner),
                                   domain_of(outer), proof)


_self_test("cert", "certificate")
_self_test("dial", "dialback")


@case("lab: a local server cannot reach the outside but through the proxy", 60, proxy=False)
async def no_way_round(stage):
    await stage.up("dns")
    reach = stage.lab.hosts["hq1"].run(
        ["/usr/bin/python3", "-c",
         "import socket; socket.create_connection(('%s', 53), 2)" % stage.dns])
    expect(reach.returncode != 0 and "unreachable" in reach.stderr,
           f"hq1 reaches the outside: {reach.returncode} {reach.stderr[-200:]}")


# -- the matrix: inside x outside x proof x direction -----------------------------------------

def _cell(hq, remote, direction):
    kind, domains = LOCAL[hq]
    outside, proof = REMOTE[remote]
    inner, outer = domains[0], domain_of(remote)

    @case(f"matrix: {kind.TITLE} inside, {outside.TITLE} outside, {proof}, {direction}", 90)
    async def run(stage):
        await stage.up(hq, remote)
        local = await stage.user("alice@" + inner)
        far = await stage.user("ann@" + outer)
        sender, receiver = (local, far) if direction == "out" else (far, local)
        await talk(sender, receiver, 10)
        await expect_facts(stage.servers[remote], direction, inner, outer, proof)
        own = stage.proxy.proof_of(inner, outer, direction)
        # outward the proof of our own name is the peer's business; inward it is ours
        if direction == "in":
            expect(own == proof, f"causeway status says proof {own}")


for _hq in LOCAL:
    for _remote in REMOTE:
        for _direction in ("out", "in"):
            _cell(_hq, _remote, _direction)


# -- direct TLS: both roles, both ports of ours -----------------------------------------------

def _direct_cell(remote, inner, direction):
    kind = DIRECT[remote]
    outer, port = domain_of(remote), DIRECT_LOCAL[inner]
    where = "" if direction == "out" else f", at our port {port}"

    @case(f"direct TLS: {kind.TITLE} outside, certificate, {direction}{where}", 90)
    async def run(stage):
        await stage.up("hq1", remote)
        local = await stage.user("alice@" + inner)
        far = await stage.user("ann@" + outer)
        sender, receiver = (local, far) if direction == "out" else (far, local)
        await talk(sender, receiver, 30)
        await expect_facts(stage.servers[remote], direction, inner, outer, "certificate")
        how = stage.proxy.tls_of(inner, outer, direction)
        expect(how == {"direct"}, f"causeway status says TLS {how}")
        met = stage.lab.hosts[remote].connections(5270) if direction == "out" else \
            stage.lab.hosts[remote].dialled(port)
        expect(met, f"{remote} has no connection {'at 5270' if direction == 'out' else f'to {port}'}")


for _remote in DIRECT:
    _direct_cell(_remote, "delta.example", "out")
    for _inner in DIRECT_LOCAL:
        _direct_cell(_remote, _inner, "in")


@case("direct TLS: its port is shut, STARTTLS of the same server is as good", 90)
async def direct_port_shut(stage):
    await stage.up("hq1", "many")
    await talk(await stage.user("alice@epsilon.example"), await stage.user("ann@" + SHUT), 40)
    how = stage.proxy.tls_of("epsilon.example", SHUT, "out")
    expect(how == {"starttls"}, f"causeway status says TLS {how}")
    met = stage.proxy.log.grep(re.compile(f"event=attempt_ended domain={SHUT} .*tls=direct why=tcp_refused"))
    expect(len(met) == 1, f"{len(met)} refused attempts of direct TLS are logged")


@case("happy eyeballs: the first endpoint is dead, the one beside it is not waited for long", 90)
async def half_dead(stage):
    await stage.up("hq1", "many")
    await talk(await stage.user("alice@epsilon.example"), await stage.user("ann@" + HALF_DEAD), 50)
    met = stage.proxy.log.grep(re.compile(
        f"event=attempt_ended domain={HALF_DEAD} .*endpoint={re.escape(NOBODY)}:5269 why=outrun"))
    expect(len(met) == 1, f"{len(met)} attempts at {NOBODY} were outrun")


# -- DANE: signed zones, and what may be wrong with them ---------------------------------------

# rows: R7673-3.3 R7673-3.4-a R7671-5.1 prac-dane-in
def _dane_cell(direction):
    inner, outer = LOCAL["hq1"][1][0], domain_of(DANE)

    @case(f"DANE: a signed zone and a self-signed certificate that fits its TLSA records, {direction}", 90)
    async def run(stage):
        await stage.up("hq1", DANE)
        local = await stage.user("alice@" + inner)
        far = await stage.user("ann@" + outer)
        sender, receiver = (local, far) if direction == "out" else (far, local)
        sender.say(receiver.jid, 60)
        await receiver.hears(sender.jid, 60)
        found = stage.proxy.peer_proof_of(inner, outer, direction)
        expect(found == {"dane"}, f"causeway status says the peer was proved by {found}")
        if direction == "in":
            own = stage.proxy.proof_of(inner, outer, direction)
            expect(own == "dane", f"causeway status says the pair was proved by {own}")


for _direction in ("out", "in"):
    _dane_cell(_direction)


@case("DANE: TLSA records of another key, and a certificate of the authority: no stanza, no dialback", 90)
async def dane_mismatch(stage):
    """rows: R6698-4.1-a"""
    await stage.up("hq1", "many")
    local, far = await stage.user("alice@alpha.example"), await stage.user("ann@" + MISMATCH)
    local.say(far.jid, 70)
    await stage.proxy.log.wait(re.compile(f"event=attempt_ended domain={MISMATCH} .*why=cert_tlsa"), 20)
    expect(not stage.proxy.peer_proof_of("alpha.example", MISMATCH, "out"), "a link to it is up")
    expect(not stage.servers["many"].log.grep(re.compile(rf"alpha.example->{MISMATCH} is now authenticated")),
           "the far server believed us on that link, so it went on after the certificate")


@case("DANE: TLSA records that were changed after they were signed: nobody connects", 90)
async def dane_bogus(stage):
    """rows: R7673-3.4-a"""
    await stage.up("hq1", "many")
    local, far = await stage.user("alice@alpha.example"), await stage.user("ann@" + BOGUS)
    local.say(far.jid, 71)
    await until(lambda: stage.proxy.remote(BOGUS).get("why") == "dns_failed", 30,
                f"causeway status says dns_failed of {BOGUS}: {stage.proxy.remote(BOGUS)}")
    expect(not stage.proxy.remote(BOGUS)["endpoint"], f"an endpoint was tried: {stage.proxy.remote(BOGUS)}")


@case("DANE: TLSA records of another key in a zone that is not signed say nothing", 90)
async def dane_insecure(stage):
    """rows: R7673-3.1-a"""
    await stage.up("hq1", "many")
    local, far = await stage.user("alice@alpha.example"), await stage.user("ann@" + INSECURE)
    await talk(local, far, 72)
    found = stage.proxy.peer_proof_of("alpha.example", INSECURE, "out")
    expect(found == {"certificate"}, f"causeway status says the peer was proved by {found}")


# -- POSH: a real web server -------------------------------------------------------------------

# rows: R7711-3-a R7711-3.1 R7711-3.2
def _posh_cell(direction):
    inner = LOCAL["hq1"][1][0]

    @case(f"POSH: a fingerprint found at nginx by a redirect and a reference, {direction}", 90)
    async def run(stage):
        await stage.up("hq1", "pro-posh", "web")
        local = await stage.user("alice@" + inner)
        far = await stage.user("ann@" + POSH)
        sender, receiver = (local, far) if direction == "out" else (far, local)
        sender.say(receiver.jid, 80)
        await receiver.hears(sender.jid, 80)
        found = stage.proxy.peer_proof_of(inner, POSH, direction)
        expect(found == {"posh"}, f"causeway status says the peer was proved by {found}")
        asked = stage.servers["web"].log.grep(re.compile("GET /posh.json"))
        expect(len(asked) == 1, f"the document was fetched {len(asked)} times")


for _direction in ("out", "in"):
    _posh_cell(_direction)


@case("POSH: the web server cannot prove to be the domain, so its document counts for nothing", 90)
async def bad_posh(stage):
    """rows: R7711-3-a"""
    await stage.up("hq1", "pro-posh", "web")
    local, far = await stage.user("alice@alpha.example"), await stage.user("ann@" + BAD_POSH)
    local.say(far.jid, 81)
    await stage.proxy.log.wait(re.compile(f"event=attempt_ended domain={BAD_POSH} .*why=cert_posh"), 20)
    met = stage.proxy.log.grep(re.compile(f"event=posh_none domain={BAD_POSH} "))
    expect(met, "the log does not say that there was no document")


# -- both ways on one connection (XEP-0288) --------------------------------------------------------

async def expect_one_both_ways(stage, local, role):
    """All that went between local and BIDI's domain went over one connection, made in that role."""
    both = {"side": "outside", "ours": local, "theirs": domain_of(BIDI)}
    links = stage.proxy.links(**both)
    expect(len(links) == 1, f"{len(links)} outside connections between the two: {links}")
    one = links[0]
    expect(one["role"] == role and one["bidi"], f"it is {one['role']}, bidi {one['bidi']}")
    expect(one["stanzas_in"] >= 4 and one["stanzas_out"] >= 4, f"{one['stanzas_in']} in, {one['stanzas_out']} out")
    return [f"{one['stanzas_in']} stanzas in and {one['stanzas_out']} out on one connection"]


@case("bidi: Prosody outside answers on the connection that Causeway made", 90)
async def bidi_out(stage):
    await stage.up("hq1", BIDI)
    local, far = await stage.user("alice@alpha.example"), await stage.user("ann@" + domain_of(BIDI))
    await talk(local, far, 60)
    await talk(far, local, 61)
    return await expect_one_both_ways(stage, "alpha.example", "initiating")


@case("bidi: Causeway answers on the connection that Prosody outside made", 90)
async def bidi_in(stage):
    await stage.up("hq1", BIDI)
    local, far = await stage.user("alice@beta.example"), await stage.user("ann@" + domain_of(BIDI))
    await talk(far, local, 62)
    await talk(local, far, 63)
    return await expect_one_both_ways(stage, "beta.example", "receiving")


@case("bidi: the local server (Prosody, TLS) gets what is for it on its own connection, without a trunk", 90)
async def bidi_inside(stage):
    await stage.up("hq3", "pro-cert")
    inner, outer = BIDI_LOCAL["hq3"][1][0], domain_of("pro-cert")
    local, far = await stage.user("alice@" + inner), await stage.user("ann@" + outer)
    await talk(local, far, 64)
    await talk(far, local, 65)
    links = stage.proxy.links(side="inside", server="hq3")
    carriers = [l for l in links if l["bidi"] and l["stanzas_in"] >= 4 and l["stanzas_out"] >= 4]
    expect(len(carriers) == 1 and carriers[0]["role"] == "receiving", f"inside connections of hq3: {links}")
    trunks = stage.lab.hosts["hq3"].connections(5269)
    expect(not trunks, f"there is a trunk all the same: {trunks}")
    return [f"{carriers[0]['stanzas_in']} stanzas in and {carriers[0]['stanzas_out']} out on its own connection"]


# -- one trunk -------------------------------------------------------------------------------

@case("trunk: 50 remote domains and two local ones cross one TCP connection to Prosody", 120)
async def one_trunk(stage):
    await stage.up("hq1", "many")
    inner = [await stage.user("alice@" + d) for d in LOCAL["hq1"][1]]
    far = await asyncio.gather(*(stage.user("ann@" + d) for d in MANY))
    waits = []
    for n, a in enumerate(inner):
        for i, b in enumerate(far):
            a.say(b.jid, 1000 + n)
            b.say(a.jid, 2000 + i)
            waits += [b.hears(a.jid, 1000 + n, 60), a.hears(b.jid, 2000 + i, 60)]
    await asyncio.gather(*waits)
    hq1 = stage.lab.hosts["hq1"]
    trunks = hq1.connections(5269)
    expect(len(trunks) == 1 and trunks[0][0] == stage.inside_dns,
           f"{len(trunks)} connections to hq1's port 5269: {trunks}")
    kept = stage.proxy.ledger()
    expect(not unbalanced(kept), f"ledger out of balance: {kept}")
    return [f"{len(waits)} messages; 1 connection to hq1:5269, "
            f"{len(hq1.dialled(5269))} of its own to us"]


# -- kills in mid-traffic --------------------------------------------------------------------

async def ledger_watch(stage, problems):
    """The ledger is true at every moment: it is read all the while the traffic runs."""
    while True:
        kept = await asyncio.to_thread(stage.proxy.ledger)
        wrong = unbalanced(kept)
        if wrong:
            problems.append(f"ledger out of balance in mid-traffic: {wrong}")
            return
        await asyncio.sleep(0.1)


def _delta(before, after, direction):
    now, then = after[direction], before[direction]
    return {k: v - (0 if k == "queued" else then.get(k, 0)) for k, v in now.items()
            if isinstance(v, int)}


async def kill_and_restart(stage, victim, dying, living, flows):
    """Both flows run; the victim is killed, stays dead while the other side talks on, returns."""
    for f in flows:
        f.start()
    for f in flows:
        await f.reaches(150)
    stage.servers[victim].kill()
    await dying.lost()
    alive = next(f for f in flows if f.sender is living)
    await alive.grows(150)
    await stage.servers[victim].start()
    await dying.online()
    await alive.grows(150)
    for f in flows:
        await f.stop()
    other = next(f for f in flows if f.sender is dying)
    await other.knock()
    other.start()
    await other.reaches(150)
    await other.stop()
    for f in flows:
        await f.finish()


def _kill_case(title, hq, remote, victim):
    @case(f"kill: {title} dies in mid-traffic and returns", 150)
    async def run(stage):
        await stage.up(hq, remote)
        local = await stage.user("alice@" + LOCAL[hq][1][0])
        far = await stage.user("ann@" + domain_of(remote))
        out, back = Flow(local, far, "outbound"), Flow(far, local, "inbound")
        await settle(stage)
        before = stage.proxy.ledger()
        for f in (out, back):
            await f.knock()
        problems = []
        watch = asyncio.create_task(ledger_watch(stage, problems))
        dying, living = (local, far) if victim == hq else (far, local)
        await kill_and_restart(stage, victim, dying, living, (out, back))
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        after = await settle(stage)
        notes = []
        for f in (out, back):
            found, figures = judge(f, _delta(before, after, f.direction), f.sender is dying)
            problems += [f"{f.name()}: {p}" for p in found]
            notes.append(figures)
            notes += [f"  bounce: {c}: {t}" for c, t in f.texts()[:3]]
        expect(not problems, "\n".join(problems + notes))
        return notes


async def settle(stage):
    """The ledger when nothing is queued any more."""
    def idle():
        kept = stage.proxy.ledger()
        return kept if not any(kept[d]["queued"] for d in ("inbound", "outbound")) else None
    kept = await until(idle, 30, "nothing is queued")
    expect(not unbalanced(kept), f"ledger out of balance: {kept}")
    return kept


_kill_case("the local server (Prosody)", "hq1", "pro-cert", "hq1")
_kill_case("a remote server (Prosody, certificate)", "hq1", "pro-cert", "pro-cert")
_kill_case("a remote server (Prosody, both ways on one connection)", "hq1", BIDI, BIDI)
_kill_case("a remote server (ejabberd, dialback)", "hq1", "ejb-dial", "ejb-dial")
_kill_case("the local server (ejabberd)", "hq2", "pro-dial", "hq2")


# -- the end ---------------------------------------------------------------------------------

@case("end: still one trunk per local server; SIGTERM drains; no complaint of a sanitizer", 60)
async def ends_well(stage):
    for name in LOCAL:
        if stage.servers[name].process:
            trunks = stage.lab.hosts[name].connections(5269)
            expect(len(trunks) == 1, f"{len(trunks)} connections to {name}'s port 5269: {trunks}")
    kept = await settle(stage)
    process = stage.proxy.process
    stage.proxy.stop()
    expect(process.returncode == 0, f"causeway ended with {process.returncode}")
    said = stage.proxy.complaints()
    expect(not said, f"{binary()}: " + "\n".join(said[:10]))
    shut = [n for n in REMOTE if stage.servers[n].process and "pro" in n and not
            stage.servers[n].log.grep(re.compile(r"system-shutdown"))]
    expect(not shut, f"these saw no system-shutdown: {shut}")
    return [str(kept)]


# -- stream management: Prosody, both roles; and 10,000 stanzas with a death in the middle --------

@case("stream management: with Prosody behind EXTERNAL in both roles, and not after dialback", 90)
async def managed_streams(stage):
    await stage.up("hq1", "pro-cert", "pro-dial")
    local = await stage.user("alice@alpha.example")
    before = await settle(stage)
    far, near = await stage.user("ann@pro-cert.example"), await stage.user("ann@pro-dial.example")
    for other in (far, near):
        await talk(local, other, 60)
        await talk(other, local, 61)
    after = await settle(stage)
    seen = stage.proxy.managed("alpha.example", "pro-cert.example")
    expect(seen == {("initiating", True), ("receiving", True)}, f"with pro-cert: {seen}")
    seen = stage.proxy.managed("alpha.example", "pro-dial.example")
    expect(seen and not any(on for _role, on in seen), f"with pro-dial: {seen}")
    out = _delta(before, after, "outbound")
    expect(out["acked"] >= 3 and out["written"] >= 3, f"outbound {out}")
    unacked = [l for l in stage.proxy.status()["links"] if l["unacked"] or l["untaken"]]
    expect(not unacked, f"still owed: {unacked}")


def _burst(what, direction, killed, of, managed, remote="pro-cert"):
    """`of`: whose server or link dies; `inner` is a local server that knows stream management."""
    leg = "with" if managed else "without"
    whose = REMOTE.get(remote, (Jabberd2, "dialback"))
    title = f"burst: 10,000 {direction}, {whose[0].TITLE} ({whose[1]}) outside, {what} dies; a leg {leg} XEP-0198"

    @case(title, 200)
    async def run(stage):
        await stage.up("hq1", remote, *(["inner"] if of == "inner" else []))
        local = await stage.user("alice@" + (BEHIND if of == "inner" else "alpha.example"))
        far = await stage.user("ann@" + domain_of(remote))
        sender, receiver = (local, far) if direction == "outbound" else (far, local)
        await Flow(sender, receiver, direction).knock()
        flow = burst.Burst(sender, receiver, direction)

        async def strike():
            if killed == "server":
                stage.servers[of].kill()
                if of != "inner":
                    await receiver.lost()
            else:
                burst.cut(stage.lab.hosts[of], stage.proxy.host.address["inside" if of in ("hq1", "inner") else "outside"])

        async def back():
            if killed == "server":
                await stage.servers[of].start()
                if of != "inner":
                    await receiver.online()
        return await burst.play(stage, flow, strike, back, killed, managed)


_burst("the outside link", "outbound", "link", "pro-cert", True)
_burst("the remote server", "outbound", "server", "pro-cert", True)
_burst("the inside link", "inbound", "link", "inner", True)
_burst("the local server", "inbound", "server", "inner", True)
_burst("the inside link", "inbound", "link", "hq1", False)
_burst("the local server", "inbound", "server", "hq1", False)
_burst("the outside link", "outbound", "link", "ejb-dial", False, "ejb-dial")
_burst("the remote server", "outbound", "server", "pro-dial", False, "pro-dial")
_burst("the outside link", "outbound", "link", "jab-dial", False, "jab-dial")
_burst("the remote server", "outbound", "server", "jab-dial", False, "jab-dial")
