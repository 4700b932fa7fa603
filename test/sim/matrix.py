#!/usr/bin/python3
"""matrix.py - what becomes of one stanza each way, for every kind of peer and every policy: a line per cell, its words and,
behind a tab, the outcome; and a line per policy, and whether the settings may say it.

   test/sim/matrix.py [WORD...]     only what has all these words

For:    sim_matrix, which plays each cell (test_matrix.c) and compares.
Never:  looks into src: it is made from the RFCs, the XEPs and causeway.yaml(5), and says so at each rule.

A cell is a remote domain, its policy, and who writes first; the other side answers. The outcome is told from Causeway's
side: `in` is what the remote domain sends, `out` what is sent to it.
"""
import itertools
import sys
from types import SimpleNamespace

AXES = {
    "first": ("in", "out"),
    # how the remote server does TLS: not at all, STARTTLS if one likes, STARTTLS or nothing, from the first octet
    "peer": ("clear", "starttls", "demands", "direct"),
    "cert": ("none", "self-signed", "expired", "not-yet-valid", "wrong-name", "unknown-ca", "right"),
    "pinned": ("no", "yes"),  # its key is among the pins
    "tlsa": ("none", "fits", "differs"),  # signed TLSA records of its server (RFC 6698), all names on the way signed too
    "external": ("no", "yes"),  # it offers SASL EXTERNAL, and uses it where it is offered
    "dialback": ("no", "yes"),  # it knows dialback
    "bidi": ("no", "yes", "certificate"),  # the peer knows XEP-0288; with the policy `bidi: yes`, or `certificate`
    "sm": ("no", "yes"),  # it knows XEP-0198
    "tls": ("none", "may", "encrypt", "verify", "dane", "pin"),
    "proof": ("certificate", "dialback", "certificate+dialback", "pin", "pin+dialback", "certificate+pin", "dane",
              "certificate+dane+dialback"),
}
# Of the policies that are sound, those that are played; what verify, dane and pin leave of `proof` is that of encrypt.
PLAYED = {
    "none": ("dialback", "certificate+dialback", "pin+dialback", "certificate+dane+dialback"),
    "may": ("certificate", "dialback", "certificate+dialback", "pin+dialback", "certificate+pin", "certificate+dane+dialback"),
    "encrypt": ("certificate", "dialback", "certificate+dialback", "pin+dialback", "certificate+pin",
                "certificate+dane+dialback"),
    "verify": ("certificate+dialback", "pin+dialback", "certificate+pin", "certificate+dane+dialback"),
    "dane": ("dane",),
    "pin": ("pin",),
}


def is_sound(tls, proof):
    """May the settings say so? Not where nothing could ever prove the peer (causeway.yaml(5), peers)."""
    if tls == "none":
        return "dialback" in proof
    if tls in ("dane", "pin"):  # that is all that counts then: others are not to be written beside it
        return proof == tls
    return tls != "verify" or proof != "dialback"


def means_something(c):
    """Cells that differ in nothing the wire could show are one cell."""
    if c.peer == "clear" and (c.cert, c.external) != ("none", "no"):
        return False
    if c.peer == "demands" and c.tls not in ("none", "may"):  # elsewhere both demand it
        return False
    if c.pinned == "yes" and (c.cert == "none" or "pin" not in c.proof):
        return False
    if c.tlsa != "none" and "dane" not in c.proof:
        return False
    if (c.pinned, c.tlsa, c.bidi) != ("no", "none", "no") and c.cert in ("unknown-ca", "not-yet-valid"):
        return False  # as self-signed, expired
    if c.bidi == "certificate" and (c.peer == "clear" or not counts(c, "dialback")):
        return False
    return c.proof in PLAYED[c.tls]


# ---- rules both ways ----


def counts(c, proof):
    """Is that a proof for policy? causeway.yaml(5), peers.*.tls: verify lets dialback be none."""
    return proof in c.proof.split("+") and not (c.tls == "verify" and proof == "dialback")


def must_be(c):
    """Is TLS demanded? Where only certificates count nothing could be proved in clear: what may be must be then."""
    return c.tls in ("encrypt", "verify", "dane", "pin") or (c.tls == "may" and not counts(c, "dialback"))


def shown(c, dialled):
    """(what proves it of what it shows in TLS, else "" and why nothing does)

    RFC 6120 13.7.2: chain, validity, name. causeway.yaml(5), peers.*.pins: whoever shows a pinned key has proved to be the
    domain, names, dates and signers are not looked at; peers.*.proof: what counts at all. RFC 6698 4.1, RFC 7671 5.1: with
    usable TLSA records the certificate fits one, whatever its names and dates, or it is no good. Of who connects they may only
    speak well (RFC 7673 is about whom one connects to): it is asked for them when nothing else has proved it."""
    if c.cert == "none":
        return "", "cert_missing"
    if counts(c, "pin") and c.pinned == "yes":
        return "pin", ""
    known = counts(c, "dane") and c.tlsa != "none"
    if dialled and known:
        return ("dane", "") if c.tlsa == "fits" else ("", "cert_tlsa")
    why = {"self-signed": "cert_untrusted", "unknown-ca": "cert_untrusted", "expired": "cert_expired",
           "not-yet-valid": "cert_expired", "wrong-name": "cert_name", "right": ""}[c.cert]
    if counts(c, "certificate") and not why:
        return "certificate", ""
    if known and c.tlsa == "fits":
        return "dane", ""
    if counts(c, "pin") and not counts(c, "certificate"):
        return "", "cert_pin"
    return "", why


def goes_both_ways(c, tls, proof, dialled):
    """XEP-0288 2.1: in TLS only. causeway.yaml(5), peers.*.bidi: yes, where dialback is a proof without a certificate too;
    and what comes back needs the trust that is demanded of whom we dial: where DANE counts there may be records that say
    otherwise (RFC 7673 3.4), of which nothing is known when it has connected with a key alone."""
    if tls == "none" or c.bidi == "no" or proof == "":
        return False
    by_key = c.bidi == "yes" and (dialled or not counts(c, "dane"))
    return proof != "dialback" or by_key


def fate(c):
    """README, what is accounted; causeway.yaml(5), peers.*.sm: by its own word where it knows XEP-0198, else by its kernel's."""
    return "acked" if c.sm == "yes" else "written"


# ---- what it sends ----


def tls_in(c):
    """(how the connection it opens is protected, or None and what it is told)

    causeway.yaml(5), listen.outside: STARTTLS or TLS from the first byte, as they like; peers.*.tls. RFC 6120 5.4.2.2:
    what is not offered is refused by <failure/>; 5.3.1: where it is required nothing else goes."""
    if c.peer == "direct":
        return "direct", ""
    if c.peer == "clear":
        return ("none", "") if not must_be(c) else (None, "tls demanded")
    if c.tls != "none":
        return "starttls", ""
    return ("none", "") if c.peer == "starttls" else (None, "starttls refused")


def come_in(c):
    """(what is said of it, how it was proved, how it is protected)"""
    tls, told = tls_in(c)
    if tls is None:
        return f"not taken: {told}", "", ""
    proved = shown(c, False)[0] if tls != "none" else ""
    if not proved and not counts(c, "dialback"):
        # RFC 6120 6.4.5, XEP-0178 2: told at once, in the stream
        return "not taken: stream error policy-violation", "", ""
    if proved and c.external == "yes":
        return f"taken: {proved} by external, tls={tls}", proved, tls
    if c.dialback == "no":
        return "not taken: nothing to try", "", ""
    if proved:
        return f"taken: {proved} by key, tls={tls}", proved, tls  # XEP-0344 2.4: no question to anybody
    way, why = reach(c)  # XEP-0220 2.2.2: its own server is asked, found as for a stanza
    if way is None:
        # XEP-0220 2.5: not-authorized where that server's certificate is no good, policy-violation where it has no TLS
        told = {"cert_": "not-authorized", "tls_n": "policy-violation"}.get(why.split(": ")[1][:5], "remote-server-not-found")
        return f"not taken: dialback error {told}", "", ""
    return f"taken: dialback by key, tls={tls}", "dialback", tls


# ---- what is sent to it ----


def tls_out(c):
    """(how the connection to it is protected, or None and why not)

    XEP-0368: such a domain has _xmpps-server records alone, and causeway.yaml(5) has it that `tls: none` is in both
    directions: then there is no way. RFC 7590 3.1: TLS is tried even if not offered; never without where required. RFC 7673
    3.4: nor where there are secure TLSA records."""
    if c.peer == "direct" and c.tls == "none":
        return None, "remote-server-not-found: dns_not_found"
    if c.tls == "dane" and c.tlsa == "none":
        return None, "remote-server-timeout: dns_no_tlsa"
    if c.peer == "direct":
        return "direct", ""
    if c.peer == "clear":
        needed = must_be(c) or (c.tls == "may" and c.tlsa != "none")
        return ("none", "") if not needed else (None, "remote-server-timeout: tls_not_offered")
    if c.tls != "none":
        return "starttls", ""
    if c.peer == "starttls":
        return "none", ""
    return None, "remote-server-timeout: unsupported_feature"


def reach(c):
    """(how a connection to it is protected, or None and why none will do)

    The name of whom we talk to is proved before anything is said (RFC 6120 13.7.2), unless DNS is proof enough; which it is
    not where TLSA records say otherwise (RFC 6698 4.1)."""
    tls, why = tls_out(c)
    if tls in (None, "none"):
        return tls, why
    proved, why = shown(c, True)
    contradicted = counts(c, "dane") and c.tlsa != "none" and c.tls != "none"
    if not proved and (contradicted or not counts(c, "dialback")):
        return None, f"remote-server-timeout: {why}"
    return tls, ""


def go_out(c):
    """(what is said of it, by what the peer is known, how it is protected)"""
    tls, why = reach(c)
    if tls is None:
        return f"bounced {why}", "", ""
    known = (shown(c, True)[0] if tls != "none" else "") or "dialback"
    if tls != "none" and c.external == "yes":
        return f"{fate(c)}: by external, tls={tls}", known, tls
    if c.dialback == "no":
        return "bounced remote-server-timeout: dialback_error", "", ""  # RFC 6120 10.4.3
    return f"{fate(c)}: by key, tls={tls}", known, tls


# ---- all of it ----


def outcome(c):
    (taken, proof, tls_of_in), (sent, known, tls_of_out) = come_in(c), go_out(c)
    if c.first == "in" and goes_both_ways(c, tls_of_in, proof, False):
        sent = f"{fate(c)}: on the way back, tls={tls_of_in}"
    if c.first == "out" and goes_both_ways(c, tls_of_out, known, True):
        taken = f"taken: {known} on the way back, tls={tls_of_out}"
    ways = [f"in {taken}", f"out {sent}"]
    return "; ".join(ways if c.first == "in" else reversed(ways))


def cells():
    for values in itertools.product(*AXES.values()):
        c = SimpleNamespace(**dict(zip(AXES, values)))
        if means_something(c):
            yield c


def lines():
    """(words, what is said of them)"""
    for tls, proof in itertools.product(AXES["tls"], AXES["proof"]):
        yield [f"tls={tls}", f"proof={proof}"], "good" if is_sound(tls, proof) else "refused"
    for c in cells():
        yield [f"{axis}={value}" for axis, value in vars(c).items()], outcome(c)


def main():
    wanted = set(sys.argv[1:])
    for words, said in lines():
        if wanted <= set(words):
            print(f"{' '.join(words)}\t{said}")


if __name__ == "__main__":
    main()
