/* conn_hello.c - a ClientHello is waited for in the kernel.
 *
 * OpenSSL takes 32 KiB for its first look at a connection and keeps them until the handshake is over. Who opens connections,
 * claims a long ClientHello and goes silent would have them for nothing; so the first record is left to the socket's
 * buffer until it is whole. */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "io/conn_priv.h"

enum {
    HEADER = 5,          /* octets: type, version, length (RFC 8446 5.1) */
    MAJOR = 3,           /* of the version, for ever */
    HANDSHAKE = 22,      /* the type of a record that holds a ClientHello */
    RECORD_MAX = 1 << 14 /* octets behind the header, in clear */
};

/* Octets of the record at the front of the socket, its header included; 0: OpenSSL is to see at once what there is (an end,
 * an error, something else than a ClientHello). */
static size_t record_len(int fd)
{
    unsigned char seen[HEADER];
    ssize_t n = recv(fd, seen, sizeof seen, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return HEADER;
    if (n <= 0 || seen[0] != HANDSHAKE || (n > 1 && seen[1] != MAJOR)) return 0;
    if (n < HEADER) return HEADER;
    size_t len = (size_t)seen[3] << 8 | seen[4];
    return len <= RECORD_MAX ? HEADER + len : 0;
}

/* Nothing more will come: waiting for it would never sleep. */
static bool has_ended(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) != 0;
}

/* The kernel tells of nothing less, but of an end. */
static void wake_at(int fd, size_t octets)
{
    int n = (int)octets;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof n);
}

bool conn_hello_is_whole(io_conn *c)
{
    int held = 0;
    size_t need = record_len(c->fd);
    if (need > 0 && ioctl(c->fd, FIONREAD, &held) == 0 && (size_t)held < need &&
        !has_ended(c->fd)) {
        wake_at(c->fd, need);
        c->hello_waits = true;
        return false;
    }
    if (c->hello_waits) wake_at(c->fd, 1);
    c->hello_waits = false;
    return true;
}
