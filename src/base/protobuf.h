/*
 * Protocol Buffers' wire format, written: https://protobuf.dev/programming-guides/encoding/
 *
 * A message inside another has its length in front: protobuf_close() puts it there once it is known.
 */
#ifndef BASE_PROTOBUF_H
#define BASE_PROTOBUF_H

#include "base/strbuf.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void protobuf_add_varint(struct strbuf *out, uint64_t value);
/* One field of each type that we use, `number` its number in the .proto. */
static inline void protobuf_add_uint64(struct strbuf *out, unsigned number, uint64_t value);
void protobuf_add_sint32(struct strbuf *out, unsigned number, int32_t value);
static inline void protobuf_add_double(struct strbuf *out, unsigned number, double value);
void protobuf_add_bytes(struct strbuf *out, unsigned number, struct span bytes);
/* An element of a packed field of sint64, between protobuf_open() and protobuf_close(). */
void protobuf_add_packed_sint64(struct strbuf *out, int64_t value);

/* What is added until protobuf_close() is the field's message, string or packed elements. */
static inline size_t protobuf_open(struct strbuf *out, unsigned number);
static inline void protobuf_close(struct strbuf *out, size_t opened);

/* In place, as in strbuf.h. */

enum protobuf_wire_type { PROTOBUF_WIRE_VARINT = 0, PROTOBUF_WIRE_64_BITS = 1, PROTOBUF_WIRE_LENGTH = 2 };
enum { PROTOBUF_VARINT_MAX = 10 };

static inline size_t protobuf_put_varint(char *out /* PROTOBUF_VARINT_MAX */, uint64_t value) {
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (char)(value | 0x80);
    out[len++] = (char)value;
    return len;
}

static inline size_t protobuf_varint_len(uint64_t value) {
    size_t len = 1;
    for (; value >= 0x80; value >>= 7)
        len++;
    return len;
}

static inline uint64_t protobuf_tag(unsigned number, enum protobuf_wire_type type) {
    return (uint64_t)number << 3 | type;
}

static inline void protobuf_add_varint(struct strbuf *out, uint64_t value) {
    char *room = strbuf_room(out, PROTOBUF_VARINT_MAX);
    if (room)
        strbuf_grew(out, protobuf_put_varint(room, value));
}

static inline void protobuf_add_uint64(struct strbuf *out, unsigned number, uint64_t value) {
    char *room = strbuf_room(out, (size_t)2 * PROTOBUF_VARINT_MAX);
    if (!room)
        return;
    size_t tag = protobuf_put_varint(room, protobuf_tag(number, PROTOBUF_WIRE_VARINT));
    strbuf_grew(out, tag + protobuf_put_varint(room + tag, value));
}

static inline void protobuf_add_double(struct strbuf *out, unsigned number, double value) {
    char *room = strbuf_room(out, PROTOBUF_VARINT_MAX + sizeof value);
    uint64_t bits;
    if (!room)
        return;
    memcpy(&bits, &value, sizeof bits);
    bits = htole64(bits);
    size_t tag = protobuf_put_varint(room, protobuf_tag(number, PROTOBUF_WIRE_64_BITS));
    memcpy(room + tag, &bits, sizeof bits);
    strbuf_grew(out, tag + sizeof bits);
}

/* Most messages are short, and one byte holds their length: the place of that byte is left free. */
static inline size_t protobuf_open(struct strbuf *out, unsigned number) {
    char *room = strbuf_room(out, PROTOBUF_VARINT_MAX + 1);
    if (room) {
        size_t tag = protobuf_put_varint(room, protobuf_tag(number, PROTOBUF_WIRE_LENGTH));
        strbuf_grew(out, tag + 1);
    }
    return out->len;
}

static inline void protobuf_close(struct strbuf *out, size_t opened) {
    if (strbuf_failed(out))
        return;
    size_t body = out->len - opened, len = protobuf_varint_len(body);
    if (!strbuf_room(out, len - 1))
        return;
    if (len > 1)
        memmove(out->data + opened + len - 1, out->data + opened, body);
    protobuf_put_varint(out->data + opened - 1, body);
    strbuf_grew(out, len - 1);
}

#endif
