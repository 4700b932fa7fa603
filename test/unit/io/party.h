/* party.h - an owner of a connection which notes everything, and bare sockets to stand at the other end.
 * A turn never waits for the clock: UNTIL only runs the loop while something is still to come; whoever hangs is ended by
 * the alarm. */
#ifndef TEST_PARTY_H
#define TEST_PARTY_H

#include "io/conn.h"
#include "io/listener.h"
#include "s2s/buf.h"

typedef struct party {
    io_loop *loop;
    io_conn *c; /* NULL: gone */
    s2s_buf out, got;
    bool connected, secured, lost;
    unsigned reads; /* calls of bytes */
    unsigned hellos;
    io_addr ours;
    io_tls_info tls;
    s2s_err why;
    char detail[128];
    uint64_t acked_at_end;
    void (*on_bytes)(struct party *p, s2s_span bytes); /* after noting them; NULL is fine */
    void (*on_connected)(struct party *p);
    void (*on_tls)(struct party *p);
    void (*on_hello)(struct party *p);
} party;

extern const io_conn_calls PARTY_CALLS;

void party_init(party *p, io_loop *l);
void party_fini(party *p); /* closes abruptly what is still open */
void party_say(party *p, s2s_span bytes);
void party_close(party *p, io_close how); /* gives what is left in out as the rest */

io_loop *loop_new(void); /* with short close_ms */
io_loop *loop_new_with(void (*change)(io_loop_settings *s));

/* Two parties over TCP on 127.0.0.1; `dialled` is the initiator. */
void parties_join(party *dialled, party *accepted);
/* p over TCP to a bare, non-blocking socket. `dials`: p is the initiator. */
int party_join_bare(party *p, bool dials);

#define UNTIL(loop, condition)                                                                     \
    do                                                                                             \
        while (!(condition))                                                                       \
            io_loop_turn((loop), false);                                                           \
    while (0)

/* Bytes which differ wherever they stand. */
char *pattern_new(size_t n, unsigned seed);
int hang_guard(void **state); /* a test's set-up */

#endif
