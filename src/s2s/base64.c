#include <string.h>

#include "stream_priv.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t s2s_base64_write(s2s_span bytes, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)(unsigned char)bytes.ptr[i] << 16;
        if (left > 1) group |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
        if (left > 2) group |= (uint32_t)(unsigned char)bytes.ptr[i + 2];
        out[used++] = alphabet[group >> 18];
        out[used++] = alphabet[group >> 12 & 63];
        out[used++] = left > 1 ? alphabet[group >> 6 & 63] : '=';
        out[used++] = left > 2 ? alphabet[group & 63] : '=';
    }
    return used;
}

/* 0..63, or 64: not in the alphabet. */
static uint32_t value_of(char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? 64 : (uint32_t)(at - alphabet);
}

/* Reads the `n` (2..4) letters of a group: n - 1 octets. False: a letter or a stray bit is wrong. */
static bool read_group(const char *text, size_t n, char *out)
{
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t v = i < n ? value_of(text[i]) : 0;
        if (v > 63) return false;
        group = group << 6 | v;
    }
    if ((n == 3 && (group & 0xff) != 0) || (n == 2 && (group & 0xffff) != 0)) return false;
    for (size_t i = 0; i < n - 1; i++)
        out[i] = (char)(unsigned char)(group >> (16 - 8 * i) & 0xff);
    return true;
}

bool s2s_base64_read(s2s_span text, char *out, size_t size, size_t *len)
{
    *len = 0;
    if (text.len % 4 != 0) return false;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t n = 4;
        if (i + 4 == text.len && text.ptr[i + 3] == '=') n = text.ptr[i + 2] == '=' ? 2 : 3;
        if (*len + n - 1 > size) return false;
        if (!read_group(text.ptr + i, n, out + *len)) return false;
        *len += n - 1;
    }
    return true;
}
