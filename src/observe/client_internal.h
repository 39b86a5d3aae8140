/*
 * What the files of the client share: client.c (the operations), client_wire.c (what libmariadb tells us while it
 * works), client_tls.c (what TLS agreed on), client_failure.c (what went wrong). Nobody else includes it.
 */
#ifndef OBSERVE_CLIENT_INTERNAL_H
#define OBSERVE_CLIENT_INTERNAL_H

#include "observe/client.h"

#include <mysql.h>

/* Enough of the greeting for its capability flags: header, version text, connection id, first part of the nonce, flags.
 */
#define GREETING_BYTES 160

enum stream_end { STREAM_OPEN, STREAM_CLOSED, STREAM_RESET };

struct client {
    MYSQL mysql; /* first, so that the library's call-backs lead to us */
    bool initialised;
    const struct target_config *config;
    struct client_deadline deadline;

    enum phase phase;
    struct mono phase_start;
    int64_t phase_ns[PHASE_COUNT];
    bool stamped;      /* the kernel tells when what we read arrived */
    struct mono heard; /* when the library last read something, or ended the TLS handshake */
    int64_t lag_ns;    /* how long what came in the present phase lay there until we looked: not the server's time */

    struct mono connect_limit; /* for one of several addresses */
    int connect_error;         /* errno of the TCP connect; 0 none */
    bool late;                 /* on_late() was called */
    bool gave_up;
    bool cancelled;
    bool self_aborted;
    bool aborted_on_purpose;
    enum stream_end stream_end;

    unsigned char greeting[GREETING_BYTES];
    size_t greeting_len;
    bool greeting_seen, server_has_tls;
    bool password_kept; /* the server asked for the password itself and was refused */
    bool tls_begun;
    bool not_mysql;          /* what came first can be neither a greeting nor an error packet */
    unsigned greeting_error; /* number of the error packet that came in place of a greeting; 0 none */
    uint64_t connection_id;
    struct wire wire;
    struct client_facts facts;
};

/* client.c: at `at` the phase that was under way ended and `next` began. */
void client_enter_phase(struct client *client, enum phase next, struct mono at);

/* Plugins that send neither the password in clear nor, encrypted, to whom nobody knows; and with `key` those that do
 * the latter. (libmariadb looks a name up in this text.) */
#define SAFE_AUTH "mysql_native_password,caching_sha2_password,client_ed25519,unix_socket"
#define KEY_AUTH SAFE_AUTH ",sha256_password"

/* client_wire.c: register the call-backs; 0 or -ENOSYS. Then the options that lead libmariadb's waits to the loop. */
int client_wire_init(void);
void client_wire_end(void);
void client_wire_attach(struct client *client);

/* client_tls.c: recv() without waiting, decrypted: -1 with errno EAGAIN where nothing is there, 0 at the server's end,
 * whether it was announced by a TLS alert or not. Only while the library has the connection. */
ssize_t client_tls_recv(const struct client *client, void *data, size_t len);
/* client_tls.c: to be called after the library's calls: OpenSSL's errors are the thread's, and what one connection
 * leaves there (a COM_QUIT that could not be sent, say) the next one would take for a failure of its own. */
void client_tls_forget_errors(void);
/* client_tls.c: once, have all certificates seen: 0 or -ENOMEM. After a handshake, read what was agreed. */
int client_tls_init(void);
void client_tls_read(struct client *client);

/* client_failure.c: fill *failure from the state after a call that failed. */
void client_failure_fill(const struct client *client, struct failure *failure);
/* What an error packet says that nobody asked for; *failure is left alone where the bytes are none. */
void client_failure_of_packet(const unsigned char *data, size_t len, struct failure *failure);
/* The kernel's error number of a connect() that failed; 0 where it was something else. */
int client_connect_errno(const struct client *client);
/* A timeout in `phase`, before the operation has failed. */
void client_failure_late(const struct client *client, struct failure *failure);

#endif
