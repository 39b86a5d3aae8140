/*
 * What the network of this machine says of an abort: which of the kernel's counters moved about its time. Only where
 * the server is on this machine, and only of causes in which the network can have a part. It proves nothing by itself:
 * the counters are of all connections.
 */
#ifndef EXPLAIN_NETWORK_EVIDENCE_H
#define EXPLAIN_NETWORK_EVIDENCE_H

#include "explain/abort_event.h"
#include "observe/target.h"

/* Add "ListenOverflows +3, TCPTimeouts +1 in 15 s", the most telling first. Returns when the later of the two samples
 * was taken (wall clock), or 0 where there is nothing to say, and nothing was added. */
int64_t network_evidence_add(const struct target *target, const struct abort_event *event, struct strbuf *out);

#endif
