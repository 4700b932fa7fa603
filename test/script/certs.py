"""Throw-away certificates for dialogues: who signed them, when they are valid, whom they name.

A certificate is asked for by a trust and a list of words:
    trust   ok         signed by the authority the server under test believes
            untrusted  signed by another authority
            self       signed by itself
            expired, later   signed by the right one, valid until yesterday, from tomorrow on
            forged     says the right one signed it; the signature is not its
    words   NAME, dns:NAME   a DNS name        srv:TEXT   an SRV name (RFC 4985)
            xmpp:TEXT        an XmppAddr       cn:TEXT    the subject's common name
            eku=server|client|both|any         ca=yes     a certificate of an authority, not of a server
            key=rsa1024|rsa2048|p256           hash=sha1|sha256
            via=intermediate  signed by an intermediate authority, whose certificate comes with it"""
import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
SRV_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")
XMPP_ADDR = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
IA5_STRING, UTF8_STRING = 0x16, 0x0c
USES = {"server": [ExtendedKeyUsageOID.SERVER_AUTH], "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
        "both": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
        "any": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]}
HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}


def new_key(kind="p256"):
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return ec.generate_private_key(ec.SECP256R1())


def tlv(tag, text):
    data = text.encode()
    if len(data) > 127:
        raise ValueError(f"too long for a name of these tests: {text}")
    return bytes([tag, len(data)]) + data


def alternative(word):
    """The subject alternative name of a word, or None."""
    kind, colon, value = word.partition(":")
    if not colon or kind == "dns":
        return x509.DNSName(value or kind)
    if kind == "srv":
        return x509.OtherName(SRV_NAME, tlv(IA5_STRING, value))
    if kind == "xmpp":
        return x509.OtherName(XMPP_ADDR, tlv(UTF8_STRING, value))
    return None


def subject(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def cert_pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def write_private(path, data):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


class Authority:
    """Signs. Its certificate is in the file `path`; with `keep` its key lies beside it and is used again."""

    def __init__(self, folder, name, keep=False):
        self.path, key_path = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
        if keep and os.path.exists(self.path) and os.path.exists(key_path):
            with open(self.path, "rb") as file:
                self.cert = x509.load_pem_x509_certificate(file.read())
            with open(key_path, "rb") as file:
                self.key = serialization.load_pem_private_key(file.read(), None)
            return
        self.key = new_key()
        now, who = datetime.datetime.utcnow(), subject(f"dialogue {name}")
        self.cert = (x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(self.key.public_key())
                     .serial_number(x509.random_serial_number()).not_valid_before(now - DAY)
                     .not_valid_after(now + 30 * DAY).add_extension(x509.BasicConstraints(True, None), True)
                     .sign(self.key, hashes.SHA256()))
        with open(self.path, "wb") as file:
            file.write(cert_pem(self.cert))
        if keep:
            write_private(key_path, key_pem(self.key))


class Certificates:
    """Makes each certificate once; gives (certificate path, key path)."""

    def __init__(self, folder, keep=False):
        self.folder, self.made = folder, {}
        self.ca, self.other = Authority(folder, "ca", keep), Authority(folder, "other", keep)

    def leaf(self, trust, words):
        what = (trust, tuple(words))
        if what not in self.made:
            self.made[what] = self.make(trust, list(words))
        return self.made[what]

    def make(self, trust, words):
        facts = dict(w.split("=", 1) for w in words if "=" in w)
        names = [w for w in words if "=" not in w] or ["unnamed.example"]
        key = new_key(facts.get("key", "p256"))
        common = [n[3:] for n in names if n.startswith("cn:")]
        builder = (x509.CertificateBuilder().subject_name(subject(common[0] if common else "peer"))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number()))
        builder = self.valid(builder, trust)
        alts = [a for a in map(alternative, names) if a]
        if alts:
            builder = builder.add_extension(x509.SubjectAlternativeName(alts), False)
        if "eku" in facts:
            builder = builder.add_extension(x509.ExtendedKeyUsage(USES[facts["eku"]]), False)
        builder = builder.add_extension(x509.BasicConstraints(facts.get("ca") == "yes", None), True)
        if facts.get("via") == "intermediate":
            return self.write([self.sign_by(self.middle, builder), self.middle.cert], key)
        return self.write([self.sign(builder, trust, key, HASHES[facts.get("hash", "sha256")]())], key)

    @property
    def middle(self):
        """An authority which `ca` vouches for, made when it is first needed."""
        if "middle" not in self.made:
            middle = Authority(self.folder, "middle")
            builder = (x509.CertificateBuilder().subject_name(middle.cert.subject).public_key(middle.key.public_key())
                       .serial_number(x509.random_serial_number())
                       .add_extension(x509.BasicConstraints(True, None), True))
            middle.cert = self.sign_by(self.ca, self.valid(builder, "ok"))
            self.made["middle"] = middle
        return self.made["middle"]

    @staticmethod
    def sign_by(issuer, builder):
        return builder.issuer_name(issuer.cert.subject).sign(issuer.key, hashes.SHA256())

    @staticmethod
    def valid(builder, trust):
        now = datetime.datetime.utcnow()
        first, last = {"expired": (now - 3 * DAY, now - DAY),
                       "later": (now + DAY, now + 3 * DAY)}.get(trust, (now - DAY, now + 20 * DAY))
        return builder.not_valid_before(first).not_valid_after(last)

    def sign(self, builder, trust, key, digest):
        if trust == "self":
            return builder.issuer_name(subject("peer")).sign(key, digest)
        issuer = self.other if trust == "untrusted" else self.ca
        return builder.issuer_name(issuer.cert.subject).sign(new_key() if trust == "forged" else issuer.key, digest)

    def write(self, certs, key):
        base = os.path.join(self.folder, f"leaf{len(self.made)}")
        with open(base + ".pem", "wb") as file:
            file.write(b"".join(map(cert_pem, certs)))
        write_private(base + ".key", key_pem(key))
        return base + ".pem", base + ".key"
