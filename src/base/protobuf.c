/*
 * Protocol Buffers' wire format; see protobuf.h.
 */
#include "base/protobuf.h"

#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_LENGTH = 2 };
enum { VARINT_MAX = 10 };

static size_t put_varint(char out[VARINT_MAX], uint64_t value) {
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (char)(value | 0x80);
    out[len++] = (char)value;
    return len;
}

void protobuf_add_varint(struct strbuf *out, uint64_t value) {
    char bytes[VARINT_MAX];
    strbuf_add(out, bytes, put_varint(bytes, value));
}

static void add_tag(struct strbuf *out, unsigned number, enum wire_type type) {
    protobuf_add_varint(out, (uint64_t)number << 3 | type);
}

/* Small numbers of either sign are short. */
static uint64_t zigzag(int64_t value) {
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

void protobuf_add_uint64(struct strbuf *out, unsigned number, uint64_t value) {
    add_tag(out, number, WIRE_VARINT);
    protobuf_add_varint(out, value);
}

void protobuf_add_sint32(struct strbuf *out, unsigned number, int32_t value) {
    protobuf_add_uint64(out, number, zigzag(value));
}

void protobuf_add_double(struct strbuf *out, unsigned number, double value) {
    uint64_t bits;
    char bytes[8];
    memcpy(&bits, &value, sizeof bits);
    for (size_t i = 0; i < sizeof bytes; i++, bits >>= 8)
        bytes[i] = (char)bits;
    add_tag(out, number, WIRE_64_BITS);
    strbuf_add(out, bytes, sizeof bytes);
}

void protobuf_add_bytes(struct strbuf *out, unsigned number, struct span bytes) {
    add_tag(out, number, WIRE_LENGTH);
    protobuf_add_varint(out, bytes.len);
    strbuf_add(out, bytes.ptr, bytes.len);
}

void protobuf_add_packed_sint64(struct strbuf *out, int64_t value) {
    protobuf_add_varint(out, zigzag(value));
}

size_t protobuf_open(struct strbuf *out, unsigned number) {
    add_tag(out, number, WIRE_LENGTH);
    return out->len;
}

void protobuf_close(struct strbuf *out, size_t opened) {
    char length[VARINT_MAX];
    if (strbuf_failed(out))
        return;
    size_t body = out->len - opened;
    size_t len = put_varint(length, body);
    if (!strbuf_room(out, len))
        return;
    memmove(out->data + opened + len, out->data + opened, body);
    memcpy(out->data + opened, length, len);
    strbuf_grew(out, len);
}
