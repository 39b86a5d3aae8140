/*
 * Arrival times; see arrival.h.
 */
#include "observe/arrival.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOKED_AT 65536 /* more than the library reads at once */

static int held = -1;

void arrivals_init(void) {
    held = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* never bound: it receives nothing */
    if (held >= 0)
        arrival_watch(held);
}

void arrivals_end(void) {
    if (held >= 0)
        close(held);
    held = -1;
}

bool arrival_watch(int fd) {
    int yes = 1;
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes) == 0;
}

int arrival_age(int fd, int64_t *age_ns) {
    static char untouched[LOOKED_AT]; /* MSG_TRUNC: TCP counts the bytes and copies none */
    union {
        char bytes[CMSG_SPACE(sizeof(struct timespec))];
        struct cmsghdr align;
    } control;
    struct iovec whole = {untouched, sizeof untouched};
    struct msghdr message = {
        .msg_iov = &whole, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t len = recvmsg(fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if (len < 0 && errno != EAGAIN)
        return -errno;
    const struct cmsghdr *stamp = len > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!stamp || stamp->cmsg_level != SOL_SOCKET || stamp->cmsg_type != SCM_TIMESTAMPNS)
        return -ENODATA;
    struct timespec at;
    memcpy(&at, CMSG_DATA(stamp), sizeof at);
    *age_ns = wall_now_ns() - ((int64_t)at.tv_sec * NS_PER_S + at.tv_nsec);
    return 0;
}
