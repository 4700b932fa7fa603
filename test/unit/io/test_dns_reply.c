/* test_dns_reply.c - what the answerer says, packet by packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ldns/ldns.h>

#include "io/dns_reply.h"

static io_addr addr_of(const char *text)
{
    io_addr a;
    assert_int_equal(io_addr_parse(s2s_span_of(text), &a), S2S_E_OK);
    return a;
}

static io_replier *replier(const char *target, bool catch_all, bool forwards)
{
    io_addr addrs[2] = {addr_of("10.0.0.5"), addr_of("fd00::5")};
    io_replier_settings s = {.target = target,
                             .port = 5269,
                             .addrs = addrs,
                             .n_addrs = 2,
                             .catch_all = catch_all,
                             .forwards = forwards,
                             .ttl = 60};
    const char *reason;
    io_replier *r = io_replier_new(&s, &reason);
    if (r == NULL) fail_msg("%s", reason);
    return r;
}

typedef struct question {
    const char *name;
    ldns_rr_type type;
    ldns_rr_class class; /* 0: IN */
    uint16_t edns;       /* 0: none */
    uint8_t edns_version;
    bool stream;
} question;

static uint8_t out[IO_DNS_REPLY_MAX];
static size_t out_len;

static io_reply ask(const io_replier *r, const question *q)
{
    ldns_rr_class class = q->class != 0 ? q->class : LDNS_RR_CLASS_IN;
    ldns_pkt *pkt = ldns_pkt_query_new(ldns_dname_new_frm_str(q->name), q->type, class, LDNS_RD);
    ldns_pkt_set_id(pkt, 0x1234);
    if (q->edns > 0) {
        ldns_pkt_set_edns_udp_size(pkt, q->edns);
        ldns_pkt_set_edns_version(pkt, q->edns_version);
    }
    uint8_t *wire = NULL;
    size_t len = 0;
    assert_int_equal(ldns_pkt2wire(&wire, pkt, &len), LDNS_STATUS_OK);
    ldns_pkt_free(pkt);
    io_reply verdict =
        io_replier_answer(r, (s2s_span){(const char *)wire, len}, q->stream, out, &out_len);
    LDNS_FREE(wire);
    return verdict;
}

/* The reply as ldns reads it back; to be freed. */
static ldns_pkt *replied(const io_replier *r, const question *q)
{
    ldns_pkt *pkt = NULL;
    io_reply verdict = ask(r, q);
    if (verdict != IO_REPLY_SEND) fail_msg("%s: verdict %d", q->name, (int)verdict);
    assert_int_equal(ldns_wire2pkt(&pkt, out, out_len), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(pkt), 0x1234);
    assert_true(ldns_pkt_qr(pkt));
    assert_true(ldns_pkt_rd(pkt));
    assert_int_equal(ldns_pkt_qdcount(pkt), 1);
    return pkt;
}

/* "answers/authorities rcode", e.g. "1/0 0"; "forward", "drop". */
static void expect(const io_replier *r, const char *name, ldns_rr_type type, const char *what)
{
    question q = {.name = name, .type = type};
    char seen[64];
    switch (ask(r, &q)) {
    case IO_REPLY_FORWARD: snprintf(seen, sizeof seen, "forward"); break;
    case IO_REPLY_DROP: snprintf(seen, sizeof seen, "drop"); break;
    case IO_REPLY_SEND: {
        ldns_pkt *pkt = replied(r, &q);
        snprintf(seen, sizeof seen, "%u/%u %u", ldns_pkt_ancount(pkt), ldns_pkt_nscount(pkt),
                 (unsigned)ldns_pkt_get_rcode(pkt));
        if (ldns_pkt_nscount(pkt) > 0) {
            ldns_rr *soa = ldns_rr_list_rr(ldns_pkt_authority(pkt), 0);
            assert_int_equal(ldns_rr_get_type(soa), LDNS_RR_TYPE_SOA);
            assert_int_equal(ldns_rr_rd_count(soa), 7);
        }
        ldns_pkt_free(pkt);
        break;
    }
    }
    if (strcmp(seen, what) != 0) fail_msg("%s type %d: %s, not %s", name, (int)type, seen, what);
}

static void expect_record(const ldns_rr_list *list, size_t i, const char *line)
{
    char *text = ldns_rr2str(ldns_rr_list_rr(list, i));
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\t' || *c == '\n') *c = ' ';
    text[strlen(text) - 1] = '\0';
    assert_string_equal(text, line);
    free(text);
}

static void every_domain_is_served_by_us(void **state)
{
    (void)state;
    io_replier *r = replier("causeway.inside", false, false);
    question q = {.name = "_Xmpp-Server._TCP.Far.Example.", .type = LDNS_RR_TYPE_SRV};
    ldns_pkt *pkt = replied(r, &q);
    assert_int_equal(ldns_pkt_ancount(pkt), 1);
    /* The name as it was asked, case kept: some clients compare it. */
    expect_record(ldns_pkt_answer(pkt), 0,
                  "_Xmpp-Server._TCP.Far.Example. 60 IN SRV 0 0 5269 causeway.inside.");
    assert_int_equal(ldns_pkt_arcount(pkt), 2);
    expect_record(ldns_pkt_additional(pkt), 0, "causeway.inside. 60 IN A 10.0.0.5");
    expect_record(ldns_pkt_additional(pkt), 1, "causeway.inside. 60 IN AAAA fd00::5");
    assert_true(ldns_pkt_aa(pkt));
    assert_true(ldns_pkt_ra(pkt));
    assert_false(ldns_pkt_tc(pkt));
    ldns_pkt_free(pkt);
    io_replier_free(r);
}

static void names_and_types(void **state)
{
    (void)state;
    io_replier *r = replier("causeway.inside", false, false);
    expect(r, "_xmpp-server._tcp.a.", LDNS_RR_TYPE_SRV, "1/0 0");
    expect(r, "_xmpp-server._tcp.a.b.c.d.example.", LDNS_RR_TYPE_SRV, "1/0 0");
    expect(r, "_xmpp-server._tcp.far.example.", LDNS_RR_TYPE_ANY, "1/0 0");
    expect(r, "_xmpp-server._tcp.far.example.", LDNS_RR_TYPE_A, "0/1 0"); /* exists, no such type */
    expect(r, "_tcp.far.example.", LDNS_RR_TYPE_A, "0/1 0"); /* above those that exist (RFC 8020) */
    expect(r, "_xmpps-server._tcp.far.example.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, "_XMPPS-server._TCP.far.example.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, "_jabber._tcp.far.example.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, "_xmpp-server._udp.far.example.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, "_xmpp-server._tcp.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, "x._xmpp-server._tcp.far.example.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, "causeway.inside.", LDNS_RR_TYPE_A, "1/0 0");
    expect(r, "CAUSEWAY.inside.", LDNS_RR_TYPE_AAAA, "1/0 0");
    expect(r, "causeway.inside.", LDNS_RR_TYPE_ANY, "2/0 0");
    expect(r, "causeway.inside.", LDNS_RR_TYPE_MX, "0/1 0");
    expect(r, "_5269._tcp.causeway.inside.", LDNS_RR_TYPE_TLSA, "0/1 3");
    expect(r, "far.example.", LDNS_RR_TYPE_A, "0/1 3");
    expect(r, "far.example.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, ".", LDNS_RR_TYPE_NS, "0/1 3");
    io_replier_free(r);
}

static void other_questions_are_forwarded_where_there_is_a_resolver(void **state)
{
    (void)state;
    io_replier *r = replier("causeway.inside", false, true);
    expect(r, "far.example.", LDNS_RR_TYPE_A, "forward");
    expect(r, "far.example.", LDNS_RR_TYPE_MX, "forward");
    expect(r, "_xmpp-client._tcp.far.example.", LDNS_RR_TYPE_SRV, "forward");
    expect(r, ".", LDNS_RR_TYPE_NS, "forward");
    /* Ours are not. */
    expect(r, "_xmpp-server._tcp.far.example.", LDNS_RR_TYPE_SRV, "1/0 0");
    expect(r, "_xmpp-server._tcp.far.example.", LDNS_RR_TYPE_TXT, "0/1 0");
    expect(r, "_xmpps-server._tcp.far.example.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, "_jabber._tcp.far.example.", LDNS_RR_TYPE_SRV, "0/1 3");
    expect(r, "causeway.inside.", LDNS_RR_TYPE_A, "1/0 0");
    io_replier_free(r);
}

static void catch_all_gives_every_name_our_addresses(void **state)
{
    (void)state;
    io_replier *r = replier("causeway.inside", true, false);
    question q = {.name = "far.example.", .type = LDNS_RR_TYPE_AAAA};
    ldns_pkt *pkt = replied(r, &q);
    expect_record(ldns_pkt_answer(pkt), 0, "far.example. 60 IN AAAA fd00::5");
    ldns_pkt_free(pkt);
    expect(r, "far.example.", LDNS_RR_TYPE_A, "1/0 0");
    expect(r, "far.example.", LDNS_RR_TYPE_MX, "0/1 3");
    expect(r, "_xmpps-server._tcp.far.example.", LDNS_RR_TYPE_A, "0/1 3");
    expect(r, "_dmarc.far.example.", LDNS_RR_TYPE_A, "0/1 3");
    io_replier_free(r);
}

/* ejabberd's own lookup of the target goes to the system, which reads such a name as an address. */
static void a_target_may_spell_an_address(void **state)
{
    (void)state;
    io_replier *r = replier("10.0.0.5.", false, false);
    question q = {.name = "_xmpp-server._tcp.far.example.", .type = LDNS_RR_TYPE_SRV};
    ldns_pkt *pkt = replied(r, &q);
    expect_record(ldns_pkt_answer(pkt), 0,
                  "_xmpp-server._tcp.far.example. 60 IN SRV 0 0 5269 10.0.0.5.");
    ldns_pkt_free(pkt);
    expect(r, "10.0.0.5.", LDNS_RR_TYPE_A, "1/0 0");
    io_replier_free(r);
}

static void settings_that_cannot_work_are_refused(void **state)
{
    (void)state;
    io_addr a = addr_of("10.0.0.5");
    io_replier_settings good = {
        .target = "causeway.inside", .port = 5269, .addrs = &a, .n_addrs = 1};
    const char *reason;
    io_replier_settings s = good;
    s.target = "a..b";
    assert_null(io_replier_new(&s, &reason));
    assert_string_equal(reason, "the target is not a name");
    s.target = ".";
    assert_null(io_replier_new(&s, &reason));
    s = good;
    s.port = 0;
    assert_null(io_replier_new(&s, &reason));
    assert_string_equal(reason, "the port is 0");
    s = good;
    s.n_addrs = 0;
    assert_null(io_replier_new(&s, &reason));
    assert_string_equal(reason, "the target has no address");
}

/* ---- EDNS, sizes, other classes ---- */

static void edns_is_answered_in_kind(void **state)
{
    (void)state;
    io_replier *r = replier("causeway.inside", false, false);
    question q = {.name = "_xmpp-server._tcp.far.example.", .type = LDNS_RR_TYPE_SRV, .edns = 4096};
    ldns_pkt *pkt = replied(r, &q);
    assert_true(ldns_pkt_edns(pkt));
    assert_int_equal(ldns_pkt_edns_udp_size(pkt), IO_DNS_UDP_ROOM);
    assert_int_equal(ldns_pkt_ancount(pkt), 1);
    ldns_pkt_free(pkt);

    q.edns_version = 1;
    pkt = replied(r, &q);
    assert_int_equal(ldns_pkt_ancount(pkt), 0);
    assert_int_equal(ldns_pkt_edns_extended_rcode(pkt) * 16 + (int)ldns_pkt_get_rcode(pkt),
                     16); /* BADVERS */
    ldns_pkt_free(pkt);

    q.edns = 0;
    pkt = replied(r, &q);
    assert_false(ldns_pkt_edns(pkt));
    ldns_pkt_free(pkt);
    io_replier_free(r);
}

/* Names as long as they may be: the addresses beside the SRV record go first, then all but TC. */
static void what_does_not_fit_is_cut(void **state)
{
    (void)state;
    char target[254], name[300];
    for (int i = 0; i < 253; i++)
        target[i] = i % 50 == 49 ? '.' : 'a';
    target[253] = '\0';
    snprintf(name, sizeof name, "_xmpp-server._tcp.%.230s.", target + 10);
    io_replier *r = replier(target, false, false);
    question q = {.name = name, .type = LDNS_RR_TYPE_SRV};
    ldns_pkt *pkt = replied(r, &q);
    assert_true(out_len <= 512);
    assert_true(ldns_pkt_tc(pkt));
    assert_int_equal(ldns_pkt_ancount(pkt), 0);
    ldns_pkt_free(pkt);

    q.edns = 600;
    pkt = replied(r, &q);
    assert_true(out_len <= 600);
    assert_false(ldns_pkt_tc(pkt));
    assert_int_equal(ldns_pkt_ancount(pkt), 1);
    assert_int_equal(ldns_pkt_arcount(pkt), 0); /* the addresses went first */
    ldns_pkt_free(pkt);

    q.edns = 0;
    q.stream = true;
    pkt = replied(r, &q);
    assert_true(out_len > 512);
    assert_false(ldns_pkt_tc(pkt));
    assert_int_equal(ldns_pkt_ancount(pkt), 1);
    assert_int_equal(ldns_pkt_arcount(pkt), 2);
    ldns_pkt_free(pkt);
    io_replier_free(r);
}

static void other_classes_are_refused(void **state)
{
    (void)state;
    io_replier *r = replier("causeway.inside", true, true);
    question q = {.name = "version.bind.", .type = LDNS_RR_TYPE_TXT, .class = LDNS_RR_CLASS_CH};
    ldns_pkt *pkt = replied(r, &q);
    assert_int_equal(ldns_pkt_get_rcode(pkt), LDNS_RCODE_REFUSED);
    assert_int_equal(ldns_pkt_ancount(pkt), 0);
    ldns_pkt_free(pkt);
    io_replier_free(r);
}

/* ---- packets that are none ---- */

#define HEAD "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define NAME "\14_xmpp-server\4_tcp\3far\7example"
#define TAIL "\x00\x00\x21\x00\x01"

static io_reply ask_bytes(const io_replier *r, const char *bytes, size_t len)
{
    char *exact = malloc(len > 0 ? len : 1); /* so that ASan sees a read past the end */
    memcpy(exact, bytes, len);
    io_reply verdict = io_replier_answer(r, (s2s_span){exact, len}, false, out, &out_len);
    free(exact);
    return verdict;
}
#define ASK(r, text) ask_bytes(r, text, sizeof(text) - 1)

static void malformed_packets_are_dropped(void **state)
{
    (void)state;
    io_replier *r = replier("causeway.inside", true, true);
    static const char good[] = HEAD NAME TAIL;
    assert_int_equal(ASK(r, HEAD NAME TAIL), IO_REPLY_SEND);
    for (size_t len = 0; len < sizeof good - 1; len++)
        assert_int_equal(ask_bytes(r, good, len), IO_REPLY_DROP);
    /* a response */
    assert_int_equal(ASK(r, "\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME TAIL),
                     IO_REPLY_DROP);
    /* no question, two questions */
    assert_int_equal(ASK(r, "\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00" NAME TAIL),
                     IO_REPLY_DROP);
    assert_int_equal(ASK(r, "\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" NAME TAIL NAME TAIL),
                     IO_REPLY_DROP);
    /* counts that promise more */
    assert_int_equal(ASK(r, "\x12\x34\x01\x00\x00\x01\xff\xff\x00\x00\x00\x00" NAME TAIL),
                     IO_REPLY_DROP);
    assert_int_equal(ASK(r, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\xff\xff" NAME TAIL),
                     IO_REPLY_DROP);
    /* a name that points to itself; a label longer than 63; a name longer than 255 */
    assert_int_equal(ASK(r, HEAD "\300\14\x00\x21\x00\x01"), IO_REPLY_DROP);
    assert_int_equal(ASK(r, HEAD "\100" TAIL), IO_REPLY_DROP);
    char longer[12 + 5 * 64 + 5];
    memcpy(longer, HEAD, 12);
    for (int i = 0; i < 5; i++) {
        memset(longer + 12 + i * 64, 'a', 64);
        longer[12 + i * 64] = 63;
    }
    memcpy(longer + 12 + 5 * 64, TAIL, 5);
    assert_int_equal(ask_bytes(r, longer, sizeof longer), IO_REPLY_DROP);
    assert_int_equal(out_len, 0);
    io_replier_free(r);
}

static void other_opcodes_are_not_implemented(void **state)
{
    (void)state;
    io_replier *r = replier("causeway.inside", true, true);
    /* UPDATE */
    assert_int_equal(ASK(r, "\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME TAIL),
                     IO_REPLY_SEND);
    assert_int_equal(out[2], 0xa8);
    assert_int_equal(out[3] & 0x0f, 4);
    io_replier_free(r);
}

static void failures_are_no_longer_than_the_question(void **state)
{
    (void)state;
    static const char query[] = HEAD NAME TAIL "trailing bytes";
    uint8_t fail[IO_DNS_FAIL_MAX];
    s2s_span span = {query, sizeof query - 1};
    size_t len = io_dns_fail(span, IO_RCODE_REFUSED, fail);
    assert_int_equal(len, sizeof(HEAD NAME TAIL) - 1);
    assert_memory_equal(fail + 12, query + 12, len - 12);
    assert_int_equal(fail[0], 0x12);
    assert_int_equal(fail[2], 0x81);
    assert_int_equal(fail[3], 0x85);
    assert_int_equal(io_dns_fail((s2s_span){query, 16}, IO_RCODE_REFUSED, fail), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_domain_is_served_by_us),
        cmocka_unit_test(names_and_types),
        cmocka_unit_test(other_questions_are_forwarded_where_there_is_a_resolver),
        cmocka_unit_test(catch_all_gives_every_name_our_addresses),
        cmocka_unit_test(a_target_may_spell_an_address),
        cmocka_unit_test(settings_that_cannot_work_are_refused),
        cmocka_unit_test(edns_is_answered_in_kind),
        cmocka_unit_test(what_does_not_fit_is_cut),
        cmocka_unit_test(other_classes_are_refused),
        cmocka_unit_test(malformed_packets_are_dropped),
        cmocka_unit_test(other_opcodes_are_not_implemented),
        cmocka_unit_test(failures_are_no_longer_than_the_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
