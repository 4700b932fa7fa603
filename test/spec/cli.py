"""The command line of s2spec."""
import argparse
import contextlib
import glob
import os
import socket
import sys
import tempfile
import time

import report
from around import Around, NotPossible, Setting
from case import FAILED, Case
from certs import Certificates
from dialogue import SECTIONS, Dialogue, Mismatch
from names import Answerer, Zone
from survey import survey
from walks import Walks

ALL_PASSED, A_FAILURE, NOT_RUN = 0, 1, 2
PORT, FIRST_PORT, PATIENCE = 5269, 24000, 10
MOST_CASES = 2000  # eight ports each, from the first one on

TEXT = """Plays XMPP servers around a server under test, by the standards and against them, and says how it did.

The server must find our remotes: let it ask our DNS (--dns), or serve the zone --prepare writes. It should believe our
authority (DIR/ca.pem); dialback should be allowed, and limits of rate and connections be off."""


def address(text, port):
    """HOST[:PORT], an IPv6 address in brackets."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:] or port)
    host, colon, rest = text.partition(":")
    return (host, int(rest)) if colon and ":" not in rest else (text if ":" in rest else host, port)


def arguments(argv):
    parser = argparse.ArgumentParser(prog="s2spec", description=TEXT, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--server", metavar="HOST[:PORT]", help="where the server under test listens for servers (port 5269)")
    add("--domain", action="append", default=[], metavar="LOCAL",
        help="a domain it serves; a second one lets more cases be played")
    add("--remote", action="append", default=[], metavar="DOMAIN",
        help="our remotes are names below it (default: remote.example)")
    add("--dns", metavar="HOST[:PORT]", help="answer DNS for our remotes there (port 53)")
    add("--dir", metavar="DIR", help="where our authority and certificates are kept from run to run")
    add("--prepare", action="store_true", help="write DIR/ca.pem, DIR/server.pem and .key for --domain, and DIR/zone; no run")
    add("--listen", action="append", default=[], metavar="ADDRESS",
        help="our address as the server reaches it; a second one for what needs port 5269")
    add("--ports", type=int, default=FIRST_PORT, metavar="N", help=f"first port of our remotes (default: {FIRST_PORT})")
    add("--direct-tls", metavar="HOST[:PORT]", help="where the server does TLS at once")
    add("--section", action="append", default=[], metavar="NAME,...", help="only these: " + " ".join(SECTIONS))
    add("--case", action="append", default=[], metavar="NAME,...", help="only these cases")
    add("--patience", type=float, default=PATIENCE, metavar="SECONDS", help=f"for each answer (default: {PATIENCE})")
    add("--json", metavar="FILE", help="all of it as JSON")
    add("--junit", metavar="FILE", help="the results as JUnit's XML")
    add("--list", action="store_true", help="name the cases and what they are about; no run")
    add("-v", "--verbose", action="store_true", help="the whole record of every case, not only of those not passed")
    args = parser.parse_args(argv)
    check(parser, args)
    return args


def words(lists):
    return [word for text in lists for word in text.split(",") if word]


def check(parser, args):
    args.section, args.case = words(args.section), words(args.case)
    args.remote = args.remote or ["remote.example"]
    unknown = [s for s in args.section if s not in SECTIONS]
    if unknown:
        parser.error(f"no section is called {unknown[0]}; there are {' '.join(SECTIONS)}")
    if args.list:
        return
    if not args.domain:
        parser.error("--domain is needed")
    if args.prepare and not args.dir:
        parser.error("--prepare needs --dir")
    if not args.prepare and not args.server:
        parser.error("--server is needed")
    if args.prepare and not args.listen:
        parser.error("--prepare needs --listen: the zone names our address")


def dialogues(folder, args):
    """(number, dialogue) of the cases asked for. Numbers are those of all cases, so that names stay what they were."""
    found = [Dialogue(p, walks=Walks.NAMES, black_box=True) for p in sorted(glob.glob(os.path.join(folder, "*.dlg")))]
    found = [d for d in found if d.section]
    found.sort(key=lambda d: (SECTIONS.index(d.section), d.name))
    missing = [c for c in args.case if c not in {d.name for d in found}]
    if missing:
        raise Mismatch(f"no case is called {missing[0]}")
    return [(n, d) for n, d in enumerate(found, 1)
            if (not args.section or d.section in args.section) and (not args.case or d.name in args.case)]


def own_address(server):
    """The address of ours from which the server is reached."""
    with socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((socket.gethostbyname(server[0]) if ":" not in server[0] else server[0], server[1]))
        return sock.getsockname()[0]


def setting_of(args, folder):
    server = address(args.server, PORT) if args.server else None
    setting = Setting(server, args.domain, args.remote, args.listen or [own_address(server)], args.ports,
                      Certificates(folder, keep=bool(args.dir)), Zone(), args.patience)
    if args.direct_tls:
        setting.direct_tls = address(args.direct_tls, PORT)
    return setting


def play(chosen, setting, verbose):
    outcomes = []
    for number, dialogue in chosen:
        begun = time.monotonic()
        outcome = Case(dialogue, setting, number).run()
        outcome.seconds = time.monotonic() - begun
        outcomes.append(outcome)
        print(report.line(outcome), flush=True)
        if verbose or outcome.result == FAILED:
            print(report.block(outcome), flush=True)
        elif outcome.why:
            print(f"    {report.printable(outcome.why)}", flush=True)
    return outcomes


def run(args, folder, setting):
    chosen = dialogues(folder, args)
    survey_case = os.path.join(folder, "stanza-before-tls.dlg")
    try:
        survey(setting, survey_case)
    except (Mismatch, OSError) as why:
        print(f"s2spec: {args.server} is no XMPP server we could speak with: {why}", file=sys.stderr)
        return NOT_RUN
    print("offered: " + (" ".join(sorted(k for k, v in setting.offered.items() if v)) or "nothing"))
    outcomes = play(chosen, setting, args.verbose)
    print("\n" + report.summary(outcomes))
    for path, text in ((args.json, report.as_json), (args.junit, report.as_junit)):
        if path:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text(setting, outcomes) + "\n")
    return A_FAILURE if any(o.result == FAILED for o in outcomes) else ALL_PASSED


def prepare(args, folder, setting):
    """Writes what the server under test needs to know of us."""
    for number, dialogue in dialogues(folder, args):
        with contextlib.suppress(NotPossible):
            Around(setting, dialogue, number, listens=False)
    cert, key = setting.certificates.leaf("ok", args.domain)
    for source, target in ((cert, "server.pem"), (key, "server.key")):
        os.replace(source, os.path.join(args.dir, target))
    with open(os.path.join(args.dir, "zone"), "w", encoding="utf-8") as file:
        file.write("\n".join(setting.zone.lines()) + "\n")
    print(f"{args.dir}: ca.pem (let the server believe it), server.pem and server.key (for {' '.join(args.domain)}), "
          f"zone (for the DNS the server asks); our remotes are below {setting.bases[0]}")
    return ALL_PASSED


def main(folder, argv=None):
    """`folder`: where the dialogues are."""
    args = arguments(sys.argv[1:] if argv is None else argv)
    try:
        if args.list:
            for _, dialogue in dialogues(folder, args):
                print(f"{dialogue.section:14} {dialogue.name}: {dialogue.title} [{' '.join(dialogue.rows)}]")
            return ALL_PASSED
        with contextlib.ExitStack() as stack:
            kept = args.dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="s2spec-"))
            os.makedirs(kept, exist_ok=True)
            setting = setting_of(args, kept)
            if args.prepare:
                return prepare(args, folder, setting)
            if args.dns:
                setting.answers_dns = True
                stack.callback(Answerer(setting.zone, *address(args.dns, 53)).stop)
            return run(args, folder, setting)
    except (Mismatch, OSError) as why:
        print(f"s2spec: {why}", file=sys.stderr)
        return NOT_RUN
