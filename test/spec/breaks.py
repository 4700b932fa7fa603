#!/usr/bin/python3
"""breaks.py - proves that tests notice: breaks the code, row by row, and runs the dialogues that show the row; and breaks what
decides by policy, and runs the matrix.

   test/spec/breaks.py [ROW...]      TAP; in a copy of the tree, which is removed at the end. ROW matrix: those of the matrix

Not part of ./dev test: each break is a build.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

IN = "src/s2s/handshake_receiving.def"
# (row, file, what stands there, what shall, the dialogues that must fail, "sim" or "real"); matrix: tests of sim_matrix
BREAKS = [
    ("R6120-4.3.5-c", IN, "ROW(PROVING, STANZA, ALWAYS, NEVER, END_BEFORE_AUTH, DEAD)",
     "ROW(PROVING, STANZA, ALWAYS, NEVER, NOTHING, SAME)", ["stanza-before-tls", "stanza-before-proof"], "sim"),
    ("R6120-8.1.2.2-a", IN, "ROW(OPEN, STANZA, ALWAYS, F(FROM_PROVED), END_INVALID_FROM, DEAD)",
     "ROW(OPEN, STANZA, ALWAYS, F(FROM_PROVED), NOTHING, SAME)", ["from-other-domain", "from-local"], "sim"),
    ("R6120-5.4.2.3", IN, "STARTTLS, F(TLS_OFFERED) | F(BYTES_BEHIND), NEVER, END_TLS_INJECTION, DEAD)",
     "STARTTLS, F(TLS_OFFERED) | F(BYTES_BEHIND), NEVER, NOTHING, SAME)", ["starttls-injection-in"], "sim"),
    ("R6120-5.3.4", IN, "AUTH, ALWAYS, F(IN_TLS), FAIL_ENCRYPTION_REQUIRED, SAME)",
     "AUTH, ALWAYS, F(IN_TLS), FAIL_INVALID_MECHANISM, SAME)", ["sasl-in-clear"], "sim"),
    ("R6120-6.3.8-a", "src/fed/outside.c", "s2s_stream_answer_auth(c->s, ok, ok ? NULL : \"invalid-authzid\");",
     "(void)ok, s2s_stream_answer_auth(c->s, true, NULL);", ["sasl-other-domain"], "sim"),
    ("R6120-13.9.1", IN, "ROW(SASL, AUTH, ALWAYS, F(ENCODING_OK), FAIL_INCORRECT_ENCODING, EXPECT_PROOF)\n", "",
     ["sasl-bad-base64", "sasl-bad-alphabet", "sasl-pad-in-middle"], "sim"),
    ("X0220-2.2.1-a", IN, "ROW(DIALBACK, RESULT, ALWAYS, NEVER, ASK_PROVE, SAME)",
     "ROW(DIALBACK, RESULT, ALWAYS, NEVER, NOTHING, SAME)", ["message-in-dialback"], "sim"),
    ("R6120-5.4.2.2", IN, "STARTTLS, ALWAYS, NEVER, REFUSE_STARTTLS, DEAD)", "STARTTLS, ALWAYS, NEVER, NOTHING, SAME)",
     ["starttls-twice"], "sim"),
    ("R6120-4.7.4-a", "src/s2s/head.c", "    s2s_out_text(s, \" xml:lang='en'>\");", "    s2s_out_text(s, \">\");",
     ["header-of-response"], "sim"),
    ("R6120-4.7.5-a", "src/s2s/head.c", "s2s_out_domain(s, \"to\", &s->config.to);",
     "s2s_out_domain(s, \"to\", &s->config.from);", ["header-of-initiator", "message-out-external"], "sim"),
    ("R6120-11.1-a", "include/s2s/err.def", "\"restricted-xml\"", "\"bad-format\"", ["restricted-1", "doctype-refused"], "sim"),
    ("R6120-8.3.1-b", "src/s2s/stanza.c", "    if (st->kind == S2S_IQ) return !s2s_span_is(st->type, \"result\");\n", "",
     ["no-error-for-an-error"], "sim"),
    ("R6120-3.2.2", "src/fed/plan.c", ".host = p->domain, .port = FED_PLAN_PORT}", ".host = p->domain, .port = 5222}",
     ["fallback-to-address"], "sim"),
    ("prac-srvfail", "src/fed/plan.c", "if (dns->err == S2S_E_DNS_NOT_FOUND) /* RFC 6120 3.2.2 */",
     "if (dns->err != S2S_E_OK)", ["servfail-is-not-no-record", "srv-lookup-failed"], "sim"),
    ("R9525-2", "src/io/judge.c", "X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |", "0 |",
     ["cert-common-name", "cert-common-name-beside"], "real"),
    ("R9525-6.3-b", "src/io/judge.c", "X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |", "0 |", ["cert-wildcard-part"], "real"),
    ("X0220-2.2.2-b", "src/io/key.c", "s2s_domain_span(receiving), S2S_LIT(\" \"),", "((void)receiving, S2S_LIT(\"x\")), S2S_LIT(\" \"),",
     ["message-out-dialback"], "real"),
    ("R6698-4.1-a", "src/fed/link_stream.c", "bool must = c->attempt.dane.n_tlsa > 0 || ", "bool must = ", ["dane-mismatch"], "sim"),
    ("R7673-3.1-a", "src/fed/plan.c", "bool secure = p->srv_secure && dns->secure;", "bool secure = dns->secure;",
     ["dane-insecure"], "sim"),
    ("R7673-3.4-a", "src/fed/plan.c", "bool failed = dns->err != S2S_E_OK && dns->err != S2S_E_DNS_NOT_FOUND;",
     "bool failed = false;", ["dane-bogus"], "sim"),
    ("prac-dane-in", "src/fed/inquiry.c", "return verdict == S2S_E_OK && ", "return verdict != S2S_E_OK || ",
     ["dane-in-mismatch"], "sim"),
    ("X0288-2.1", IN, "ROW(S(EXPECT_PROOF), BIDI, F(BIDI_OFFERED) | F(IN_TLS), NEVER, TAKE_BIDI, SAME)",
     "ROW(S(EXPECT_PROOF), BIDI, F(BIDI_OFFERED) | F(IN_TLS), NEVER, NOTHING, SAME)", ["bidi-answer-on-the-same-stream"], "sim"),
    ("X0288-2.2-a", "src/fed/target.c", "if (fed_link_usable(l) && l->conn != k->conn) return l;", "if (fed_link_usable(l) && k != NULL) return l;",
     ["bidi-key-on-our-own-stream"], "sim"),
    ("X0288-2.2-b", "src/fed/back.c", "l->pairs.n > 0 && fed_back_believes(c, &l->to)", "l->pairs.n > 0 && c == NULL",
     ["bidi-asked-before-the-proof"], "sim"),
    ("X0288-2.2-d", "src/s2s/handshake_initiating.def",
     "ROW(BACK, STANZA, F(BIDI), F(FROM_PROVED), END_INVALID_FROM, DEAD)",
     "ROW(BACK, STANZA, F(BIDI), F(FROM_PROVED), NOTHING, SAME)",
     ["bidi-other-domain-comes-back", "bidi-answers-belong-to-a-direction"], "sim"),
    ("prac-bidi-auth", "src/fed/back.c", "return policy->bidi == FED_BIDI_YES && (policy->proofs & FED_PROOF_DIALBACK) != 0;",
     "return (policy->proofs & FED_PROOF_DIALBACK) != 0;", ["bidi-only-with-a-certificate"], "sim"),
    ("X0198-3", IN, "ROW(S(EXPECT_STANZA), SM_ENABLE, F(SM_OFFERED), F(SM_ON), SM_SEND_ENABLED, SAME)",
     "ROW(PROVING | S(EXPECT_STANZA), SM_ENABLE, F(SM_OFFERED), NEVER, SM_SEND_ENABLED, SAME)", ["sm-too-early", "sm-twice"], "sim"),
    ("X0198-6", "src/s2s/neg_sm.c", "if (in->count - s->sm.acked <= s->sm.sent - s->sm.acked) in->facts", "if (s != NULL) in->facts",
     ["sm-acknowledged-too-much", "sm-out-too-high"], "sim"),
    ("prac-sm-resp", "src/fed/tally.c", "    if (s2s_stream_sm(c->s) != S2S_SM_ON) return true;\n",
     "    if (s2s_stream_sm(c->s) == S2S_SM_ON) s2s_stream_taken(c->s, 1);\n    if (c->s != NULL) return true;\n",
     ["sm-taken-only", "sm-trunk-acked"], "sim"),
    ("X0198-4-c", "src/fed/settle.c", "return counted ? fed_route_unacked(l->f, item, l->target)",
     "return !counted ? fed_route_unacked(l->f, item, l->target)", ["sm-out-lost"], "sim"),
    ("X0198-5-b", "src/fed/session.c", "if (item->session == session) item->session = 0;",
     "if (item->session == session) item->session = session;", ["sm-out-resumed"], "sim"),
    ("X0478-a", "src/s2s/neg_limits.c", "\"max-bytes\", s->max_bytes);", "\"max-bytes\", s->max_bytes + 1);", ["limits-told"], "sim"),
    ("X0478-b", "src/fed/round.c", "if (most == 0 || item->bytes.len <= most) return false;", "if (most == 0 || item != NULL) return false;",
     ["limits-obeyed"], "sim"),
    # a certificate counts whatever `proof` says
    ("matrix", "src/fed/outside.c",
     "    bool none = (policy->proofs & ~(unsigned)FED_PROOF_DIALBACK) == 0;\n",
     "    bool none = false;\n    return c->in_tls && c->tls.has_cert && f->world->judge(f->w, c->io, &ask, &proof) == S2S_E_OK"
     "\n               ? proof : S2S_PROOF_NONE;\n",
     ["in_by_starttls", "in_by_starttls_or_nothing", "in_by_direct_tls"], "matrix"),
    # what the peer shows is not looked at before we write to it
    ("matrix", "src/fed/link_stream.c", "(policy->proofs & FED_PROOF_DIALBACK) == 0;", "policy->proofs == 0;",
     ["out_by_starttls", "out_by_starttls_or_nothing", "out_by_direct_tls"], "matrix"),
    # what may be need not be, though nothing can be proved in clear
    ("matrix", "src/fed/config.c", "p->tls == S2S_TLS_OPTIONAL && !in_clear ? S2S_TLS_REQUIRED : p->tls", "(void)in_clear, p->tls",
     ["in_by_clear", "in_by_starttls", "out_by_clear"], "matrix"),
    # dialback is offered where policy has it not
    ("matrix", "src/fed/outside.c", "bool dialback = c->theirs.len == 0 || (policy->proofs & FED_PROOF_DIALBACK) != 0;",
     "bool dialback = true;", ["in_by_starttls", "in_by_direct_tls"], "matrix"),
    # TLS is not demanded of what connects
    ("matrix", "src/fed/outside.c", "fed_receive_answer(c, as, tls, external, dialback);",
     "(void)tls, fed_receive_answer(c, as, S2S_TLS_OPTIONAL, external, dialback);", ["in_by_clear"], "matrix"),
    # direct TLS where policy wants none
    ("matrix", "src/fed/link.c", "fed_link_tls_level(t) == S2S_TLS_NONE) fed_plan_without_direct(p);", "false) fed_plan_without_direct(p);",
     ["out_by_direct_tls"], "matrix"),
]


def run(words, folder):
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


class Copy:
    """A copy of what git knows of the tree, built once; each break builds on that."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="causeway-breaks-")
        names = run(["git", "-c", f"safe.directory={TOP}", "ls-files", "-co", "--exclude-standard"], TOP).stdout.split("\n")
        for name in filter(None, names):
            os.makedirs(os.path.join(self.folder, os.path.dirname(name)), exist_ok=True)
            shutil.copy2(os.path.join(TOP, name), os.path.join(self.folder, name), follow_symlinks=False)
        done = run(["cmake", "--preset", "dev"], self.folder)
        self.build = os.path.join(self.folder, "build/dev")
        if done.returncode or not self.makes():
            raise SystemExit(f"the copy does not build: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def makes(self):
        return run(["ninja", "-C", self.build, "causeway", "causeway-simd", "sim_matrix"], self.folder).returncode == 0

    def failing(self, names, where):
        """Those of the dialogues, or of the matrix's tests, that fail."""
        if where == "matrix":
            return self.failing_parts()
        done = run(["/usr/bin/python3", "-W", "ignore", "test/script/run.py", "--only", where, "--sim",
                    os.path.join(self.build, "test/causeway-simd"), "--causeway",
                    os.path.join(self.build, "src/app/causeway"), *names], self.folder)
        return [line.split(" - ")[1].split(" ")[0] for line in done.stdout.splitlines() if line.startswith("not ok")]

    def failing_parts(self):
        done = subprocess.run([os.path.join(self.build, "test/sim_matrix")], cwd=self.folder, capture_output=True, text=True,
                              check=False, env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP"))
        return [line.split(" - ")[1].split(" ")[0] for line in done.stdout.splitlines() if line.startswith("not ok")]

    def broken(self, file, old, new):
        """The text of the file before; it stands broken now."""
        path = os.path.join(self.folder, file)
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        if old not in text:
            raise ValueError(f"{file} does not say: {old}")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text.replace(old, new))
        return text

    def mend(self, file, text):
        with open(os.path.join(self.folder, file), "w", encoding="utf-8") as stream:
            stream.write(text)


def prove(copy, row, file, old, new, names, where):
    """'' when each of the dialogues passes, fails with the break, and nothing else is wrong; else what is."""
    whole = copy.failing(names, where)
    if whole:
        return f"fails without the break: {whole}"
    try:
        text = copy.broken(file, old, new)
    except ValueError as why:
        return str(why)
    try:
        if not copy.makes():
            return "does not build when broken"
        runs = [names] if where == "matrix" else [[n] for n in names]
        noticed = [n for each in runs for n in copy.failing(each, where)]
        silent = [n for n in names if n not in noticed]
        return f"not noticed by {silent}" if silent else ""
    finally:
        copy.mend(file, text)
        copy.makes()


def main():
    chosen = [b for b in BREAKS if len(sys.argv) < 2 or b[0] in sys.argv[1:]]
    copy, failed = Copy(), 0
    try:
        for number, each in enumerate(chosen, 1):
            why = prove(copy, *each)
            failed += bool(why)
            print(f"{'not ok' if why else 'ok'} {number} - {each[0]} broken is noticed by {', '.join(each[4])}", flush=True)
            if why:
                print(f"# {why}", flush=True)
    finally:
        shutil.rmtree(copy.folder, ignore_errors=True)
    print(f"1..{len(chosen)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
