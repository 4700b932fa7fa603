/* resolver_ctx.h - the libunbound context that settings describe.
 * For:    resolver.c; `causeway check`, by io_resolver_new.
 * Never:  asks anything.
 * Owner:  the caller, who deletes it with ub_ctx_delete. */
#ifndef IO_RESOLVER_CTX_H
#define IO_RESOLVER_CTX_H

#include "io/resolver.h"

struct ub_ctx;

/* NULL: *fault says where and why. */
struct ub_ctx *io_resolver_ctx_new(const io_resolver_settings *s, io_resolver_fault *fault);

#endif
