/* value.h - one scalar of a settings file as a number, time, choice or address.
 * For:    exact reading: nothing is rounded, cut or guessed.
 * Never:  knows which option it reads.
 * Owner:  values; nothing is kept.                                          */
#ifndef APP_VALUE_H
#define APP_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "io/addr.h"

/* All give NULL, or what is wrong as a half sentence ("a number is wanted"); *out is set only with NULL. */
const char *app_value_count(const char *text, uint64_t *out);
const char *app_value_size(const char *text, uint64_t *out); /* bytes: 512KiB 2MB 10000 */
const char *app_value_rate(const char *text, uint64_t *out); /* bytes per second: 2MB/s */
const char *app_value_time(const char *text, uint64_t *out); /* to ms: 200ms 30s 5m 1h 7d */
const char *app_value_bool(const char *text, bool *out);     /* yes no true false on off */
const char *app_value_mode(const char *text, uint64_t *out); /* 0600 */

/* "10.0.0.5:5269", "[::1]:53", "*:5269" (*any is set, family 0); without a port `port` is taken, unless it is 0. */
const char *app_value_endpoint(const char *text, uint16_t port, io_addr *out, bool *any);

/* For messages and the sample: 524288 -> "512KiB", 2000000 -> "2MB", 90000 ms -> "90s", 60000 -> "1m". */
#define APP_VALUE_TEXT 32
const char *app_value_size_print(uint64_t bytes, char out[APP_VALUE_TEXT]);
const char *app_value_time_print(uint64_t ms, char out[APP_VALUE_TEXT]);

#endif
