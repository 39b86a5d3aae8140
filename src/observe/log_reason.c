/*
 * Reasons in every language; see log_reason.h.
 */
#include "observe/log_reason.h"

#include "observe/log_text.h"

#define INIT_CONNECT "init_connect command failed"
#define TOO_MANY "Too many connections"

/* Those that exist in English only come from MariaDB's code, or from MySQL 8's. */
/* clang-format off */
static const struct reason {
    struct span text, english;
} reasons[] = {
#define REASON(text, english) {{text, sizeof(text) - 1}, {english, sizeof(english) - 1}},
#define ENGLISH(text) REASON(text, text)
ENGLISH("Got an error reading communication packets")
ENGLISH("Got timeout reading communication packets")
ENGLISH("Got an error writing communication packets")
ENGLISH("Got timeout writing communication packets")
ENGLISH("The client was disconnected by the server because of inactivity.")
ENGLISH("This connection closed normally without authentication")
ENGLISH("This connection closed normally")
ENGLISH("CLOSE_CONNECTION")
ENGLISH("KILLED")
ENGLISH("RELEASE")
ENGLISH(INIT_CONNECT)
ENGLISH(TOO_MANY)
ENGLISH("Unknown error")
ENGLISH("Got a packet bigger than 'max_allowed_packet' bytes")
ENGLISH("Got packets out of order")
ENGLISH("Got a read error from the connection pipe")
ENGLISH("Got an error from fcntl()")
ENGLISH("Couldn't uncompress communication packet")
ENGLISH("Bad handshake")
ENGLISH("failed on flush_net()")
#include "observe/log_reasons.inc"
#undef REASON
    /* clang-format on */
};

/* Servers cut at 64 bytes, MySQL within a character, MariaDB in front of it. What Georgian says of reading and of
 * writing is the same up to there: it is told as reading, which is what nearly all of them are. */
enum { CUT_MIN = 60, CUT_MAX = 64 };

struct span log_reason_english(struct span reason) {
    if (span_starts(reason, SPAN_LITERAL(INIT_CONNECT "; diagnostics area: ")))
        return SPAN_LITERAL(INIT_CONNECT);
    if (reason.len == 0)
        return (struct span){0};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        const struct reason *r = &reasons[i];
        if (r->text.ptr[0] != reason.ptr[0])
            continue;
        bool cut = reason.len >= CUT_MIN && reason.len <= CUT_MAX;
        if (span_equal(r->text, reason) || (cut && span_starts(r->text, reason)))
            return r->english;
    }
    return (struct span){0};
}

struct span log_reason_nth(size_t n) {
    return n < sizeof reasons / sizeof *reasons ? reasons[n].text : (struct span){0};
}

bool log_reason_is_init_connect(struct span english) {
    return span_is(english, INIT_CONNECT);
}

bool log_reason_is_too_many(struct span english) {
    return span_is(english, TOO_MANY);
}

bool log_reason_is_of_the_wire(struct span english) {
    return span_starts(english, SPAN_LITERAL("Got ")) || span_is(english, "Bad handshake") ||
           span_starts(english, SPAN_LITERAL("Couldn't uncompress ")) ||
           span_starts(english, SPAN_LITERAL("The client was disconnected "));
}
