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
    "external": ("no", "yes"),  # it offers SASL EXTERNAL, and uses it where it is offered
    "dialback": ("no", "yes"),  # it knows dialback
    "tls": ("none", "may", "encrypt", "verify", "pin"),
    "proof": ("certificate", "dialback", "certificate+dialback", "pin", "pin+dialback", "certificate+pin"),
    "bidi": ("no", "yes"),
    "sm": ("no", "yes"),
}


def is_sound(tls, proof):
    """May the settings say so? Not where nothing could ever prove the peer (causeway.yaml(5), peers)."""
    if tls == "none":
        return "dialback" in proof
    if tls == "pin":  # its pins are all that counts: others are not to be written beside it
        return proof == "pin"
    return tls != "verify" or proof != "dialback"


def means_something(c):
    """Cells that differ in nothing the wire could show are one cell; those the settings refuse are none."""
    if c.peer == "clear" and (c.cert, c.external) != ("none", "no"):
        return False
    if c.pinned == "yes" and (c.cert == "none" or "pin" not in c.proof):
        return False
    return is_sound(c.tls, c.proof)


# ---- rules both ways ----


def counts(c, proof):
    """Is that a proof for policy? causeway.yaml(5), peers.*.tls: verify lets dialback be none."""
    return proof in c.proof and not (c.tls == "verify" and proof == "dialback")


def must_be(c):
    """Is TLS demanded? Where only certificates count nothing could be proved in clear: what may be must be then."""
    return c.tls in ("encrypt", "verify", "pin") or (c.tls == "may" and not counts(c, "dialback"))


def shown(c):
    """(what proves it of what it shows in TLS, else "" and why nothing does)

    RFC 6120 13.7.2: chain, validity, name. causeway.yaml(5), peers.*.pins: whoever shows a pinned key has proved to be the
    domain, names, dates and signers are not looked at; peers.*.proof: what counts at all."""
    if c.cert == "none":
        return "", "cert_missing"
    if counts(c, "pin"):
        if c.pinned == "yes":
            return "pin", ""
        if not counts(c, "certificate"):
            return "", "cert_pin"
    why = {"self-signed": "cert_untrusted", "unknown-ca": "cert_untrusted", "expired": "cert_expired",
           "not-yet-valid": "cert_expired", "wrong-name": "cert_name", "right": ""}[c.cert]
    return "certificate" if why == "" and counts(c, "certificate") else "", why


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
    tls, told = tls_in(c)
    if tls is None:
        return f"not taken: {told}"
    proved = shown(c)[0] if tls != "none" else ""
    if not proved and not counts(c, "dialback"):
        # RFC 6120 6.4.5, XEP-0178 2: told at once, in the stream
        return "not taken: stream error policy-violation"
    if proved and c.external == "yes":
        return f"taken: {proved} by external, tls={tls}"
    if c.dialback == "no":
        return "not taken: nothing to try"
    if proved:
        return f"taken: {proved} by key, tls={tls}"  # XEP-0344 2.4: no question to anybody
    way, _ = tls_out(c)  # XEP-0220 2.2.2: its own server is asked, found as for a stanza
    if way is None:
        return "not taken: dialback error remote-server-not-found"
    return f"taken: dialback by key, tls={tls}"


# ---- what is sent to it ----


def tls_out(c):
    """(how the connection to it is protected, or None and why not)

    XEP-0368: such a domain has _xmpps-server records alone, and causeway.yaml(5) has it that `tls: none` is in both
    directions: then there is no way. RFC 7590 3.1: TLS is tried even if not offered; never without where required."""
    if c.peer == "direct":
        return ("direct", "") if c.tls != "none" else (None, "remote-server-not-found: dns_not_found")
    if c.peer == "clear":
        return ("none", "") if not must_be(c) else (None, "remote-server-timeout: tls_not_offered")
    if c.tls != "none":
        return "starttls", ""
    if c.peer == "starttls":
        return "none", ""
    return None, "remote-server-timeout: unsupported_feature"


def go_out(c):
    tls, why = tls_out(c)
    if tls is None:
        return f"bounced {why}"
    if not counts(c, "dialback"):
        # the name of whom we talk to is proved before anything is said (RFC 6120 13.7.2), unless DNS is proof enough
        proved, why = shown(c)
        if not proved:
            return f"bounced remote-server-timeout: {why}"
    fate = "acked" if c.sm == "yes" else "written"  # README, what is accounted: by its own word where it knows XEP-0198
    if tls != "none" and c.external == "yes":
        return f"{fate}: by external, tls={tls}"
    if c.dialback == "no":
        return "bounced remote-server-timeout: dialback_error"  # RFC 6120 10.4.3
    return f"{fate}: by key, tls={tls}"


# ---- all of it ----


def outcome(c):
    ways = [f"in {come_in(c)}", f"out {go_out(c)}"]
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
