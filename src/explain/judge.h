/*
 * From facts to aborts: the one listener to what observe tells of connections that ended badly. It ties the log's
 * lines, MySQL's sums of errors and the server's counters to the session and to the cause, each abort once, and hands
 * the finished event to its sinks.
 */
#ifndef EXPLAIN_JUDGE_H
#define EXPLAIN_JUDGE_H

#include "explain/abort_event.h"
#include "explain/ledger.h"
#include "observe/target.h"

struct judge;

struct judge *judge_new(void);        /* NULL when memory is short */
void judge_free(struct judge *judge); /* after the last target_removed(); NULL is allowed */
/* Before the first fact. Events come to the sinks in the order in which they were added. */
void judge_add_sink(struct judge *judge, struct abort_sink sink);
/* The listener: log_event, server_error, polled and target_removed. Of all listeners to polled it must be the first, so
 * that the ledger has its evidence. It keeps what waits in target->judgement. */
struct observer judge_observer(struct judge *judge);
/* What the ledger finds that no line and no sum told of becomes an event, too. */
struct ledger_listener judge_ledger_listener(struct judge *judge);

#endif
