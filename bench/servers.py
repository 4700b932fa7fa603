"""Other people's programs under test: XMPP servers between their S2S and their component port, and
TLS relays which move bytes.

Each is started by us in the foreground, with a throw-away configuration in the work folder, on
loopback; its limits are off, and what it logs is little. The system's own configuration and data
are not touched.
"""

import glob
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from stage import Program, listens, openssl, package

SECRET = "secret"
DNS_PORT = 5353
COMPONENT_PORT = 5347


def descendants(pid):
    """The process and all it has started."""
    found = [pid]
    for at in found:
        for file in glob.glob(f"/proc/{at}/task/*/children"):
            try:
                found += [int(word) for word in Path(file).read_text().split()]
            except OSError:
                pass  # it has ended meanwhile
    return found


class Packaged(Program):
    """It comes from Debian."""

    packages = ()

    @classmethod
    def missing(cls):
        """The first of the packages which is not installed, or None."""
        return next((name for name in cls.packages if not package(name)), None)

    @classmethod
    def version(cls):
        return package(cls.packages[0])


class Server(Packaged):
    """An XMPP server: S2S outside, components inside; names are asked of an unbound of our own."""


    def __init__(self, place, scenario):
        super().__init__(place, scenario)
        self.net = self.outside.rsplit(".", 1)[0]
        self.inside = f"{self.net}.2:{COMPONENT_PORT}"
        self.dns = f"{self.net}.5"
        pairs = max(scenario.pairs, scenario.links)
        self.names = [f"l{i}.near.example"
                      for i in range((pairs + scenario.links - 1) // scenario.links)]
        self.resolver = None
        self.work = Path(place.work) / "server"
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        self.configure()

    def configure(self):
        raise NotImplementedError

    def write(self, name, text):
        (self.work / name).write_text(text)
        return self.work / name

    def cert(self, name):
        return self.place.file(name)

    def hosts(self):
        """Addresses of the remotes."""
        return [self.remotes.split(":")[0]] * self.scenario.links

    def start_resolver(self):
        """An SRV target spelled as an address spares the servers a second way of asking."""
        hosts = self.hosts()
        data = "".join(f"  local-data: '_xmpp-server._tcp.r{i}.far.example. 60 IN SRV 0 0 5269 "
                       f"{host}.'\n" for i, host in enumerate(hosts))
        data += "".join(f"  local-data: '{host}. 60 IN A {host}'\n" for host in set(hosts))
        file = self.write("unbound.conf", f"""server:
  interface: {self.dns}@{DNS_PORT}
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{self.work}"
  pidfile: "{self.work}/unbound.pid"
  use-syslog: no
  logfile: "{self.work}/unbound.log"
  num-threads: 1
  local-zone: "." static
{data}remote-control:
  control-enable: no
""")
        self.resolver = subprocess.Popen(
            self.place.pinned(1) + ["unbound", "-d", "-p", "-c", str(file)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        self.start_resolver()
        return super().__enter__()

    def __exit__(self, *_):
        for process in [self.resolver]:
            if process and process.poll() is None:
                process.terminate()
                process.wait()
        super().__exit__()

    def pids(self):
        return descendants(self.pid)

    def is_ready(self):
        return listens(self.outside) and listens(self.inside)

    def load_arguments(self):
        file = self.place.file
        return ["--attach", "component", "--secret", SECRET, "--outside", self.outside,
                "--inside", self.inside, "--remotes", self.remotes, "--ca", str(file("ca.pem")),
                "--remote-cert", str(file("far.pem")), "--remote-key", str(file("far.key"))]


class Prosody(Server):
    title, packages, share = "Prosody", ("prosody", "lua-unbound", "unbound"), 0.06

    def configure(self):
        components = "".join(f'Component "{name}"\n  component_secret = "{SECRET}"\n'
                             for name in self.names)
        self.write("prosody.cfg.lua", f"""run_as_root = true
daemonize = false
pidfile = "{self.work}/prosody.pid"
data_path = "{self.work}"
certificates = "{self.work}"
interfaces = {{ "{self.outside.split(':')[0]}" }}
s2s_ports = {{ 5269 }}
component_ports = {{ {COMPONENT_PORT} }}
component_interfaces = {{ "{self.inside.split(':')[0]}" }}
log = {{ warn = "*console" }}
modules_enabled = {{ "tls"; "saslauth"; "dialback"; "s2s" }}
modules_disabled = {{ "s2s_bidi"; "c2s" }}
authentication = "anonymous"
storage = "memory"
s2s_require_encryption = true
ssl = {{
  cafile = "{self.cert('ca.pem')}";
  certificate = "{self.cert('near.pem')}";
  key = "{self.cert('near.key')}";
}}
unbound = {{ resolvconf = false; hoststxt = false; forward = "{self.dns}@{DNS_PORT}" }}
VirtualHost "near.example"
{components}""")

    def command(self):
        return ["prosody", "--config", str(self.work / "prosody.cfg.lua"), "-F"]


class Ejabberd(Server):
    title, packages, share = "ejabberd", ("ejabberd", "unbound"), 0.2

    def configure(self):
        both = self.write("near.pem", self.cert("near.pem").read_text()
                          + self.cert("near.key").read_text())
        hosts = "".join(f"      {name}: {{password: {SECRET}}}\n" for name in self.names)
        self.write("ejabberd.yml", f"""hosts: [near.example]
loglevel: warning
certfiles: ["{both}"]
ca_file: "{self.cert('ca.pem')}"
s2s_cafile: "{self.cert('ca.pem')}"
s2s_use_starttls: required
shaper: {{}}
shaper_rules: {{}}
acl: {{}}
access_rules: {{local: {{allow: all}}}}
listen:
  - port: 5269
    ip: "{self.outside.split(':')[0]}"
    module: ejabberd_s2s_in
    max_stanza_size: infinity
    shaper: none
  - port: {COMPONENT_PORT}
    ip: "{self.inside.split(':')[0]}"
    module: ejabberd_service
    shaper: none
    hosts:
{hosts}modules:
  mod_s2s_dialback: {{}}
""")
        address = ",".join(self.dns.split("."))
        self.write("inetrc", '{resolv_conf,""}.\n'
                   f'{{nameserver,{{{address}}},{DNS_PORT}}}.\n{{lookup,["file","native"]}}.\n')
        libs = os.path.dirname(next(iter(glob.glob("/usr/lib/*/ejabberd-*")), ""))
        self.environment = {"ERL_LIBS": libs, "ERL_INETRC": str(self.work / "inetrc"),
                            "HOME": str(self.work),
                            "EJABBERD_CONFIG_PATH": str(self.work / "ejabberd.yml"),
                            "EJABBERD_LOG_PATH": str(self.work / "ejabberd.log"),
                            "ERL_CRASH_DUMP": str(self.work / "erl_crash.dump")}

    def command(self):
        # one scheduler for the one CPU it is given, which does not spin while it waits
        return ["erl", "-noinput", "-ejabberd", "quiet", "true", "+S", "1:1", "+sbwt", "none",
                "+K", "true", "-start_epmd", "false", "-mnesia", "dir", f'"{self.work}/mnesia"',
                "-s", "ejabberd"]

    def last_words(self):
        file = self.work / "ejabberd.log"
        return super().last_words() + (file.read_text() if file.exists() else "")[-2000:]

    def load_arguments(self):
        return super().load_arguments() + ["--rearranged", "count"]


class Jabberd2(Server):
    """Its router and its s2s; EXTERNAL it has not."""

    title, packages, share = "jabberd2", ("jabberd2", "unbound"), 0.2

    def configure(self):
        both = self.write("near.pem", self.cert("near.pem").read_text()
                          + self.cert("near.key").read_text())
        users = self.write("router-users.xml", "<users><user><name>jabberd</name>"
                           f"<secret>{SECRET}</secret></user></users>\n")
        filters = self.write("router-filter.xml", "<rules/>\n")
        limits = "<limits><bytes>0</bytes><connects>0</connects></limits>"
        inside, outside = self.inside.split(":")[0], self.outside.split(":")[0]
        self.write("router.xml", f"""<router><id>router</id>
<log type='stdout'/>
<local><ip>{inside}</ip><port>{COMPONENT_PORT}</port><users>{users}</users>
<secret>{SECRET}</secret></local>
<io><max_fds>16384</max_fds>{limits}<access><order>allow,deny</order></access></io>
<aci><acl type='all'><user>jabberd</user></acl><filter>{filters}</filter></aci>
</router>
""")
        self.write("s2s.xml", f"""<s2s><id>s2s</id>
<router><ip>{inside}</ip><port>{COMPONENT_PORT}</port><user>jabberd</user><pass>{SECRET}</pass>
<retry><init>20</init><lost>0</lost><sleep>1</sleep></retry></router>
<log type='stdout'/>
<local><ip>{outside}</ip><port>5269</port><pemfile>{both}</pemfile>
<verify-mode>0</verify-mode></local>
<io><max_fds>16384</max_fds><limits><stanzasize>0</stanzasize></limits></io>
<check><interval>60</interval><queue>60</queue><retry>300</retry><idle>86400</idle></check>
<lookup><srv>xmpp-server</srv></lookup>
<out-conn-reuse/>
</s2s>
""")
        self.environment = {"NAMESERVERS": self.dns,
                            "RES_OPTIONS": f"port:{DNS_PORT} timeout:2 attempts:1"}
        self.s2s = None

    def command(self):
        return ["jabberd2-router", "-c", str(self.work / "router.xml")]

    def __enter__(self):
        self.start_resolver()
        with self.log.open("w") as log:
            self.start(log)
        with (self.work / "s2s.log").open("w") as log:
            limit = time.monotonic() + 10
            while not listens(self.inside) and time.monotonic() < limit:
                time.sleep(0.02)
            self.s2s = subprocess.Popen(
                self.place.pinned(0) + ["jabberd2-s2s", "-c", str(self.work / "s2s.xml")],
                stdout=log, stderr=log, env={**os.environ, **self.environment})
        return self.wait_until_ready()

    def __exit__(self, *_):
        if self.s2s and self.s2s.poll() is None:
            self.s2s.kill()
            self.s2s.wait()
        super().__exit__()

    def pids(self):
        return [self.pid, self.s2s.pid]

    def last_words(self):
        return super().last_words() + (self.work / "s2s.log").read_text()[-2000:]

    def load_arguments(self):
        return super().load_arguments() + ["--proof", "dialback"]


class Tunnel(Packaged):
    """Moves bytes between TLS and TLS; of XMPP it knows nothing."""

    def __init__(self, place, scenario):
        super().__init__(place, scenario)
        self.both = place.file("both-and-key.pem")
        self.both.write_text(place.file("both.pem").read_text()
                             + place.file("both.key").read_text())
        self.ways = [(self.outside, self.locals), (self.inside, self.remotes)]
        self.configuration = place.file("tunnel.conf")
        self.configuration.write_text(self.text())

    def text(self):
        raise NotImplementedError

    def is_ready(self):
        return listens(self.outside) and listens(self.inside)

    def load_arguments(self):
        return super().load_arguments() + ["--attach", "tunnel"]

class Haproxy(Tunnel):
    title, packages = "haproxy", ("haproxy",)

    def text(self):
        ways = "".join(f"""listen way{i}
    bind {here} ssl crt {self.both} ssl-min-ver TLSv1.3
    server next {there} ssl verify required ca-file {self.place.file('ca.pem')}
""" for i, (here, there) in enumerate(self.ways))
        return f"""global
    nbthread 1
    maxconn 8000
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
    ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
defaults
    mode tcp
    timeout connect 10s
    timeout client 10m
    timeout server 10m
{ways}"""

    def command(self):
        return ["haproxy", "-db", "-f", str(self.configuration)]


class Nginx(Tunnel):
    title, packages = "nginx stream", ("nginx-light", "libnginx-mod-stream")

    def text(self):
        ways = "".join(f"""  server {{
    listen {here} ssl backlog=4096;
    proxy_pass {there};
    proxy_ssl_name {name};
  }}
""" for (here, there), name in zip(self.ways, ("l0.near.example", "r0.far.example")))
        return f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid {self.place.file('nginx.pid')};
error_log stderr warn;
events {{ worker_connections 16384; }}
stream {{
  ssl_certificate {self.place.file('both.pem')};
  ssl_certificate_key {self.place.file('both.key')};
  ssl_protocols TLSv1.3;
  proxy_ssl on;
  proxy_ssl_protocols TLSv1.3;
  proxy_ssl_verify on;
  proxy_ssl_trusted_certificate {self.place.file('ca.pem')};
  proxy_timeout 10m;
{ways}}}
"""

    def command(self):
        return ["nginx", "-e", "stderr", "-c", str(self.configuration)]


class XmppProxy(Program):
    """TLS outside only; passes a stream through to the local server, which here believes it."""

    title, share = "xmpp-proxy", 0.3
    program = "xmpp-proxy"

    def __init__(self, place, scenario):
        super().__init__(place, scenario)
        key = place.file("near.pkcs8.key")
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", place.file("near.key"), "-out", key)
        self.configuration = place.file("xmpp-proxy.toml")
        self.configuration.write_text(f"""listen = [ "{self.outside}" ]
c2s_target = "{self.locals}"
s2s_target = "{self.locals}"
proxy = false
max_stanza_size_bytes = 1000000
tls_key = "{key}"
tls_cert = "{place.file('near.pem')}"
""")

    def command(self):
        return [self.program, str(self.configuration)]

    def is_ready(self):
        return listens(self.outside)

    def load_arguments(self):
        return super().load_arguments()[:-4] + ["--proof", "unchecked"]

    @classmethod
    def missing(cls):
        return None if shutil.which(cls.program) else "xmpp-proxy (cargo install xmpp-proxy)"

    @classmethod
    def version(cls):
        """It does not tell itself; cargo's list beside it does."""
        file = Path(shutil.which(cls.program)).parent.parent / ".crates.toml"
        found = re.search(r'"xmpp-proxy (\S+)', file.read_text() if file.exists() else "")
        return found[1] if found else "of unknown version"


SERVERS = {"haproxy": Haproxy, "nginx": Nginx, "jabberd2": Jabberd2, "ejabberd": Ejabberd,
           "prosody": Prosody, "xmpp-proxy": XmppProxy}


def versions():
    """What is installed of them, by title."""
    return {kind.title: kind.version() for kind in SERVERS.values() if not kind.missing()}
