"""users.py - people with a real XMPP client (slixmpp) at a real server.

For:    numbered messages, pings and presence; what arrives is kept, and what
        comes back as an error.
Never:  reconnects by itself: a test says when.
"""

import asyncio
import collections
import logging

logging.getLogger("slixmpp").setLevel(logging.CRITICAL)     # before it is imported: it talks

import slixmpp

from lab import until

Bounce = collections.namedtuple("Bounce", "peer number condition text")

# What a server puts on a message that it had stored because its user was away (XEP-0203).
STORED = "{urn:xmpp:delay}delay"


class User:
    def __init__(self, jid, address, password="secret"):
        self.jid, self.address, self.password = jid, address, password
        self.got = []           # (bare jid of the sender, number), as the server took them
        self._stored_to = 0     # where in `got` the next one goes that the server had stored
        self.bounced = []       # Bounce
        self.presence = []      # (bare jid of the sender, type)
        self._client = None
        self._down = asyncio.Event()
        self._down.set()

    # -- connection ---------------------------------------------------------
    def _new_client(self, ready):
        c = slixmpp.ClientXMPP(self.jid + "/lab", self.password, plugin_config={
            "feature_mechanisms": {"unencrypted_plain": True, "unencrypted_scram": True}})
        c.register_plugin("xep_0199")
        c.register_plugin("xep_0030")
        c.add_event_handler("session_start", lambda _e: ready.set_result("up"))
        for bad in ("failed_auth", "connection_failed"):
            c.add_event_handler(bad, lambda _e, b=bad: ready.done() or ready.set_result(b))
        c.add_event_handler("disconnected", lambda _e: self._gone(c, ready))
        c.add_event_handler("message", self._on_message)
        c.add_event_handler("message_error", self._on_message)
        for kind in ("available", "unavailable", "subscribe"):
            c.add_event_handler("presence_" + kind, self._on_presence)
        return c

    def _gone(self, client, ready):
        if not ready.done():
            ready.set_result("disconnected")
        if client is self._client:
            self._down.set()

    async def online(self, seconds=20):
        """Logs in, trying again until `seconds` have passed (a server may be on its way up)."""
        async def keep_trying():
            while True:
                if await self._login():
                    return
                await asyncio.sleep(0.1)
        try:
            await asyncio.wait_for(keep_trying(), seconds)
        except asyncio.TimeoutError:
            raise TimeoutError(f"{self.jid} could not log in at {self.address} in {seconds} s")
        return self

    async def _login(self):
        ready = asyncio.get_running_loop().create_future()
        client = self._new_client(ready)
        client.connect((self.address, 5222), force_starttls=False, disable_starttls=True)
        verdict = await ready
        if verdict != "up":
            self._drop(client)
            return False
        self._client = client
        self._down.clear()
        self.begin()
        client.send_presence()
        return True

    async def offline(self):
        client, self._client = self._client, None
        if client:
            self._drop(client)
            self._down.set()

    @staticmethod
    def _drop(client):
        client.abort()
        client.cancel_connection_attempt()
        task = getattr(client, "_run_out_filters", None)    # abort() leaves it pending
        if task:
            task.cancel()

    @property
    def is_up(self):
        return self._client is not None and not self._down.is_set()

    async def lost(self, seconds=10):
        """Waits until the connection is gone (its server died)."""
        await asyncio.wait_for(self._down.wait(), seconds)
        await self.offline()

    # -- traffic ------------------------------------------------------------
    def _on_message(self, m):
        peer = m["from"].bare
        if m["type"] == "error":
            number = m["id"].removeprefix("n")
            self.bounced.append(Bounce(peer, int(number) if number.isdigit() else m["id"],
                                       m["error"]["condition"], m["error"]["text"]))
        elif m["body"]:
            body = m["body"]
            self.keep((peer, int(body) if body.isdigit() else body), m.xml.find(STORED) is not None)

    def begin(self):
        """A session begins: what the server had stored comes before all that is live in it."""
        self._stored_to = len(self.got)

    def keep(self, what, stored):
        """Puts it where the server took it.

        ejabberd makes a session known to all senders, and only then sends it what it had stored
        (ejabberd_c2s: update_priority, then the hook c2s_self_presence): a live message may
        overtake. With no Causeway anywhere that was seen at 8 of 60 logins. All that is stored
        came before all that is live, though, and in order.
        """
        if stored:
            self.got.insert(self._stored_to, what)
            self._stored_to += 1
        else:
            self.got.append(what)

    def _on_presence(self, p):
        self.presence.append((p["from"].bare, p["type"]))

    def say(self, to, what):
        """One chat message; a number also becomes its id, so that a bounce can be told apart."""
        m = self._client.make_message(mto=to, mbody=str(what), mtype="chat")
        m["id"] = f"n{what}" if isinstance(what, int) else what
        m.send()

    def show(self, to, kind=None):
        """Directed presence."""
        self._client.send_presence(pto=to, ptype=kind)

    async def ping(self, to, seconds=15):
        """XEP-0199; the answer may come from `to`'s client or from a server."""
        await asyncio.wait_for(
            self._client["xep_0199"].send_ping(slixmpp.JID(to), timeout=seconds), seconds + 1)

    def numbers(self, peer):
        return [n for who, n in self.got if who == peer and isinstance(n, int)]

    def bounces(self, peer):
        return [b for b in self.bounced if b.peer == peer]

    async def hears(self, peer, what, seconds=15):
        await until(lambda: (peer, what) in self.got, seconds, f"{self.jid} got {what!r} from {peer}")
