"""ca.py - a throw-away certificate authority, and certificates nobody trusts.

For:    leaf certificates with dNSName only (P-256), from our CA, from another
        CA, or self-signed.
Never:  puts an id-on-xmppAddr in a certificate: ejabberd 23.01 ends the stream
        on one, whoever signed it.
"""

import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOUR = datetime.timedelta(hours=1)
LIFE = datetime.timedelta(days=2)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _builder(subject, issuer, key):
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - HOUR).not_valid_after(now + LIFE))


def _key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def _cert_pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def _write(path, data, mode=0o644):
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    return path


class Leaf:
    """Paths of one certificate: cert (with its chain), key, and both in one file."""

    def __init__(self, base, cert, key):
        self.cert = _write(base + ".crt", cert)
        self.key = _write(base + ".key", key)
        self.both = _write(base + ".pem", cert + key)


class CA:
    def __init__(self, directory, name):
        os.makedirs(directory, exist_ok=True)
        self.directory, self.name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self._cert = (_builder(name, name, self._key)
                      .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
                      .add_extension(usage, True)
                      .add_extension(self._ski(self._key), False)
                      .sign(self._key, hashes.SHA256()))
        self.file = _write(os.path.join(directory, "ca.pem"), _cert_pem(self._cert))

    @staticmethod
    def _ski(key):
        return x509.SubjectKeyIdentifier.from_public_key(key.public_key())

    def leaf(self, *names):
        """A certificate for `names`, the first of which also names the files."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        cert = (_builder(names[0], self.name, key)
                .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
                .add_extension(usage, True)
                .add_extension(self._ski(key), False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._key.public_key()), False)
                .sign(self._key, hashes.SHA256()))
        return Leaf(os.path.join(self.directory, names[0]), _cert_pem(cert), _key_pem(key))


def self_signed(directory, *names):
    """A certificate for `names` that is its own issuer."""
    os.makedirs(directory, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    cert = (_builder(names[0], names[0], key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
            .sign(key, hashes.SHA256()))
    return Leaf(os.path.join(directory, "self-" + names[0]), _cert_pem(cert), _key_pem(key))
