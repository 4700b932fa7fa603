/* fetch.c - see fetch.h. libcurl says which sockets it wants watched and when it wants to be woken; uv does both. */
#include "io/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s2s/buf.h"

enum { LEVEL = 2 /* 112 bits, as judge.c has it */, HEADERS_MOST = 32768, CACHE_S = 60 };

struct io_fetches {
    uv_loop_t *loop;
    io_fetch_settings settings;
    CURLM *multi;
    uv_timer_t timer;
    io_fetch *first;
    bool freed;
};

struct io_fetch {
    io_fetches *all;
    io_fetch *next;
    CURL *easy;
    struct curl_slist *resolve, *headers;
    io_fetch_done done;
    void *ctx;
    s2s_buf body;
    size_t header_octets;
};

/* One socket of libcurl's. It dies later than libcurl forgets it. */
typedef struct watch {
    uv_poll_t poll;
    io_fetches *all;
    curl_socket_t fd;
} watch;

/* ---- what is over ---- */

static void unlink_it(io_fetch *f)
{
    io_fetch **at = &f->all->first;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
}

static void fetch_free(io_fetch *f)
{
    if (f->easy && !f->all->freed) curl_multi_remove_handle(f->all->multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->resolve);
    curl_slist_free_all(f->headers);
    s2s_buf_fini(&f->body);
    free(f);
}

void io_fetch_drop(io_fetch *f)
{
    unlink_it(f);
    fetch_free(f);
}

static void finish(io_fetch *f, CURLcode code)
{
    long status = 0;
    char *location = NULL;
    io_fetch_result r = {.body = s2s_buf_span(&f->body), .detail = curl_easy_strerror(code)};
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &location);
    if (code == CURLE_OK && status >= 100 && status <= 599) r.status = (unsigned)status;
    r.location = location;
    unlink_it(f); /* it may not be dropped any more */
    f->done(f->ctx, &r);
    fetch_free(f);
}

static void look(io_fetches *all)
{
    int left = 0;
    for (CURLMsg *m; !all->freed && (m = curl_multi_info_read(all->multi, &left)) != NULL;) {
        void *owner = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode code = m->data.result; /* the message goes with the handle */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &owner);
        finish(owner, code);
    }
}

/* ---- sockets and time ---- */

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    const watch *w = poll->data;
    io_fetches *all = w->all;
    int running = 0, what = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE) what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) what |= CURL_CSELECT_OUT;
    curl_multi_socket_action(all->multi, w->fd, what, &running);
    look(all);
}

static watch *watch_new(io_fetches *all, curl_socket_t fd)
{
    watch *w = calloc(1, sizeof *w);
    if (!w || uv_poll_init(all->loop, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->all = all;
    w->fd = fd;
    curl_multi_assign(all->multi, fd, w);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    watch *w = known;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) uv_close((uv_handle_t *)&w->poll, on_closed);
        return 0;
    }
    if (!w) w = watch_new(ctx, fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return w && uv_poll_start(&w->poll, events, on_ready) == 0 ? 0 : -1;
}

static void on_time(uv_timer_t *t)
{
    io_fetches *all = t->data;
    int running = 0;
    curl_multi_socket_action(all->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    look(all);
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    io_fetches *all = ctx;
    (void)multi;
    if (ms < 0)
        uv_timer_stop(&all->timer);
    else
        uv_timer_start(&all->timer, on_time, (uint64_t)ms, 0);
    return 0;
}

/* ---- what libcurl asks of one ---- */

static size_t on_body(char *octets, size_t one, size_t n, void *ctx)
{
    io_fetch *f = ctx;
    if (s2s_buf_span(&f->body).len + n > f->all->settings.most) return 0; /* ends it */
    return s2s_buf_put(&f->body, (s2s_span){octets, one * n}) == S2S_E_OK ? n : 0;
}

static size_t on_header(char *octets, size_t one, size_t n, void *ctx)
{
    io_fetch *f = ctx;
    (void)octets;
    f->header_octets += one * n;
    return f->header_octets <= HEADERS_MOST ? n : 0;
}

/* The last look before a packet is sent. */
static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    const io_fetch *f = ctx;
    const io_fetch_settings *s = &f->all->settings;
    io_addr addr;
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    if (io_addr_of_sockaddr(&to->addr, &addr) != S2S_E_OK) return CURL_SOCKET_BAD;
    if (!s->may_connect(s->ctx, &addr)) return CURL_SOCKET_BAD;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static CURLcode on_tls(CURL *easy, void *ctx, void *f)
{
    (void)easy;
    SSL_CTX_set_security_level(ctx, LEVEL);
    SSL_CTX_set1_cert_store(ctx, ((const io_fetch *)f)->all->settings.store);
    return CURLE_OK;
}

/* ---- beginning ---- */

/* libcurl is told the addresses and never asks; the "+" lets it forget them after CACHE_S. */
static bool set_way(io_fetch *f, const io_fetch_ask *ask)
{
    char line[2048], host[IO_ADDR_TEXT];
    int used = snprintf(line, sizeof line, "+%s:%u:", ask->host, (unsigned)ask->port);
    for (size_t i = 0; i < ask->n_addrs; i++) {
        io_addr a = ask->addrs[i];
        a.port = 0;
        bool six = a.family == 6;
        used += snprintf(line + used, sizeof line - (size_t)used, "%s%s%s%s", i ? "," : "",
                         six ? "[" : "", io_addr_print(&a, host), six ? "]" : "");
        if ((size_t)used >= sizeof line) return false;
    }
    f->resolve = curl_slist_append(NULL, line);
    f->headers = curl_slist_append(NULL, "Accept: application/json");
    return f->resolve && f->headers;
}

#define SET(option, value) (curl_easy_setopt(f->easy, option, value) == CURLE_OK)

static bool set_bounds(io_fetch *f)
{
    const io_fetch_settings *s = &f->all->settings;
    return SET(CURLOPT_PROTOCOLS_STR, "https") && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(CURLOPT_PROXY, "") && SET(CURLOPT_NOSIGNAL, 1L) &&
           SET(CURLOPT_TIMEOUT_MS, (long)s->timeout_ms) &&
           SET(CURLOPT_MAXFILESIZE, (long)s->most) && SET(CURLOPT_HTTP09_ALLOWED, 0L) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_FRESH_CONNECT, 1L) && SET(CURLOPT_FORBID_REUSE, 1L) &&
           SET(CURLOPT_DNS_CACHE_TIMEOUT, (long)CACHE_S) && SET(CURLOPT_USERAGENT, "causeway");
}

/* Whom we trust is in the store alone: libcurl is to read no file. */
static bool set_trust(io_fetch *f)
{
    return SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
           SET(CURLOPT_CAINFO, NULL) && SET(CURLOPT_CAPATH, NULL) &&
           SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) && SET(CURLOPT_SSL_CTX_FUNCTION, on_tls) &&
           SET(CURLOPT_SSL_CTX_DATA, f);
}

static bool set_calls(io_fetch *f, const io_fetch_ask *ask)
{
    return SET(CURLOPT_URL, ask->url) && SET(CURLOPT_RESOLVE, f->resolve) &&
           SET(CURLOPT_HTTPHEADER, f->headers) && SET(CURLOPT_PRIVATE, f) &&
           SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, f) &&
           SET(CURLOPT_HEADERFUNCTION, on_header) && SET(CURLOPT_HEADERDATA, f) &&
           SET(CURLOPT_OPENSOCKETFUNCTION, on_open) && SET(CURLOPT_OPENSOCKETDATA, f);
}

io_fetch *io_fetch_begin(io_fetches *all, const io_fetch_ask *ask, io_fetch_done done, void *ctx)
{
    io_fetch *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->all = all;
    f->done = done;
    f->ctx = ctx;
    s2s_buf_init(&f->body, all->settings.most);
    f->next = all->first;
    all->first = f;
    f->easy = curl_easy_init();
    if (f->easy && set_way(f, ask) && set_bounds(f) && set_trust(f) && set_calls(f, ask) &&
        curl_multi_add_handle(all->multi, f->easy) == CURLM_OK)
        return f;
    io_fetch_drop(f);
    return NULL;
}

/* ---- life ---- */

io_fetches *io_fetches_new(uv_loop_t *loop, const io_fetch_settings *settings)
{
    io_fetches *all = calloc(1, sizeof *all);
    if (!all || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(all);
        return NULL;
    }
    all->loop = loop;
    all->settings = *settings;
    all->multi = curl_multi_init();
    if (!all->multi || X509_STORE_up_ref(settings->store) != 1) {
        curl_multi_cleanup(all->multi);
        curl_global_cleanup();
        free(all);
        return NULL;
    }
    uv_timer_init(loop, &all->timer);
    all->timer.data = all;
    curl_multi_setopt(all->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(all->multi, CURLMOPT_SOCKETDATA, all);
    curl_multi_setopt(all->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(all->multi, CURLMOPT_TIMERDATA, all);
    return all;
}

void io_fetches_free(io_fetches *all)
{
    if (!all || all->freed) return;
    while (all->first)
        io_fetch_drop(all->first);
    all->freed = true;
    curl_multi_cleanup(all->multi);
    X509_STORE_free(all->settings.store);
    curl_global_cleanup();
    uv_close((uv_handle_t *)&all->timer, on_closed);
}
