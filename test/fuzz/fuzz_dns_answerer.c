/* fuzz_dns_answerer.c - any packet to the inside DNS answerer.
 * For:    promises that hold for every packet: no answer to an answer, none longer than its way takes, the id and the
 *         question come back, and what we say can be read by others.
 * Never:  checks what is said about which name (test_dns_reply does).
 *
 * Input: one byte of flags, then the packet.                                 */
#include <stdint.h>
#include <string.h>

#include <ldns/ldns.h>

#include "io/dns_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { CATCH_ALL = 1, FORWARDS = 2, STREAM = 4, SPELT_TARGET = 8 };

static io_replier *replier_of(uint8_t flags)
{
    io_addr addrs[2] = {{.family = 4, .bytes = {10, 0, 0, 5}}, {.family = 6, .bytes = {0xfd}}};
    io_replier_settings s = {
        .target = (flags & SPELT_TARGET) != 0 ? "10.0.0.5." : "causeway.inside",
        .port = 5269,
        .addrs = addrs,
        .n_addrs = 2,
        .catch_all = (flags & CATCH_ALL) != 0,
        .forwards = (flags & FORWARDS) != 0,
        .ttl = 60,
    };
    const char *reason;
    io_replier *r = io_replier_new(&s, &reason);
    S2S_ASSERT(r != NULL);
    return r;
}

static void check_reply(s2s_span query, bool stream, const uint8_t *out, size_t len)
{
    ldns_pkt *pkt = NULL;
    S2S_ASSERT(len >= 12 && len <= IO_DNS_REPLY_MAX);
    S2S_ASSERT(stream || len <= IO_DNS_UDP_ROOM);
    S2S_ASSERT(memcmp(out, query.ptr, 2) == 0);
    S2S_ASSERT((query.ptr[2] & 0x80) == 0 && (out[2] & 0x80) != 0);
    S2S_ASSERT(ldns_wire2pkt(&pkt, out, len) == LDNS_STATUS_OK);
    S2S_ASSERT(ldns_pkt_qdcount(pkt) == 1);
    ldns_pkt_free(pkt);
}

static void check_failure(s2s_span query)
{
    uint8_t out[IO_DNS_FAIL_MAX];
    size_t end = io_dns_question_end(query);
    size_t len = io_dns_fail(query, IO_RCODE_REFUSED, out);
    S2S_ASSERT(len == end && len <= query.len && len <= sizeof out);
    if (len > 0) S2S_ASSERT((out[2] & 0x80) != 0 && (out[3] & 0x0f) == IO_RCODE_REFUSED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t out[IO_DNS_REPLY_MAX];
    size_t out_len;
    if (len < 1) return 0;
    bool stream = (data[0] & STREAM) != 0;
    s2s_span query = {(const char *)data + 1, len - 1};
    io_replier *r = replier_of(data[0]);
    switch (io_replier_answer(r, query, stream, out, &out_len)) {
    case IO_REPLY_SEND: check_reply(query, stream, out, out_len); break;
    case IO_REPLY_FORWARD:
        S2S_ASSERT((data[0] & FORWARDS) != 0 && io_dns_question_end(query) > 0);
        break;
    case IO_REPLY_DROP: S2S_ASSERT(out_len == 0); break;
    }
    check_failure(query);
    io_replier_free(r);
    return 0;
}
