/* cork.c - see cork.h. */
#include "cork.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ROOM = 262144 };

typedef struct gathered {
    int fd;
    bool through;
    size_t from, to;
    char bytes[ROOM];
} gathered;

static bool push(gathered *g)
{
    while (g->from < g->to) {
        ssize_t n = send(g->fd, g->bytes + g->from, g->to - g->from, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            n = (ssize_t)(g->to - g->from); /* broken: reading will tell */
        if (n < 0) return false;
        g->from += (size_t)n;
    }
    g->from = g->to = 0;
    return true;
}

static int on_write(BIO *b, const char *bytes, int n)
{
    gathered *g = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (g->to + (size_t)n > ROOM && !push(g)) {
        memmove(g->bytes, g->bytes + g->from, g->to - g->from);
        g->to -= g->from;
        g->from = 0;
    }
    if (g->to + (size_t)n > ROOM) {
        BIO_set_retry_write(b);
        return -1;
    }
    memcpy(g->bytes + g->to, bytes, (size_t)n);
    g->to += (size_t)n;
    if (g->through) (void)push(g);
    return n;
}

static long on_ctrl(BIO *b, int what, long number, void *ptr)
{
    (void)b;
    (void)number;
    (void)ptr;
    return what == BIO_CTRL_FLUSH || what == BIO_CTRL_DUP;
}

static int on_free(BIO *b)
{
    free(BIO_get_data(b));
    BIO_set_data(b, NULL);
    return 1;
}

/* OpenSSL wants it to outlive all corks. */
static BIO_METHOD *method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 99, "cork");
    if (!m) return NULL;
    if (!BIO_meth_set_write(m, on_write) || !BIO_meth_set_ctrl(m, on_ctrl) ||
        !BIO_meth_set_destroy(m, on_free)) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

BIO *cork_new(int fd)
{
    static BIO_METHOD *m;
    if (!m) m = method();
    BIO *b = m ? BIO_new(m) : NULL;
    gathered *g = b ? malloc(sizeof *g) : NULL;
    if (!g) {
        BIO_free(b);
        return NULL;
    }
    g->fd = fd;
    g->through = false;
    g->from = g->to = 0;
    BIO_set_data(b, g);
    BIO_set_init(b, 1);
    return b;
}

bool cork_flush(BIO *cork)
{
    return push(BIO_get_data(cork));
}

void cork_through(BIO *cork)
{
    gathered *g = BIO_get_data(cork);
    g->through = true;
    (void)push(g);
}
