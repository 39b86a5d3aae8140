/*
 * Who looks at servers for /probe: given to the HTTP side by the daemon, because expose never talks to a database.
 */
#ifndef EXPOSE_LOOKER_H
#define EXPOSE_LOOKER_H

#include "base/strbuf.h"
#include "expose/exporter_state.h"
#include "observe/target.h"

/* What a request says, as it came; NULL where it says nothing. */
struct look_request {
    const char *target, *module, *auth_module;
    int64_t timeout_ns; /* that the answer may take */
};

struct looker {
    void *arg;
    /* Begin. True: `told` is called once, not before this returns, with what was learnt; take a reference to keep it.
     * False with `refusal` and the reason in `why`. */
    bool (*look)(void *arg, const struct look_request *request, void (*told)(void *told_arg, struct target *target),
                 void *told_arg, enum look_refusal *refusal, struct strbuf *why);
    struct exporter_state *state; /* where looks are counted */
};

#endif
