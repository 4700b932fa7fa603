/* document_unquoted.c - the two addresses YAML does not take as text: *:5269 (an alias) and [::]:5269 (a list). */
#include <string.h>

#include "app/document.h"

static size_t host_length(const char *p, const char *end)
{
    size_t n = 0;
    while (p + n < end && strchr("0123456789abcdefABCDEF:.%", p[n]) && p[n])
        n++;
    return n;
}

static size_t digits(const char *p, const char *end)
{
    size_t n = 0;
    while (p + n < end && p[n] >= '0' && p[n] <= '9')
        n++;
    return n;
}

/* Length of "[...]:port" standing at p, 0: something else. */
static size_t bracketed(const char *p, const char *end)
{
    size_t host = host_length(p + 1, end);
    const char *q = p + 1 + host;
    if (host < 2 || end - q < 3 || q[0] != ']' || q[1] != ':') return 0;
    size_t port = digits(q + 2, end);
    return port ? 1 + host + 2 + port : 0;
}

/* Length of "*", "*:5269" or "*.far.example" standing at p. */
static size_t starred(const char *p, const char *end)
{
    size_t n = 1;
    if (p + n < end && p[n] == ':') return digits(p + 2, end) ? 2 + digits(p + 2, end) : 1;
    while (p + n < end && p[n] && !strchr(" \t,:]}", p[n]))
        n++;
    return n;
}

static size_t found_at(const char *p, const char *end, app_mark at, app_problems *problems)
{
    size_t n = *p == '*' ? starred(p, end) : bracketed(p, end);
    if (n == 0) return 0;
    char hint[96];
    snprintf(hint, sizeof hint, "quote it: \"%.*s\"", (int)(n > 70 ? 70 : n), p);
    app_refuse(problems, at, hint, "YAML does not take %.*s as text without quotes",
               (int)(n > 70 ? 70 : n), p);
    return n;
}

static size_t scan_line(const char *line, const char *end, size_t number, app_problems *problems)
{
    size_t found = 0;
    char quote = 0, before = ' ';
    for (const char *p = line; p < end; before = *p, p++) {
        if (quote) {
            if (*p == quote) quote = 0;
            continue;
        }
        bool starts = before == ' ' || before == '\t' || strchr("[{,", before) != NULL;
        if (*p == '#' && (before == ' ' || before == '\t')) break;
        if (starts && (*p == '"' || *p == '\'')) quote = *p;
        if (starts && (*p == '*' || *p == '[')) {
            app_mark at = {number, (size_t)(p - line) + 1};
            size_t n = found_at(p, end, at, problems);
            if (n == 0) continue;
            found++;
            p += n - 1;
        }
    }
    return found;
}

size_t app_document_find_unquoted(const char *text, size_t len, app_problems *problems)
{
    size_t found = 0, number = 1;
    for (const char *line = text, *end = text + len; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        found += scan_line(line, stop, number, problems);
        line = stop + 1;
    }
    return found;
}
