/*
 * What libmariadb tells us while it works: where it waits (MARIADB_OPT_IO_WAIT, which we turn into a wait of the
 * coroutine) and what it reads and writes (ma_pvio_register_callback, decrypted under TLS), which gives the phases.
 *
 * Facts this rests on, with their proof in `../shared/facts/server-behaviour.md`: the library makes the socket blocking
 * again after the TCP connect, so it is made non-blocking when TLS is asked for, before the handshake; the hook's own
 * timeout is in other units under TLS and is ignored; OpenSSL's error queue belongs to the thread and must be empty
 * when the library goes on, with this connection or another.
 */
#include "observe/client_internal.h"

#include "base/coroutine.h"
#include "observe/arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENT_CAPABILITY_SSL 0x0800
#define SSL_REQUEST_BYTES 32 /* a login packet that ends after its fixed part asks for TLS */
#define PACKET_HEADER WIRE_HEADER
#define GREETING_V9 9 /* the first byte of a greeting is the protocol's version */
#define GREETING_V10 10
#define ERROR_PACKET 0xff
#define CLOCKS_DIFFER_NS NS_PER_MS /* two clocks, not read at the same instant */

/* In the library's ABI (version node libmariadb_3) but in none of its installed headers: the hook of its own trace
 * plugins. */
typedef void wire_callback(int mode, MYSQL *mysql, const unsigned char *data, size_t len);
extern int ma_pvio_register_callback(my_bool add, wire_callback *callback) __attribute__((weak));

/* Something can be read. What the kernel stamped it with tells how long ago it came: our own lateness, whether the loop
 * was busy or the processor, is taken out of the phase. A stamp from before the phase, or from the future, shows that
 * the wall clock was set: then it counts as arrived now. */
static void note_lag(struct client *client, int fd) {
    int64_t age = 0;
    if (client->stamped && arrival_age(fd, &age) == -ECONNRESET)
        client->stream_end = STREAM_RESET;
    int64_t most = mono_between(client->phase_start, mono_now()) - client->lag_ns;
    if (age > 0 && age <= most + CLOCKS_DIFFER_NS)
        client->lag_ns += age < most ? age : most;
}

/* The SYN has just been sent: what went before was our own preparing. */
static void connect_begun(struct client *client, int fd) {
    client->phase_start = mono_now();
    client->stamped = arrival_watch(fd);
}

/* When the connection was there. Nothing in the answer to a SYN bears a stamp, but the kernel's first sample of the
 * round-trip time is just that: the SYN to its answer. Not of a SYN that was repeated. */
static struct mono established_at(const struct client *client, int fd) {
    struct tcp_facts tcp = {.known = false};
    struct mono now = mono_now();
    tcp_facts_read(fd, &tcp);
    return tcp.known && tcp.retransmissions == 0 ? mono_earlier(now, mono_add(client->phase_start, tcp.rtt_ns)) : now;
}

/* The TCP connect has ended. The library would lose its error number, so we take it: errno is set for the library. */
static bool connect_succeeded(struct client *client, int fd) {
    socklen_t len = sizeof client->connect_error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &client->connect_error, &len) < 0)
        client->connect_error = errno;
    if (client->connect_error == 0) {
        client_enter_phase(client, PHASE_GREETING, established_at(client, fd));
        note_lag(client, fd); /* the greeting may be there already */
    }
    errno = client->connect_error;
    return client->connect_error == 0;
}

/* What came makes it useless to wait for more. */
static bool hopeless(const struct client *client) {
    return client->not_mysql || client->wire.broken;
}

/* The library's IO_WAIT hook: 1 ready, 0 given up. */
static int wire_wait(my_socket fd, my_bool is_read, int timeout) {
    struct client *client = coroutine_local();
    int rc = -ECANCELED;
    (void)timeout;
    if (client && (client->tls_begun || client->phase == PHASE_AUTH))
        ERR_clear_error(); /* what this connection left there others would take for theirs */
    if (client && client->phase == PHASE_CONNECT && is_read)
        client_enter_phase(client, PHASE_GREETING, mono_now()); /* connected without having to wait for it */
    else if (client && client->phase == PHASE_CONNECT)
        connect_begun(client, fd);
    while (client && !client->gave_up && !hopeless(client)) {
        struct mono until = client->late ? client->deadline.give_up : client->deadline.report;
        bool connecting = client->phase == PHASE_CONNECT;
        if (connecting)
            until = mono_earlier(until, client->connect_limit);
        rc = coroutine_wait_fd(fd, is_read ? UV_READABLE : UV_WRITABLE, until);
        if (rc != 0 || (connecting && !mono_before(mono_now(), client->connect_limit)))
            break;
        if (client->late || !mono_before(client->deadline.report, client->deadline.give_up))
            break;
        client->late = true;
        if (client->deadline.on_late) {
            struct failure failure;
            client_failure_late(client, &failure);
            client->deadline.on_late(client->deadline.arg, &failure);
        }
    }
    if (rc == 1 && client->phase == PHASE_CONNECT && !connect_succeeded(client, fd))
        return 0;
    if (rc == 1 && is_read)
        note_lag(client, fd);
    if (rc != 1 && client && !hopeless(client)) {
        tcp_facts_read(fd, &client->facts.tcp);
        client->gave_up = true;
        client->cancelled = rc == -ECANCELED;
        if (client->phase != PHASE_CONNECT)
            client->self_aborted = true;
    }
    if (client && client->tls_begun)
        ERR_clear_error();
    errno = rc == 1 ? 0 : ETIMEDOUT;
    return rc == 1;
}

/* The library would log in in clear where the server offers no TLS: it refuses only for connections that verify. */
static void insist_on_tls(struct client *client) {
    my_bool yes = 1;
    if (!client->server_has_tls && client->config->tls.mode >= TLS_REQUIRED)
        mysql_optionsv(&client->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
}

/* A server gets the password itself over TLS or a socket, as from MySQL's own clients, and else only where the
 * configuration lets it name the key that encrypts it. */
static bool may_have_password(const struct client *client) {
    const struct target_config *config = client->config;
    bool tls = client->server_has_tls && config->tls.mode != TLS_DISABLED;
    return config->address.socket || tls || config->credentials.get_server_public_key == ANSWER_YES;
}

static void allow_plugins(struct client *client) {
    if (may_have_password(client))
        mysql_optionsv(&client->mysql, MARIADB_OPT_RESTRICTED_AUTH, KEY_AUTH);
}

/* Protocol version 10: 1 byte, version text, NUL, 4 bytes connection id, 8 bytes nonce, 1 byte filler, 2 bytes lower
 * flags. */
static void parse_greeting(struct client *client) {
    const unsigned char *g = client->greeting;
    size_t version = PACKET_HEADER + 1;
    const unsigned char *nul = memchr(g + version, 0, client->greeting_len - version);
    if (!nul)
        return;
    size_t id = (size_t)(nul - g) + 1;
    size_t flags = id + 4 + 8 + 1;
    if (client->greeting_len < flags + 2)
        return;
    client->greeting_seen = true;
    client->connection_id =
        (uint64_t)g[id] | (uint64_t)g[id + 1] << 8 | (uint64_t)g[id + 2] << 16 | (uint64_t)g[id + 3] << 24;
    client->server_has_tls = (g[flags] | g[flags + 1] << 8) & CLIENT_CAPABILITY_SSL;
    insist_on_tls(client);
    allow_plugins(client);
}

/* Collect the beginning of what comes first, until it is known what it is. */
static void greeting_feed(struct client *client, const unsigned char *data, size_t len) {
    const unsigned char *g = client->greeting;
    size_t room = GREETING_BYTES - client->greeting_len;
    memcpy(client->greeting + client->greeting_len, data, len < room ? len : room);
    client->greeting_len += len < room ? len : room;
    if (client->greeting_len <= PACKET_HEADER)
        return;
    unsigned char kind = g[PACKET_HEADER];
    client->not_mysql = g[3] != 0 || (kind != GREETING_V10 && kind != GREETING_V9 && kind != ERROR_PACKET);
    if (kind == ERROR_PACKET && client->greeting_len >= PACKET_HEADER + 3)
        client->greeting_error = g[PACKET_HEADER + 1] | (unsigned)g[PACKET_HEADER + 2] << 8;
    if (kind == GREETING_V10)
        parse_greeting(client);
}

/* The library checks the certificate against the host that it connected to, which is an address: give it the name. */
static void check_against_name(struct client *client) {
    char *name = client->config->address.host ? strdup(client->config->address.host) : NULL;
    if (!name)
        return; /* it then checks against the address and fails, which is the safe side */
    free(client->mysql.host);
    client->mysql.host = name;
}

/* The library reads without waiting of itself, but not under TLS. */
static void tls_begins(struct client *client) {
    int fd = mysql_get_socket(&client->mysql);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    client->tls_begun = true;
    check_against_name(client);
}

static void follow(struct client *client, enum wire_side side, const unsigned char *data, size_t len) {
    wire_feed(&client->wire, side, data, len);
    if (!client->wire.broken || client->phase == PHASE_QUIT)
        return;
    /* The library would read on for as long as there is something to read, without waiting: end it. */
    shutdown(mysql_get_socket(&client->mysql), SHUT_RDWR);
    if (client->wire.login_done)
        client->self_aborted = true;
}

/* The library would answer at once. */
static void keep_password(struct client *client) {
    if (!client->wire.full_auth || client->password_kept || may_have_password(client))
        return;
    client->password_kept = client->self_aborted = true;
    shutdown(mysql_get_socket(&client->mysql), SHUT_RDWR);
}

static void wire_read(struct client *client, const unsigned char *data, size_t len) {
    client->heard = mono_now();
    if (client->phase == PHASE_CONNECT)
        client_enter_phase(client, PHASE_GREETING, client->heard); /* so fast that nobody had to wait for anything */
    if ((ssize_t)len == 0 && client->stream_end == STREAM_OPEN)
        client->stream_end = STREAM_CLOSED;
    if ((ssize_t)len < 0 && errno == ECONNRESET)
        client->stream_end = STREAM_RESET;
    if ((ssize_t)len <= 0)
        return;
    if (client->phase == PHASE_GREETING && !client->greeting_seen)
        greeting_feed(client, data, len);
    if (!client->not_mysql || client->greeting[PACKET_HEADER] == GREETING_V10)
        follow(client, WIRE_SERVER, data, len);
    keep_password(client);
}

static void wire_written(struct client *client, const unsigned char *data, size_t len) {
    follow(client, WIRE_CLIENT, data, len);
    if (client->phase == PHASE_GREETING) {
        bool asks_for_tls = len == PACKET_HEADER + SSL_REQUEST_BYTES && data[0] == SSL_REQUEST_BYTES;
        client_enter_phase(client, asks_for_tls ? PHASE_TLS : PHASE_AUTH, client->heard);
        if (asks_for_tls)
            tls_begins(client);
        else
            wire_login(&client->wire, data, len);
    } else if (client->phase == PHASE_TLS) {
        client_enter_phase(client, PHASE_AUTH, client->heard);
        wire_login(&client->wire, data, len);
    }
}

static void wire_seen(int mode, MYSQL *mysql, const unsigned char *data, size_t len) {
    int saved = errno;
    struct client *client = coroutine_local();
    if (client && &client->mysql == mysql) {
        if (mode == 0)
            wire_read(client, data, len);
        else if ((ssize_t)len > 0)
            wire_written(client, data, len);
        else if (saved == EPIPE || saved == ECONNRESET)
            client->stream_end = STREAM_RESET;
    }
    errno = saved;
}

int client_wire_init(void) {
    if (!ma_pvio_register_callback)
        return -ENOSYS;
    return ma_pvio_register_callback(1, wire_seen) == 0 ? 0 : -ENOMEM;
}

void client_wire_end(void) {
    ma_pvio_register_callback(0, wire_seen);
}

void client_wire_attach(struct client *client) {
    /* Far beyond any deadline of ours, and not 0: with 0 the library would block. */
    unsigned hour = 3600;
    /* After each connect() the library sleeps, and it repeats a connect() that met a unix socket's full queue until
     * this time-out, sleeping up to a second in between: on our loop. Its own check of the time comes before the sleep,
     * and for a number of seconds whose milliseconds do not fit an int it finds at once that they are over. */
    unsigned at_once = INT_MAX / 1000 + 1;
    unsigned long buffer_bytes =
        4096; /* per kept connection; the largest packet that we send is a statement of half of that */
    mysql_optionsv(&client->mysql, MYSQL_OPT_NET_BUFFER_LENGTH, &buffer_bytes);
    mysql_optionsv(&client->mysql, MARIADB_OPT_IO_WAIT, wire_wait);
    mysql_optionsv(&client->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &at_once);
    mysql_optionsv(&client->mysql, MYSQL_OPT_READ_TIMEOUT, &hour);
    mysql_optionsv(&client->mysql, MYSQL_OPT_WRITE_TIMEOUT, &hour);
}
