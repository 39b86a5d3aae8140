/*
 * Protocol Buffers' wire format; see protobuf.h.
 */
#include "base/protobuf.h"

#include <endian.h>
#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_LENGTH = 2 };
enum { VARINT_MAX = 10 };

static size_t put_varint(char *out /* VARINT_MAX */, uint64_t value) {
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (char)(value | 0x80);
    out[len++] = (char)value;
    return len;
}

static size_t varint_len(uint64_t value) {
    size_t len = 1;
    for (; value >= 0x80; value >>= 7)
        len++;
    return len;
}

static uint64_t tag_of(unsigned number, enum wire_type type) {
    return (uint64_t)number << 3 | type;
}

void protobuf_add_varint(struct strbuf *out, uint64_t value) {
    char *room = strbuf_room(out, VARINT_MAX);
    if (room)
        strbuf_grew(out, put_varint(room, value));
}

/* Small numbers of either sign are short. */
static uint64_t zigzag(int64_t value) {
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

void protobuf_add_uint64(struct strbuf *out, unsigned number, uint64_t value) {
    char *room = strbuf_room(out, (size_t)2 * VARINT_MAX);
    if (!room)
        return;
    size_t tag = put_varint(room, tag_of(number, WIRE_VARINT));
    strbuf_grew(out, tag + put_varint(room + tag, value));
}

void protobuf_add_sint32(struct strbuf *out, unsigned number, int32_t value) {
    protobuf_add_uint64(out, number, zigzag(value));
}

void protobuf_add_double(struct strbuf *out, unsigned number, double value) {
    char *room = strbuf_room(out, VARINT_MAX + sizeof value);
    uint64_t bits;
    if (!room)
        return;
    memcpy(&bits, &value, sizeof bits);
    bits = htole64(bits);
    size_t tag = put_varint(room, tag_of(number, WIRE_64_BITS));
    memcpy(room + tag, &bits, sizeof bits);
    strbuf_grew(out, tag + sizeof bits);
}

void protobuf_add_bytes(struct strbuf *out, unsigned number, struct span bytes) {
    protobuf_add_varint(out, tag_of(number, WIRE_LENGTH));
    protobuf_add_varint(out, bytes.len);
    strbuf_add(out, bytes.ptr, bytes.len);
}

void protobuf_add_packed_sint64(struct strbuf *out, int64_t value) {
    protobuf_add_varint(out, zigzag(value));
}

/* Most messages are short, and one byte holds their length: the place of that byte is left free. */
size_t protobuf_open(struct strbuf *out, unsigned number) {
    char *room = strbuf_room(out, VARINT_MAX + 1);
    if (room) {
        size_t tag = put_varint(room, tag_of(number, WIRE_LENGTH));
        strbuf_grew(out, tag + 1);
    }
    return out->len;
}

void protobuf_close(struct strbuf *out, size_t opened) {
    if (strbuf_failed(out))
        return;
    size_t body = out->len - opened, len = varint_len(body);
    if (!strbuf_room(out, len - 1))
        return;
    if (len > 1)
        memmove(out->data + opened + len - 1, out->data + opened, body);
    put_varint(out->data + opened - 1, body);
    strbuf_grew(out, len - 1);
}
