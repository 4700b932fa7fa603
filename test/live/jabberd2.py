"""jabberd2.py - Debian's jabberd2 on a host of the lab: the router, the session manager and S2S; with users, also C2S.

For:    the oldest of the servers in use: dialback only, no stream management, programs of its own for each duty.
Never:  the machine's own configuration, data or services.
"""
import contextlib
import os
import re
import sqlite3

from servers import Server

MODULES = "/usr/lib/x86_64-linux-gnu/jabberd2"
ROUTER = "<router><ip>127.0.0.1</ip><port>5347</port><user>jabberd</user><pass>secret</pass>" \
         "<retry><init>60</init><lost>3</lost><sleep>1</sleep></retry></router>"


def _log(path):
    return f"<log type='file'><ident>x</ident><file>{path}</file></log>"


class Jabberd2(Server):
    TITLE, PACKAGE, LOG = "jabberd2", "jabberd2", "s2s.log"

    def __init__(self, host, domains, users=(), dns=None, cert=None, trust=None):
        """cert, trust: PEM files, ours (with its key) and of authorities."""
        super().__init__(host, domains, users)
        self.others, self.dns = [], dns
        host.resolver(dns)
        os.makedirs(host.path("fs"), exist_ok=True)
        host.write("users.xml", "<users><user><name>jabberd</name><secret>secret</secret></user></users>")
        host.write("router.xml", f"""<router><id>router</id>{_log(host.path('router.log'))}
            <local><ip>127.0.0.1</ip><port>5347</port><users>{host.path('users.xml')}</users><secret>secret</secret></local>
            <io><max_fds>1024</max_fds></io><aci><acl type='all'><user>jabberd</user></acl></aci></router>""")
        host.write("s2s.xml", f"""<s2s><id>s2s</id>{ROUTER}{_log(host.path(self.LOG))}
            <local><ip>0.0.0.0</ip><port>5269</port><pemfile>{cert}</pemfile><cachain>{trust}</cachain></local>
            <io><max_fds>1024</max_fds><limits><stanzasize>65535</stanzasize></limits></io>
            <lookup><srv>xmpp-server</srv></lookup><out-conn-reuse/>
            <security><require_tls/></security></s2s>""")
        host.write("sm.xml", self._session_manager())
        host.write("c2s.xml", f"""<c2s><id>c2s</id>{ROUTER}{_log(host.path('c2s.log'))}
            <local>{self._ids()}<ip>0.0.0.0</ip><port>5222</port></local>
            <io><max_fds>1024</max_fds><limits><stanzasize>65535</stanzasize></limits></io>
            <authreg><path>{MODULES}</path><module>sqlite</module><mechanisms><sasl><plain/></sasl></mechanisms>
            <sqlite><dbname>{self._write_users()}</dbname><busy-timeout>2000</busy-timeout>
            <password_type><plaintext/></password_type></sqlite></authreg></c2s>""")

    def _write_users(self):
        """The table as the package's own tools make it, as far as logging in needs it."""
        path = self.host.path("users.db")
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE authreg (username TEXT, realm TEXT, password TEXT)")
            db.executemany("INSERT INTO authreg VALUES (?, ?, 'secret')", [jid.split("@") for jid in self.users])
            db.commit()
        return path

    def _ids(self):
        return "".join(f"<id>{d}</id>" for d in self.domains)

    def _session_manager(self):
        with open("/etc/jabberd2/sm.xml", encoding="utf-8") as file:  # the package's own chains of modules
            modules = re.search(r"<modules>.*?</modules>", file.read(), re.S)[0]
        return (f"<sm><id>sm</id>{ROUTER}{_log(self.host.path('sm.log'))}<local>{self._ids()}</local>"
                f"<storage><path>{MODULES}</path><driver>fs</driver><fs><path>{self.host.path('fs')}</path></fs></storage>"
                f"{modules}<user><auto-create/></user></sm>")

    def argv(self):
        return ["jabberd2-s2s", "-c", self.host.path("s2s.xml")]

    def environ(self):
        return {"NAMESERVERS": self.dns}

    def launch(self):
        if os.path.exists(self.host.path("router.log")):  # of its life before: it would say what is not so yet
            os.remove(self.host.path("router.log"))
        for name in ["router", "sm"] + (["c2s"] if self.users else []):
            self.others.append(self.host.start([f"jabberd2-{name}", "-c", self.host.path(name + ".xml")], name + ".out"))
        super().launch()

    def is_serving(self):
        return self.host.listens(5269) and self._sm_is_bound() and (not self.users or self.host.listens(5222))

    def _sm_is_bound(self):
        path = self.host.path("router.log")
        if not os.path.exists(path):
            return False
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read()
        return all(f"[{d}] online" in lines for d in self.domains)

    def _end(self, sig):
        super()._end(sig)
        for process in self.others:
            os.killpg(process.pid, sig)
            process.wait(20)
        self.others.clear()
