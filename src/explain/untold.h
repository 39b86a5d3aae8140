/*
 * What MySQL's sums of errors tell and no line of the log: the increases by account, less those that a line told of, as
 * aborts. Lines and sums come at different times; each waits a while for the other.
 *
 * An abort raises one number, or two at once (see the table of pairs); which is measured: 9.7 with FIN, RST, TLS, KILL,
 * all that fails before the login, and so on, is in tests/mysql.
 */
#ifndef EXPLAIN_UNTOLD_H
#define EXPLAIN_UNTOLD_H

#include "base/clock.h"
#include "observe/server_errors.h"

#include <stdbool.h>
#include <stdint.h>

/* Aborts of one account and kind.
 *
 * Some numbers are raised by statements, too; some twice for one abort; and a lost connection may raise the number of
 * another kind beside its own. What so may be no abort is `doubtful`: it is offered after all that is sure, when what
 * the counters rose by shows how many of them there must have been. */
struct untold_aborts {
    unsigned number, with_number; /* with_number: 0 none */
    const char *user, *host;      /* the server's bytes; "" for connections before their login */
    bool account_known;           /* false: user and host are "", whoever it was */
    bool untold;                  /* a line would have told of them, and did not */
    bool doubtful;
    bool late;       /* they came with the look before the last */
    uint64_t alike;  /* what a KILL may have raised of all that is told now, these included; 0: these are no such … */
    uint64_t ended;  /* … and all that ended connections which had logged in, as far as it is sure */
    uint64_t rivals; /* how many more that raise the same counter are as doubtful, of other accounts or kinds */
    uint64_t n;
    int64_t from_wall_ns, to_wall_ns;
};

struct untold;

struct untold *untold_new(void);         /* NULL when memory is short */
void untold_free(struct untold *untold); /* NULL is allowed */

/* What came between two looks, the later of which is `now`. */
void untold_sum(struct untold *untold, struct mono now, const struct server_error *error);
/* Lines told of `n` aborts each of which raises these numbers. Texts may have ptr NULL: the line does not name them. */
void untold_lines(struct untold *untold, struct span user, struct span host, unsigned number, unsigned with_number,
                  uint32_t n);

/* Whose the line must be that names nobody, as only one account has such a sum now: true with the server's texts, valid
 * until the next call. */
bool untold_who(const struct untold *untold, unsigned number, const char **user, const char **host);

/* How often this number was raised of that account, as far as no line stands for it. */
uint64_t untold_open(const struct untold *untold, struct span user, struct span host, unsigned number);

/* Whether a line is to be expected of each abort that the server writes lines of, and whose they are. */
enum untold_log { UNTOLD_SILENT, UNTOLD_MYSQL, UNTOLD_MARIADB };

/* Returns how many of those that are doubtful it takes. */
typedef uint64_t untold_fn(void *arg, const struct untold_aborts *aborts);
/* At the end of each poll, which is `now`: what has waited long enough. Where the log is silent that is all of the look
 * before, but for what no second number goes with: an abort raises two, one after the other, and a look between them
 * finds the one, and the next look the other. What is doubtful is offered once more with the next poll, which may have
 * counted it. */
void untold_settle(struct untold *untold, struct mono now, enum untold_log log, untold_fn *on_aborts, void *arg);

#endif
