/* resolver_ctx.c - see resolver_ctx.h.
 * Order matters: zones finalise the context, so options, forwarders and anchors come before them. */
#include "io/resolver_ctx.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

#include "io/anchors.h"

/* What a library context does not do by itself. */
static const char *const BASE_OPTIONS[][2] = {
    {"cache-max-negative-ttl:", "60"}, /* a name that failed lately is asked again soon */
    {"outgoing-range:", "128"},        /* 16 sockets would hold up 200 lookups */
    {"num-queries-per-thread:", "1024"}, {"outgoing-num-tcp:", "10"},
    {"edns-buffer-size:", "1232"},     /* no fragments */
    {"do-not-query-localhost:", "no"}, /* a resolver on this machine may be our forwarder */
};

static bool blame(io_resolver_fault *fault, const char *what, size_t index, const char *reason)
{
    fault->what = what;
    fault->index = index;
    snprintf(fault->reason, sizeof fault->reason, "%s", reason);
    return false;
}

static bool add_options(struct ub_ctx *ub, const io_resolver_settings *s, io_resolver_fault *fault)
{
    for (size_t i = 0; i < sizeof BASE_OPTIONS / sizeof BASE_OPTIONS[0]; i++) {
        int err = ub_ctx_set_option(ub, BASE_OPTIONS[i][0], BASE_OPTIONS[i][1]);
        if (err != 0) return blame(fault, "context", i, ub_strerror(err));
    }
    for (size_t i = 0; i < s->n_options; i++) {
        int err = ub_ctx_set_option(ub, s->options[2 * i], s->options[2 * i + 1]);
        if (err != 0)
            return blame(fault, "option", i, "libunbound does not know it, or not this value");
    }
    return true;
}

static bool add_servers(struct ub_ctx *ub, const io_resolver_settings *s, io_resolver_fault *fault)
{
    if (s->resolv_conf != NULL) {
        int err = ub_ctx_resolvconf(ub, s->resolv_conf);
        if (err != 0) return blame(fault, "resolv.conf", 0, ub_strerror(err));
    }
    for (size_t i = 0; i < s->n_forwarders; i++) {
        int err = ub_ctx_set_fwd(ub, s->forwarders[i]);
        if (err != 0) return blame(fault, "forwarder", i, "not an IP address, or address@port");
    }
    return true;
}

/* libunbound says no more than "out of memory" about a bad line, ldns says what is wrong. */
static bool record_ok(const char *text, const char *what, size_t index, io_resolver_fault *fault)
{
    ldns_rr *rr = NULL;
    ldns_status err = ldns_rr_new_frm_str(&rr, text, 3600, NULL, NULL);
    ldns_rr_free(rr);
    if (err == LDNS_STATUS_OK) return true;
    return blame(fault, what, index, ldns_get_errorstr_by_id(err));
}

static const char *add_anchor(void *ub, const char *record)
{
    int err = ub_ctx_add_ta(ub, record);
    return err == 0 ? NULL : ub_strerror(err);
}

static bool add_anchors(struct ub_ctx *ub, const io_resolver_settings *s, io_resolver_fault *fault)
{
    for (size_t i = 0; i < s->n_anchors; i++) {
        if (!record_ok(s->anchors[i], "anchor", i, fault)) return false;
        int err = ub_ctx_add_ta(ub, s->anchors[i]);
        if (err != 0) return blame(fault, "anchor", i, ub_strerror(err));
    }
    io_anchors_fault why;
    if (s->anchor_file == NULL || io_anchors_read(s->anchor_file, add_anchor, ub, &why))
        return true;
    return blame(fault, "anchor file: line", why.line > 0 ? why.line - 1 : 0, why.reason);
}

static bool zone_ok(const char *name)
{
    ldns_rdf *rdf = ldns_dname_new_frm_str(name);
    ldns_rdf_deep_free(rdf);
    return rdf != NULL;
}

static bool add_zones(struct ub_ctx *ub, const io_resolver_settings *s, io_resolver_fault *fault)
{
    for (size_t i = 0; i < s->n_zones; i++) {
        if (!zone_ok(s->zones[i])) return blame(fault, "zone", i, "not a name");
        int err = ub_ctx_zone_add(ub, s->zones[i], "static");
        if (err == UB_INITFAIL) return blame(fault, "context", 0, ub_strerror(err));
        if (err != 0) return blame(fault, "zone", i, ub_strerror(err));
    }
    for (size_t i = 0; i < s->n_data; i++) {
        if (!record_ok(s->data[i], "data", i, fault)) return false;
        int err = ub_ctx_data_add(ub, s->data[i]);
        if (err == UB_INITFAIL) return blame(fault, "context", 0, ub_strerror(err));
        if (err != 0) return blame(fault, "data", i, "libunbound does not take it");
    }
    return true;
}

struct ub_ctx *io_resolver_ctx_new(const io_resolver_settings *s, io_resolver_fault *fault)
{
    struct ub_ctx *ub = ub_ctx_create();
    if (ub == NULL) {
        blame(fault, "context", 0, "out of memory or descriptors");
        return NULL;
    }
    /* It must not write to our standard error on its own. */
    if (ub_ctx_debugout(ub, NULL) == 0 && ub_ctx_async(ub, 1) == 0) {
        if (add_options(ub, s, fault) && add_servers(ub, s, fault) && add_anchors(ub, s, fault) &&
            add_zones(ub, s, fault))
            return ub;
    } else {
        blame(fault, "context", 0, "thread mode was refused");
    }
    ub_ctx_delete(ub);
    return NULL;
}
