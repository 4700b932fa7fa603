"""stage.py - who stands where: the hosts, names, certificates and servers of the live tests.

   inside 10.77.1.0/24                 proxy              outside 10.77.2.0/24, fd77:2::/64
   hq1  Prosody   alpha, beta .example ──┤ .5   .5 ├── pro-cert, ejb-cert: trust our CA, want EXTERNAL
   hq2  ejabberd  gamma.example        ──┤ causeway ├── pro-dial, ejb-dial: self-signed, trust another
   inner  Causeway, for zeta of hq1    ──┤          │   CA, so dialback over TLS is all that is left
   hq3  Prosody   eta.example          ──┤          │
   (TLS and mod_s2s_bidi, as pro-bidi)   └──────────┤
                                                    ├── pro-bidi: as pro-cert; both ways on one connection
                                                    ├── pro-tls, ejb-tls: as -cert; direct TLS at 5270,
                                                    │   which the DNS prefers to STARTTLS at 5269
                                                    ├── many: Prosody with r01 .. r50 .example
                                                    ├── pro-dane: self-signed; its zone is DNSSEC-signed and has
                                                    │   TLSA records
                                                    ├── pro-posh: self-signed; web has its fingerprint
                                                    ├── web: nginx
                                                    └── dns: unbound
No packet can go from inside to outside but through the program on `proxy`: the
bridges are not joined, nobody forwards, and there are no routes.
"""

import json
import os

import ca
import lab
import zones
from jabberd2 import Jabberd2
from proxy import Causeway, Inner
from servers import Ejabberd, Nginx, Prosody, Unbound, records_for
from users import User

LOCAL = {"hq1": (Prosody, ["alpha.example", "beta.example"]),
         "hq2": (Ejabberd, ["gamma.example"])}
REMOTE = {"pro-cert": (Prosody, "certificate"), "ejb-cert": (Ejabberd, "certificate"),
          "pro-dial": (Prosody, "dialback"), "ejb-dial": (Ejabberd, "dialback")}
DIRECT = {"pro-tls": Prosody, "ejb-tls": Ejabberd}
# Stanzas go both ways on one connection with these (mod_s2s_bidi): a remote Prosody, and a local one.
BIDI = "pro-bidi"
# Dialback alone; its S2S, session manager, C2S and router are programs of their own.
JABBERD2 = "jab-dial"
BIDI_LOCAL = {"hq3": (Prosody, ["eta.example"])}
# Domains of hq1 that the DNS says are better reached by direct TLS, at this port of the proxy: the common one, its own.
DIRECT_LOCAL = {"delta.example": 5269, "epsilon.example": 5270}
# A domain of hq1 too, but between it and the proxy stands another Causeway, on the host `inner`.
BEHIND = "zeta.example"
SECRET = "0123456789abcdef" * 4
MANY = [f"r{i:02}.example" for i in range(1, 51)]
SHUT = MANY[-1]                     # the DNS promises direct TLS there, but nobody listens
HALF_DEAD = MANY[-2]                # two endpoints alike, the first of which no machine has
NOBODY = "10.77.2.99"
FACE = "s.causeway.example"         # the proxy's name on the internet
DANE = "pro-dane"
POSH, BAD_POSH = "pro-posh.example", "bad-posh.example"     # both on pro-posh; web cannot prove to be the second
POSH_FILES = "files.posh.example"
# Of many too, so with certificates of our CA, each with TLSA records of another key: in a signed zone, in one that was changed
# after it was signed, and in one that is not signed.
MISMATCH, BOGUS, INSECURE = ODD = ["mismatch.example", "bogus.example", "insecure.example"]


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
        self.records, self.zones = [], []
        self._make_hosts()
        self._make_signed()
        self._make_posh()
        self._make_proxy()
        self._make_locals()
        for name, (kind, proof) in REMOTE.items():
            self._make_remote(name, kind, proof)
        for name, kind in DIRECT.items():
            self._make_remote(name, kind, "certificate", direct=True)
        self._make_remote(BIDI, Prosody, "certificate", bidi=True)
        self._make_jabberd2()
        self._make_many()
        self.servers["dns"] = Unbound(self.lab.hosts["dns"], self.records, self.zones)

    # -- building ---------------------------------------------------------------
    def _make_hosts(self):
        host = self.lab.host
        host("dns", {"outside": 53})
        host("proxy", {"inside": 5, "outside": 5})
        host("hq1", {"inside": 10})
        host("hq2", {"inside": 11})
        host("inner", {"inside": 12})
        host("hq3", {"inside": 13})
        for i, name in enumerate([*REMOTE, *DIRECT, BIDI]):
            host(name, {"outside": 20 + i})
        host("many", {"outside": 30})
        host(DANE, {"outside": 31})
        host("pro-posh", {"outside": 32})
        host("web", {"outside": 33})
        host(JABBERD2, {"outside": 34})
        self.dns = self.lab.hosts["dns"].address["outside"]
        self.inside_dns = self.lab.hosts["proxy"].address["inside"]

    def _make_signed(self):
        """pro-dane, which only DANE proves, and the three domains of many whose records say something else than their CA."""
        h, domain = self.lab.hosts[DANE], domain_of(DANE)
        leaf = ca.self_signed(lab.ROOT + "/self", domain)
        self._sign(domain, h, zones.spki_of(leaf.cert))
        self._add(DANE, Prosody(h, [domain], ["ann@" + domain], dns=self.dns, s2s_secure_auth=True,
                                s2s_require_encryption=True, ssl=self._prosody_tls(leaf, self.ca.file)))
        other = zones.spki_of(leaf.cert)
        for name in (MISMATCH, BOGUS):
            self._sign(name, self.lab.hosts["many"], other)
        self.zones[-1].forge(other.lower(), "00" * 32)
        self.records.append(zones.tlsa("s.many.example", 5269, 3, other))

    def _make_posh(self):
        """The document of the one domain is found by a redirect and a reference; of the other only at a wrong certificate."""
        h, web, domains = self.lab.hosts["pro-posh"], self.lab.hosts["web"], [POSH, BAD_POSH]
        leaf = ca.self_signed(lab.ROOT + "/self", *domains)
        prints = json.dumps({"fingerprints": [{"sha-256": zones.print_of(leaf.cert)}], "expires": 3600})
        refers = json.dumps({"url": f"https://{POSH_FILES}/posh.json", "expires": 3600})
        well_known = "/.well-known/posh/xmpp-server.json"
        self._add("web", Nginx(web, self.ca.leaf(POSH, POSH_FILES), {"/posh.json": prints, "/refers.json": refers},
                               {well_known: f"https://{POSH}/refers.json"}))
        for d in domains:
            self.records += records_for(d, "s." + d, [h.address["outside"]], [h.address6["outside"]])
        for d in (*domains, POSH_FILES):
            self.records.append(f"{d}. 60 IN A {web.address['outside']}")
        self._add("pro-posh", Prosody(h, domains, ["ann@" + d for d in domains], dns=self.dns, s2s_secure_auth=True,
                                      s2s_require_encryption=True, ssl=self._prosody_tls(leaf, self.ca.file)))

    def _sign(self, domain, host, data):
        target = "s." + domain
        records = records_for(domain, target, [host.address["outside"]], [host.address6["outside"]])
        self.zones.append(zones.Zone(lab.ROOT + "/zones", domain, records + [zones.tlsa(target, 5269, 3, data)]))

    def _make_proxy(self):
        proxy = self.lab.hosts["proxy"]
        domains = {d: (name, self.ca.leaf(d)) for name, (_k, ds) in {**LOCAL, **BIDI_LOCAL}.items() for d in ds}
        for d in domains:
            self.records += records_for(d, FACE, [], [])
        for d, port in DIRECT_LOCAL.items():
            domains[d] = ("hq1", self.ca.leaf(d))
            self.records += records_for(d, FACE, [], [], direct=port)
        self.records += [f"{FACE}. 60 IN A {proxy.address['outside']}",
                         f"{FACE}. 60 IN AAAA {proxy.address6['outside']}"]
        domains[BEHIND] = ("inner", self.ca.leaf(BEHIND))
        self.records += records_for(BEHIND, FACE, [], [])
        servers = {name: self.lab.hosts[name].address["inside"] for name in [*LOCAL, *BIDI_LOCAL, "inner"]}
        anchors = proxy.write("anchors", "".join(z.anchor + "\n" for z in self.zones))
        dane = {domain_of(DANE): {"tls": "dane"}} | {d: {"proof": ["certificate", "dane", "dialback"]}
                                                     for d in (MISMATCH, BOGUS, INSECURE)}
        posh = {d: {"proof": ["certificate", "posh"]} for d in (POSH, BAD_POSH)}
        self.proxy = Causeway(proxy, domains, servers, dns=self.dns, ca_file=self.ca.file, anchors=anchors,
                              peers=dane | posh, secret=SECRET, also={"inner": [servers["hq1"]]},
                              tls={name: "required" for name in BIDI_LOCAL})
        self.servers["inner"] = Inner(self.lab.hosts["inner"], BEHIND, servers["hq1"], self.inside_dns, SECRET)

    def _make_locals(self):
        """Local servers: pointed at the proxy by its own DNS answers, TLS off on the inside leg but for hq3."""
        for name, (kind, domains) in {**LOCAL, **BIDI_LOCAL}.items():
            h = self.lab.hosts[name]
            domains = domains + ([*DIRECT_LOCAL, BEHIND] if name == "hq1" else [])
            users = ["alice@" + d for d in domains]
            if name in BIDI_LOCAL:
                server = Prosody(h, domains, users, dns=self.inside_dns, bidi=True, s2s_secure_auth=False,
                                 s2s_require_encryption=True,
                                 ssl=self._prosody_tls(self.ca.leaf(*domains), self.ca.file))
            elif kind is Prosody:
                server = Prosody(h, domains, users, dns=self.inside_dns, s2s_secure_auth=False,
                                 s2s_require_encryption=False)
            else:
                h.names({Causeway.INSIDE_NAME: self.inside_dns})
                server = Ejabberd(h, domains, users, dns=self.inside_dns,
                                  s2s_use_starttls="optional")
            self._add(name, server)

    def _make_remote(self, name, kind, proof, direct=False, bidi=False):
        h, domain = self.lab.hosts[name], domain_of(name)
        trusted = proof == "certificate"
        leaf = self.ca.leaf(domain) if trusted else ca.self_signed(lab.ROOT + "/self", domain)
        trust = (self.ca if trusted else self.other_ca).file
        # pro-dial has no IPv4 address in the DNS: one of the four is only reached by IPv6
        a = [] if name == "pro-dial" else [h.address["outside"]]
        aaaa = [h.address6["outside"]] if name.startswith("pro") else []
        self.records += records_for(domain, "s." + domain, a, aaaa, direct=5270 if direct else None)
        if kind is Prosody:
            server = Prosody(h, [domain], ["ann@" + domain], dns=self.dns, bidi=bidi, s2s_secure_auth=trusted,
                             s2s_require_encryption=True, ssl=self._prosody_tls(leaf, trust),
                             **({"s2s_direct_tls_ports": [5270]} if direct else {}))
        else:
            server = Ejabberd(h, [domain], ["ann@" + domain], dns=self.dns, direct=direct,
                              s2s_use_starttls="required", certfiles=[leaf.both],
                              ca_file=trust, s2s_cafile=trust)
        self._add(name, server)

    def _make_jabberd2(self):
        h, domain = self.lab.hosts[JABBERD2], domain_of(JABBERD2)
        self.records += records_for(domain, "s." + domain, [h.address["outside"]], [])
        self._add(JABBERD2, Jabberd2(h, [domain], ["ann@" + domain], self.dns,
                                     ca.self_signed(lab.ROOT + "/self", domain).both, self.other_ca.file))

    def _make_many(self):
        h = self.lab.hosts["many"]
        served = MANY + ODD
        for d in MANY + [INSECURE]:
            self.records.append(f"_xmpp-server._tcp.{d}. 60 IN SRV 10 5 5269 s.many.example.")
        self.records += [f"s.many.example. 60 IN A {h.address['outside']}",
                         f"_xmpps-server._tcp.{SHUT}. 60 IN SRV 0 5 5270 s.many.example.",
                         f"_xmpp-server._tcp.{HALF_DEAD}. 60 IN SRV 10 65535 5269 dead.many.example.",
                         f"dead.many.example. 60 IN A {NOBODY}"]
        self._add("many", Prosody(h, served, ["ann@" + d for d in served], dns=self.dns,
                                  s2s_secure_auth=True, s2s_require_encryption=True,
                                  ssl=self._prosody_tls(self.ca.leaf(*served), self.ca.file)))

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
