/* options_print.c - the table of options for people: the annotated sample and the man page's source. */
#include <string.h>

#include "app/options.h"
#include "app/value.h"

enum { WIDTH = 100 };

/* What may be written: choices or range; "" where the help says it all. */
static const char *facts(const app_option *o, char *out, size_t size)
{
    char a[APP_VALUE_TEXT], b[APP_VALUE_TEXT], words[128];
    bool size_like = o->type == APP_OPT_SIZE || o->type == APP_OPT_RATE;
    const char *per = o->type == APP_OPT_RATE ? "/s" : "";
    out[0] = '\0';
    if (o->type == APP_OPT_CHOICE || o->type == APP_OPT_CHOICES) {
        app_word_list(o->words, words, sizeof words);
        snprintf(out, size, "%s %s.", o->type == APP_OPT_CHOICE ? "One of" : "Any of",
                 words + strlen("one of: "));
    } else if (size_like && o->least == 0) {
        snprintf(out, size, "At most %s%s.", app_value_size_print(o->most, b), per);
    } else if (size_like) {
        snprintf(out, size, "From %s to %s.", app_value_size_print(o->least, a),
                 app_value_size_print(o->most, b));
    } else if (o->type == APP_OPT_TIME) {
        snprintf(out, size, "From %s to %s.", app_value_time_print(o->least, a),
                 app_value_time_print(o->most, b));
    } else if (o->type == APP_OPT_COUNT) {
        snprintf(out, size, "From %llu to %llu.", (unsigned long long)o->least,
                 (unsigned long long)o->most);
    }
    return out;
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* ---- the sample ---- */

/* Words of `text` in lines that begin with `indent` and "#". */
static void print_comment(FILE *out, const char *indent, const char *text)
{
    size_t column = 0;
    for (const char *p = text; *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        if (column && column + 1 + len > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0) {
            fprintf(out, "%s#", indent);
            column = strlen(indent) + 1;
        }
        fprintf(out, " %.*s", (int)len, p);
        column += 1 + len;
        p += len;
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const app_option *o)
{
    char said[160], text[1024];
    const char *indent = strchr(o->path, '*') ? "    " : strchr(o->path, '.') ? "  " : "";
    facts(o, said, sizeof said);
    snprintf(text, sizeof text, "%s%s%s", o->help, said[0] ? " " : "", said);
    print_comment(out, indent, text);
    bool active = o->example[0] && o->example[0] != '#';
    const char *value = active ? o->example : o->example[0] ? o->example + 1 : o->fallback;
    fprintf(out, "%s%s%s: %s\n", indent, active ? "" : "#", last_part(o->path), value);
}

static void print_section(FILE *out, const app_option *section)
{
    fputc('\n', out);
    print_comment(out, "", section->help);
    if (section->path[0]) fprintf(out, "%s:\n", section->path);
    if (!strcmp(section->path, "domains")) fputs("  example.org:\n", out);
    if (!strcmp(section->path, "servers")) fputs("  hq:\n", out);
    if (!strcmp(section->path, "peers")) fputs("  \"*\":\n", out);
}

void app_options_print_sample(FILE *out)
{
    fputs(
        "# causeway.yaml - the settings of Causeway, an XMPP federation proxy. See "
        "causeway.yaml(5).\n"
        "# Lines that begin with # are comments; an option in a comment shows its default, or an\n"
        "# example where there is none. `causeway check` says what is wrong with a file.\n"
        "# Sizes: 512KiB, 2MB, 10000 (bytes). Times: 200ms, 30s, 5m, 1h, 7d.\n",
        out);
    for (const app_option *o = app_options; o->path; o++) {
        if (o->type == APP_OPT_SECTION)
            print_section(out, o);
        else if (o->type != APP_OPT_LATER)
            print_option(out, o);
    }
}

/* ---- the man page ---- */

static void print_roff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", out);
    for (const char *p = text; *p; p++) {
        if (*p == '\\')
            fputs("\\e", out);
        else if (*p == '-')
            fputs("\\-", out);
        else
            fputc(*p, out);
    }
}

static void print_man_option(FILE *out, const app_option *o)
{
    char said[160];
    const char *per = o->reload ? "" : " (start)";
    fputs(".TP\n.B ", out);
    print_roff(out, o->path);
    fprintf(out, "%s\n", per);
    print_roff(out, o->help);
    facts(o, said, sizeof said);
    if (said[0]) fputc(' ', out);
    print_roff(out, said);
    if (o->fallback[0]) {
        fputs(" Default: ", out);
        print_roff(out, o->fallback);
        fputc('.', out);
    }
    fputc('\n', out);
}

static void print_man_section(FILE *out, const app_option *section)
{
    fputs(".SS ", out);
    print_roff(out, section->path[0] ? section->path : "general");
    fputc('\n', out);
    print_roff(out, section->help);
    fputc('\n', out);
}

static const char MAN_HEAD[] =
    ".TH CAUSEWAY.YAML 5 \"\" \"Causeway\" \"File formats\"\n"
    ".SH NAME\ncauseway.yaml \\- settings of the XMPP federation proxy causeway(8)\n"
    ".SH DESCRIPTION\n"
    "A YAML file, read from /etc/causeway/causeway.yaml unless\n.B causeway \\-c\nnames another.\n"
    "Every value is text, a list, or a mapping; anchors, aliases and tags are not used.\n"
    "An address that begins with * or [ must be quoted, for YAML reads it otherwise.\n"
    "One value may stand where a list is wanted.\n"
    "Sizes are written like 512KiB, 2MB or 10000 (bytes), times like 200ms, 30s, 5m, 1h or 7d.\n"
    "Relative paths start at the folder of the file.\n"
    ".PP\nA file with anything wrong in it is refused as a whole.\n.B causeway check\n"
    "prints everything that is wrong, as file:line:column: reason.\n"
    ".PP\nA running daemon does not read the file again: changes need a restart.\n"
    ".SH OPTIONS\n"
    "In the names below * is a name of your choice: a domain, a server, a pattern of domains.\n"
    "Options marked (start) are bound to the start of the daemon: addresses, privileges.\n";

static const char MAN_TAIL[] =
    ".SH EXAMPLE\n.nf\n"
    "listen:\n  outside: [\"*:5269\"]\n  inside: [\"10.0.0.5:5269\"]\n  inside_dns: "
    "\"10.0.0.5:53\"\n"
    "  admin: /run/causeway/admin.sock\n"
    "domains:\n  example.org: {server: hq, certificate: example.org.pem, key: example.org.key}\n"
    "  conference.example.org: {server: hq}\n"
    "servers:\n  hq: {address: [\"10.0.0.10:5269\"], trust: [10.0.0.10/32]}\n"
    "peers:\n  \"*\": {tls: required, proof: [certificate, dialback]}\n"
    "  spam.example: {allow: no}\n"
    ".fi\n.SH SEE ALSO\n.BR causeway (8)\n";

void app_options_print_man(FILE *out)
{
    fputs(MAN_HEAD, out);
    for (const app_option *o = app_options; o->path; o++) {
        if (o->type == APP_OPT_SECTION)
            print_man_section(out, o);
        else if (o->type != APP_OPT_LATER)
            print_man_option(out, o);
    }
    fputs(MAN_TAIL, out);
}
