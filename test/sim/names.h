/* names.h - what the DNS and the web servers of play say, and what certificates of play are good for.
 * For:    sim.c and simd.c alike.
 * Never:  knows a connection or a clock.
 * Owner:  whoever holds the zone; all-zero is an empty one.                 */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "fed/fed.h"

typedef struct sim_row {
    s2s_domain name;
    fed_query kind;
    bool fails; /* all kinds, or only `kind` when */
    bool alone; /* that is said */
    bool signs; /* what is said of `kind` is DNSSEC-signed */
    bool posh;  /* a fingerprint in its document: `key` */
    fed_srv srv;
    fed_addr addr;
    uint16_t port; /* TLSA */
    uint8_t usage; /* TLSA; 0 and 1 are of use to nobody */
    char key[32];  /* TLSA: the name of a key */
} sim_row;

typedef struct sim_question {
    uint64_t ticket;
    fed_ask ask;
    bool posh;
} sim_question;

typedef struct sim_zone {
    sim_row *rows;
    size_t n;
    sim_question *questions; /* not answered yet */
    size_t n_questions;
} sim_zone;

sim_row *sim_zone_add(sim_zone *z, const s2s_domain *name, fed_query kind); /* until the next */
void sim_zone_ask(sim_zone *z, const sim_question *q);
void sim_zone_answer(sim_zone *z, fed *f); /* the oldest question */
void sim_zone_fini(sim_zone *z);

typedef struct sim_cert {
    s2s_err trust; /* in its chain, names apart */
    const s2s_domain *names;
    size_t n_names;
    const char *key, *signer; /* their names; "" or NULL: some that nobody knows */
} sim_cert;

/* As fed_world's judge. The data of a TLSA record is the name of a key: the certificate's own for usage 3, of whom signed it for
 * 2; a fingerprint is the name of its own. */
s2s_err sim_cert_judge(const sim_cert *c, const fed_judge_ask *ask, s2s_proof *proof);

#endif
