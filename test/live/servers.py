"""servers.py - real servers from Debian, each on a host of the lab.

For:    writing their settings, starting them in the foreground, waiting until
        they serve, killing and restarting them, and reading in their logs how
        a stream was proved and encrypted.
Never:  uses the system's configuration, data or services.
"""

import glob
import os
import re
import signal

from lab import Log, until

START = 60      # s a server may take to serve on a loaded machine


class Server:
    """What every server has: a host, a process, a log that tells facts."""

    def __init__(self, host, domains, users=()):
        self.host, self.domains, self.users = host, list(domains), list(users)
        self.process = None
        self.log = Log(host.path(self.LOG))

    @property
    def address(self):
        return next(iter(self.host.address.values()))

    def launch(self):
        """Starts the program without waiting for it."""
        assert self.process is None
        self.process = self.host.start(self.argv(), "output.log", self.environ())

    async def ready(self):
        """Waits until it serves users and servers."""
        def serving():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.host.name} ended with {self.process.returncode}: "
                                   + " | ".join(Log(self.host.path('output.log')).lines()[-5:]))
            return self.is_serving()
        await until(serving, START, f"{self.host.name} serves")

    async def start(self):
        self.launch()
        await self.ready()
        return self

    def kill(self):
        """kill -9, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def _end(self, sig):
        if self.process:
            os.killpg(self.process.pid, sig)
            self.process.wait(20)
            self.process = None

    def environ(self):
        return {}


def _lua(value):
    """A Python value as Lua source."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{ " + "; ".join(f"[{_lua(k)}] = {_lua(v)}" for k, v in value.items()) + " }"
    return "{ " + "; ".join(_lua(v) for v in value) + " }"


class Prosody(Server):
    TITLE, PACKAGE = "Prosody", "prosody"
    LOG = "prosody.log"
    MODULES = ["roster", "saslauth", "tls", "dialback", "disco", "ping", "smacks"]

    def __init__(self, host, domains, users=(), dns=None, bidi=False, **settings):
        """dns: the resolver's address; bidi: both ways on one connection; settings: global settings added to (or over)
        ours."""
        super().__init__(host, domains, users)
        base = {
            "run_as_root": True, "daemonize": False, "pidfile": host.path("prosody.pid"),
            "data_path": host.path("data"), "use_ipv6": True, "interfaces": ["*", "::"],
            "log": {"debug": host.path(self.LOG)},
            "modules_enabled": self.MODULES + (["s2s_bidi"] if bidi else []),
            "modules_disabled": [] if bidi else ["s2s_bidi"],
            "authentication": "internal_plain", "storage": "internal",
            "c2s_require_encryption": False, "allow_unencrypted_plain_auth": True,
            "unbound": {"resolvconf": False, "hoststxt": False, "forward": dns},
        }
        base.update(settings)
        self._write_settings(base)
        self._write_users()

    def _write_settings(self, settings):
        lines = [f"{k} = {_lua(v)}" for k, v in settings.items()]
        lines += [f'VirtualHost "{d}"' for d in self.domains]
        self.host.write("prosody.cfg.lua", "\n".join(lines) + "\n")

    def _write_users(self):
        for jid in self.users:
            name, domain = jid.split("@")
            folder = "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in domain)
            self.host.write(f"data/{folder}/accounts/{name}.dat",
                            'return { ["password"] = "secret"; };\n')

    def argv(self):
        return ["prosody", "--config", self.host.path("prosody.cfg.lua"), "-F"]

    def is_serving(self):
        return self.host.listens(5222) and self.host.listens(5269)

    # -- facts ---------------------------------------------------------------
    # Every line of a session carries its tag, like s2sin5583ab01. From the line that
    # says a pair is authenticated we read the same tag's lines backwards: the first
    # proof and the first TLS line met are those of this session.
    def facts_in(self, remote, local):
        """(proof, TLS) of the latest stream on which `remote` was proved to us for `local`."""
        del local                     # 0.12 proves a sender once for all hosts of the server
        return self._facts(rf"(s2sin\w+)\s.*is now authenticated for {re.escape(remote)}$",
                           r"Received\[.*<auth .*mechanism='EXTERNAL'",
                           r"Received\[.*<(?:db:)?result .*from='" + re.escape(remote))

    def facts_out(self, local, remote):
        """(proof, TLS) of the latest stream on which we proved `local` to `remote`."""
        return self._facts(rf"(s2sout\w+)\s.*connection {re.escape(local)}->{re.escape(remote)}"
                           rf" is now authenticated for {re.escape(remote)}$",
                           r"Received\[.*<success ",
                           r"Received\[.*<(?:db:)?result .*type='valid'")

    def _facts(self, authenticated, certificate, dialback):
        lines = self.log.lines()
        for at in range(len(lines) - 1, -1, -1):
            m = re.search(authenticated, lines[at])
            if m:
                own = [l for l in lines[:at] if f" {m[1]}\t" in l]
                proof = self._latest(own, {certificate: "certificate", dialback: "dialback"})
                return proof, self._latest(own, {r"encrypted \(TLS": True}) or False
        return None

    @staticmethod
    def _latest(lines, meanings):
        for line in reversed(lines):
            for rx, meaning in meanings.items():
                if re.search(rx, line):
                    return meaning
        return None


class Ejabberd(Server):
    TITLE, PACKAGE = "ejabberd", "ejabberd"
    LOG = "ejabberd.log"
    LIBS = "/usr/lib/x86_64-linux-gnu"

    def __init__(self, host, domains, users=(), dns=None, direct=False, **settings):
        """direct: listens for direct TLS at port 5270."""
        super().__init__(host, domains, users)
        import yaml
        base = {
            "hosts": self.domains, "loglevel": "info", "auth_method": "internal",
            "s2s_use_starttls": "optional", "s2s_max_retry_delay": 1,
            "shaper": {}, "shaper_rules": {}, "acl": {},
            "access_rules": {"local": {"allow": "all"}, "c2s": {"allow": "all"}},
            "listen": [
                {"port": 5222, "ip": "::", "module": "ejabberd_c2s", "access": "c2s"},
                {"port": 5269, "ip": "::", "module": "ejabberd_s2s_in"}],
            "modules": {"mod_s2s_dialback": {}, "mod_ping": {}, "mod_disco": {},
                        "mod_roster": {}, "mod_offline": {}},
        }
        if direct:
            base["listen"].append({"port": 5270, "ip": "::", "module": "ejabberd_s2s_in", "tls": True})
        base.update(settings)
        host.write("ejabberd.yml", yaml.safe_dump(base))
        host.resolver(dns)
        a = dns.split(".")
        host.write("inetrc", '{resolv_conf,""}.\n{nameserver,{%s}}.\n{lookup,["file","native"]}.\n'
                   % ",".join(a))

    def argv(self):
        register = "".join(
            'ejabberd_auth:try_register(<<"%s">>,<<"%s">>,<<"secret">>),' % tuple(j.split("@"))
            for j in self.users)
        ready = 'ok = file:write_file("%s", <<"up">>).' % self.host.path("ready")
        return ["erl", "-noinput", "-ejabberd", "quiet", "true", "+sbwt", "none", "+S", "2:2", "-start_epmd", "false",
                "-mnesia", "dir", f'"{self.host.path("mnesia")}"',
                "-s", "ejabberd", "-eval", register + ready]

    def launch(self):
        if os.path.exists(self.host.path("ready")):
            os.unlink(self.host.path("ready"))
        super().launch()

    def environ(self):
        libs = self.LIBS if glob.glob(self.LIBS + "/ejabberd-*") else \
            os.path.dirname(glob.glob("/usr/lib/*/ejabberd-*")[0])
        return {"ERL_LIBS": libs, "ERL_INETRC": self.host.path("inetrc"), "HOME": self.host.dir,
                "EJABBERD_CONFIG_PATH": self.host.path("ejabberd.yml"),
                "EJABBERD_LOG_PATH": self.host.path(self.LOG),
                "ERL_CRASH_DUMP": self.host.path("erl_crash.dump")}

    def is_serving(self):
        return os.path.exists(self.host.path("ready"))


    # -- facts: one line at info level says it all -----------------------------
    PROOF = {"EXTERNAL": "certificate", "dialback": "dialback"}

    def facts_in(self, remote, local):
        return self._facts("inbound", remote, local)

    def facts_out(self, local, remote):
        return self._facts("outbound", local, remote)

    def _facts(self, direction, source, target):
        found = self.log.grep(re.compile(
            rf"\((tls|tcp)\|.*Accepted {direction} s2s (\w+) authentication "
            rf"{re.escape(source)} -> {re.escape(target)} "))
        return (self.PROOF[found[-1][2]], found[-1][1] == "tls") if found else None


class Nginx(Server):
    """A web server for documents at one certificate's names."""
    TITLE, PACKAGE = "nginx", "nginx-light"
    LOG = "access.log"

    def __init__(self, host, leaf, documents, redirects):
        """documents: {path: text}; redirects: {path: URL}."""
        super().__init__(host, [])
        for path, text in documents.items():
            host.write("www" + path, text)
        moved = "".join(f"    location = {path} {{ return 302 {url}; }}\n" for path, url in redirects.items())
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temp = "".join(f"  {k}_temp_path {host.path('tmp-' + k)};\n" for k in kinds)
        host.write("nginx.conf", f"""daemon off;
user root;
worker_processes 1;
pid {host.path('nginx.pid')};
error_log {host.path('error.log')};
events {{ }}
http {{
{temp}  access_log {host.path(self.LOG)} combined;
  server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    ssl_certificate {leaf.cert};
    ssl_certificate_key {leaf.key};
    default_type application/json;
    root {host.path('www')};
{moved}  }}
}}
""")

    def argv(self):
        return ["nginx", "-p", self.host.dir, "-c", self.host.path("nginx.conf"), "-e", self.host.path("error.log")]

    def is_serving(self):
        return self.host.listens(443)


class Unbound(Server):
    """The internet's DNS: the zones it is given and nothing else, not validating."""
    LOG = "unbound.log"

    def __init__(self, host, records, zones=()):
        """records: lines as in a zone file, absolute names; zones: signed ones (zones.py)."""
        super().__init__(host, [])
        data = "\n".join(f"  local-data: '{r}'" for r in records)
        data += "".join(f"\n  local-zone: '{z.name}.' transparent" for z in zones)
        signed = "".join(f"auth-zone:\n  name: '{z.name}.'\n  zonefile: '{z.file}'\n  for-downstream: yes\n"
                         f"  for-upstream: no\n  fallback-enabled: no\n" for z in zones)
        host.write("unbound.conf", f"""server:
  interface: 0.0.0.0
  interface: ::0
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  module-config: "iterator"
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{host.dir}"
  pidfile: "{host.path('unbound.pid')}"
  use-syslog: no
  logfile: "{host.path(self.LOG)}"
  log-queries: yes
  num-threads: 1
  local-zone: "." static
{data}
{signed}remote-control:
  control-enable: no
""")

    def argv(self):
        return ["unbound", "-d", "-p", "-c", self.host.path("unbound.conf")]

    def is_serving(self):
        return bool(self.host.run(["ss", "-Hlun", "( sport = :53 )"]).stdout.strip())


def records_for(domain, host_name, addresses, addresses6=(), direct=None):
    """SRV and address records that lead to a server of `domain`; direct: the port of direct TLS, which is preferred."""
    out = [f"_xmpp-server._tcp.{domain}. 60 IN SRV 10 5 5269 {host_name}."]
    if direct:
        out.append(f"_xmpps-server._tcp.{domain}. 60 IN SRV 5 5 {direct} {host_name}.")
    out += [f"{host_name}. 60 IN A {a}" for a in addresses]
    out += [f"{host_name}. 60 IN AAAA {a}" for a in addresses6]
    return out
