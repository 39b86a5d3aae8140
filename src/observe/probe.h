/*
 * The probe: connect, COM_PING, the module's query, where it holds an idle time and the query again, and the close in
 * its style, each phase timed. Runs inside a coroutine; coroutine_wake() ends an idle time.
 */
#ifndef OBSERVE_PROBE_H
#define OBSERVE_PROBE_H

#include "observe/target.h"

/* Probe once and put what was learnt into probe->facts. Returns when the connection is closed, which for a probe that
 * ran out of time is later than its result was told. Nothing is logged. */
void probe_run(struct probe *probe);

#endif
