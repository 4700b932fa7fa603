/* deaf.c - see deaf.h. */
#include "fed/deaf.h"

#include "fed/conn.h"
#include "fed/link.h"

/* So many keys in a row, each asked after the one before had had its time: a server that is only busy, or cannot reach
 * us for a moment, has said something by then. */
enum { DEAF_AFTER = 2 };

void fed_deaf_heard(fed_link *l)
{
    l->unanswered = 0;
    l->unanswered_at = l->f->now; /* what was asked until now proves nothing */
}

void fed_deaf_asked_about(const fed_conn *c, s2s_span id)
{
    if (c->server == NULL) return;
    const fed_target *t = c->f->servers[c->server - c->f->config->servers];
    for (fed_hook *h = t->links.first; h != NULL; h = h->next) {
        fed_link *l = FED_OF(fed_link, hook, h);
        if (l->conn != NULL && s2s_span_eq(s2s_stream_id(l->conn->s), id)) fed_deaf_heard(l);
    }
}

void fed_deaf_unanswered(fed_link *l, uint64_t asked_at)
{
    if (l->target->server == NULL || !fed_link_usable(l)) return;
    if (asked_at <= l->unanswered_at) return;
    l->unanswered_at = l->f->now;
    if (++l->unanswered >= DEAF_AFTER)
        fed_conn_close(l->conn, S2S_E_TRUNK_DEAF, (s2s_span){NULL, 0});
}
