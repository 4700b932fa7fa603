/* cmocka_all.h - cmocka with the headers it wants to see first.
 * For:    the unit tests of the meter.
 * Never:  anything else.                                                                      */
#ifndef CMOCKA_ALL_H
#define CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
