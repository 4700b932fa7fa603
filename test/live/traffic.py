"""traffic.py - numbered stanzas between two users, and what became of each.

For:    the tests that kill a server in mid-traffic: what was sent, what
        arrived, what came back, compared with the ledger's fates.
Never:  counts anything but its own numbers.
"""

import asyncio

from lab import until

PACE = 0.004        # s between two stanzas of a flow: traffic, not a flood


class Flow:
    """Messages 1, 2, 3, ... from one user to another, one way."""

    def __init__(self, sender, receiver, direction):
        self.sender, self.receiver, self.direction = sender, receiver, direction
        self.sent = 0
        self._got0 = len(receiver.got)
        self._bounced0 = len(sender.bounced)
        self._wanted = asyncio.Event()
        self._task = None

    # -- what the two users know ---------------------------------------------------
    @property
    def received(self):
        return [n for who, n in self.receiver.got[self._got0:] if who == self.sender.jid]

    @property
    def bounced(self):
        return [b.number for b in self.sender.bounced[self._bounced0:]
                if b.peer == self.receiver.jid]

    def texts(self):
        return sorted({(b.condition, b.text) for b in self.sender.bounced[self._bounced0:]
                       if b.peer == self.receiver.jid})

    def settled(self, number):
        return number in self.received or number in self.bounced

    # -- sending ----------------------------------------------------------------------
    def say(self):
        self.sent += 1
        self.sender.say(self.receiver.jid, self.sent)

    def start(self):
        """Sends at a steady pace until stop()."""
        self._task = asyncio.create_task(self._run())

    async def _run(self):
        while self.sender.is_up:
            self.say()
            await asyncio.sleep(PACE)

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def reaches(self, count, seconds=30):
        """Waits until `count` more have arrived."""
        goal = len(self.received) + count
        await until(lambda: len(self.received) >= goal, seconds,
                    f"{count} more of {self.name()} arrived")

    async def grows(self, count, seconds=30):
        """Waits until `count` more have been sent."""
        goal = self.sent + count
        await until(lambda: self.sent >= goal, seconds, f"{count} more of {self.name()} sent")

    async def knock(self, seconds=40):
        """Sends one number at a time until one arrives: the way is open again."""
        async def keep_knocking():
            while True:
                self.say()
                n = self.sent
                await until(lambda: self.settled(n), seconds, f"{n} of {self.name()} settled")
                if n in self.received:
                    return
        await asyncio.wait_for(keep_knocking(), seconds)

    async def finish(self, seconds=40):
        """Sends a last one and waits for its fate; order then says all before it are settled."""
        await self.knock(seconds)

    # -- judging ----------------------------------------------------------------------
    def name(self):
        return f"{self.sender.jid} -> {self.receiver.jid}"

    def in_order(self):
        got = self.received
        return all(a < b for a, b in zip(got, got[1:]))

    def lost(self):
        known = set(self.received) | set(self.bounced)
        return [n for n in range(1, self.sent + 1) if n not in known]


def judge(flow, fates, sender_died):
    """Problems (a list of sentences) and the figures (one line) of a flow.

    fates: what the ledger counted for this flow's direction since it began.
    A stanza that was lost in the sender's own server was never accepted by us;
    one that a killed receiver had taken is *written*. Nothing else may be lost.
    """
    problems = []
    got, back, lost = flow.received, flow.bounced, flow.lost()
    before_us = flow.sent - fates["accepted"]
    figures = (f"{flow.name()}: sent {flow.sent}, received {len(got)}, bounced {len(back)}, "
               f"lost {len(lost)} (of them {before_us} before us); ledger "
               + " ".join(f"{k}={v}" for k, v in fates.items() if isinstance(v, int)))
    again, firsts = fates.get("resent", 0), list(dict.fromkeys(got))    # sent again: a leg with XEP-0198
    bad = next(((a, b) for a, b in zip(firsts, firsts[1:]) if a >= b), None)
    if bad:
        problems.append(f"order: {bad[1]} came after {bad[0]}")
    if len(got) - len(firsts) > again:
        problems.append(f"{len(got) - len(firsts)} came twice, {again} were sent again")
    if before_us < 0:
        problems.append("more accepted than sent")
    if before_us > 0 and not sender_died:
        problems.append(f"{before_us} never accepted though the sender's server lived")
    if fates["queued"]:
        problems.append(f"{fates['queued']} still queued after the last one was settled")
    took = fates["written"] + fates["acked"]
    only_back = set(back) - set(got)
    if len(firsts) > took + fates["in_doubt"]:
        problems.append("more received than written and in doubt")
    most = fates["bounced"] + fates["in_doubt"]
    if not sender_died and not most - again <= len(back) <= most:
        problems.append(f"{len(back)} bounces seen, the ledger says {fates['bounced']} bounced"
                        f" and {fates['in_doubt']} in doubt")
    lost_here = fates["accepted"] - len(firsts) - len(only_back)
    slack = fates["in_doubt"] + fates["bounced"] if sender_died else 0
    if lost_here > max(0, took + again - len([n for n in firsts if n not in back])) + slack:
        problems.append("a loss that is not among the written")
    if lost and not sender_died and not _one_run(lost, got):
        problems.append(f"losses in more than one place: {lost[:10]}...")
    return problems, figures


def _one_run(lost, got):
    """Losses belong to the one moment of the kill: nothing arrived between two of them."""
    return not any(lost[0] < n < lost[-1] for n in got)
