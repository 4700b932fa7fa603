#!/usr/bin/python3
"""test/conformance.md says what the tests' own tags say; and the tools of s2spec do what they are for. TAP."""
import os
import sys
import traceback
from pathlib import Path

ROOT = Path(os.environ.get("CAUSEWAY_SOURCE", Path(__file__).resolve().parents[3]))
sys.path[:0] = [str(ROOT / "test/spec"), str(ROOT / "test/script")]
sys.dont_write_bytecode = True

import conformance  # noqa: E402
import dns.message  # noqa: E402
import dns.rdatatype  # noqa: E402
from dialogue import SECTIONS, dialback_key  # noqa: E402
from hello import Hello  # noqa: E402
from names import Zone  # noqa: E402
from paragraph import binds, checklist, paragraph  # noqa: E402


def up_to_date():
    text = (ROOT / "test/conformance.md").read_text(encoding="utf-8")
    assert text == conformance.written(), "run test/spec/conformance.py"


def three_hundred_rows():
    rows = checklist()
    assert len(rows) == 300, len(rows)
    assert all(paragraph(row) != "practice" for row in rows if row[0] in "RX" and not row.startswith("RTBL"))
    assert paragraph("R6120-13.12-4a") == "RFC 6120 section 13.12", paragraph("R6120-13.12-4a")
    assert paragraph("R6120-A.4") == "RFC 6120 appendix A.4" and paragraph("X0220-2.2.1-a") == "XEP-0220 section 2.2.1"
    assert binds("R6120-4.3.5-c") and not binds("prac-depth") and not binds("R6120-13.7.2-a")


def tags_are_read():
    text = ("/* rows: R2782-b X0495 */\nstatic void one(void **state)\n{\n}\n"
            "/* Checklist rows R6120-8.3.1-c, prac-fd. */\nstatic void two(void **state)\n")
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"test_tags_{os.getpid()}.c"
    path.write_text(text, encoding="utf-8")
    try:
        found = [(row, where.split(": ")[-1]) for row, where in conformance.tags(str(path), conformance.FUNCTION[".c"])]
    finally:
        path.unlink()
    assert found == [("R2782-b", "one"), ("X0495", "one"), ("R6120-8.3.1-c", "two"), ("prac-fd", "two")], found


def misfits_are_told():
    for wrong_tests, wrong_said in (({"R1": ["a"], "R2": []}, {}), ({}, {"R9": ("open", "x")})):
        try:
            conformance.fitting(wrong_tests, wrong_said)
        except conformance.Unfit:
            continue
        raise AssertionError(f"not noticed: {wrong_tests} {wrong_said}")


def asked(zone, name, kind):
    return dns.message.from_wire(zone.answer(dns.message.make_query(name, kind).to_wire()))


def names_are_answered():
    """dnspython reads what the answerer says."""
    zone = Zone()
    zone.add("_xmpp-server._tcp.Far.example", "SRV", "10", "5", "5269", "host.far.example")
    zone.add("host.far.example", "A", "192.0.2.1")
    zone.add("host.far.example", "AAAA", "2001:db8::1")
    zone.fail("bad.example")
    srv = asked(zone, "_XMPP-server._tcp.far.example", "SRV")
    assert str(srv.answer[0][0]) == "10 5 5269 host.far.example.", srv
    assert str(asked(zone, "host.far.example", "AAAA").answer[0][0]) == "2001:db8::1"
    nothing, none, failed = (asked(zone, n, "A") for n in ("far.example", "gone.example", "x.bad.example"))
    assert nothing.rcode() == 0 and not nothing.answer and nothing.authority[0].rdtype == dns.rdatatype.SOA, nothing
    assert none.rcode() == dns.rcode.NXDOMAIN and failed.rcode() == dns.rcode.SERVFAIL, (none, failed)
    assert ("gone.example", "A") in zone.asked
    assert "_xmpp-server._tcp.far.example. 5 IN SRV 10 5 5269 host.far.example." in zone.lines(), zone.lines()


def keys_are_those_of_the_standard():
    """The second vector of XEP-0185's kind: another secret's key for the same names is another."""
    key = dialback_key("s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F")
    assert key == "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643", key


def hellos_are_read():
    body = bytes(34) + b"\0" + b"\0\2\x13\x01" + b"\1\0"
    name = b"far.example"
    sni = b"\0\0" + (len(name) + 5).to_bytes(2, "big") + (len(name) + 3).to_bytes(2, "big") + b"\0" \
        + len(name).to_bytes(2, "big") + name
    alpn = b"\0\x10\0\x0e\0\x0c\x0bxmpp-server"
    body += (len(sni) + len(alpn)).to_bytes(2, "big") + sni + alpn
    message = b"\1" + len(body).to_bytes(3, "big") + body
    said = Hello(b"\x16\3\1" + len(message).to_bytes(2, "big") + message)
    assert (said.kind, said.server_name, said.protocols) == (1, "far.example", ["xmpp-server"]), vars(said)
    assert Hello(b"<stream:stream>").kind is None and Hello(message[:20]).kind is None


def sections_have_cases():
    cases = [one for one in conformance.cases() if one.section]
    assert len(cases) > 150, len(cases)
    assert {one.section for one in cases} <= set(SECTIONS)


TESTS = [up_to_date, three_hundred_rows, tags_are_read, misfits_are_told, names_are_answered,
         keys_are_those_of_the_standard, hellos_are_read, sections_have_cases]


def main():
    failed = 0
    for number, test in enumerate(TESTS, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}")
        except Exception:  # whatever it is, it is this test's
            failed += 1
            print(f"not ok {number} - {test.__name__}\n# " + traceback.format_exc().replace("\n", "\n# "))
    print(f"1..{len(TESTS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
