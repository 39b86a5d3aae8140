/*
 * When what can be read from a socket arrived, by the kernel's own stamp (SO_TIMESTAMPNS): however late the loop comes
 * round to it. TCP only: on a unix socket the kernel takes the option and stamps nothing.
 */
#ifndef OBSERVE_ARRIVAL_H
#define OBSERVE_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>

/* The kernel stamps arriving packets, all of the system's, as long as any socket wants it, and begins and ends that
 * some time after the first such socket came and the last went. So hold one throughout. Without it (the system refuses
 * a socket) only the first packets lack a stamp. */
void arrivals_init(void);
void arrivals_end(void);

/* From now on have what arrives on `fd` stamped. Whether the kernel will. */
bool arrival_watch(int fd);
/* How long ago the last of what can be read from `fd` arrived, by the wall clock: nonsense, even negative, when that
 * was set in between. 0, or -ENODATA where there is nothing to read or it bears no stamp, or the socket's error: that
 * is told only once, to us, and who reads next sees an end of file. */
int arrival_age(int fd, int64_t *age_ns);

#endif
