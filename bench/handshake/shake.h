/* shake.h - the yardstick of links: TLS handshakes on OpenSSL and epoll, and nothing else.
 * For:    what a link costs at the very least, on either side; an honest best case beside which a server's links are held.
 * Never:  speaks XMPP, or uses src/: what is slow there must not be hidden by being slow here too.
 *
 * One process serves, another dials; both are measured. Connections are held until all are up, as links are. */
#ifndef HANDSHAKE_SHAKE_H
#define HANDSHAKE_SHAKE_H

#include <openssl/ssl.h>

#include "usage.h"

enum { SHAKE_SESSIONS = 256 };

typedef struct shake_plan {
    const char *addr; /* "127.1.2.3:5269" */
    const char *ca, *cert, *key;
    const char *name;              /* dialling: what the server's certificate must name */
    bool mutual;                   /* serving: asks for a certificate; dialling: shows one */
    bool resume;                   /* serving: gives tickets; dialling: uses them */
    unsigned count, warm, at_once; /* dialling */
    int pid;                       /* dialling: of who serves */
} shake_plan;

typedef struct shake_conn {
    struct shake_conn *next, *prev;
    SSL *ssl; /* NULL: listening */
    int fd;
    bool up;
} shake_conn;

typedef struct shake {
    const shake_plan *plan;
    SSL_CTX *ctx;
    int epoll;
    shake_conn all;                        /* a ring */
    SSL_SESSION *sessions[SHAKE_SESSIONS]; /* not used yet */
    unsigned n_sessions;
    unsigned up, resumed, failed, gone;
    const volatile int *stopped;
} shake;

typedef struct shake_result {
    unsigned count, resumed;
    double seconds;
    double client_cpu, server_cpu; /* s, for all of them */
    double server_rss_kb;          /* what it grew by */
    char version[16], cipher[64];
} shake_result;

bool shake_init(shake *s, const shake_plan *plan); /* false: said on stderr */
void shake_fini(shake *s);
/* Takes fd; begins in the plan's role. False: no memory. */
bool shake_begin(shake *s, int fd, bool client);
/* One turn of at most `ms`; `accepting`: the listening socket, or -1. */
void shake_turn(shake *s, int accepting, int ms);
void shake_end_all(shake *s);

bool shake_serve(shake *s);                    /* until stopped */
bool shake_dial(shake *s, shake_result *into); /* false: said on stderr */

#endif
