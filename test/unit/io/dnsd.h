/* dnsd.h - a tiny name server on loopback for tests: UDP, in the test's own loop, records from zone file lines.
 * For:    being the resolver behind ours, with faults on demand.
 * Owner:  the test. */
#ifndef DNSD_H
#define DNSD_H

#include <ldns/ldns.h>
#include <uv.h>

typedef enum dnsd_mood {
    DNSD_ANSWERS, /* from its records; NXDOMAIN for names it has not */
    DNSD_MUTE,    /* takes questions and says nothing */
    DNSD_SERVFAIL,
    DNSD_REFUSED,
    DNSD_AAAA_FAILS, /* SERVFAIL to AAAA only */
    DNSD_HOLDS,      /* keeps what `holds` says back until it is let go */
    DNSD_CUTS,       /* TC, no records */
    DNSD_FORGES      /* its answer comes after two that do not fit: another id, another question */
} dnsd_mood;

typedef struct dnsd {
    uv_udp_t udp;
    dnsd_mood mood;
    /* DNSD_HOLDS: questions of that type, and with that in front of the name; the last one is kept */
    ldns_rr_type holds;
    const char *holds_prefix;
    ldns_pkt *held;
    struct sockaddr_storage held_for;
    unsigned asked;
    unsigned port;
    ldns_rr_list *records;
    char forwarder[32]; /* "127.0.0.1@PORT" */
} dnsd;

void dnsd_start(dnsd *d, uv_loop_t *loop);
void dnsd_add(dnsd *d, const char *line);
void dnsd_let_go(dnsd *d); /* answers what is held back, from the records of now */
void dnsd_stop(dnsd *d);   /* run the loop once more for the handle */

/* Signs every record set with a fresh key and adds DNSKEY; gives the trust anchor's line (malloc). */
char *dnsd_sign(dnsd *d, const char *zone);

#endif
