/*
 * The packets of one conversation, followed by their headers: which sequence number is due, who may speak, how much may
 * come. Knows the framing of the MySQL protocol (uncompressed) and nothing of any client library. Bytes are looked at
 * where they lie; only the first few of each packet are kept, so that a header may be split anywhere.
 */
#ifndef OBSERVE_WIRE_H
#define OBSERVE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*        enum suffix, label,                       what the server did */
#define WIRE_VIOLATIONS(X)                                                                                             \
    X(SEQUENCE, "sequence", "a packet with a sequence number that was not due")                                        \
    X(UNEXPECTED_PACKET, "unexpected_packet", "a packet that nobody asked for")                                        \
    X(OVERSIZED, "oversized", "far more bytes than any answer here can have")                                          \
    X(FILE_REQUEST, "file_request", "it asked for a file of ours (LOAD DATA LOCAL)")

enum wire_violation {
#define WIRE_VIOLATION_ENUM(id, label, meaning) WIRE_##id,
    WIRE_VIOLATIONS(WIRE_VIOLATION_ENUM)
#undef WIRE_VIOLATION_ENUM
        WIRE_VIOLATION_COUNT
};

/* "sequence", … */
const char *wire_violation_name(enum wire_violation violation);

enum wire_side { WIRE_SERVER, WIRE_CLIENT };

#define WIRE_HEADER 4 /* 3 bytes length, 1 byte sequence number */
#define WIRE_HEAD 48  /* what is kept of a packet: its header, and enough for a plugin's name */
#define WIRE_LOGIN_BYTES (UINT64_C(64) * 1024) /* what a server may send until it has answered the login */
#define WIRE_ANSWER_BYTES (UINT64_C(16) << 20) /* … in answer to one command */

struct wire_stream {
    unsigned char head[WIRE_HEAD];
    uint8_t head_len;
    bool continues; /* the packet before had the full 16 MB - 1: the next one goes on with it */
    uint32_t skip;  /* payload of the present packet still to come, beyond what `head` takes */
};

/* What may come from the server next. */
enum wire_due { DUE_GREETING, DUE_LOGIN, DUE_ANSWER, DUE_COLUMNS, DUE_ROWS, DUE_ANYTHING, DUE_NOTHING };

/* The latest breach, in numbers. */
struct wire_breach {
    enum wire_violation violation;
    uint8_t got, due;    /* sequence numbers */
    unsigned error_code; /* the packet was an error packet: its number, else 0 */
    uint32_t length;     /* of its payload */
};

struct wire {
    struct wire_stream stream[2];
    enum wire_due due;
    bool login_done;
    bool broken;   /* OVERSIZED: nothing more should be read */
    bool breached; /* by the packet that is under way */
    uint8_t due_sequence;
    uint8_t blame;  /* > 0: the breach was in the present exchange or in the one before */
    uint64_t bytes; /* from the server, in the present exchange (all of the login is one) */
    uint32_t violations[WIRE_VIOLATION_COUNT];
    struct wire_breach breach;
    bool full_auth;     /* caching_sha2_password wants the password itself */
    const char *plugin; /* the authentication plugin of the login, NULL before it; bounded, see wire_plugin_name() */
};

/* For a fresh connection. */
void wire_init(struct wire *wire);
/* Bytes that passed, in their order. Packets may be split and joined in any way. */
void wire_feed(struct wire *wire, enum wire_side side, const unsigned char *data, size_t len);
/* The whole of our login packet, header included: which plugin it begins with. */
void wire_login(struct wire *wire, const unsigned char *packet, size_t len);
/* Whether the server broke the protocol lately enough to have caused a failure now. */
bool wire_to_blame(const struct wire *wire);
/* "sequence number 5 where 2 was due", into `text`. Only after a violation. */
void wire_describe(const struct wire *wire, char *text, size_t size);

/* `name` if it is one of the plugins that exist, "other" if not: what a server says is no label. Static text. */
const char *wire_plugin_name(const char *name, size_t len);

#endif
