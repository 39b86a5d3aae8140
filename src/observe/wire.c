/*
 * Following packets; see wire.h.
 */
#include "observe/wire.h"

#include <stdio.h>
#include <string.h>

#define FULL_PACKET 0xffffff
#define EOF_PACKET_MAX 9 /* a row that begins with 0xfe is much longer */
#define MORE_RESULTS 0x0008
#define LENGTH_ENCODED_2 0xfb /* from here on a length-encoded number is longer than its first byte, or NULL */

#define FULL_AUTHENTICATION 4 /* caching_sha2_password's perform_full_authentication */
enum { COM_QUIT_BYTE = 1, COM_QUERY_BYTE = 3, COM_PING_BYTE = 14 };
enum { KIND_OK = 0, KIND_MORE_DATA = 1, KIND_FILE_REQUEST = 0xfb, KIND_END = 0xfe, KIND_ERROR = 0xff };

const char *wire_violation_name(enum wire_violation violation) {
    static const char *const names[] = {
#define WIRE_VIOLATION_LABEL(id, label, meaning) [WIRE_##id] = (label),
        WIRE_VIOLATIONS(WIRE_VIOLATION_LABEL)
#undef WIRE_VIOLATION_LABEL
    };
    return names[violation];
}

const char *wire_plugin_name(const char *name, size_t len) {
    static const char *const known[] = {
        "mysql_native_password",
        "caching_sha2_password",
        "sha256_password",
        "client_ed25519",
        "unix_socket",
        "auth_socket",
        "mysql_old_password",
        "mysql_clear_password",
        "dialog",
        "parsec",
        "auth_gssapi_client",
        "authentication_ldap_sasl_client",
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == len && memcmp(known[i], name, len) == 0)
            return known[i];
    return "other";
}

void wire_init(struct wire *wire) {
    *wire = (struct wire){.due = DUE_GREETING};
}

static size_t little_endian(const unsigned char *p, size_t bytes) {
    size_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | p[bytes];
    return value;
}

/* The text at `p` up to its NUL, in the `len` bytes that are there. */
static const char *plugin_at(const unsigned char *p, size_t len) {
    return wire_plugin_name((const char *)p, strnlen((const char *)p, len));
}

static void violated(struct wire *wire, enum wire_violation violation, const struct wire_stream *stream) {
    const unsigned char *head = stream->head;
    wire->violations[violation]++;
    wire->blame = 2;
    wire->breached = true;
    wire->breach = (struct wire_breach){
        .violation = violation,
        .got = head[3],
        .due = wire->due_sequence,
        .length = (uint32_t)little_endian(head, 3),
    };
}

static unsigned error_code(const struct wire_stream *stream) {
    const unsigned char *payload = stream->head + WIRE_HEADER;
    if (stream->head_len < WIRE_HEADER + 3 || payload[0] != KIND_ERROR)
        return 0;
    return (unsigned)little_endian(payload + 1, 2);
}

/* --- what a packet of the server's means for what comes next --- */

/* After an OK or EOF packet. Its status flags are the bytes 3 and 4 of both, unless an OK tells large numbers. */
static enum wire_due after_result(const unsigned char *payload, size_t len) {
    if (len < 5)
        return DUE_NOTHING;
    if (payload[0] == KIND_OK && (payload[1] >= LENGTH_ENCODED_2 || payload[2] >= LENGTH_ENCODED_2))
        return DUE_ANYTHING;
    return little_endian(payload + 3, 2) & MORE_RESULTS ? DUE_ANSWER : DUE_NOTHING;
}

static void login_packet(struct wire *wire, const unsigned char *payload, size_t len) {
    if (payload[0] == KIND_OK || payload[0] == KIND_ERROR) {
        wire->due = DUE_NOTHING;
        wire->login_done = true;
    } else if (payload[0] == KIND_END && len > 1) {
        wire->plugin = plugin_at(payload + 1, len - 1);
    } else if (payload[0] == KIND_MORE_DATA && len > 1) {
        wire->full_auth |= payload[1] == FULL_AUTHENTICATION;
    }
}

static void answer_packet(struct wire *wire, const struct wire_stream *stream, const unsigned char *payload,
                          size_t len) {
    if (payload[0] == KIND_FILE_REQUEST)
        violated(wire, WIRE_FILE_REQUEST, stream); /* then our side speaks, and the answer comes */
    else if (payload[0] == KIND_OK)
        wire->due = after_result(payload, len);
    else
        wire->due = payload[0] == KIND_ERROR ? DUE_NOTHING : DUE_COLUMNS;
}

static void result_packet(struct wire *wire, const unsigned char *payload, size_t size) {
    if (payload[0] == KIND_ERROR)
        wire->due = DUE_NOTHING;
    else if (payload[0] == KIND_END && size < EOF_PACKET_MAX) /* so `head` has all of it */
        wire->due = wire->due == DUE_COLUMNS ? DUE_ROWS : after_result(payload, size);
}

static void server_packet(struct wire *wire, struct wire_stream *stream, size_t length) {
    const unsigned char *payload = stream->head + WIRE_HEADER;
    size_t len = stream->head_len - (size_t)WIRE_HEADER;
    if (wire->due == DUE_NOTHING)
        violated(wire, WIRE_UNEXPECTED_PACKET, stream);
    if (wire->breached)
        wire->breach.error_code = error_code(stream);
    if (len == 0)
        return;
    switch (wire->due) {
    case DUE_GREETING:
        wire->due = DUE_NOTHING;
        break;
    case DUE_LOGIN:
        login_packet(wire, payload, len);
        break;
    case DUE_ANSWER:
        answer_packet(wire, stream, payload, len);
        break;
    case DUE_COLUMNS:
    case DUE_ROWS:
        result_packet(wire, payload, length);
        break;
    case DUE_ANYTHING:
    case DUE_NOTHING:
        break;
    }
}

/* --- what our own side asks for --- */

/* A command begins an exchange: its sequence number is 0, which nothing in a login's is. */
static void client_packet(struct wire *wire, const struct wire_stream *stream) {
    unsigned char command = stream->head_len > WIRE_HEADER ? stream->head[WIRE_HEADER] : 0;
    if (stream->head[3] != 0) {
        if (!wire->login_done)
            wire->due = DUE_LOGIN;
        return;
    }
    wire->login_done = true;
    wire->bytes = 0;
    wire->blame -= wire->blame > 0;
    if (command == COM_QUIT_BYTE)
        wire->due = DUE_NOTHING;
    else
        wire->due = command == COM_QUERY_BYTE || command == COM_PING_BYTE ? DUE_ANSWER : DUE_ANYTHING;
}

/* Fixed part; user and NUL; length and scramble; database and NUL; plugin and NUL; where the flags say so. */
void wire_login(struct wire *wire, const unsigned char *packet, size_t len) {
    enum { WITH_DATABASE = 1 << 3, WITH_PLUGIN = 1 << 19, FIXED_PART = 32 };
    const unsigned char *end = packet + len, *at = packet + WIRE_HEADER + FIXED_PART;
    if (at >= end)
        return;
    size_t flags = little_endian(packet + WIRE_HEADER, 4);
    at += strnlen((const char *)at, (size_t)(end - at)) + 1;
    if (at >= end || *at >= LENGTH_ENCODED_2 || at + 1 + *at >= end)
        return;
    at += 1 + *at;
    if (flags & WITH_DATABASE)
        at += strnlen((const char *)at, (size_t)(end - at)) + 1;
    if (flags & WITH_PLUGIN && at < end)
        wire->plugin = plugin_at(at, (size_t)(end - at));
}

/* --- framing --- */

/* The header is complete; its payload may be long in coming. */
static void header_seen(struct wire *wire, enum wire_side side) {
    const struct wire_stream *stream = &wire->stream[side];
    uint8_t sequence = stream->head[3];
    if (side == WIRE_SERVER) {
        uint64_t limit = wire->login_done ? WIRE_ANSWER_BYTES : WIRE_LOGIN_BYTES;
        wire->breached = false;
        wire->bytes += WIRE_HEADER + little_endian(stream->head, 3);
        if (wire->bytes > limit) {
            violated(wire, WIRE_OVERSIZED, stream);
            wire->broken = true;
        } else if (sequence != wire->due_sequence && wire->due != DUE_NOTHING) {
            violated(wire, WIRE_SEQUENCE, stream);
        }
    }
    wire->due_sequence = (uint8_t)(sequence + 1);
}

/* The header and as much of the payload as is kept. */
static void head_seen(struct wire *wire, enum wire_side side) {
    struct wire_stream *stream = &wire->stream[side];
    size_t length = little_endian(stream->head, 3);
    bool goes_on = stream->continues;
    stream->continues = length == FULL_PACKET;
    if (goes_on)
        return;
    if (side == WIRE_SERVER)
        server_packet(wire, stream, length);
    else
        client_packet(wire, stream);
}

/* How many bytes of the present packet `head` takes: the header first, then we know. */
static size_t head_wanted(const struct wire_stream *stream) {
    if (stream->head_len < WIRE_HEADER)
        return WIRE_HEADER;
    size_t length = little_endian(stream->head, 3);
    return WIRE_HEADER + (length < WIRE_HEAD - WIRE_HEADER ? length : WIRE_HEAD - WIRE_HEADER);
}

void wire_feed(struct wire *wire, enum wire_side side, const unsigned char *data, size_t len) {
    struct wire_stream *stream = &wire->stream[side];
    while (len > 0 && !wire->broken) {
        bool skips = stream->skip > 0;
        size_t wanted = skips ? stream->skip : head_wanted(stream) - stream->head_len;
        size_t taken = wanted < len ? wanted : len;
        if (skips) {
            stream->skip -= (uint32_t)taken;
        } else {
            memcpy(stream->head + stream->head_len, data, taken);
            stream->head_len += (uint8_t)taken;
            if (stream->head_len == WIRE_HEADER)
                header_seen(wire, side);
            if (stream->head_len >= WIRE_HEADER && stream->head_len == head_wanted(stream)) {
                head_seen(wire, side);
                stream->skip = (uint32_t)(little_endian(stream->head, 3) + WIRE_HEADER - stream->head_len);
                stream->head_len = 0;
            }
        }
        data += taken;
        len -= taken;
    }
}

/* --- what is told of it --- */

bool wire_to_blame(const struct wire *wire) {
    return wire->blame > 0;
}

void wire_describe(const struct wire *wire, char *text, size_t size) {
    const struct wire_breach *breach = &wire->breach;
    char error[40] = "";
    if (breach->error_code > 0)
        snprintf(error, sizeof error, " (an error packet, number %u)", breach->error_code);
    switch (breach->violation) {
    case WIRE_SEQUENCE:
        snprintf(text, size, "sequence number %u where %u was due%s", breach->got, breach->due, error);
        break;
    case WIRE_UNEXPECTED_PACKET:
        snprintf(text, size, "a packet of %u bytes that nobody asked for%s", breach->length, error);
        break;
    case WIRE_OVERSIZED:
        snprintf(text, size, "a packet of %u bytes makes this answer larger than any honest one", breach->length);
        break;
    case WIRE_FILE_REQUEST:
        snprintf(text, size, "the server asked for a file of ours");
        break;
    case WIRE_VIOLATION_COUNT:
        break;
    }
}
