/*
 * Protocol Buffers' wire format; see protobuf.h.
 */
#include "base/protobuf.h"

/* Small numbers of either sign are short. */
static uint64_t zigzag(int64_t value) {
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

void protobuf_add_sint32(struct strbuf *out, unsigned number, int32_t value) {
    protobuf_add_uint64(out, number, zigzag(value));
}

void protobuf_add_bytes(struct strbuf *out, unsigned number, struct span bytes) {
    protobuf_add_varint(out, protobuf_tag(number, PROTOBUF_WIRE_LENGTH));
    protobuf_add_varint(out, bytes.len);
    strbuf_add(out, bytes.ptr, bytes.len);
}

void protobuf_add_packed_sint64(struct strbuf *out, int64_t value) {
    protobuf_add_varint(out, zigzag(value));
}
