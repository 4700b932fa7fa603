/* round.c - the pairs of a link take turns: deficit round robin, in bytes (DESIGN 6, trunk fairness); see link.h. */
#include "fed/conn.h"
#include "fed/link.h"
#include "fed/pair.h"
#include "fed/route.h"
#include "fed/session.h"
#include "fed/settle.h"

/* Bytes a pair may send in its turn. A longer stanza waits until it has saved enough. */
enum { SHARE = 8192 };

typedef enum turn { TURN_OVER, TURN_NO_ROOM, TURN_STUCK } turn;

static bool has_room(const fed_link *l)
{
    return s2s_stream_out(l->conn->s).len < l->f->config->limits.link_out && fed_settle_has_room(l);
}

static s2s_err send_first(fed_link *l, fed_pair *p)
{
    fed_item *item = fed_queue_peek(&p->queue);
    s2s_err err = s2s_stream_send(l->conn->s, &p->from, &p->to, item->bytes);
    if (err != S2S_E_OK) return err;
    p->deficit -= item->bytes.len;
    fed_settle_sent(l, fed_queue_take(&p->queue));
    l->conn->stanzas_out++;
    return S2S_E_OK;
}

/* The first of the queue does not go this way: it has ended. */
static bool set_aside(const fed_link *l, fed_pair *p)
{
    const fed_item *item = fed_queue_peek(&p->queue);
    uint32_t most = s2s_stream_peer_max_bytes(l->conn->s);
    if (item->session != 0) return !fed_session_doubt(p);
    if (most == 0 || item->bytes.len <= most) return false;
    fed_route_refuse(l->f, fed_queue_take(&p->queue), S2S_E_STANZA_TOO_BIG, p->target);
    return true;
}

static turn take_turn(fed_link *l, fed_pair *p)
{
    if (!p->in_turn) p->deficit += SHARE;
    p->in_turn = true;
    while (p->queue.stanzas > 0 && fed_queue_peek(&p->queue)->bytes.len <= p->deficit) {
        if (!has_room(l)) return TURN_NO_ROOM;
        if (set_aside(l, p)) continue;
        if (send_first(l, p) != S2S_E_OK) return TURN_STUCK;
    }
    p->in_turn = false;
    if (p->queue.stanzas > 0) {
        fed_chain_move(&l->round, &p->round);
        return TURN_OVER;
    }
    p->deficit = 0;
    fed_chain_take(&p->round);
    return TURN_OVER;
}

/* A stream that takes no stanza now (it is ending, or short of memory) keeps its pairs: its end gives them back. */
void fed_link_pump(fed_link *l)
{
    if (l->state != FED_LINK_UP || fed_conn_ending(l->conn)) return;
    uint64_t before = l->conn->stanzas_out;
    while (l->round.first != NULL && has_room(l)) {
        fed_pair *p = FED_OF(fed_pair, round, l->round.first);
        turn how = take_turn(l, p);
        fed_pair_shrunk(p);
        if (how != TURN_OVER) break;
    }
    if (l->conn->stanzas_out != before) fed_conn_poke(l->conn);
}
