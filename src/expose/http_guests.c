/*
 * Who is connected; see http_guests.h.
 */
#include "expose/http_guests.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_AT_ONCE = 16, /* in one turn of the loop */
    PAUSE_MS = 100,      /* without descriptors or memory */
    MAY_GO_AFTER_S = 10, /* who takes so long for his answer makes room where it is scarce */
    /* What the kernel keeps for each of them (twice that, as it counts): enough for a wide and far link, and who does
     * not read makes us write no more than this. */
    SEND_BUFFER = 64 * 1024,
    RECEIVE_BUFFER = 32 * 1024,
};

enum guest_state { GUEST_COMES, GUEST_IDLE, GUEST_WAITS, GUEST_SERVED, GUEST_STATES };

/* How long each may last, and what it is when it lasts longer. */
static const struct {
    int64_t seconds; /* 0: as long as we take */
    int refusal;     /* -1: nobody is to blame */
} patience[GUEST_STATES] = {
    [GUEST_COMES] = {10, HTTP_REFUSED_SLOW_REQUEST}, /* to the end of the first request's headers */
    [GUEST_IDLE] = {90, -1}, /* until the next one is whole: Prometheus comes back every minute or more often */
    [GUEST_WAITS] = {0, -1},
    [GUEST_SERVED] = {120, HTTP_REFUSED_SLOW_READER},
};

struct guest {
    struct guest *previous, *next;
    struct guests *host;
    struct web_tls_session tls; /* tls.tls is NULL without TLS */
    struct web_peer peer;
    enum guest_state state;
    struct mono since;
    int fd;
    bool leaving;
};

struct listener {
    struct listener *next;
    uv_poll_t poll;
    struct guests *guests;
    struct MHD_Daemon *daemon;
    int fd;
    char *remove; /* the socket's file, where it is ours */
};

struct guests {
    uv_loop_t *loop;
    struct web *web;
    struct http_facts *facts;
    void (*run)(void *arg);
    void *arg;
    struct listener *listeners;
    struct guest *first; /* the newest */
    uv_timer_t look, pause;
    unsigned open_handles;
};

/* --- those who are there --- */

/* An address; of IPv6 the network, as whoever has one has all of its addresses. Sockets of this machine are one. */
static struct web_peer peer_of(const struct sockaddr *address) {
    struct web_peer peer = {{0}};
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        peer.bytes[10] = peer.bytes[11] = 0xff;
        memcpy(peer.bytes + 12, &v4.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        memcpy(peer.bytes, &v6.sin6_addr, IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) ? 16 : 8);
    }
    return peer;
}

static bool same_peer(const struct guest *guest, const struct web_peer *peer) {
    return memcmp(&guest->peer, peer, sizeof *peer) == 0;
}

static void on_look(uv_timer_t *timer);

/* The next look is at whose time is over first; sooner does no harm. */
static void look_within(struct guests *guests, int64_t ns) {
    uint64_t ms = (uint64_t)(ns / NS_PER_MS) + 1;
    if (!uv_is_active((uv_handle_t *)&guests->look) || uv_timer_get_due_in(&guests->look) > ms)
        uv_timer_start(&guests->look, on_look, ms, 0);
}

static void enter_state(struct guest *guest, enum guest_state state) {
    guest->state = state;
    guest->since = mono_now();
    if (patience[state].seconds > 0)
        look_within(guest->host, patience[state].seconds * NS_PER_S);
}

/* libmicrohttpd sees the end of its connection, and closes it. */
static void send_away(struct guest *guest, int refusal) {
    if (refusal >= 0)
        guest->host->facts->refused[refusal]++;
    guest->leaving = true;
    shutdown(guest->fd, SHUT_RDWR);
}

static void on_pause_over(uv_timer_t *timer) {
    guests_welcome(timer->data);
}

static void on_look(uv_timer_t *timer) {
    struct guests *guests = timer->data;
    struct mono now = mono_now();
    bool any = false;
    for (struct guest *guest = guests->first; guest; guest = guest->next) {
        int64_t seconds = patience[guest->state].seconds;
        int64_t left = seconds * NS_PER_S - mono_between(guest->since, now);
        bool over = left <= 0;
        if (guest->leaving || seconds == 0)
            continue;
        if (over)
            send_away(guest, patience[guest->state].refusal);
        else
            look_within(guests, left);
        any |= over;
    }
    if (any)
        guests->run(guests->arg);
}

static void arrive(struct guests *guests, struct MHD_Connection *connection, void **place) {
    struct guest *guest = calloc(1, sizeof *guest);
    const union MHD_ConnectionInfo *info;
    *place = guest;
    if (!guest)
        return;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    guest->peer = peer_of(info->client_addr);
    guest->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    guest->host = guests;
    enter_state(guest, GUEST_COMES);
    guest->next = guests->first;
    if (guest->next)
        guest->next->previous = guest;
    guests->first = guest;
    guests->facts->connections++;
    guest->tls = (struct web_tls_session){.tls = web_tls_ref(web_tls(guests->web)), .fd = guest->fd};
    if (guest->tls.tls)
        web_tls_attach(&guest->tls,
                       MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session);
}

static void depart(struct guests *guests, struct guest *guest) {
    if (!guest)
        return;
    if (guest->previous)
        guest->previous->next = guest->next;
    else
        guests->first = guest->next;
    if (guest->next)
        guest->next->previous = guest->previous;
    if (--guests->facts->connections == 0)
        uv_timer_stop(&guests->look);
    web_tls_unref(guest->tls.tls);
    free(guest);
}

void guests_notify(void *guests, struct MHD_Connection *connection, void **guest,
                   enum MHD_ConnectionNotificationCode what) {
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        arrive(guests, connection, guest);
    else
        depart(guests, *guest);
}

struct guest *guest_of(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void guest_asks(struct guest *guest) {
    enter_state(guest, GUEST_WAITS);
}

void guest_is_answered(struct guest *guest) {
    enter_state(guest, GUEST_SERVED);
}

void guest_is_served(struct guest *guest) {
    enter_state(guest, GUEST_IDLE);
}

bool guests_shake_hands(const struct guests *guests) {
    const struct guest *guest = guests->first;
    while (guest && !(guest->tls.tls && guest->state == GUEST_COMES))
        guest = guest->next;
    return guest;
}

const struct web_peer *guest_peer(const struct guest *guest) {
    return &guest->peer;
}

struct guests *guest_host(const struct guest *guest) {
    return guest->host;
}

void *guests_owner(const struct guests *guests) {
    return guests->arg;
}

/* --- those who come --- */

/* Who may go for another: who asks for nothing first, the longest of them; then the slowest reader. Of `peer`, or of
 * all where it is NULL. */
static struct guest *choose_to_go(const struct guests *guests, const struct web_peer *peer) {
    struct guest *chosen = NULL;
    struct mono now = mono_now();
    for (struct guest *guest = guests->first; guest; guest = guest->next) {
        bool reads = guest->state == GUEST_SERVED;
        if (guest->leaving || guest->state == GUEST_WAITS || (peer && !same_peer(guest, peer)) ||
            (reads && mono_between(guest->since, now) < MAY_GO_AFTER_S * NS_PER_S))
            continue;
        bool chosen_reads = chosen && chosen->state == GUEST_SERVED;
        if (!chosen || (chosen_reads && !reads) ||
            (chosen_reads == reads && mono_between(chosen->since, guest->since) < 0))
            chosen = guest;
    }
    return chosen;
}

static bool make_room(struct guests *guests, const struct web_peer *peer, enum http_refusal otherwise) {
    struct guest *goes = choose_to_go(guests, peer);
    if (goes) {
        send_away(goes, HTTP_REFUSED_CROWDED_OUT);
        guests->run(guests->arg);
    } else {
        guests->facts->refused[otherwise]++;
    }
    return goes;
}

static bool has_room(struct guests *guests, const struct web_peer *peer) {
    unsigned same = 0;
    for (const struct guest *guest = guests->first; guest; guest = guest->next)
        same += same_peer(guest, peer);
    if (same >= GUESTS_OF_ONE_ADDRESS_MAX)
        return make_room(guests, peer, HTTP_REFUSED_ADDRESS_CONNECTIONS);
    return guests->facts->connections < GUESTS_MAX || make_room(guests, NULL, HTTP_REFUSED_CONNECTIONS);
}

/* False where no more can be accepted now. */
static bool accept_one(struct listener *listener) {
    struct guests *guests = listener->guests;
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_warn("cannot accept connections", LF_STR("error", strerror(errno)));
            uv_poll_stop(&listener->poll);
            uv_timer_start(&guests->pause, on_pause_over, PAUSE_MS, 0);
            return false;
        }
        return errno != EAGAIN && errno != EWOULDBLOCK; /* ECONNABORTED and its like: the next one */
    }
    struct web_peer peer = peer_of((struct sockaddr *)&address);
    if (!has_room(guests, &peer)) {
        close(fd);
        return true;
    }
    web_refresh(guests->web);
    MHD_add_connection(listener->daemon, fd, (struct sockaddr *)&address, len); /* closes it where it cannot */
    return true;
}

static void on_knock(uv_poll_t *poll, int status, int events) {
    struct listener *listener = poll->data;
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPT_AT_ONCE && accept_one(listener); i++)
        ;
    listener->guests->run(listener->guests->arg);
}

/* --- life --- */

struct guests *guests_new(uv_loop_t *loop, struct web *web, struct http_facts *facts, void (*run)(void *arg),
                          void *arg) {
    struct guests *guests = calloc(1, sizeof *guests);
    if (!guests)
        return NULL;
    *guests = (struct guests){.loop = loop, .web = web, .facts = facts, .run = run, .arg = arg, .open_handles = 2};
    uv_timer_init(loop, &guests->look);
    uv_timer_init(loop, &guests->pause);
    guests->look.data = guests->pause.data = guests;
    return guests;
}

int guests_listen(struct guests *guests, struct MHD_Daemon *daemon, int fd, const char *remove) {
    static const int send_buffer = SEND_BUFFER, receive_buffer = RECEIVE_BUFFER;
    struct listener *listener = calloc(1, sizeof *listener);
    int rc = listener ? uv_poll_init(guests->loop, &listener->poll, fd) : -ENOMEM;
    if (rc < 0) {
        free(listener);
        close(fd);
        return rc;
    }
    /* Those who are accepted have what this one has. Without it they have what the system says. */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    listener->poll.data = listener;
    listener->guests = guests;
    listener->daemon = daemon;
    listener->fd = fd;
    listener->remove = remove ? strdup(remove) : NULL;
    struct listener **at = &guests->listeners;
    while (*at)
        at = &(*at)->next;
    *at = listener;
    guests->open_handles++;
    return 0;
}

int guests_socket(const struct guests *guests, size_t i) {
    const struct listener *listener = guests->listeners;
    for (; listener && i > 0; i--)
        listener = listener->next;
    return listener ? listener->fd : -1;
}

void guests_welcome(struct guests *guests) {
    for (struct listener *listener = guests->listeners; listener; listener = listener->next)
        uv_poll_start(&listener->poll, UV_READABLE, on_knock);
}

static void on_closed(struct guests *guests) {
    if (--guests->open_handles == 0)
        free(guests);
}

static void on_listener_closed(uv_handle_t *handle) {
    struct listener *listener = handle->data;
    on_closed(listener->guests);
    free(listener->remove);
    free(listener);
}

static void on_timer_closed(uv_handle_t *handle) {
    on_closed(handle->data);
}

void guests_stop_listening(struct guests *guests) {
    while (guests->listeners) {
        struct listener *listener = guests->listeners;
        guests->listeners = listener->next;
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
        if (listener->remove) /* before it is closed: who starts next finds either none or one that answers */
            unlink(listener->remove);
        close(listener->fd);
    }
}

void guests_free(struct guests *guests) {
    if (!guests)
        return;
    guests_stop_listening(guests);
    uv_close((uv_handle_t *)&guests->look, on_timer_closed);
    uv_close((uv_handle_t *)&guests->pause, on_timer_closed);
}
