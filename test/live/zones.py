"""zones.py - DNSSEC-signed zones of the lab, each with a trust anchor of its own.

For:    zone files signed by Debian's ldns tools, served by the lab's unbound; TLSA records of certificates.
Never:  signs with anything that outlives the run.
"""

import base64
import hashlib
import os
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import serialization

ALGORITHM = "ECDSAP256SHA256"


def spki_of(certificate_file):
    """SHA-256 of the public key in a PEM file, as in TLSA records x 1 1."""
    with open(certificate_file, "rb") as f:
        key = x509.load_pem_x509_certificate(f.read()).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def print_of(certificate_file):
    """The SHA-256 of a certificate in base64, as POSH has it."""
    with open(certificate_file, "rb") as f:
        der = x509.load_pem_x509_certificate(f.read()).public_bytes(serialization.Encoding.DER)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def tlsa(host, port, usage, data):
    return f"_{port}._tcp.{host}. 60 IN TLSA {usage} 1 1 {data}"


class Zone:
    """Signed when it is made. `file`: what a server loads; `anchor`: the DS record of its key."""

    def __init__(self, directory, name, records):
        os.makedirs(directory, exist_ok=True)
        self.name, self.directory = name, directory
        plain = os.path.join(directory, name + ".zone")
        with open(plain, "w") as f:
            f.write(f"{name}. 60 IN SOA ns.{name}. hostmaster.{name}. 1 3600 600 86400 60\n"
                    f"{name}. 60 IN NS ns.{name}.\nns.{name}. 60 IN A 10.77.2.53\n" + "\n".join(records) + "\n")
        key = self._run("ldns-keygen", "-a", ALGORITHM, "-k", name + ".").strip()
        self.file = plain + ".signed"
        self._run("ldns-signzone", "-f", self.file, plain, key)
        with open(os.path.join(directory, key + ".ds")) as f:
            self.anchor = f.read().strip()

    def forge(self, old, new):
        """Changes what was signed, and not its signature: bogus from then on."""
        with open(self.file) as f:
            text = f.read()
        if old not in text:
            raise ValueError(f"{old} is not in {self.file}")
        with open(self.file, "w") as f:
            f.write(text.replace(old, new))

    def _run(self, *argv):
        done = subprocess.run(argv, cwd=self.directory, text=True, capture_output=True, timeout=30)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout
