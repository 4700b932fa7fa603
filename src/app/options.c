#include "app/options.h"

#include <string.h>

#include "app/settings.h"

const app_option app_options[] = {
#define OPT(strukt, member, path_, type_, fallback_, least_, most_, words_, reload_, example_,     \
            help_)                                                                                 \
    {.path = path_,                                                                                \
     .type = APP_OPT_##type_,                                                                      \
     .offset = offsetof(strukt, member),                                                           \
     .fallback = fallback_,                                                                        \
     .least = least_,                                                                              \
     .most = most_,                                                                                \
     .words = words_,                                                                              \
     .reload = reload_,                                                                            \
     .example = example_,                                                                          \
     .help = help_},
#define SECTION(path_, help_) {.path = path_, .type = APP_OPT_SECTION, .help = help_},
#define LATER(path_, help_)   {.path = path_, .type = APP_OPT_LATER, .help = help_},
#include "app/options.def"
#undef OPT
#undef SECTION
#undef LATER
    {.path = NULL},
};

const app_option *app_option_find(const char *path)
{
    for (const app_option *o = app_options; o->path; o++)
        if (o->type != APP_OPT_SECTION && !strcmp(o->path, path)) return o;
    return NULL;
}

static bool is_below(const char *path, const char *section)
{
    size_t len = strlen(section);
    if (len == 0) return true;
    return strncmp(path, section, len) == 0 && path[len] == '.';
}

bool app_option_is_section(const char *path)
{
    for (const app_option *o = app_options; o->path; o++)
        if (o->type != APP_OPT_SECTION && is_below(o->path, path)) return true;
    return false;
}

/* ---- the nearest right name ---- */

enum { WORD = 64 };

static unsigned least3(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Optimal string alignment: three rows of the usual table are enough. */
unsigned app_word_distance(const char *a, const char *b)
{
    unsigned row[3][WORD];
    size_t n = strnlen(a, WORD - 1), m = strnlen(b, WORD - 1);
    for (size_t j = 0; j <= m; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned change = before[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least3(before[j] + 1, now[j - 1] + 1, change);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && earlier[j - 2] + 1 < now[j]) now[j] = earlier[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}

bool app_word_is_near(const char *right, const char *wrong)
{
    size_t len = strlen(right);
    if (len > 3 && strncmp(right, wrong, len > 5 ? 5 : len - 1) == 0) return true;
    return app_word_distance(right, wrong) <= (len < 4 ? 1U : len < 8 ? 2U : 3U);
}

/* The last part of `path` when it stands directly in `section`, else the name of the subsection there, else "". */
static size_t child_of(const char *path, const char *section, const char **part)
{
    if (!is_below(path, section)) return 0;
    *part = path + (section[0] ? strlen(section) + 1 : 0);
    return strcspn(*part, ".");
}

/* The names that stand directly in a section. */
static bool nearest_here(const char *section, const char *wrong, char *out, size_t size)
{
    unsigned best = WORD;
    for (const app_option *o = app_options; o->path; o++) {
        const char *part = NULL;
        char name[32];
        size_t len = o->type == APP_OPT_SECTION ? 0 : child_of(o->path, section, &part);
        if (len == 0 || len >= sizeof name || *part == '*') continue;
        memcpy(name, part, len);
        name[len] = '\0';
        unsigned distance = app_word_distance(name, wrong);
        if (!app_word_is_near(name, wrong) || distance >= best) continue;
        best = distance;
        snprintf(out, size, "%s", name);
    }
    return best < WORD;
}

app_near app_option_nearest(const char *section, const char *wrong, char *out, size_t size)
{
    if (nearest_here(section, wrong, out, size)) return APP_NEAR_HERE;
    for (const app_option *o = app_options; o->path; o++) {
        const char *last = strrchr(o->path, '.');
        if (o->type == APP_OPT_SECTION || strcmp(last ? last + 1 : o->path, wrong) != 0) continue;
        snprintf(out, size, "%s", o->path);
        return APP_NEAR_ELSEWHERE;
    }
    return APP_NEAR_NONE;
}

bool app_word_next(const char **cursor, int *index, app_word *out)
{
    const char *p = *cursor + strspn(*cursor, " ");
    size_t len = strcspn(p, " ");
    if (len == 0 || len >= sizeof out->text) return false;
    memset(out, 0, sizeof *out);
    out->later = *p == '~';
    memcpy(out->text, p + out->later, len - out->later);
    char *means = strchr(out->text, '=');
    if (means) {
        *means = '\0';
        memmove(out->means, means + 1, strlen(means + 1) + 1);
    }
    out->index = means ? -1 : (*index)++;
    *cursor = p + len;
    return true;
}

const char *app_word_nearest(const char *words, const char *wrong, char *out, size_t size)
{
    unsigned best = WORD;
    int index = 0;
    app_word word;
    while (app_word_next(&words, &index, &word)) {
        unsigned distance = app_word_distance(word.text, wrong);
        if (!app_word_is_near(word.text, wrong) || distance >= best) continue;
        best = distance;
        snprintf(out, size, "%s", word.text);
    }
    return best < WORD ? out : NULL;
}

void app_word_list(const char *words, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "one of:");
    int index = 0;
    for (app_word w; app_word_next(&words, &index, &w) && at < size;)
        if (!w.later && !w.means[0])
            at += (size_t)snprintf(out + at, size - at, "%s %s", w.index ? "," : "", w.text);
}
