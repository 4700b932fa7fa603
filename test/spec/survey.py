"""What the server under test offers, seen before the cases run: each case that needs something else is not played."""
import ssl

from around import NotPossible
from case import Case, NotOffered
from dialogue import Dialogue, Mismatch
from walks import SASL, TLS, mechanisms, offers

FEATURES = {"dialback": "urn:xmpp:features:dialback dialback", "bidi": "urn:xmpp:features:bidi bidi",
            "sm": "urn:xmpp:sm:3 sm", "stream-limits": "urn:xmpp:stream-limits:0 limits"}


class Look(Dialogue):
    """A dialogue of no steps, to borrow the player from."""

    def __init__(self, path):
        super().__init__(path)
        self.steps, self.needs = [], []


class Survey(Case):
    def look(self):
        """Fills `offered` of the setting; a Mismatch says what stopped it."""
        found = self.setting.offered
        try:
            self.in_clear(found)
            if found.get("starttls"):
                self.over_tls(found)
            found["direct-tls"] = self.direct()
            self.setting.asks_certificate = found.get("starttls", False) and self.certificate_is_ours()
        finally:
            self.backend.end()

    def names_of(self):
        return self.backend.names.domain("far"), self.backend.names.domain("loc")

    def in_clear(self, found):
        far, loc = self.names_of()
        for step in ("open s outside", f"s> head from={far} to={loc}", "s< head id=*"):
            self.step(step)
        features = self.walks.features("s")
        found["starttls"] = offers(features, TLS + " starttls")
        self.remember(found, features)

    def over_tls(self, found):
        far, loc = self.names_of()
        self.walks.outside_tls("t", far, loc, "ok", far)
        features = self.walks.features("t")
        self.remember(found, features)
        found["external"] = "EXTERNAL" in mechanisms(features)
        if found["external"]:
            for step in (f"t> <auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>", f"t< <success xmlns='{SASL}'/>",
                         f"t> head from={far} to={loc}", "t< head id=*"):
                self.step(step)
            self.remember(found, self.walks.features("t"))

    @staticmethod
    def remember(found, features):
        for name, element in FEATURES.items():
            for child in features.children:
                if child.name == element:
                    found[name] = True
                    if name == "dialback" and any(c.name.endswith(" errors") for c in child.children):
                        found["dialback-errors"] = True

    def certificate_is_ours(self):
        """Whether the server's certificate comes from our authority: then we may ask for it."""
        far, loc = self.names_of()
        for step in ("open c outside", f"c> head from={far} to={loc}", "c< head id=*"):
            self.step(step)
        self.walks.features("c")
        self.step(f"c> <starttls xmlns='{TLS}'/>")
        self.step(f"c< <proceed xmlns='{TLS}'/>")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.setting.certificates.ca.path)
        try:
            self.backend.channels["c"].handshake(context, loc)
        except Mismatch:
            return False
        return True

    def direct(self):
        """Whether TLS may begin at once, on --direct-tls or on the one port there is."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["xmpp-server"])
        where = self.setting.direct_tls or self.setting.server
        channel = self.backend.connect(where)
        try:
            channel.handshake(context, self.setting.domains[0])
            self.setting.direct_tls = where
            return True
        except (Mismatch, OSError):
            return False
        finally:
            channel.close()


def survey(setting, path):
    """Looks; raises Mismatch when there is no XMPP server. `path`: a dialogue whose remote is far.example."""
    case = Survey(Look(path), setting, 0)
    try:
        case.look()
    except (NotOffered, NotPossible) as why:
        raise Mismatch(str(why)) from None
    return case.outcome.record
