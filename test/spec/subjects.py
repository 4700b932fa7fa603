"""Servers under test, each on a host of its own in the lab of test/live: Causeway and Debian's servers.

For:    settings that let s2spec in: our authority believed, dialback allowed, limits of rate off.
Never:  the machine's own configuration, data or services.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TEST = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TEST, "live")]

from proxy import binary  # noqa: E402
from servers import Ejabberd, Prosody, Server  # noqa: E402

DOMAINS = ["server.example", "second.example"]
NETWORK = "10.77.9"
TESTER, DNS = f"{NETWORK}.1", f"{NETWORK}.1"
DIRECT = 5270  # where TLS comes first


class Certificate:
    """Paths of what --prepare wrote."""

    def __init__(self, folder):
        self.cert, self.key, self.ca = (os.path.join(folder, n) for n in ("server.pem", "server.key", "ca.pem"))
        self.both = os.path.join(folder, "both.pem")
        with open(self.cert, "rb") as cert, open(self.key, "rb") as key, open(self.both, "wb") as both:
            both.write(cert.read() + key.read())


def version_of(package):
    return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True,
                          check=False).stdout or "?"


def prosody(host, leaf):
    server = Prosody(host, DOMAINS, dns=DNS, s2s_secure_auth=False, s2s_require_encryption=True,
                     modules_enabled=[*Prosody.MODULES, "smacks", "s2s_bidi"], modules_disabled=[],
                     s2s_direct_tls_ports=[DIRECT],
                     ssl={"key": leaf.key, "certificate": leaf.cert, "cafile": leaf.ca, "capath": False})
    server.DIRECT = DIRECT
    return server, f"Prosody {version_of('prosody')}"


def ejabberd(host, leaf):
    host.resolver(DNS)
    server = Ejabberd(host, DOMAINS, dns=DNS, s2s_use_starttls="required", certfiles=[leaf.both], ca_file=leaf.ca,
                      s2s_cafile=leaf.ca, listen=[
                          {"port": 5222, "ip": "::", "module": "ejabberd_c2s", "access": "c2s"},
                          {"port": 5269, "ip": "::", "module": "ejabberd_s2s_in", "max_stanza_size": 524288},
                          {"port": DIRECT, "ip": "::", "module": "ejabberd_s2s_in", "max_stanza_size": 524288, "tls": True}])
    server.DIRECT = DIRECT
    return server, f"ejabberd {version_of('ejabberd')}"


class Jabberd2(Server):
    """Three of its programs: the router, the session manager and S2S."""

    TITLE, PACKAGE, LOG = "jabberd2", "jabberd2", "s2s.log"
    MODULES = "/usr/lib/x86_64-linux-gnu/jabberd2"
    ROUTER = "<router><ip>127.0.0.1</ip><port>5347</port><user>jabberd</user><pass>secret</pass>" \
             "<retry><init>60</init><lost>3</lost><sleep>1</sleep></retry></router>"

    def __init__(self, host, domains, leaf):
        super().__init__(host, domains)
        self.others = []
        host.resolver(DNS)
        log = "<log type='file'><ident>x</ident><file>{}</file></log>"
        path = host.path
        host.write("users.xml", "<users><user><name>jabberd</name><secret>secret</secret></user></users>")
        host.write("router.xml", f"""<router><id>router</id>{log.format(path('router.log'))}
            <local><ip>127.0.0.1</ip><port>5347</port><users>{path('users.xml')}</users><secret>secret</secret></local>
            <io><max_fds>1024</max_fds></io><aci><acl type='all'><user>jabberd</user></acl></aci></router>""")
        host.write("s2s.xml", f"""<s2s><id>s2s</id>{self.ROUTER}{log.format(path(self.LOG))}
            <local><ip>0.0.0.0</ip><port>5269</port><pemfile>{leaf.both}</pemfile><cachain>{leaf.ca}</cachain></local>
            <io><max_fds>1024</max_fds><limits><stanzasize>65535</stanzasize></limits></io>
            <lookup><srv>xmpp-server</srv></lookup><out-conn-reuse/>
            <security><require_tls/></security></s2s>""")
        host.write("sm.xml", self.session_manager(log.format(path("sm.log")), path("fs")))
        os.makedirs(path("fs"), exist_ok=True)

    def session_manager(self, log, folder):
        with open("/etc/jabberd2/sm.xml", encoding="utf-8") as file:  # the package's own chains of modules
            modules = re.search(r"<modules>.*?</modules>", file.read(), re.S)[0]
        ids = "".join(f"<id>{d}</id>" for d in self.domains)
        return (f"<sm><id>sm</id>{self.ROUTER}{log}<local>{ids}</local>"
                f"<storage><path>{self.MODULES}</path><driver>fs</driver><fs><path>{folder}</path></fs></storage>"
                f"{modules}</sm>")

    def argv(self):
        return ["jabberd2-s2s", "-c", self.host.path("s2s.xml")]

    def environ(self):
        return {"NAMESERVERS": DNS}

    def launch(self):
        for name in ("router", "sm"):
            self.others.append(self.host.start([f"jabberd2-{name}", "-c", self.host.path(name + ".xml")], name + ".out"))
        super().launch()

    def is_serving(self):
        return self.host.listens(5269) and self.sm_is_bound()

    def sm_is_bound(self):
        lines = "\n".join(open(self.host.path("router.log"), encoding="utf-8", errors="replace").readlines()
                          if os.path.exists(self.host.path("router.log")) else [])
        return all(f"[{d}] online" in lines for d in self.domains)

    def _end(self, sig):
        super()._end(sig)
        for process in self.others:
            os.killpg(process.pid, sig)
            process.wait(20)
        self.others.clear()


def jabberd2(host, leaf):
    return Jabberd2(host, DOMAINS, leaf), f"jabberd2 {version_of('jabberd2')}"


class Causeway(Server):
    """Causeway with our small local server behind it, both on one host; the inside is its loopback."""

    TITLE, LOG, DIRECT = "Causeway", "output.log", DIRECT
    INSIDE, INNER = "127.0.0.5", "127.0.0.10"

    def __init__(self, host, domains, leaf):
        super().__init__(host, domains)
        import yaml
        self.inner = None
        settings = {
            "listen": {"outside": [f"{self.address}:5269"], "direct_tls": [f"{self.address}:{DIRECT}"],
                       "inside": [f"{self.INSIDE}:5269"],
                       "admin": host.path("admin.sock")},
            "domains": {d: {"server": "inner", "certificate": leaf.cert, "key": leaf.key} for d in domains},
            "servers": {"inner": {"attach": "s2s", "address": [f"{self.INNER}:5269"], "trust": [f"{self.INNER}/32"],
                                  "tls": "none"}},
            "dns": {"forward": [DNS], "allow_private": [f"{NETWORK}.0/24"]},
            "tls": {"ca": leaf.ca}, "limits": {"conns_per_address": 2000}}
        self.settings = host.write("causeway.yaml", yaml.safe_dump(settings, sort_keys=False))

    def argv(self):
        return [binary(), "run", "-c", self.settings]

    def launch(self):
        self.inner = self.host.start(["/usr/bin/python3", os.path.join(HERE, "inner.py"), "--listen", f"{self.INNER}:5269",
                                      "--proxy", f"{self.INSIDE}:5269"], "inner.out")
        super().launch()

    def is_serving(self):
        return self.host.listens(5269)

    def _end(self, sig):
        super()._end(sig)
        if self.inner:
            os.killpg(self.inner.pid, sig)
            self.inner.wait(20)
            self.inner = None


def causeway(host, leaf):
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=False).stdout.split()
    return Causeway(host, DOMAINS, leaf), "Causeway " + (version[-1] if version else "?")


SUBJECTS = {"causeway": causeway, "prosody": prosody, "ejabberd": ejabberd, "jabberd2": jabberd2}
