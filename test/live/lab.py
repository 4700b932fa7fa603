"""lab.py - a small internet of network namespaces, private to one run.

For:    hosts with an address each, on bridges that only this run can see, and
        programs started on them.
Never:  touches the machine's own network, /etc, /run or processes. The whole
        run lives in mount, network and pid namespaces of its own, so the
        kernel removes all of it when the run ends, however it ends.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import time

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1
ROOT = "/run/lab"           # on the private tmpfs: gone with the mount namespace
OUTER_PID = None            # our number as the caller of enter() sees it, for nsenter

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *args):
    """One libc call; raises OSError with the call's name when it fails."""
    if getattr(_libc, name)(*args) != 0:
        err = ctypes.get_errno()
        raise OSError(err, f"{name}: {os.strerror(err)}")


def _mount(source, target, kind, flags):
    enc = [s.encode() if s else None for s in (source, target, kind)]
    _call("mount", *enc, ctypes.c_ulong(flags), None)


def enter(main):
    """Runs main() in fresh namespaces and returns its exit status.

    The child is init of its own pid namespace: when it ends, or when this
    process is killed, the kernel kills every process in it.
    """
    if os.geteuid() != 0:
        raise SystemExit("the live lab makes network namespaces: run it as root (or with sudo)")
    _call("unshare", CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _become_init(parent)
        os._exit(_guarded(main))
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda s, _f: os.kill(child, s))
    while True:
        try:
            _pid, status = os.waitpid(child, 0)
            return os.waitstatus_to_exitcode(status)
        except InterruptedError:
            continue


def _guarded(main):
    try:
        return main() or 0
    except SystemExit as e:
        if isinstance(e.code, str):
            print(e.code)
            return 1
        return e.code or 0
    except KeyboardInterrupt:
        return 130
    except BaseException:      # the last frame before _exit: nothing else would print it
        import traceback
        traceback.print_exc()
        return 1
    finally:
        import sys
        sys.stdout.flush()
        sys.stderr.flush()


def _become_init(parent):
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() not in (0, parent):     # the parent died before prctl was in force
        os._exit(1)

    def stop(_sig, _frame):
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)     # a terminal's Ctrl-C comes twice
        raise KeyboardInterrupt
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, stop)
    global OUTER_PID
    OUTER_PID = int(os.readlink("/proc/self"))      # /proc is still the caller's
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount("proc", "/proc", "proc", 0)
    _mount("tmpfs", "/run", "tmpfs", 0)
    os.makedirs(ROOT)
    for path in ("/etc/resolv.conf", "/etc/hosts"):
        real = os.path.realpath(path)
        if real.startswith("/run/"):        # a link into the /run we have just covered
            os.makedirs(os.path.dirname(real), exist_ok=True)
            open(real, "a").close()
        elif not os.path.exists(real):
            raise SystemExit(f"{path} does not exist: nothing to lay a namespace's own copy over")
    with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
        f.write("0")                        # the two sides meet in the proxy and nowhere else
    _ip(["link set lo up"])


def _ip(lines, netns=None):
    argv = ["ip"] + (["-n", netns] if netns else []) + ["-batch", "-"]
    done = subprocess.run(argv, input="\n".join(lines) + "\n", text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip: {done.stderr.strip()}")


async def until(cond, seconds, what):
    """Waits until cond() is true and returns its value; TimeoutError names what was awaited."""
    end = time.monotonic() + seconds
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{seconds} s passed without: {what}")
        await asyncio.sleep(0.02)


class Lab:
    """Bridges and hosts; the lab itself holds address .254 on each bridge (the users sit there)."""

    def __init__(self):
        self.hosts = {}
        self.bridges = {}
        os.chmod(ROOT, 0o755)

    def bridge(self, name, net4, net6=None):
        """net4 like '10.77.1' (a /24), net6 like 'fd77:1::' (a /64)."""
        self.bridges[name] = (net4, net6)
        lines = [f"link add {name} type bridge", f"link set {name} up",
                 f"addr add {net4}.254/24 dev {name}"]
        if net6:
            lines.append(f"addr add {net6}254/64 dev {name} nodad")
        _ip(lines)

    def host(self, name, where):
        """where: {bridge: last number of the address}. Makes the namespace and its interfaces."""
        h = Host(self, name)
        subprocess.run(["ip", "netns", "add", name], check=True)
        _ip(["link set lo up"], name)
        for bridge, number in where.items():
            self._plug(h, bridge, number)
        self.hosts[name] = h
        return h

    def _plug(self, h, bridge, number):
        net4, net6 = self.bridges[bridge]
        link, near = f"v{len(self.hosts)}{bridge[:3]}", f"to-{bridge}"
        _ip([f"link add {link} type veth peer name {near} netns {h.name}",
             f"link set {link} master {bridge} up"])
        lines = [f"link set {near} up", f"addr add {net4}.{number}/24 dev {near}"]
        h.address[bridge] = f"{net4}.{number}"
        if net6:
            lines.append(f"addr add {net6}{number}/64 dev {near} nodad")
            h.address6[bridge] = f"{net6}{number}"
        _ip(lines, h.name)


class Host:
    """One namespace: its addresses, its directory, its own resolv.conf and hosts file."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.address, self.address6 = {}, {}
        self.dir = os.path.join(ROOT, name)
        os.makedirs(self.dir)
        self.resolver(None)
        self.names({})

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, rel, text):
        path = self.path(rel)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def resolver(self, address):
        self.write("resolv.conf", f"nameserver {address}\noptions timeout:2 attempts:2\n"
                   if address else "# no resolver\n")

    def names(self, table):
        self.write("hosts", "127.0.0.1 localhost\n"
                   + "".join(f"{ip} {name}\n" for name, ip in table.items()))

    def _inside(self):
        """Runs in the child, before exec: joins the namespace and lays its /etc files."""
        _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        _call("setns", fd, CLONE_NEWNET)
        os.close(fd)
        _call("unshare", CLONE_NEWNS)
        for name in ("resolv.conf", "hosts"):
            _mount(self.path(name), os.path.realpath("/etc/" + name), None, MS_BIND)

    def start(self, argv, log, env=None):
        """Starts a program on this host; its output is appended to the file `log`."""
        with open(self.path(log), "ab") as out:
            return subprocess.Popen(argv, cwd=self.dir, env={**os.environ, **(env or {})},
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                    start_new_session=True, preexec_fn=self._inside)

    def run(self, argv, seconds=10, env=None):
        """Runs a program on this host to its end and returns it (stdout, stderr, returncode)."""
        return subprocess.run(argv, cwd=self.dir, env={**os.environ, **(env or {})}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds,
                              preexec_fn=self._inside)

    def connections(self, port):
        """Established TCP connections to a local `port` of this host: [(peer address, peer port)]."""
        out = self.run(["ss", "-Htn", "state", "established", f"( sport = :{port} )"]).stdout
        peers = [line.split()[3].rsplit(":", 1) for line in out.splitlines()]
        return [(a.strip("[]").removeprefix("::ffff:"), int(p)) for a, p in peers]

    def dialled(self, port):
        """Established TCP connections from this host to any address' `port`."""
        out = self.run(["ss", "-Htn", "state", "established", f"( dport = :{port} )"]).stdout
        return [line.split()[3] for line in out.splitlines()]

    def listens(self, port):
        return bool(self.run(["ss", "-Htln", f"( sport = :{port} )"]).stdout.strip())


class Log:
    """A log file read on from where it was; facts are looked up in it by pattern."""

    def __init__(self, path):
        self.path = path

    def mark(self):
        """A position: what is logged later comes after it."""
        try:
            return os.path.getsize(self.path)
        except FileNotFoundError:
            return 0

    def lines(self, since=0):
        try:
            with open(self.path, "rb") as f:
                f.seek(since)
                return f.read().decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def grep(self, rx, since=0):
        return [m for m in (rx.search(line) for line in self.lines(since)) if m]

    async def wait(self, rx, seconds, since=0):
        """The first line that matches rx after `since`; waits for it."""
        return (await until(lambda: self.grep(rx, since), seconds,
                            f"{rx.pattern} in {self.path}"))[0]
