/* listener.h - accepts connections.
 * For:    a socket on an address, or on all of them (one dual-stack socket); IPv4 peers on it are unmapped here.
 * Never:  closes what it accepted: at the descriptor limit it pauses, and goes on when descriptors are free again.
 * Owner:  one loop.                                                         */
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include "io/addr.h"
#include "io/loop.h"

typedef struct io_listener io_listener;

/* "*:5269" beside "10.0.0.5:5269": the kernel refuses a port that is taken, unless both sockets agree to share it. The first
 * is bound plainly, so that a stranger on the port is an error as always, and agrees afterwards; the others are bound
 * beside it. A connection goes to the more special address. */
typedef enum io_port { IO_PORT_ALONE, IO_PORT_FIRST, IO_PORT_BESIDE } io_port;

typedef struct io_listen {
    io_addr
        addr; /* family 0: all addresses, IPv6 and IPv4 ("*"); port 0: any free one. An IPv6 address, [::] included,
                     means IPv6 alone */
    io_port port;
    io_rank rank; /* SETTLED: accepts as soon as there is something */
    /* Takes fd (non-blocking, close-on-exec). May close the listener. */
    void (*accepted)(void *ctx, int fd, const io_addr *peer);
    void *ctx;
} io_listen;

/* Copies `how`. NULL: *err is a negative errno of socket, bind or listen (uv_strerror names it). */
io_listener *io_listener_new(io_loop *l, const io_listen *how, int *err);
const io_addr *io_listener_addr(const io_listener *s); /* with the port it got; family 0: all */
bool io_listener_paused(const io_listener *s);         /* at the descriptor limit */
uint64_t io_listener_pauses(const io_listener *s);     /* how often so far */
/* No call comes any more; connections in the backlog are reset by the kernel. */
void io_listener_close(io_listener *s);

/* Raises the soft limit of descriptors to the hard one; gives the limit that holds now. */
uint64_t io_descriptors_raise(void);
/* Room for n of them in the kernel's table of this process, as far as the limit allows; before there are threads. It grows by
 * itself, but a process with several threads waits some 10 ms each time it does (Linux: synchronize_rcu), and nothing is
 * served meanwhile. */
void io_descriptors_widen(uint64_t n);

#endif
