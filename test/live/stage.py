"""stage.py - who stands where: the hosts, names, certificates and servers of the live tests.

   inside 10.77.1.0/24                 proxy              outside 10.77.2.0/24, fd77:2::/64
   hq1  Prosody   alpha, beta .example ──┤ .5   .5 ├── pro-cert, ejb-cert: trust our CA, want EXTERNAL
   hq2  ejabberd  gamma.example        ──┤ causeway ├── pro-dial, ejb-dial: self-signed, trust another
                                         └──────────┘   CA, so dialback over TLS is all that is left
                                                    ├── pro-tls, ejb-tls: as -cert; direct TLS at 5270,
                                                    │   which the DNS prefers to STARTTLS at 5269
                                                    ├── many: Prosody with r01 .. r50 .example
                                                    └── dns: unbound
No packet can go from inside to outside but through the program on `proxy`: the
bridges are not joined, nobody forwards, and there are no routes.
"""

import os

import ca
import lab
from proxy import Causeway
from servers import Ejabberd, Prosody, Unbound, records_for
from users import User

LOCAL = {"hq1": (Prosody, ["alpha.example", "beta.example"]),
         "hq2": (Ejabberd, ["gamma.example"])}
REMOTE = {"pro-cert": (Prosody, "certificate"), "ejb-cert": (Ejabberd, "certificate"),
          "pro-dial": (Prosody, "dialback"), "ejb-dial": (Ejabberd, "dialback")}
DIRECT = {"pro-tls": Prosody, "ejb-tls": Ejabberd}
# Domains of hq1 that the DNS says are better reached by direct TLS, at this port of the proxy: the common one, its own.
DIRECT_LOCAL = {"delta.example": 5269, "epsilon.example": 5270}
MANY = [f"r{i:02}.example" for i in range(1, 51)]
SHUT = MANY[-1]                     # the DNS promises direct TLS there, but nobody listens
HALF_DEAD = MANY[-2]                # two endpoints alike, the first of which no machine has
NOBODY = "10.77.2.99"
FACE = "s.causeway.example"         # the proxy's name on the internet


def domain_of(remote):
    return remote + ".example"


class Stage:
    def __init__(self):
        self.lab = lab.Lab()
        self.lab.bridge("inside", "10.77.1")
        self.lab.bridge("outside", "10.77.2", "fd77:2::")
        self.ca = ca.CA(lab.ROOT + "/ca", "Causeway lab CA")
        self.other_ca = ca.CA(lab.ROOT + "/other-ca", "Some other CA")
        self.users = {}
        self.servers = {}
        self.records = []
        self._make_hosts()
        self._make_proxy()
        self._make_locals()
        for name, (kind, proof) in REMOTE.items():
            self._make_remote(name, kind, proof)
        for name, kind in DIRECT.items():
            self._make_remote(name, kind, "certificate", direct=True)
        self._make_many()
        self.servers["dns"] = Unbound(self.lab.hosts["dns"], self.records)

    # -- building ---------------------------------------------------------------
    def _make_hosts(self):
        host = self.lab.host
        host("dns", {"outside": 53})
        host("proxy", {"inside": 5, "outside": 5})
        host("hq1", {"inside": 10})
        host("hq2", {"inside": 11})
        for i, name in enumerate([*REMOTE, *DIRECT]):
            host(name, {"outside": 20 + i})
        host("many", {"outside": 30})
        self.dns = self.lab.hosts["dns"].address["outside"]
        self.inside_dns = self.lab.hosts["proxy"].address["inside"]

    def _make_proxy(self):
        proxy = self.lab.hosts["proxy"]
        domains = {d: (name, self.ca.leaf(d)) for name, (_k, ds) in LOCAL.items() for d in ds}
        for d in domains:
            self.records += records_for(d, FACE, [], [])
        for d, port in DIRECT_LOCAL.items():
            domains[d] = ("hq1", self.ca.leaf(d))
            self.records += records_for(d, FACE, [], [], direct=port)
        self.records += [f"{FACE}. 60 IN A {proxy.address['outside']}",
                         f"{FACE}. 60 IN AAAA {proxy.address6['outside']}"]
        servers = {name: self.lab.hosts[name].address["inside"] for name in LOCAL}
        self.proxy = Causeway(proxy, domains, servers, dns=self.dns, ca_file=self.ca.file)

    def _make_locals(self):
        """Local servers: pointed at the proxy by its own DNS answers, TLS off on the inside leg."""
        for name, (kind, domains) in LOCAL.items():
            h = self.lab.hosts[name]
            domains = domains + (list(DIRECT_LOCAL) if name == "hq1" else [])
            users = ["alice@" + d for d in domains]
            if kind is Prosody:
                server = Prosody(h, domains, users, dns=self.inside_dns, s2s_secure_auth=False,
                                 s2s_require_encryption=False)
            else:
                h.names({Causeway.INSIDE_NAME: self.inside_dns})
                server = Ejabberd(h, domains, users, dns=self.inside_dns,
                                  s2s_use_starttls="optional")
            self._add(name, server)

    def _make_remote(self, name, kind, proof, direct=False):
        h, domain = self.lab.hosts[name], domain_of(name)
        trusted = proof == "certificate"
        leaf = self.ca.leaf(domain) if trusted else ca.self_signed(lab.ROOT + "/self", domain)
        trust = (self.ca if trusted else self.other_ca).file
        # pro-dial has no IPv4 address in the DNS: one of the four is only reached by IPv6
        a = [] if name == "pro-dial" else [h.address["outside"]]
        aaaa = [h.address6["outside"]] if name.startswith("pro") else []
        self.records += records_for(domain, "s." + domain, a, aaaa, direct=5270 if direct else None)
        if kind is Prosody:
            server = Prosody(h, [domain], ["ann@" + domain], dns=self.dns, s2s_secure_auth=trusted,
                             s2s_require_encryption=True, ssl=self._prosody_tls(leaf, trust),
                             **({"s2s_direct_tls_ports": [5270]} if direct else {}))
        else:
            server = Ejabberd(h, [domain], ["ann@" + domain], dns=self.dns, direct=direct,
                              s2s_use_starttls="required", certfiles=[leaf.both],
                              ca_file=trust, s2s_cafile=trust)
        self._add(name, server)

    def _make_many(self):
        h = self.lab.hosts["many"]
        for d in MANY:
            self.records.append(f"_xmpp-server._tcp.{d}. 60 IN SRV 10 5 5269 s.many.example.")
        self.records += [f"s.many.example. 60 IN A {h.address['outside']}",
                         f"_xmpps-server._tcp.{SHUT}. 60 IN SRV 0 5 5270 s.many.example.",
                         f"_xmpp-server._tcp.{HALF_DEAD}. 60 IN SRV 10 65535 5269 dead.many.example.",
                         f"dead.many.example. 60 IN A {NOBODY}"]
        self._add("many", Prosody(h, MANY, ["ann@" + d for d in MANY], dns=self.dns,
                                  s2s_secure_auth=True, s2s_require_encryption=True,
                                  ssl=self._prosody_tls(self.ca.leaf(*MANY), self.ca.file)))

    @staticmethod
    def _prosody_tls(leaf, trust):
        return {"key": leaf.key, "certificate": leaf.cert, "cafile": trust, "capath": False}

    def _add(self, name, server):
        self.servers[name] = server
        for jid in server.users:
            self.users[jid] = User(jid, server.address)

    # -- acting -------------------------------------------------------------------
    async def up(self, *names):
        """Starts those of the named servers that do not run, all at once, and waits for them."""
        new = [self.servers[n] for n in names if self.servers[n].process is None]
        for server in new:
            server.launch()
        for server in new:
            await server.ready()

    async def proxy_up(self):
        await self.up("dns")
        if self.proxy.process is None:
            await self.proxy.start()

    async def user(self, jid):
        """The user, logged in."""
        u = self.users[jid]
        return u if u.is_up else await u.online()

    def host_logs(self, into):
        """Copies what the servers wrote (for a person to read after a failure)."""
        import shutil
        for name in self.lab.hosts:
            shutil.copytree(os.path.join(lab.ROOT, name), os.path.join(into, name),
                            dirs_exist_ok=True,
                            ignore=lambda d, names: [n for n in names if n in ("mnesia",)
                                                     or n.endswith(".sock")])
