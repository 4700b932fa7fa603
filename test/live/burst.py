"""burst.py - 10,000 numbered stanzas in a row, and in the middle of them something is killed.

For:    the figures of promise 2 where it matters: who has said what became of each stanza, on legs with stream management
        (Prosody behind SASL EXTERNAL) and on legs without it.
Never:  allows a loss that is not explained, a duplicate that was not in doubt, or another order.

What each line says: `acked` the peer's own word, `written` its kernel's, `bounced` answered, `in doubt` neither; `arrived` what
the receiving user has, `twice` of it, `told` errors the sending user has, `lost` neither arrived nor told."""

import asyncio

from lab import until
from proxy import unbalanced
from traffic import Flow

COUNT = 10000
WINDOW = 1000           # stanzas a peer with stream management may owe
BUFFER = 256 * 1024     # bytes a link without it holds in its kernel at most
STANZA = 150            # bytes of one stanza at least


class Burst(Flow):
    """COUNT of them as fast as the sending server takes them."""

    async def _run(self):
        while self.sender.is_up and self.sent < COUNT:
            for _ in range(25):
                self.say()
            await asyncio.sleep(0.002)

    async def over(self, seconds=90):
        await asyncio.wait_for(self._task, seconds)

    def firsts(self):
        """The numbers in the order in which each came first."""
        return list(dict.fromkeys(self.received))


def fates(before, after):
    return {k: v - (0 if k == "queued" else before.get(k, 0)) for k, v in after.items() if isinstance(v, int)}


def figures(flow, f):
    got, firsts, back, lost = flow.received, flow.firsts(), set(flow.bounced), flow.lost()
    return (f"sent {flow.sent}: accepted {f['accepted']} = acked {f['acked']} + written {f['written']} + bounced "
            f"{f['bounced']} + dropped {f['dropped']} + in doubt {f['in_doubt']} (sent again {f['resent']}); arrived "
            f"{len(firsts)}, twice {len(got) - len(firsts)}, told {len(back)}, lost {len(lost)}")


def judge(flow, f, killed, managed):
    """Sentences that say what is wrong. `killed`: "link" or "server", the receiver's; `managed`: its leg has stream management."""
    out = []
    firsts, twice = flow.firsts(), len(flow.received) - len(flow.firsts())
    fate = f["acked"] + f["written"] + f["bounced"] + f["dropped"] + f["in_doubt"]
    if f["accepted"] != fate or f["queued"]:
        out.append("the ledger is out of balance")
    if f["accepted"] != flow.sent:
        out.append(f"{flow.sent} were sent, {f['accepted']} accepted")
    if any(a >= b for a, b in zip(firsts, firsts[1:])):
        out.append("another order")
    if twice > f["resent"]:
        out.append(f"{twice} came twice, {f['resent']} were sent again")
    if f["in_doubt"] > (WINDOW if managed else BUFFER // STANZA):
        out.append(f"{f['in_doubt']} in doubt")
    if managed and f["written"]:
        out.append(f"{f['written']} counted by the word of a kernel")
    may_lose = (f["acked"] if managed else f["written"]) if killed == "server" or not managed else 0
    if len(flow.lost()) > may_lose:
        out.append(f"{len(flow.lost())} are lost")
    return out


async def settled(stage, direction):
    def idle():
        kept = stage.proxy.ledger()
        return kept if not kept[direction]["queued"] else None
    kept = await until(idle, 60, "nothing is queued")
    if unbalanced(kept):
        raise AssertionError(f"ledger out of balance: {kept}")
    return kept[direction]


def cut(host, address, port=5269):
    """Ends all connections of the host with that address at that port, as a broken network would."""
    host.run(["ss", "-K", "state", "established", f"( dport = :{port} or sport = :{port} )", "dst", address])


async def play(stage, flow, strike, back, killed, managed):
    """`strike`: the blow, when a third has arrived; `back`: what makes it well again."""
    before = await settled(stage, flow.direction)
    flow.start()
    await until(lambda: len(flow.received) >= COUNT // 3, 60, "a third has arrived")
    await strike()
    await back()
    await flow.over()
    await until(lambda: flow.settled(COUNT), 60, "the last one is settled")
    f = fates(before, await settled(stage, flow.direction))
    problems = judge(flow, f, killed, managed)
    line = figures(flow, f)
    if problems:
        raise AssertionError("\n".join(problems + [line]))
    return [line]
