#include "app/value.h"

#include <stdio.h>
#include <string.h>

typedef struct unit {
    const char *name;
    uint64_t times;
} unit;

static const unit SIZES[] = {
    {"GiB", 1024ULL * 1024 * 1024},
    {"GB", 1000ULL * 1000 * 1000},
    {"MiB", 1024ULL * 1024},
    {"MB", 1000ULL * 1000},
    {"KiB", 1024},
    {"KB", 1000},
    {"kB", 1000},
    {"B", 1},
    {"", 1},
    {NULL, 0},
};
static const unit TIMES[] = {
    {"d", 24ULL * 3600 * 1000},
    {"h", 3600ULL * 1000},
    {"m", 60ULL * 1000},
    {"min", 60ULL * 1000},
    {"s", 1000},
    {"ms", 1},
    {NULL, 0},
};
static const unit PLAIN[] = {{"", 1}, {NULL, 0}};

/* Digits, then one of the units. NULL unless the text has that form; *rest is then what followed the digits. */
static const char *scaled(const char *text, const unit *units, const char *wanted, uint64_t *out)
{
    const uint64_t most = UINT64_MAX / 10 - 1;
    uint64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (n > most) return "the number is too large";
        n = n * 10 + (uint64_t)(*p - '0');
    }
    if (p == text) return wanted;
    for (; units->name; units++) {
        if (strcmp(p, units->name) != 0) continue;
        if (n > most / units->times) return "the number is too large";
        *out = n * units->times;
        return NULL;
    }
    return wanted;
}

const char *app_value_count(const char *text, uint64_t *out)
{
    return scaled(text, PLAIN, "a whole number is wanted", out);
}

const char *app_value_size(const char *text, uint64_t *out)
{
    return scaled(text, SIZES, "a size is wanted, like 512KiB, 2MB or 10000", out);
}

const char *app_value_rate(const char *text, uint64_t *out)
{
    const char *wanted = "a rate is wanted, like 200KB/s or 2MB/s";
    size_t len = strlen(text);
    char size[APP_VALUE_TEXT];
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return NULL;
    }
    if (len < 3 || len - 2 >= sizeof size || strcmp(text + len - 2, "/s") != 0) return wanted;
    memcpy(size, text, len - 2);
    size[len - 2] = '\0';
    return scaled(size, SIZES, wanted, out);
}

const char *app_value_time(const char *text, uint64_t *out)
{
    return scaled(text, TIMES, "a time with its unit is wanted, like 200ms, 30s, 5m or 1h", out);
}

const char *app_value_bool(const char *text, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } WORDS[] = {{"yes", true},    {"no", false}, {"true", true},
                 {"false", false}, {"on", true},  {"off", false}};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strcmp(text, WORDS[i].word) != 0) continue;
        *out = WORDS[i].value;
        return NULL;
    }
    return "yes or no is wanted";
}

const char *app_value_mode(const char *text, uint64_t *out)
{
    size_t len = strlen(text);
    uint64_t mode = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '7') len = 0;
        mode = mode * 8 + (uint64_t)(*p - '0');
    }
    if (len != 4 || text[0] != '0') return "file permissions are wanted, like 0600 or 0660";
    *out = mode;
    return NULL;
}

static const char *port_of(const char *text, uint16_t *out)
{
    uint64_t n = 0;
    const char *why = app_value_count(text, &n);
    if (why || n == 0 || n > 65535) return "a port is a number from 1 to 65535";
    *out = (uint16_t)n;
    return NULL;
}

const char *app_value_endpoint(const char *text, uint16_t port, io_addr *out, bool *any)
{
    *any = text[0] == '*' && (text[1] == ':' || text[1] == '\0');
    if (*any) {
        memset(out, 0, sizeof *out);
        out->port = port;
        if (text[1] == ':') return port_of(text + 2, &out->port);
        return port ? NULL : "the port is missing, as in \"*:5269\"";
    }
    if (io_addr_parse(s2s_span_of(text), out) != S2S_E_OK)
        return "an address is wanted, like 10.0.0.5:5269, \"[2001:db8::5]:5269\" or \"*:5269\"";
    if (out->port == 0) out->port = port;
    return out->port ? NULL : "the port is missing, as in 10.0.0.5:5269";
}

static const char *print_scaled(uint64_t n, const unit *units, char out[APP_VALUE_TEXT])
{
    for (; units->name; units++)
        if (n >= units->times && n % units->times == 0) break;
    if (units->name)
        snprintf(out, APP_VALUE_TEXT, "%llu%s", (unsigned long long)(n / units->times),
                 units->name);
    else
        snprintf(out, APP_VALUE_TEXT, "%llu", (unsigned long long)n);
    return out;
}

const char *app_value_size_print(uint64_t bytes, char out[APP_VALUE_TEXT])
{
    if (bytes == 0 || (bytes % 1000 != 0 && bytes % 1024 != 0)) {
        snprintf(out, APP_VALUE_TEXT, "%llu", (unsigned long long)bytes);
        return out;
    }
    return print_scaled(bytes, SIZES, out);
}

const char *app_value_time_print(uint64_t ms, char out[APP_VALUE_TEXT])
{
    return print_scaled(ms, TIMES, out);
}
