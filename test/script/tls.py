"""TLS of real dialogues: contexts from the words of a step, and what became of them."""
import ssl

from cryptography import x509

import hello
from dialogue import Mismatch

VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3}


def context(client, words, authority=None):
    """`words`: tls=1.2 (this version only), ciphers=NAME:NAME (of 1.2), alpn=NAME,NAME (xmpp-server unless told;
    -: none). `authority`: ask the client for a certificate, and judge it by this file."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if client else ssl.PROTOCOL_TLS_SERVER)
    if client:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    elif authority:
        made.verify_mode = ssl.CERT_OPTIONAL
        made.load_verify_locations(authority)
    facts = dict(w.split("=", 1) for w in words)
    made.set_ciphers("ALL:@SECLEVEL=0")  # weak certificates are shown to be refused, and old versions tried
    made.minimum_version = VERSIONS["1.2"]
    if "tls" in facts:
        made.minimum_version = made.maximum_version = VERSIONS[facts["tls"]]
    if "ciphers" in facts:
        made.set_ciphers(facts["ciphers"] + ":@SECLEVEL=0")
    if facts.get("alpn") != "-":
        made.set_alpn_protocols(facts.get("alpn", "xmpp-server").split(","))
    return made


def of_tls(words):
    """The words of a `tls` step that are about TLS and not about the certificate."""
    return [w for w in words if w.split("=")[0] in ("tls", "ciphers", "alpn")]


def refused(channel, words, name):
    """TLS with these words must not come to be."""
    try:
        channel.handshake(context(channel.client, words), name)
    except (Mismatch, OSError):
        return
    raise Mismatch(f"TLS came to be: {channel.tls.version()} {channel.tls.cipher()[0]}")


def names_shown(channel):
    """The DNS names of the certificate the other side shows, or None."""
    data = channel.tls.getpeercert(True)
    if not data:
        return None
    try:
        found = x509.load_der_x509_certificate(data).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)


def facts(channel):
    said, found = hello.Hello(channel.hello), {channel.tls.version().removeprefix("TLSv")}
    session = channel.tls.session
    if hello.EXTENDED_SECRET in said.extensions:
        found.add("ems")
    if hello.RENEGOTIATION in said.extensions:
        found.add("reneg-info")
    if not said.compression:
        found.add("no-compression")
    found.add(f"chain={hello.chain_length(channel.hello)}")
    if session is None or (not session.has_ticket and not session.id):
        found.add("no-session")
    return found
