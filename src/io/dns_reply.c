/* dns_reply.c - see dns_reply.h. */
#include "io/dns_reply.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct io_replier {
    ldns_rdf *target;
    ldns_rdf *hostmaster;
    ldns_rdf *root;
    io_addr addrs[IO_REPLIER_ADDRS];
    size_t n_addrs;
    uint16_t port;
    bool catch_all;
    bool forwards;
    uint32_t ttl;
};

/* ---- life ---- */

io_replier *io_replier_new(const io_replier_settings *s, const char **reason)
{
    io_replier *r = calloc(1, sizeof *r);
    *reason = "out of memory";
    if (r == NULL) return NULL;
    r->target = ldns_dname_new_frm_str(s->target);
    r->root = ldns_dname_new_frm_str(".");
    r->hostmaster = ldns_dname_new_frm_str("hostmaster");
    r->n_addrs = s->n_addrs < IO_REPLIER_ADDRS ? s->n_addrs : IO_REPLIER_ADDRS;
    if (r->n_addrs > 0) memcpy(r->addrs, s->addrs, r->n_addrs * sizeof *r->addrs);
    r->port = s->port;
    r->catch_all = s->catch_all;
    r->forwards = s->forwards;
    r->ttl = s->ttl;
    if (r->target == NULL || ldns_dname_label_count(r->target) == 0)
        *reason = "the target is not a name";
    else if (r->port == 0)
        *reason = "the port is 0";
    else if (r->n_addrs == 0)
        *reason = "the target has no address";
    else if (r->root != NULL && r->hostmaster != NULL)
        return r;
    io_replier_free(r);
    return NULL;
}

void io_replier_free(io_replier *r)
{
    if (r == NULL) return;
    ldns_rdf_deep_free(r->target);
    ldns_rdf_deep_free(r->root);
    ldns_rdf_deep_free(r->hostmaster);
    free(r);
}

/* ---- what is asked ---- */

typedef enum asked {
    ASKED_SERVICE, /* _xmpp-server._tcp.ANY */
    ASKED_HOST,    /* our own name */
    ASKED_EMPTY,   /* a name above those we answer for */
    ASKED_NOTHING, /* does not exist, whoever may say otherwise */
    ASKED_ELSE
} asked;

/* The label at *at, which moves to the next; false at the root. The name came out of ldns: it is well-formed. */
static bool next_label(const ldns_rdf *name, size_t *at, s2s_span *label)
{
    const char *bytes = (const char *)ldns_rdf_data(name);
    size_t len = *at < ldns_rdf_size(name) ? (uint8_t)bytes[*at] : 0;
    if (len == 0) return false;
    *label = (s2s_span){bytes + *at + 1, len};
    *at += len + 1;
    return true;
}

static bool label_is(s2s_span label, const char *text)
{
    return label.len == strlen(text) && strncasecmp(label.ptr, text, label.len) == 0;
}

static asked classify(const io_replier *r, const ldns_rdf *name, ldns_rr_type type)
{
    s2s_span first, second, third;
    size_t at = 0;
    if (ldns_dname_compare(name, r->target) == 0) return ASKED_HOST;
    if (ldns_dname_is_subdomain(name, r->target)) return ASKED_NOTHING;
    if (!next_label(name, &at, &first)) return ASKED_ELSE;
    bool below = next_label(name, &at, &second);
    if (label_is(first, "_tcp") && below) return ASKED_EMPTY;
    if (below && label_is(second, "_tcp") && next_label(name, &at, &third)) {
        if (label_is(first, "_xmpp-server")) return ASKED_SERVICE;
        if (label_is(first, "_xmpps-server") || label_is(first, "_jabber")) return ASKED_NOTHING;
    }
    bool address = type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA;
    return r->catch_all && address && first.ptr[0] != '_' ? ASKED_HOST : ASKED_ELSE;
}

/* ---- records ---- */

/* Takes the rdf. */
static void add_rdf(ldns_rr *rr, ldns_rdf *rdf)
{
    S2S_ASSERT(rdf != NULL);
    bool pushed = ldns_rr_push_rdf(rr, rdf);
    S2S_ASSERT(pushed);
}

static ldns_rr *record(const io_replier *r, const ldns_rdf *owner, ldns_rr_type type)
{
    ldns_rr *rr = ldns_rr_new();
    S2S_ASSERT(rr != NULL);
    ldns_rr_set_owner(rr, ldns_rdf_clone(owner));
    ldns_rr_set_type(rr, type);
    ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(rr, r->ttl);
    return rr;
}

static void push(ldns_pkt *reply, ldns_pkt_section section, ldns_rr *rr)
{
    bool pushed = ldns_pkt_push_rr(reply, section, rr);
    S2S_ASSERT(pushed);
}

static void push_srv(const io_replier *r, ldns_pkt *reply, const ldns_rdf *owner)
{
    ldns_rr *rr = record(r, owner, LDNS_RR_TYPE_SRV);
    add_rdf(rr, ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, 0));
    add_rdf(rr, ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, 0));
    add_rdf(rr, ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, r->port));
    add_rdf(rr, ldns_rdf_clone(r->target));
    push(reply, LDNS_SECTION_ANSWER, rr);
}

/* Our addresses of one type, or of both for ANY. */
static void push_addrs(const io_replier *r, ldns_pkt *reply, ldns_pkt_section section,
                       const ldns_rdf *owner, ldns_rr_type type)
{
    for (size_t i = 0; i < r->n_addrs; i++) {
        bool four = r->addrs[i].family == 4;
        ldns_rr_type own = four ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
        if (type != own && type != LDNS_RR_TYPE_ANY) continue;
        ldns_rr *rr = record(r, owner, own);
        add_rdf(rr, ldns_rdf_new_frm_data(four ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
                                          four ? 4 : 16, r->addrs[i].bytes));
        push(reply, section, rr);
    }
}

static void push_soa(const io_replier *r, ldns_pkt *reply)
{
    /* Serial, refresh, retry, expire; the last is how long "no" may be believed. */
    const uint32_t numbers[] = {1, 3600, 600, 86400, r->ttl};
    ldns_rr *rr = record(r, r->root, LDNS_RR_TYPE_SOA);
    add_rdf(rr, ldns_rdf_clone(r->target));
    add_rdf(rr, ldns_rdf_clone(r->hostmaster));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        ldns_rdf_type type = i == 0 ? LDNS_RDF_TYPE_INT32 : LDNS_RDF_TYPE_PERIOD;
        add_rdf(rr, ldns_native2rdf_int32(type, numbers[i]));
    }
    push(reply, LDNS_SECTION_AUTHORITY, rr);
}

/* ---- the reply ---- */

static ldns_pkt *begin_reply(const ldns_pkt *query)
{
    ldns_pkt *reply = ldns_pkt_new();
    S2S_ASSERT(reply != NULL);
    ldns_pkt_set_id(reply, ldns_pkt_id(query));
    ldns_pkt_set_qr(reply, true);
    ldns_pkt_set_opcode(reply, ldns_pkt_get_opcode(query));
    ldns_pkt_set_rd(reply, ldns_pkt_rd(query));
    ldns_pkt_set_cd(reply, ldns_pkt_cd(query));
    ldns_pkt_set_ra(reply, true); /* some stub resolvers pass over a server that does not recurse */
    if (ldns_pkt_edns(query)) ldns_pkt_set_edns_udp_size(reply, IO_DNS_UDP_ROOM);
    return reply;
}

static void fill_reply(const io_replier *r, ldns_pkt *reply, const ldns_rdf *name,
                       ldns_rr_type type, asked what)
{
    bool any = type == LDNS_RR_TYPE_ANY;
    ldns_pkt_set_aa(reply, true);
    if (what == ASKED_NOTHING || what == ASKED_ELSE) ldns_pkt_set_rcode(reply, LDNS_RCODE_NXDOMAIN);
    if (what == ASKED_SERVICE && (any || type == LDNS_RR_TYPE_SRV)) {
        push_srv(r, reply, name);
        push_addrs(r, reply, LDNS_SECTION_ADDITIONAL, r->target, LDNS_RR_TYPE_ANY);
    }
    if (what == ASKED_HOST) push_addrs(r, reply, LDNS_SECTION_ANSWER, name, type);
    if (ldns_pkt_ancount(reply) == 0) push_soa(r, reply);
}

static void empty_section(ldns_pkt *reply, ldns_pkt_section section, ldns_rr_list *records)
{
    while (ldns_rr_list_rr_count(records) > 0)
        ldns_rr_free(ldns_rr_list_pop_rr(records));
    ldns_pkt_set_section_count(reply, section, 0);
}

static bool to_wire(const ldns_pkt *reply, size_t room, uint8_t *out, size_t *out_len)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    bool fits = ldns_pkt2wire(&wire, reply, &len) == LDNS_STATUS_OK && len <= room;
    if (fits) memcpy(out, wire, len);
    if (fits) *out_len = len;
    LDNS_FREE(wire);
    return fits;
}

/* What does not fit goes in this order: the addresses beside an SRV record, then all (with TC: ask by TCP). */
static io_reply finish_reply(ldns_pkt *reply, size_t room, uint8_t *out, size_t *out_len)
{
    bool fits = to_wire(reply, room, out, out_len);
    if (!fits) {
        empty_section(reply, LDNS_SECTION_ADDITIONAL, ldns_pkt_additional(reply));
        fits = to_wire(reply, room, out, out_len);
    }
    if (!fits) {
        empty_section(reply, LDNS_SECTION_ANSWER, ldns_pkt_answer(reply));
        empty_section(reply, LDNS_SECTION_AUTHORITY, ldns_pkt_authority(reply));
        ldns_pkt_set_tc(reply, true);
        fits = to_wire(reply, room, out, out_len);
    }
    ldns_pkt_free(reply);
    return fits ? IO_REPLY_SEND : IO_REPLY_DROP;
}

static size_t room_of(const ldns_pkt *query, bool stream)
{
    if (stream) return IO_DNS_REPLY_MAX;
    size_t room = ldns_pkt_edns(query) ? ldns_pkt_edns_udp_size(query) : 0;
    if (room < 512) room = 512;
    return room < IO_DNS_UDP_ROOM ? room : IO_DNS_UDP_ROOM;
}

static io_reply answer_packet(const io_replier *r, const ldns_pkt *query, size_t room, uint8_t *out,
                              size_t *out_len)
{
    const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(query), 0);
    const ldns_rdf *name = ldns_rr_owner(rr);
    ldns_rr_type type = ldns_rr_get_type(rr);
    ldns_rr_class class = ldns_rr_get_class(rr);
    bool in = class == LDNS_RR_CLASS_IN || class == LDNS_RR_CLASS_ANY;
    bool future = ldns_pkt_edns(query) && ldns_pkt_edns_version(query) > 0;
    asked what = classify(r, name, type);
    if (in && !future && what == ASKED_ELSE && r->forwards) return IO_REPLY_FORWARD;

    ldns_pkt *reply = begin_reply(query);
    push(reply, LDNS_SECTION_QUESTION, ldns_rr_clone(rr));
    if (future) /* BADVERS (RFC 6891 6.1.3) is 16: the upper part stands in the OPT record */
        ldns_pkt_set_edns_extended_rcode(reply, 1);
    else if (!in)
        ldns_pkt_set_rcode(reply, LDNS_RCODE_REFUSED);
    else
        fill_reply(r, reply, name, type, what);
    return finish_reply(reply, room, out, out_len);
}

io_reply io_replier_answer(const io_replier *r, s2s_span query, bool stream,
                           uint8_t out[IO_DNS_REPLY_MAX], size_t *out_len)
{
    ldns_pkt *packet = NULL;
    io_reply verdict = IO_REPLY_DROP;
    *out_len = 0;
    if (io_dns_question_end(query) == 0 || query.len > IO_DNS_QUERY_MAX) return IO_REPLY_DROP;
    const uint8_t *bytes = (const uint8_t *)query.ptr;
    if ((bytes[2] & 0x78) != 0) { /* an opcode other than QUERY */
        *out_len = io_dns_fail(query, LDNS_RCODE_NOTIMPL, out);
        return IO_REPLY_SEND;
    }
    if (ldns_wire2pkt(&packet, bytes, query.len) == LDNS_STATUS_OK && packet != NULL &&
        ldns_rr_list_rr_count(ldns_pkt_question(packet)) == 1)
        verdict = answer_packet(r, packet, room_of(packet, stream), out, out_len);
    ldns_pkt_free(packet);
    return verdict;
}

/* ---- header and question alone ---- */

size_t io_dns_question_end(s2s_span packet)
{
    const uint8_t *bytes = (const uint8_t *)packet.ptr;
    size_t at = 12;
    if (packet.len < 12 + 1 + 4 || bytes[4] != 0 || bytes[5] != 1) return 0;
    if ((bytes[2] & 0x80) != 0) return 0; /* a response */
    while (at < packet.len && bytes[at] != 0) {
        if (bytes[at] > 63) return 0; /* compressed: there is nothing before it to point to */
        at += (size_t)bytes[at] + 1;
    }
    size_t end = at + 1 + 4;
    return end <= packet.len && end <= IO_DNS_FAIL_MAX ? end : 0;
}

size_t io_dns_fail(s2s_span query, unsigned rcode, uint8_t out[IO_DNS_FAIL_MAX])
{
    size_t end = io_dns_question_end(query);
    if (end == 0) return 0;
    memcpy(out, query.ptr, end);
    out[2] = (uint8_t)((out[2] & 0x79) | 0x80); /* QR; opcode and RD as asked */
    out[3] = (uint8_t)(0x80 | (rcode & 0x0f));  /* RA */
    memset(out + 6, 0, 6);                      /* no other section */
    return end;
}
