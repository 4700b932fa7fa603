/* anchors.c - see anchors.h. */
#include "io/anchors.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

static bool blame(io_anchors_fault *fault, size_t line, const char *reason)
{
    fault->line = line;
    (void)snprintf(fault->reason, sizeof fault->reason, "%s", reason);
    return false;
}

static bool is_anchor(const ldns_rr *rr)
{
    ldns_rr_type type = ldns_rr_get_type(rr);
    return type == LDNS_RR_TYPE_DS || type == LDNS_RR_TYPE_DNSKEY;
}

static const char *give(const ldns_rr *rr, const char *(*each)(void *ctx, const char *record),
                        void *ctx)
{
    if (!is_anchor(rr)) return "neither a DS nor a DNSKEY record";
    char *text = ldns_rr2str(rr);
    if (!text) return "out of memory";
    text[strcspn(text, "\n")] = '\0';
    const char *why = each(ctx, text);
    LDNS_FREE(text);
    return why;
}

/* Lines that say something without being a record. */
static bool is_aside(ldns_status status)
{
    return status == LDNS_STATUS_SYNTAX_EMPTY || status == LDNS_STATUS_SYNTAX_TTL ||
           status == LDNS_STATUS_SYNTAX_ORIGIN;
}

static bool read_all(FILE *in, const char *(*each)(void *ctx, const char *record), void *ctx,
                     io_anchors_fault *fault)
{
    ldns_rdf *origin = NULL, *before = NULL;
    uint32_t ttl = 3600;
    int line = 1;
    size_t found = 0;
    const char *why = NULL;
    while (!why && !feof(in)) {
        ldns_rr *rr = NULL;
        int at = line;
        ldns_status status = ldns_rr_new_frm_fp_l(&rr, in, &ttl, &origin, &before, &line);
        if (status == LDNS_STATUS_OK)
            why = give(rr, each, ctx);
        else if (!is_aside(status))
            why = ldns_get_errorstr_by_id(status);
        found += status == LDNS_STATUS_OK;
        ldns_rr_free(rr);
        if (why) blame(fault, (size_t)at, why);
    }
    ldns_rdf_deep_free(origin);
    ldns_rdf_deep_free(before);
    if (!why && found == 0) return blame(fault, 0, "no DS or DNSKEY record is in it");
    return !why;
}

bool io_anchors_read(const char *file, const char *(*each)(void *ctx, const char *record),
                     void *ctx, io_anchors_fault *fault)
{
    FILE *in = fopen(file, "re");
    if (!in) return blame(fault, 0, strerror(errno));
    bool ok = read_all(in, each, ctx, fault);
    fclose(in);
    return ok;
}
