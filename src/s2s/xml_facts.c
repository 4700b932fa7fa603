/* xml_facts.c - what is recorded of a header or first-level element. */
#include <stdlib.h>
#include <string.h>

#include "s2s/xml_private.h"

#define KEEP_SIZE 1024 /* bytes of a block kept for the next element: those of most stanzas */

void s2s_xml_facts_init(s2s_xml_facts *f)
{
    *f = (s2s_xml_facts){.block = NULL};
    for (size_t i = 0; i < S2S_XML_LEVELS; i++) {
        s2s_buf_init(&f->open_text[i], i == 0 ? S2S_XML_ELEMENT_TEXT : S2S_XML_CHILD_TEXT);
        f->open_note[i] = -1;
    }
}

void s2s_xml_facts_fini(s2s_xml_facts *f)
{
    free(f->block);
    free(f->notes);
    free(f->children);
    for (size_t i = 0; i < S2S_XML_LEVELS; i++)
        s2s_buf_fini(&f->open_text[i]);
    s2s_buf_fini(&f->strings);
    s2s_xml_facts_init(f);
}

/* ---- the element itself ---- */

static s2s_span copy(char **to, s2s_span text)
{
    char *at = *to;
    if (text.ptr == NULL) return text;
    memcpy(at, text.ptr, text.len);
    *to += text.len;
    return (s2s_span){at, text.len};
}

static void copy_attributes(s2s_xml_attr *attrs, char **text, const s2s_xml_tag *tag)
{
    for (size_t i = 0; i < tag->n_attrs; i++) {
        const s2s_xml_tag_attr *attr = &tag->attrs[i];
        attrs[i] = (s2s_xml_attr){.ns = copy(text, attr->name.ns),
                                  .name = copy(text, attr->name.local),
                                  .value = copy(text, attr->value)};
    }
}

static size_t size_of(const s2s_xml_tag *tag)
{
    size_t n = tag->n_attrs * sizeof(s2s_xml_attr) + tag->name.whole.len;
    for (size_t i = 0; i < tag->n_attrs; i++)
        n += tag->attrs[i].name.whole.len + tag->attrs[i].value.len;
    return n;
}

/* A stanza has no more than its block: the next one takes it over. */
void s2s_xml_facts_clear(s2s_xml_facts *f)
{
    char *block = f->block;
    size_t size = f->block_size;
    if (size > KEEP_SIZE) {
        s2s_xml_facts_fini(f);
        return;
    }
    f->block = NULL;
    s2s_xml_facts_fini(f);
    f->block = block;
    f->block_size = size;
}

static bool need_block(s2s_xml_facts *f, size_t n)
{
    s2s_xml_facts_clear(f);
    if (n <= f->block_size) return true;
    s2s_xml_facts_fini(f);
    f->block_size = n < KEEP_SIZE ? KEEP_SIZE : n;
    f->block = malloc(f->block_size);
    if (f->block == NULL) f->block_size = 0;
    return f->block != NULL;
}

s2s_err s2s_xml_facts_begin(s2s_xml_facts *f, const s2s_xml_tag *tag, size_t max)
{
    if (!need_block(f, size_of(tag))) return S2S_E_NOMEM;
    s2s_xml_attr *attrs = (s2s_xml_attr *)(void *)f->block;
    char *text = f->block + tag->n_attrs * sizeof *attrs;
    f->ns = copy(&text, tag->name.ns);
    f->name = copy(&text, tag->name.local);
    copy_attributes(attrs, &text, tag);
    f->attrs = attrs;
    f->n_attrs = tag->n_attrs;
    f->strings.cap = max;
    return S2S_E_OK;
}

/* ---- children ---- */

static s2s_err put_string(s2s_xml_facts *f, s2s_span text, size_t *at)
{
    *at = s2s_buf_span(&f->strings).len;
    s2s_err err = s2s_buf_put(&f->strings, text);
    return err == S2S_E_FULL ? S2S_E_STANZA_TOO_BIG : err;
}

static s2s_err make_room(s2s_xml_facts *f)
{
    if (f->n_notes < f->size_notes) return S2S_E_OK;
    size_t size = f->size_notes == 0 ? 4 : f->size_notes * 2;
    s2s_xml_note *more = realloc(f->notes, size * sizeof *more);
    if (more == NULL) return S2S_E_NOMEM;
    f->notes = more;
    f->size_notes = size;
    return S2S_E_OK;
}

/* Siblings mostly share a namespace: it is kept once. */
static s2s_err put_ns(s2s_xml_facts *f, s2s_span ns, s2s_xml_note *note)
{
    note->has_ns = ns.ptr != NULL;
    note->ns_len = ns.len;
    if (f->n_notes > 0) {
        const s2s_xml_note *last = &f->notes[f->n_notes - 1];
        s2s_span known = {s2s_buf_span(&f->strings).ptr + last->ns_at, last->ns_len};
        note->ns_at = last->ns_at;
        if (s2s_span_eq(known, ns)) return S2S_E_OK;
    }
    return put_string(f, ns, &note->ns_at);
}

s2s_err s2s_xml_facts_start(s2s_xml_facts *f, unsigned level, const s2s_xml_name *name)
{
    if (level >= S2S_XML_LEVELS) return S2S_E_OK;
    f->open_note[level] = -1;
    if (f->n_notes == S2S_XML_MAX_CHILDREN) return S2S_E_OK;
    s2s_xml_note note = {.depth = level, .name_len = name->local.len};
    s2s_err err = make_room(f);
    if (err == S2S_E_OK) err = put_ns(f, name->ns, &note);
    if (err == S2S_E_OK) err = put_string(f, name->local, &note.name_at);
    if (err != S2S_E_OK) return err;
    f->open_note[level] = (int)f->n_notes;
    f->notes[f->n_notes++] = note;
    return S2S_E_OK;
}

s2s_err s2s_xml_facts_text(s2s_xml_facts *f, unsigned level, s2s_span text)
{
    if (level >= S2S_XML_LEVELS || (level > 0 && f->open_note[level] < 0)) return S2S_E_OK;
    s2s_buf *b = &f->open_text[level];
    size_t room = b->cap - s2s_buf_span(b).len;
    if (text.len > room) text.len = room;
    return s2s_buf_put(b, text);
}

/* Text that was cut may end within a character: that part goes too. */
static s2s_span whole_characters(s2s_span text)
{
    for (size_t back = 1; back <= 3 && back <= text.len; back++) {
        unsigned char c = (unsigned char)text.ptr[text.len - back];
        if ((c & 0xc0) == 0x80) continue;
        size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if (need > back) text.len -= back;
        break;
    }
    return text;
}

s2s_err s2s_xml_facts_end(s2s_xml_facts *f, unsigned level)
{
    if (level >= S2S_XML_LEVELS || f->open_note[level] < 0) return S2S_E_OK;
    s2s_xml_note *note = &f->notes[f->open_note[level]];
    s2s_span text = whole_characters(s2s_buf_span(&f->open_text[level]));
    note->text_len = text.len;
    s2s_err err = put_string(f, text, &note->text_at);
    s2s_buf_clear(&f->open_text[level]);
    f->open_note[level] = -1;
    return err;
}

s2s_err s2s_xml_facts_finish(s2s_xml_facts *f)
{
    f->open_text[0].end -=
        s2s_buf_span(&f->open_text[0]).len - whole_characters(s2s_buf_span(&f->open_text[0])).len;
    if (f->n_notes == 0) return S2S_E_OK;
    f->children = malloc(f->n_notes * sizeof *f->children);
    if (f->children == NULL) return S2S_E_NOMEM;
    const char *text = s2s_buf_span(&f->strings).ptr;
    for (size_t i = 0; i < f->n_notes; i++) {
        const s2s_xml_note *note = &f->notes[i];
        f->children[i] = (s2s_xml_child){
            .depth = note->depth,
            .ns = {note->has_ns ? text + note->ns_at : NULL, note->ns_len},
            .name = {text + note->name_at, note->name_len},
            .text = {text + note->text_at, note->text_len},
        };
    }
    return S2S_E_OK;
}
