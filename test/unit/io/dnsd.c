/* dnsd.c - see dnsd.h. */
#include "dnsd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    buf->base = malloc(4096);
    buf->len = 4096;
}

static bool same(const ldns_rdf *a, const ldns_rdf *b)
{
    return ldns_dname_compare(a, b) == 0;
}

/* Records of that name and type, with the signatures over them. Sets *exists when the name has any record. */
static ldns_rr_list *find(const dnsd *d, const ldns_rdf *name, ldns_rr_type type, bool *exists)
{
    ldns_rr_list *out = ldns_rr_list_new();
    for (size_t i = 0; i < ldns_rr_list_rr_count(d->records); i++) {
        ldns_rr *rr = ldns_rr_list_rr(d->records, i);
        if (!same(ldns_rr_owner(rr), name)) continue;
        *exists = true;
        bool fits = ldns_rr_get_type(rr) == type;
        if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG)
            fits = ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) == type;
        if (fits) ldns_rr_list_push_rr(out, ldns_rr_clone(rr));
    }
    return out;
}

static void push_all(ldns_pkt *reply, const ldns_rr_list *records)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++)
        ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, ldns_rr_clone(ldns_rr_list_rr(records, i)));
}

static void send_bytes(dnsd *d, uint8_t *bytes, size_t len, const struct sockaddr *to)
{
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
    assert_int_equal(uv_udp_try_send(&d->udp, &buf, 1, to), (int)len);
}

static void answer(dnsd *d, const ldns_pkt *query, const struct sockaddr *to)
{
    ldns_rr *asked = ldns_rr_list_rr(ldns_pkt_question(query), 0);
    bool exists = false;
    ldns_rr_type type = ldns_rr_get_type(asked);
    ldns_rr_list *found = find(d, ldns_rr_owner(asked), type, &exists);
    ldns_pkt *reply = ldns_pkt_new();
    ldns_pkt_set_id(reply, ldns_pkt_id(query));
    ldns_pkt_set_qr(reply, true);
    ldns_pkt_set_rd(reply, true);
    ldns_pkt_set_ra(reply, true);
    ldns_pkt_push_rr(reply, LDNS_SECTION_QUESTION, ldns_rr_clone(asked));
    bool fails =
        d->mood == DNSD_SERVFAIL || (d->mood == DNSD_AAAA_FAILS && type == LDNS_RR_TYPE_AAAA);
    if (fails)
        ldns_pkt_set_rcode(reply, LDNS_RCODE_SERVFAIL);
    else if (d->mood == DNSD_REFUSED)
        ldns_pkt_set_rcode(reply, LDNS_RCODE_REFUSED);
    else if (d->mood == DNSD_CUTS)
        ldns_pkt_set_tc(reply, true);
    else if (!exists)
        ldns_pkt_set_rcode(reply, LDNS_RCODE_NXDOMAIN);
    else
        push_all(reply, found);
    if (ldns_pkt_edns_udp_size(query) > 0) ldns_pkt_set_edns_udp_size(reply, 4096);

    uint8_t *wire = NULL;
    size_t len = 0;
    assert_int_equal(ldns_pkt2wire(&wire, reply, &len), LDNS_STATUS_OK);
    if (d->mood == DNSD_FORGES) {
        wire[1] ^= 1;
        send_bytes(d, wire, len, to);
        wire[1] ^= 1;
        wire[13] ^= 1; /* first letter of the name */
        send_bytes(d, wire, len, to);
        wire[13] ^= 1;
    }
    send_bytes(d, wire, len, to);
    LDNS_FREE(wire);
    ldns_rr_list_deep_free(found);
    ldns_pkt_free(reply);
}

static bool is_held(const dnsd *d, const ldns_pkt *query)
{
    const ldns_rr *asked = ldns_rr_list_rr(ldns_pkt_question(query), 0);
    char *name = ldns_rdf2str(ldns_rr_owner(asked));
    bool held = d->mood == DNSD_HOLDS && ldns_rr_get_type(asked) == d->holds &&
                strncmp(name, d->holds_prefix, strlen(d->holds_prefix)) == 0;
    LDNS_FREE(name);
    return held;
}

static void hold(dnsd *d, const ldns_pkt *query, const struct sockaddr *from)
{
    ldns_pkt_free(d->held);
    d->held = ldns_pkt_clone(query);
    memcpy(&d->held_for, from, sizeof(struct sockaddr_in));
}

void dnsd_let_go(dnsd *d)
{
    d->mood = DNSD_ANSWERS;
    assert_non_null(d->held);
    answer(d, d->held, (const struct sockaddr *)&d->held_for);
}

static void on_query(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                     unsigned flags)
{
    dnsd *d = udp->data;
    ldns_pkt *query = NULL;
    (void)flags;
    if (n > 0 && from != NULL) {
        assert_int_equal(ldns_wire2pkt(&query, (const uint8_t *)buf->base, (size_t)n),
                         LDNS_STATUS_OK);
        d->asked++;
        uv_stop(udp->loop); /* a test may wait for the question itself */
        if (is_held(d, query))
            hold(d, query, from);
        else if (d->mood != DNSD_MUTE)
            answer(d, query, from);
        ldns_pkt_free(query);
    }
    free(buf->base);
}

void dnsd_start(dnsd *d, uv_loop_t *loop)
{
    struct sockaddr_in at;
    int len = sizeof at;
    memset(d, 0, sizeof *d);
    d->records = ldns_rr_list_new();
    assert_int_equal(uv_udp_init(loop, &d->udp), 0);
    d->udp.data = d;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &at), 0);
    assert_int_equal(uv_udp_bind(&d->udp, (const struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_udp_getsockname(&d->udp, (struct sockaddr *)&at, &len), 0);
    d->port = ntohs(at.sin_port);
    snprintf(d->forwarder, sizeof d->forwarder, "127.0.0.1@%u", d->port);
    assert_int_equal(uv_udp_recv_start(&d->udp, on_buffer, on_query), 0);
}

void dnsd_add(dnsd *d, const char *line)
{
    ldns_rr *rr = NULL;
    assert_int_equal(ldns_rr_new_frm_str(&rr, line, 300, NULL, NULL), LDNS_STATUS_OK);
    ldns_rr_list_push_rr(d->records, rr);
}

void dnsd_stop(dnsd *d)
{
    uv_close((uv_handle_t *)&d->udp, NULL);
    ldns_pkt_free(d->held);
    d->held = NULL;
    ldns_rr_list_deep_free(d->records);
}

/* The records of one set, each still owned by d. */
static ldns_rr_list *set_of(const dnsd *d, const ldns_rr *first)
{
    ldns_rr_list *set = ldns_rr_list_new();
    for (size_t i = 0; i < ldns_rr_list_rr_count(d->records); i++) {
        ldns_rr *rr = ldns_rr_list_rr(d->records, i);
        if (same(ldns_rr_owner(rr), ldns_rr_owner(first)) &&
            ldns_rr_get_type(rr) == ldns_rr_get_type(first))
            ldns_rr_list_push_rr(set, rr);
    }
    return set;
}

char *dnsd_sign(dnsd *d, const char *zone)
{
    ldns_key *key = ldns_key_new_frm_algorithm(LDNS_SIGN_ECDSAP256SHA256, 0);
    ldns_key_list *keys = ldns_key_list_new();
    assert_non_null(key);
    ldns_key_set_pubkey_owner(key, ldns_dname_new_frm_str(zone));
    ldns_key_set_flags(key, LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY);
    ldns_rr *dnskey = ldns_key2rr(key);
    ldns_key_set_keytag(key, ldns_calc_keytag(dnskey));
    ldns_key_list_push_key(keys, key);
    ldns_rr_list_push_rr(d->records, dnskey);

    ldns_rr_list *signatures = ldns_rr_list_new();
    for (size_t i = 0; i < ldns_rr_list_rr_count(d->records); i++) {
        ldns_rr_list *set = set_of(d, ldns_rr_list_rr(d->records, i));
        if (ldns_rr_list_rr(set, 0) == ldns_rr_list_rr(d->records, i)) { /* once per set */
            ldns_rr_list *made = ldns_sign_public(set, keys);
            assert_non_null(made);
            ldns_rr_list_push_rr_list(signatures, made);
            ldns_rr_list_free(made);
        }
        ldns_rr_list_free(set);
    }
    ldns_rr_list_push_rr_list(d->records, signatures);
    ldns_rr_list_free(signatures);
    char *anchor = ldns_rr2str(dnskey);
    ldns_key_list_free(keys);
    return anchor;
}
