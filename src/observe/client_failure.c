/*
 * From the error numbers and texts of servers, libmariadb, OpenSSL and the kernel to the failure classes of phase.h.
 * Tables; the texts are OpenSSL's X509_verify_cert_error_string() and libmariadb's own.
 */
#include "observe/client_internal.h"

#include "base/number.h"

#include <errmsg.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CR_RESTRICTED_AUTH 5010 /* "… couldn't be found in restricted_auth plugin list"; in no installed header */

static const struct {
    unsigned code;
    enum failure_class failure;
} by_code[] = {
    /* from the server */
    {1040, FAILURE_TOO_MANY_CONNECTIONS},
    {1043, FAILURE_PROTOCOL},
    {1044, FAILURE_PRIVILEGE},
    {1045, FAILURE_ACCESS_DENIED},
    {1053, FAILURE_SHUTDOWN},
    {1129, FAILURE_HOST_BLOCKED},
    {1130, FAILURE_HOST_NOT_ALLOWED},
    {1142, FAILURE_PRIVILEGE},
    {1143, FAILURE_PRIVILEGE},
    {1203, FAILURE_USER_LIMIT},
    {1226, FAILURE_USER_LIMIT},
    {1227, FAILURE_PRIVILEGE},
    {1251, FAILURE_AUTH_PLUGIN},
    {1275, FAILURE_AUTH_PLUGIN},
    {1370, FAILURE_PRIVILEGE},
    {1524, FAILURE_AUTH_PLUGIN},
    {1698, FAILURE_ACCESS_DENIED},
    {1820, FAILURE_PASSWORD_EXPIRED},
    {1862, FAILURE_PASSWORD_EXPIRED},
    {1927, FAILURE_SHUTDOWN},
    {3118, FAILURE_ACCOUNT_LOCKED},
    {3159, FAILURE_TLS_REQUIRED},
    {3169, FAILURE_SHUTDOWN},
    {4031, FAILURE_IDLE_TIMEOUT},
    {4151, FAILURE_ACCOUNT_LOCKED},
    /* from the library */
    {CR_UNKNOWN_HOST, FAILURE_RESOLVE},
    {CR_VERSION_ERROR, FAILURE_PROTOCOL},
    {CR_OUT_OF_MEMORY, FAILURE_LOCAL},
    {CR_SOCKET_CREATE_ERROR, FAILURE_LOCAL},
    {CR_IPSOCK_ERROR, FAILURE_LOCAL},
    {CR_SERVER_HANDSHAKE_ERR, FAILURE_PROTOCOL},
    {CR_COMMANDS_OUT_OF_SYNC, FAILURE_PROTOCOL},
    {CR_NET_PACKET_TOO_LARGE, FAILURE_PROTOCOL},
    {CR_MALFORMED_PACKET, FAILURE_PROTOCOL},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, FAILURE_AUTH_PLUGIN},
    {CR_AUTH_PLUGIN_ERR, FAILURE_AUTH_PLUGIN},
    {CR_RESTRICTED_AUTH, FAILURE_AUTH_PLUGIN},
};

static const struct {
    int error;
    enum failure_class failure;
} by_errno[] = {
    {ECONNREFUSED, FAILURE_REFUSED},    {ENOENT, FAILURE_REFUSED},        {ENOTSOCK, FAILURE_REFUSED},
    {EPROTOTYPE, FAILURE_REFUSED},      {ETIMEDOUT, FAILURE_TIMEOUT},     {EHOSTUNREACH, FAILURE_UNREACHABLE},
    {ENETUNREACH, FAILURE_UNREACHABLE}, {EHOSTDOWN, FAILURE_UNREACHABLE}, {ENETDOWN, FAILURE_UNREACHABLE},
    {ECONNRESET, FAILURE_RESET},        {EPIPE, FAILURE_CLOSED},
};

static const struct {
    const char *text;
    enum failure_class failure;
} by_tls_text[] = {
    {"certificate has expired", FAILURE_CERTIFICATE_EXPIRED},
    {"certificate is not yet valid", FAILURE_CERTIFICATE_EXPIRED},
    {"Validation of SSL server certificate failed", FAILURE_CERTIFICATE_NAME},
    {"Hostname mismatch", FAILURE_CERTIFICATE_NAME},
    {"IP address mismatch", FAILURE_CERTIFICATE_NAME},
    {"self-signed certificate", FAILURE_CERTIFICATE_UNTRUSTED},
    {"self signed certificate", FAILURE_CERTIFICATE_UNTRUSTED},
    {"unable to get local issuer", FAILURE_CERTIFICATE_UNTRUSTED},
    {"unable to get issuer", FAILURE_CERTIFICATE_UNTRUSTED},
    {"unable to verify", FAILURE_CERTIFICATE_UNTRUSTED},
    {"certificate signature failure", FAILURE_CERTIFICATE_UNTRUSTED},
    {"invalid CA certificate", FAILURE_CERTIFICATE_UNTRUSTED},
    {"certificate not trusted", FAILURE_CERTIFICATE_UNTRUSTED},
    {"certificate rejected", FAILURE_CERTIFICATE_UNTRUSTED},
    {"does not support it", FAILURE_TLS_UNSUPPORTED},
    {"unexpected eof", FAILURE_CLOSED},
    {"Connection reset by peer", FAILURE_RESET},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static enum failure_class class_of_code(unsigned code) {
    for (size_t i = 0; i < COUNT(by_code); i++)
        if (by_code[i].code == code)
            return by_code[i].failure;
    return FAILURE_NONE;
}

static enum failure_class class_of_errno(int error) {
    for (size_t i = 0; i < COUNT(by_errno); i++)
        if (by_errno[i].error == error)
            return by_errno[i].failure;
    return FAILURE_LOCAL;
}

static enum failure_class class_of_tls_text(const char *text) {
    for (size_t i = 0; i < COUNT(by_tls_text); i++)
        if (strstr(text, by_tls_text[i].text))
            return by_tls_text[i].failure;
    return FAILURE_TLS_HANDSHAKE;
}

/* libmariadb puts the kernel's error number in brackets at the end: "Can't connect to server on '127.0.0.1' (111)". */
static int errno_in_text(const char *text) {
    const char *open = strrchr(text, '(');
    const char *close = open ? strchr(open, ')') : NULL;
    uint64_t number;
    if (!close || number_parse_u64((struct span){open + 1, (size_t)(close - open) - 1}, 4095, &number) < 0)
        return 0;
    return (int)number;
}

int client_connect_errno(const struct client *client) {
    MYSQL *mysql = (MYSQL *)(uintptr_t)&client->mysql; /* mysql_error() only reads */
    unsigned code = mysql_errno(mysql);
    if (code != CR_CONN_HOST_ERROR && code != CR_CONNECTION_ERROR)
        return 0;
    return client->connect_error ? client->connect_error : errno_in_text(mysql_error(mysql));
}

static enum failure_class class_of_stream(const struct client *client) {
    if (client->stream_end == STREAM_RESET)
        return FAILURE_RESET;
    return client->stream_end == STREAM_CLOSED ? FAILURE_CLOSED : FAILURE_NONE;
}

static void fill_connect_error(const struct client *client, int error, struct failure *failure) {
    failure->failure = class_of_errno(error);
    /* An RST in answer to a SYN reads as ECONNREFUSED: this one came after the connection was there. */
    failure->phase = error == ECONNRESET ? PHASE_GREETING : PHASE_CONNECT;
    failure->code = 0;
    snprintf(failure->text, sizeof failure->text, "cannot connect to %.100s: %s", client->config->address_text,
             strerror(error));
}

/* An error number of the library's own, not of the server's. */
static bool is_librarys(unsigned code) {
    return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) || (code >= CER_MIN_ERROR && code < CER_MIN_ERROR + 1000);
}

static enum failure_class classify(const struct client *client, unsigned code, const char *text) {
    /* libmariadb's own words under the server's number for "access denied" */
    if (code == 1045 && strncmp(text, "Plugin ", 7) == 0 && strstr(text, " could not be loaded"))
        return FAILURE_AUTH_PLUGIN;
    enum failure_class failure = class_of_code(code);
    if (failure != FAILURE_NONE)
        return failure;
    failure = class_of_stream(client);
    if (code == CR_SSL_CONNECTION_ERROR)
        return failure != FAILURE_NONE ? failure : class_of_tls_text(text);
    if (code == CR_SERVER_LOST || code == CR_SERVER_GONE_ERROR)
        return failure != FAILURE_NONE ? failure : FAILURE_CLOSED;
    return is_librarys(code) ? FAILURE_PROTOCOL : FAILURE_SERVER_ERROR;
}

/* 0xff, 2 bytes number, '#' and 5 bytes SQL state, text. */
void client_failure_of_packet(const unsigned char *data, size_t len, struct failure *failure) {
    enum { NUMBER = WIRE_HEADER + 1, STATE = NUMBER + 2, TEXT = STATE + 6 };
    if (len < TEXT || data[WIRE_HEADER] != 0xff || data[STATE] != '#')
        return;
    size_t whole = WIRE_HEADER + (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16);
    len = len < whole ? len : whole;
    failure->code = data[NUMBER] | (unsigned)data[NUMBER + 1] << 8;
    failure->failure = class_of_code(failure->code);
    if (failure->failure == FAILURE_NONE)
        failure->failure = FAILURE_SERVER_ERROR;
    snprintf(failure->text, sizeof failure->text, "%.*s", len > TEXT ? (int)(len - TEXT) : 0,
             (const char *)data + TEXT);
}

/* What came in place of a greeting, as it was on the wire: the library loses some of these errors when the server
 * closes at once. An error packet there has no SQL state: 0xff, 2 bytes number, text. */
static void fill_from_greeting(const struct client *client, struct failure *failure) {
    size_t text = client->not_mysql ? 0 : 4 + 3;
    char shown[64];
    size_t len = 0;
    for (size_t i = text; i < client->greeting_len && len < sizeof shown - 1; i++) {
        unsigned char c = client->greeting[i];
        shown[len++] = c >= ' ' && c < 0x7f ? (char)c : '.';
    }
    shown[len] = '\0';
    failure->phase = PHASE_GREETING;
    failure->code = client->greeting_error;
    failure->failure = client->not_mysql ? FAILURE_PROTOCOL : class_of_code(client->greeting_error);
    if (failure->failure == FAILURE_NONE)
        failure->failure = FAILURE_SERVER_ERROR;
    snprintf(failure->text, sizeof failure->text,
             client->not_mysql ? "not the MySQL protocol: it begins with '%s'" : "%s", shown);
}

/* The library fails for what the server did, and says something else: "lost connection", "malformed packet". */
static void fill_from_wire(const struct client *client, const char *text, struct failure *failure) {
    char breach[100];
    wire_describe(&client->wire, breach, sizeof breach);
    failure->failure = class_of_code(client->wire.breach.error_code);
    if (failure->failure == FAILURE_NONE)
        failure->failure = FAILURE_PROTOCOL;
    snprintf(failure->text, sizeof failure->text, "%s, in phase %s (%s)", breach, phase_name(failure->phase), text);
}

static void text_of_timeout(const struct client *client, struct failure *failure) {
    snprintf(failure->text, sizeof failure->text,
             client->cancelled ? "given up in phase %s because the exporter ends or reloads"
                               : "no answer in time in phase %s",
             phase_name(client->phase));
}

void client_failure_late(const struct client *client, struct failure *failure) {
    *failure = (struct failure){.failure = FAILURE_TIMEOUT, .phase = client->phase};
    text_of_timeout(client, failure);
}

void client_failure_fill(const struct client *client, struct failure *failure) {
    MYSQL *mysql = (MYSQL *)(uintptr_t)&client->mysql; /* mysql_error() only reads */
    *failure = (struct failure){.phase = client->phase, .code = mysql_errno(mysql)};
    if (client->gave_up) {
        failure->failure = client->cancelled ? FAILURE_LOCAL : FAILURE_TIMEOUT;
        failure->code = 0;
        text_of_timeout(client, failure);
        return;
    }
    if (client->password_kept) {
        failure->failure = FAILURE_AUTH_PLUGIN;
        failure->code = 0;
        snprintf(
            failure->text, sizeof failure->text,
            "the server asks for the password itself without TLS: use tls.mode, or credentials.get_server_public_key");
        return;
    }
    bool misnumbered = client->not_mysql && wire_to_blame(&client->wire);
    if (client->greeting_error || (client->not_mysql && !misnumbered)) {
        fill_from_greeting(client, failure);
        return;
    }
    const char *text = mysql_error(mysql);
    if (client_connect_errno(client)) {
        fill_connect_error(client, client_connect_errno(client), failure);
        return;
    }
    if (misnumbered || (wire_to_blame(&client->wire) && is_librarys(failure->code))) {
        if (misnumbered)
            failure->phase = PHASE_GREETING; /* the library answers such a greeting before it waits again */
        fill_from_wire(client, text, failure);
        return;
    }
    failure->failure = classify(client, failure->code, text);
    bool perhaps_tls =
        failure->failure == FAILURE_ACCESS_DENIED && client->server_has_tls && client->config->tls.mode == TLS_DISABLED;
    snprintf(failure->text, sizeof failure->text, "%s%s", text,
             perhaps_tls ? " (the server offers TLS, which is disabled here: the account may require it)" : "");
}

bool client_failure_counts(const struct failure *failure) {
    static const bool counts[FAILURE_COUNT] = {
        [FAILURE_ACCESS_DENIED] = true,       [FAILURE_USER_LIMIT] = true,       [FAILURE_HOST_BLOCKED] = true,
        [FAILURE_HOST_NOT_ALLOWED] = true,    [FAILURE_ACCOUNT_LOCKED] = true,   [FAILURE_AUTH_PLUGIN] = true,
        [FAILURE_TLS_REQUIRED] = true,        [FAILURE_TLS_UNSUPPORTED] = true,  [FAILURE_TLS_HANDSHAKE] = true,
        [FAILURE_CERTIFICATE_EXPIRED] = true, [FAILURE_CERTIFICATE_NAME] = true, [FAILURE_CERTIFICATE_UNTRUSTED] = true,
        [FAILURE_PRIVILEGE] = true,           [FAILURE_PASSWORD_EXPIRED] = true,
    };
    /* Refused after its login both servers count it. In place of the greeting MariaDB does and MySQL does not, and
     * nothing in the packet tells them apart: not ours to claim. */
    if (failure->failure == FAILURE_TOO_MANY_CONNECTIONS)
        return failure->phase == PHASE_AUTH;
    return counts[failure->failure];
}
