/* conn.h - one connection and its stream.
 * For:    feeding bytes, handing out events, flushing, pausing, deadlines, and the one exit with a why.
 * Never:  decides about domains, pairs or stanzas: receive.h and link.h do.
 * Owner:  the fed object; ended ones are freed at the end of the turn.
 *
 * State changes only in fed_conn_enter. The end has begun with fed_conn_close (by us) or a final event of the stream; it
 * is over with fed_conn_end, which is called once.                            */
#ifndef FED_CONN_H
#define FED_CONN_H

#include "fed/types.h"

const char *fed_conn_state_name(fed_conn_state state);

/* `io` NULL: still to be dialled. NULL: no memory. */
fed_conn *fed_conn_new(fed *f, fed_side side, const s2s_stream_config *config, void *io,
                       const fed_addr *peer);
void fed_conn_free(fed_conn *c);

void fed_conn_enter(fed_conn *c, fed_conn_state state);

/* Its stream was told something: at the end of the turn look for events and output. */
void fed_conn_poke(fed_conn *c);
void fed_conn_walk(fed_conn *c); /* the look itself */

bool fed_conn_ending(const fed_conn *c); /* closing or further */

/* Begins the end. IDLE and the like (no stream condition): the close handshake; else a stream error. */
void fed_conn_close(fed_conn *c, s2s_err why, s2s_span text);

/* The exit: tells link or receiving side, logs, closes the handle. */
void fed_conn_end(fed_conn *c, s2s_err why, s2s_span detail);

/* If nothing more is to be waited for, ends. For SHUTTING ones, when output or flight has shrunk. */
void fed_conn_finish(fed_conn *c);

/* A deadline of its has come nearer (alive.c). */
void fed_conn_rearm(fed_conn *c);

void fed_conn_pause(fed_conn *c, unsigned reason, bool on);

#endif
