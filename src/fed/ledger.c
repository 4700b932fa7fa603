/* ledger.c - see ledger.h. */
#include "fed/ledger.h"

#include <string.h>

const char *fed_what_name(fed_what what)
{
    switch (what) {
    case FED_WHAT_LINK: return "link";
    case FED_WHAT_ATTEMPT: return "attempt";
    case FED_WHAT_STANZA: return "stanza";
    case FED_WHAT_COUNT: break;
    }
    S2S_ASSERT(false);
    return "";
}

void fed_ledger_init(fed_ledger *l)
{
    memset(l, 0, sizeof *l);
}

static uint64_t ended(const fed_ledger_view *v)
{
    return v->acked + v->written + v->bounced + v->dropped + v->in_doubt;
}

bool fed_ledger_balanced(const fed_ledger_view *v)
{
    return v->accepted == ended(v) + v->queued;
}

void fed_ledger_accepted(fed_ledger *l, fed_item *item)
{
    S2S_ASSERT(!item->accepted && item->fate == FED_FATE_NONE && fed_item_counts(item));
    item->accepted = true;
    l->way[item->way].accepted++;
}

/* The one place where an item ends: once, and only after it was accepted (when it counts at all). */
static void end(fed_ledger *l, fed_item *item, fed_fate fate, uint64_t *counter)
{
    S2S_ASSERT(item->fate == FED_FATE_NONE);
    item->fate = fate;
    if (!fed_item_counts(item)) return;
    S2S_ASSERT(item->accepted);
    (*counter)++;
    S2S_ASSERT(ended(&l->way[item->way]) <= l->way[item->way].accepted);
}

void fed_ledger_acked(fed_ledger *l, fed_item *item)
{
    end(l, item, FED_FATE_ACKED, &l->way[item->way].acked);
}

void fed_ledger_written(fed_ledger *l, fed_item *item)
{
    end(l, item, FED_FATE_WRITTEN, &l->way[item->way].written);
}

void fed_ledger_bounced(fed_ledger *l, fed_item *item, s2s_err why)
{
    S2S_ASSERT(item->may_bounce); /* no error for an error */
    end(l, item, FED_FATE_BOUNCED, &l->way[item->way].bounced);
    fed_ledger_why(l, FED_WHAT_STANZA, why);
}

void fed_ledger_dropped(fed_ledger *l, fed_item *item, s2s_err why)
{
    end(l, item, FED_FATE_DROPPED, &l->way[item->way].dropped);
    fed_ledger_why(l, FED_WHAT_STANZA, why);
}

void fed_ledger_in_doubt(fed_ledger *l, fed_item *item, s2s_err why)
{
    end(l, item, FED_FATE_IN_DOUBT, &l->way[item->way].in_doubt);
    fed_ledger_why(l, FED_WHAT_STANZA, why);
}

void fed_ledger_resent(fed_ledger *l, fed_item *item)
{
    S2S_ASSERT(item->fate == FED_FATE_IN_DOUBT && !item->own);
    item->fate = FED_FATE_NONE;
    item->accepted = false; /* that one has ended; this is a copy */
    item->resent = true;
    l->way[item->way].resent++;
}

void fed_ledger_own(fed_ledger *l, fed_item *item)
{
    S2S_ASSERT(!item->accepted && !item->own && !item->resent);
    item->own = true;
    l->way[item->way].own++;
}

void fed_ledger_why(fed_ledger *l, fed_what what, s2s_err why)
{
    S2S_ASSERT(why != S2S_E_OK && why < S2S_E_COUNT);
    l->why[what][why]++;
}

void fed_ledger_copy(const fed_ledger *l, fed_way way, fed_ledger_view *out)
{
    *out = l->way[way];
    out->queued = 0;
}

void fed_ledger_each_why(const fed_ledger *l,
                         void (*each)(void *ctx, const char *what, const s2s_err_info *why,
                                      uint64_t count),
                         void *ctx)
{
    for (fed_what what = FED_WHAT_LINK; what < FED_WHAT_COUNT; what++)
        for (s2s_err err = S2S_E_OK; err < S2S_E_COUNT; err++)
            if (l->why[what][err] > 0)
                each(ctx, fed_what_name(what), s2s_err_of(err), l->why[what][err]);
}
