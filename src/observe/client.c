/*
 * The operations of a conversation; see client.h.
 */
#include "observe/client_internal.h"

#include "base/coroutine.h"
#include "config/allow.h"
#include "observe/arrival.h"
#include "observe/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MAX_NS (64 * NS_PER_MS) /* between connects to a socket whose queue is full */
/* Where a CA is not named: a folder of hashed names, looked up on demand. The bundle costs 45 to 65 ms a connection. */
#define SYSTEM_CA_PATH "/etc/ssl/certs"
/* The longest that one of several addresses is tried. */
#define ATTEMPT_MAX_NS NS_PER_S
#define ERROR_PACKET_MIN (WIRE_HEADER + 3)
#define ROWS_WITHOUT_PAUSE_NS NS_PER_MS

int client_library_init(void) {
    /* For connections that do not verify libmariadb loads OpenSSL's default CA file, a bundle, each time. Nobody looks
     * at what it loads, so give it an empty one. */
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    if (mysql_library_init(0, NULL, NULL) != 0)
        return -ENOMEM;
    int rc = client_tls_init();
    if (rc == 0)
        rc = client_wire_init();
    if (rc == 0)
        arrivals_init();
    return rc;
}

void client_library_end(void) {
    arrivals_end();
    client_wire_end();
    mysql_library_end();
}

const char *client_library_name(void) {
    static char name[64];
    if (!name[0])
        snprintf(name, sizeof name, "libmariadb %s", mysql_get_client_info());
    return name;
}

struct client *client_new(const struct target_config *config) {
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->config = config;
    client->deadline = (struct client_deadline){.report = MONO_NEVER, .give_up = MONO_NEVER};
    for (int i = 0; i < PHASE_COUNT; i++)
        client->phase_ns[i] = -1;
    return client;
}

void client_free(struct client *client) {
    if (!client)
        return;
    client_drop(client);
    free(client);
}

void client_set_deadline(struct client *client, const struct client_deadline *deadline) {
    client->deadline = *deadline;
    client->late = false;
    client->gave_up = false;
}

static void phase_begin(struct client *client, enum phase phase, struct mono at) {
    client->phase = phase;
    client->phase_start = at;
    client->phase_ns[phase] = -1;
    client->lag_ns = 0;
}

static void phase_end(struct client *client, struct mono at) {
    int64_t ns = mono_between(client->phase_start, at) - client->lag_ns;
    client->phase_ns[client->phase] = ns > 0 ? ns : 0;
}

void client_enter_phase(struct client *client, enum phase next, struct mono at) {
    phase_end(client, at);
    phase_begin(client, next, at);
}

/* Takes over what the connection's own books say. */
static void note_wire(struct client *client) {
    for (int i = 0; i < WIRE_VIOLATION_COUNT; i++)
        client->facts.violations[i] += client->wire.violations[i];
    client->facts.auth_plugin = client->wire.plugin;
    wire_init(&client->wire);
}

static void mysql_done(struct client *client) {
    if (client->initialised) {
        mysql_close(&client->mysql);
        client_tls_forget_errors();
        note_wire(client);
    }
    client->initialised = false;
}

static void set_tls_options(MYSQL *mysql, const struct target_config *config) {
    const struct tls_config *tls = &config->tls;
    /* As with MySQL's own clients: a socket is safe already, so there it must be asked for. */
    my_bool use = tls->mode > (config->address.socket ? TLS_PREFERRED : TLS_DISABLED);
    my_bool verify_name = tls->mode == TLS_VERIFY_IDENTITY;
    mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &use);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify_name);
    if (tls->mode >= TLS_VERIFY_CA) /* naming a CA is what makes the library check the chain */
        mysql_optionsv(mysql, tls->ca ? MYSQL_OPT_SSL_CA : MYSQL_OPT_SSL_CAPATH, tls->ca ? tls->ca : SYSTEM_CA_PATH);
    if (use && tls->cert) {
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CERT, tls->cert);
        mysql_optionsv(mysql, MYSQL_OPT_SSL_KEY, tls->key);
    }
}

static bool prepare(struct client *client) {
    MYSQL *mysql = &client->mysql;
    unsigned no = 0;
    if (!mysql_init(mysql))
        return false;
    client->initialised = true;
    client->tls_begun = false;
    client_wire_attach(client);
    mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &no);            /* a server may not ask us for files */
    mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH, SAFE_AUTH); /* until the greeting tells whether there is TLS */
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "mysqlconn_exporter");
    set_tls_options(mysql, client->config);
    client->stream_end = STREAM_OPEN;
    client->greeting_len = 0;
    client->greeting_error = 0;
    client->password_kept = client->not_mysql = client->greeting_seen = client->server_has_tls = client->gave_up =
        client->cancelled = false;
    client->stamped = false;
    client->connection_id = 0;
    client->connect_error = 0;
    wire_init(&client->wire);
    return true;
}

/* The certificate of a server that did TLS although nobody made sure of it is worth nothing; none at all is a
 * downgrade. */
static bool tls_as_wanted(struct client *client) {
    return client->config->tls.mode < TLS_REQUIRED || mysql_get_ssl_cipher(&client->mysql);
}

/* One try, at one numeric address or at the socket. -EAGAIN: the socket's queue is full, nothing was begun. */
static int connect_once(struct client *client, const char *numeric, struct failure *failure) {
    const struct target_config *config = client->config;
    if (!prepare(client)) {
        *failure = (struct failure){FAILURE_LOCAL, PHASE_CONNECT, 0, "out of memory"};
        return -1;
    }
    client->facts.cert_expiry_s = 0;
    if (!mysql_real_connect(&client->mysql, numeric, config->user, config->password, NULL, config->address.port,
                            config->address.socket, 0)) {
        bool queue_full = config->address.socket && client_connect_errno(client) == EAGAIN;
        client_failure_fill(client, failure);
        if (client->phase != PHASE_CONNECT && client_failure_counts(failure))
            client->self_aborted = true;
        mysql_done(client);
        return queue_full ? -EAGAIN : -1;
    }
    phase_end(client, client->heard);
    client_tls_forget_errors(); /* also without TLS: logging in may have used keys */
    client->connection_id = mysql_thread_id(&client->mysql);
    mysql_optionsv(&client->mysql, MYSQL_OPT_CONNECT_ATTR_RESET, NULL); /* told, and 8 KB for as long as they stay */
    client_tls_read(client);
    if (!tls_as_wanted(client)) {
        *failure = (struct failure){FAILURE_TLS_UNSUPPORTED, PHASE_TLS, 0, "the connection is not encrypted"};
        mysql_done(client);
        return -1;
    }
    return 0;
}

/* A unix socket with a full queue is a server that is too slow to accept: the kernel does not let one wait for a place,
 * so ask again, ever less often, as long as there is time. */
static int connect_at(struct client *client, const char *numeric, struct failure *failure) {
    int64_t pause_ns = NS_PER_MS;
    int rc;
    phase_begin(client, PHASE_CONNECT, mono_now());
    while ((rc = connect_once(client, numeric, failure)) == -EAGAIN) {
        struct mono next = mono_add(mono_now(), pause_ns);
        bool in_time = mono_before(next, client->deadline.report);
        if (!in_time || coroutine_sleep_until(next) < 0) {
            client->cancelled = in_time;
            client_failure_late(client, failure);
            failure->failure = client->cancelled ? FAILURE_LOCAL : FAILURE_TIMEOUT;
            break;
        }
        pause_ns = pause_ns < RETRY_MAX_NS ? pause_ns * 2 : RETRY_MAX_NS;
    }
    return rc == 0 ? 0 : -1;
}

/* Until when an address may be tried while `left` of them, itself included, wait: its share of what is left, but no
 * more than a second. RFC 8305 starts the next attempt after 250 ms beside the first; ours come one after the other,
 * because a second connection would be one that is opened only to be thrown away. So an attempt must last as long as a
 * far server's answer takes, and a second is when the kernel would repeat a lost SYN. The last address has all that is
 * left.
 */
static struct mono connect_limit(const struct client *client, unsigned left) {
    struct mono now = mono_now();
    if (left == 1)
        return MONO_NEVER;
    return mono_earlier(mono_add(now, mono_between(now, client->deadline.report) / left),
                        mono_add(now, ATTEMPT_MAX_NS));
}

/* The failure that is told is that of the address the resolver likes best. */
static int connect_resolved(struct client *client, const struct resolved *addresses, struct failure *failure) {
    for (unsigned i = 0; i < addresses->count; i++) {
        struct failure this_one;
        client->connect_limit = connect_limit(client, addresses->count - i);
        memcpy(client->facts.address, addresses->text[i], sizeof client->facts.address);
        if (connect_at(client, addresses->text[i], &this_one) == 0)
            return 0;
        bool hopeless = this_one.phase != PHASE_CONNECT || client->late;
        if (i == 0 || hopeless)
            *failure = this_one;
        if (hopeless)
            break;
        client->facts.addresses_failed += i + 1 < addresses->count;
    }
    return -1;
}

/* A name that others chose may lead to where our password must not go. */
static bool all_allowed(const struct target_config *config, const struct resolved *addresses, struct failure *failure) {
    if (config->allow_targets.count == 0)
        return true;
    for (unsigned i = 0; i < addresses->count; i++) {
        if (allow_address(&config->allow_targets, addresses->text[i], config->address.port))
            continue;
        *failure = (struct failure){.failure = FAILURE_NOT_ALLOWED, .phase = PHASE_RESOLVE};
        snprintf(failure->text, sizeof failure->text, "the name leads to an address that allow_targets does not allow");
        return false;
    }
    return true;
}

int client_connect(struct client *client, struct failure *failure) {
    const struct address *address = &client->config->address;
    struct resolved addresses;
    coroutine_set_local(client);
    client->self_aborted = client->aborted_on_purpose = false;
    client->connect_limit = MONO_NEVER;
    client->facts = (struct client_facts){.cert_expiry_s = 0};
    for (int i = 0; i < PHASE_COUNT; i++)
        client->phase_ns[i] = -1;
    if (address->socket)
        return connect_at(client, NULL, failure);
    phase_begin(client, PHASE_RESOLVE, mono_now());
    bool of_request = client->config->allow_targets.count > 0;
    int rc = resolve(address->host, of_request ? RESOLVE_FOR_REQUEST : RESOLVE_FOR_TARGET, client->deadline.report,
                     &addresses);
    if (rc < 0) {
        *failure = (struct failure){.failure = rc == -ETIMEDOUT   ? FAILURE_TIMEOUT
                                               : rc == -ECANCELED ? FAILURE_LOCAL
                                                                  : FAILURE_RESOLVE,
                                    .phase = PHASE_RESOLVE};
        snprintf(failure->text, sizeof failure->text, "cannot resolve %.100s: %s", address->host,
                 resolve_error_text(rc));
        return -1;
    }
    phase_end(client, mono_now());
    client->facts.ipv4 = addresses.ipv4;
    client->facts.ipv6 = addresses.ipv6;
    if (!all_allowed(client->config, &addresses, failure))
        return -1;
    return connect_resolved(client, &addresses, failure);
}

static int command_end(struct client *client, int rc, struct failure *failure) {
    if (client->tls_begun)
        client_tls_forget_errors();
    if (rc == 0) {
        phase_end(client, client->heard);
        return 0;
    }
    client_failure_fill(client, failure);
    if (!client_connected(client) && client->stream_end == STREAM_OPEN)
        client->self_aborted = true; /* the library gave it up: the server was still there */
    return -1;
}

int client_ping(struct client *client, struct failure *failure) {
    coroutine_set_local(client);
    phase_begin(client, PHASE_PING, mono_now());
    return command_end(client, mysql_ping(&client->mysql), failure);
}

/* Rows come as they are asked for, and after a millisecond of them the loop has its turn: a long result takes neither
 * our memory nor our time. */
static void hand_over_rows(MYSQL_RES *result, client_row_fn *on_row, void *arg) {
    enum { FIELDS_MAX = 256, ROWS_A_LOOK = 16 };
    struct span fields[FIELDS_MAX];
    unsigned count = mysql_num_fields(result);
    struct mono pause = mono_add(mono_now(), ROWS_WITHOUT_PAUSE_NS);
    MYSQL_ROW row;
    if (count > FIELDS_MAX)
        count = FIELDS_MAX;
    for (unsigned n = 1; (row = mysql_fetch_row(result)); n++) {
        const unsigned long *lengths = mysql_fetch_lengths(result);
        for (unsigned i = 0; i < count; i++)
            fields[i] = (struct span){row[i], row[i] ? lengths[i] : 0};
        if (on_row)
            on_row(arg, fields, count);
        if (n % ROWS_A_LOOK == 0 && mono_before(pause, mono_now())) {
            coroutine_sleep_until(mono_now());
            pause = mono_add(mono_now(), ROWS_WITHOUT_PAUSE_NS);
        }
    }
}

int client_query(struct client *client, const char *sql, client_row_fn *on_row, void *arg, struct failure *failure) {
    coroutine_set_local(client);
    phase_begin(client, PHASE_QUERY, mono_now());
    int rc = mysql_query(&client->mysql, sql);
    if (rc == 0) {
        MYSQL_RES *result = mysql_use_result(&client->mysql);
        if (result)
            hand_over_rows(result, on_row, arg);
        rc = (!result && mysql_field_count(&client->mysql) > 0) || mysql_errno(&client->mysql) != 0;
        mysql_free_result(result);
    }
    return command_end(client, rc, failure);
}

/* --- the close --- */

/* Whether the kernel still had the connection when the server's end came: a connection that was dead before COM_QUIT
 * reads as an end too, but is in state CLOSE. */
static bool was_alive(int fd) {
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return true; /* a unix socket */
    return info.tcpi_state != TCP_CLOSE;
}

/* A TLS alert record (content type 21), which a peer may send before its FIN, is no data. */
static bool is_tls_alert(bool sealed, const unsigned char *data, ssize_t len) {
    enum { TLS_RECORD_ALERT = 21 };
    return sealed && len > 0 && data[0] == TLS_RECORD_ALERT;
}

/* What came after COM_QUIT: an error packet says why in its bytes 5 to 7. Under TLS the keys are gone by then. */
static void note_unexpected(struct client_facts *facts, bool sealed, const unsigned char *data, size_t len) {
    facts->close_code = sealed ? CLOSE_CODE_UNKNOWN : CLOSE_CODE_NO_ERROR_PACKET;
    facts->close_number = 0;
    if (sealed || len < ERROR_PACKET_MIN || data[WIRE_HEADER] != 0xff)
        return;
    facts->close_number = data[WIRE_HEADER + 1] | (unsigned)data[WIRE_HEADER + 2] << 8;
    facts->close_code = close_code_of(facts->close_number);
}

/* As long as the library has the connection its keys are there. */
static ssize_t receive(const struct client *client, int fd, bool tls, unsigned char *data, size_t len) {
    return tls && client->initialised ? client_tls_recv(client, data, len) : recv(fd, data, len, MSG_DONTWAIT);
}

static enum close_outcome watch_close(struct client *client, int fd, bool tls) {
    bool sealed = tls && !client->initialised;
    unsigned char data[512];
    size_t len = 0;
    for (;;) {
        int rc = coroutine_wait_fd(fd, UV_READABLE, client->deadline.give_up);
        ssize_t got = rc == 1 ? receive(client, fd, tls, data + len, sizeof data - len) : -1;
        if (rc == 1 && got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (len == 0 && is_tls_alert(sealed, data, got))
            continue;
        if (got > 0)
            len += (size_t)got;
        if (len > 0 && (len >= ERROR_PACKET_MIN || got <= 0)) {
            note_unexpected(&client->facts, sealed, data, len);
            return CLOSE_UNEXPECTED_DATA;
        }
        if (got > 0)
            continue;
        if (rc != 1)
            return CLOSE_TIMEOUT;
        if (got == 0)
            return was_alive(fd) ? CLOSE_CLEAN : CLOSE_PEER_GONE;
        return errno == ECONNRESET ? CLOSE_RESET : CLOSE_PEER_GONE;
    }
}

/* What the server did before we say good-bye: CLOSE_CLEAN stands for "nothing, it is there". */
static enum close_outcome look_before_quit(int fd, bool tls) {
    unsigned char data[1];
    ssize_t len = recv(fd, data, sizeof data, MSG_PEEK | MSG_DONTWAIT);
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
        return CLOSE_PEER_GONE;
    return len > 0 && !tls ? CLOSE_UNEXPECTED_DATA : CLOSE_CLEAN;
}

/* mysql_close() sends COM_QUIT and closes without waiting; `fd`, a second descriptor, keeps the socket, and what comes
 * on it, for us. */
static enum close_outcome quit_and_wait(struct client *client, int fd, bool tls) {
    enum close_outcome before = look_before_quit(fd, tls);
    mysql_done(client);
    enum close_outcome outcome = watch_close(client, fd, tls);
    return before == CLOSE_PEER_GONE && outcome != CLOSE_TIMEOUT ? before : outcome;
}

/* FIN without COM_QUIT: the library's COM_QUIT, which comes when all is over, has nowhere to go. Half a close is one to
 * the server, and lets us see what it makes of it. Once both ends have sent their FIN the kernel calls the state CLOSE,
 * as it does that of a connection that was dead before. */
static enum close_outcome fin_and_wait(struct client *client, int fd, bool tls) {
    enum close_outcome before = look_before_quit(fd, tls);
    client->aborted_on_purpose = shutdown(fd, SHUT_WR) == 0;
    enum close_outcome outcome = watch_close(client, fd, tls);
    mysql_done(client);
    return outcome == CLOSE_PEER_GONE && before != CLOSE_PEER_GONE ? CLOSE_CLEAN : outcome;
}

static enum close_outcome quit_now(struct client *client, int fd, bool tls) {
    (void)fd, (void)tls;
    mysql_done(client);
    return CLOSE_NOT_WATCHED;
}

/* 64 MB in rows of 64 KB: more than the socket buffers between a server and a client that does not read can hold. */
#define EIGHT                                                                                                          \
    "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL "                                     \
    "SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8"
#define MORE_THAN_BUFFERS_HOLD                                                                                         \
    "SELECT REPEAT('x', 65536) FROM (" EIGHT ") a, (" EIGHT ") b, (" EIGHT ") c, (SELECT 1 UNION ALL SELECT 2) d"

/* The column definitions are read, the rows are not. */
static enum close_outcome quit_mid_result(struct client *client, int fd, bool tls) {
    (void)fd, (void)tls;
    client->aborted_on_purpose = mysql_query(&client->mysql, MORE_THAN_BUFFERS_HOLD) == 0;
    mysql_done(client);
    return CLOSE_NOT_WATCHED;
}

/* Dissolving the association makes the kernel send an RST at once (tcp_disconnect(), net/ipv4/tcp.c). */
static enum close_outcome reset(struct client *client, int fd, bool tls) {
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)tls;
    client->aborted_on_purpose = connect(fd, &nobody, sizeof nobody) == 0;
    mysql_done(client);
    return CLOSE_NOT_WATCHED;
}

/* What had to be sent again, COM_QUIT itself included. */
static void count_retransmissions(struct tcp_facts *tcp, int fd) {
    struct tcp_facts after = {.known = false};
    tcp_facts_read(fd, &after);
    if (after.known)
        tcp->retransmissions = after.retransmissions;
}

enum close_outcome client_close(struct client *client, enum close_style style) {
    static enum close_outcome (*const styles[])(struct client *, int, bool) = {
        [CLOSE_QUIT_WAIT] = quit_and_wait, [CLOSE_QUIT_NOW] = quit_now, [CLOSE_MID_RESULT] = quit_mid_result,
        [CLOSE_NONE] = fin_and_wait,       [CLOSE_RST] = reset,
    };
    coroutine_set_local(client);
    if (!client_connected(client)) {
        mysql_done(client);
        return CLOSE_PEER_GONE;
    }
    bool tls = mysql_get_ssl_cipher(&client->mysql) != NULL;
    phase_begin(client, PHASE_QUIT, mono_now());
    int own = mysql_get_socket(&client->mysql);
    tcp_facts_read(own, &client->facts.tcp);
    bool watched = style == CLOSE_QUIT_WAIT || style == CLOSE_NONE;
    int fd = watched ? fcntl(own, F_DUPFD_CLOEXEC, 0) : own;
    if (fd < 0) {
        mysql_done(client);
        return CLOSE_TIMEOUT;
    }
    enum close_outcome outcome = styles[style](client, fd, tls);
    if (watched) {
        count_retransmissions(&client->facts.tcp, fd);
        close(fd);
    }
    if (outcome != CLOSE_TIMEOUT && outcome != CLOSE_NOT_WATCHED)
        phase_end(client, mono_now());
    return outcome;
}

/* --- idle --- */

/* What came on a connection that nobody asked anything. An error packet is read here, where it can be: over a unix
 * socket the next query, which cannot be sent any more, would not get it. */
static enum hold_end look_at_idle(int fd, bool tls, struct failure *failure) {
    unsigned char data[512];
    ssize_t len = recv(fd, data, sizeof data, MSG_PEEK | MSG_DONTWAIT);
    failure->phase = PHASE_HOLD;
    if (len > 0 && !tls)
        client_failure_of_packet(data, (size_t)len, failure);
    if (len > 0)
        return HOLD_ERROR;
    failure->failure = len == 0 ? FAILURE_CLOSED : FAILURE_RESET;
    return len == 0 ? HOLD_FIN : HOLD_RST;
}

int client_hold(struct client *client, int64_t ns, enum hold_end *end, struct failure *failure) {
    int fd = mysql_get_socket(&client->mysql);
    client->phase_ns[PHASE_QUERY] = -1; /* the one that counts comes after this */
    phase_begin(client, PHASE_HOLD, mono_now());
    int rc = coroutine_wait_fd_or_wake(fd, UV_READABLE, mono_add(mono_now(), ns));
    phase_end(client, mono_now());
    *failure = (struct failure){.phase = PHASE_HOLD};
    *end = HOLD_SURVIVED;
    if (rc != 1)
        return rc < 0; /* woken or cancelled */
    *end = look_at_idle(fd, mysql_get_ssl_cipher(&client->mysql) != NULL, failure);
    if (*end == HOLD_ERROR)
        return 0;
    tcp_facts_read(fd, &client->facts.tcp);
    snprintf(failure->text, sizeof failure->text, "the idle connection was %s after %.3f s",
             *end == HOLD_FIN ? "closed" : "reset", (double)client->phase_ns[PHASE_HOLD] / NS_PER_S);
    mysql_done(client);
    return -1;
}

void client_drop(struct client *client) {
    client->gave_up = true; /* no waits any more */
    if (coroutine_self())
        coroutine_set_local(client);
    mysql_done(client);
}

bool client_connected(const struct client *client) {
    return client->initialised && client->mysql.net.pvio != NULL;
}

bool client_peer_is_here(struct client *client) {
    return client_connected(client) && tcp_peer_is_here(mysql_get_socket(&client->mysql));
}

bool client_self_aborted(const struct client *client) {
    return client->self_aborted;
}

bool client_aborted_on_purpose(const struct client *client) {
    return client->aborted_on_purpose;
}

enum own_abort client_own_abort(const struct client *client) {
    if (!client->self_aborted && !client->aborted_on_purpose)
        return OWN_NO_ABORT;
    if (client->phase > PHASE_AUTH)
        return OWN_ABORTED_CLIENT;
    return client->phase == PHASE_AUTH ? OWN_ABORTED_CONNECT : OWN_ABORTED_PREAUTH;
}

int64_t client_phase_ns(const struct client *client, enum phase phase) {
    return client->phase_ns[phase];
}

uint64_t client_connection_id(const struct client *client) {
    return client->connection_id;
}

const struct client_facts *client_facts(const struct client *client) {
    return &client->facts;
}

const char *client_server_version(const struct client *client) {
    const char *version = client->initialised ? client->mysql.server_version : NULL;
    return version ? version : "";
}

pid_t client_server_pid(struct client *client) {
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    if (!client_connected(client) ||
        getsockopt(mysql_get_socket(&client->mysql), SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid == 1)
        return 0;
    return peer.pid;
}
