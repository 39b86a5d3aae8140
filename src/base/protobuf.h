/*
 * Protocol Buffers' wire format, written: https://protobuf.dev/programming-guides/encoding/
 *
 * A message inside another has its length in front: protobuf_close() puts it there once it is known.
 */
#ifndef BASE_PROTOBUF_H
#define BASE_PROTOBUF_H

#include "base/strbuf.h"

#include <stdint.h>

void protobuf_add_varint(struct strbuf *out, uint64_t value);
/* One field of each type that we use, `number` its number in the .proto. */
void protobuf_add_uint64(struct strbuf *out, unsigned number, uint64_t value);
void protobuf_add_sint32(struct strbuf *out, unsigned number, int32_t value);
void protobuf_add_double(struct strbuf *out, unsigned number, double value);
void protobuf_add_bytes(struct strbuf *out, unsigned number, struct span bytes);
/* An element of a packed field of sint64, between protobuf_open() and protobuf_close(). */
void protobuf_add_packed_sint64(struct strbuf *out, int64_t value);

/* What is added until protobuf_close() is the field's message, string or packed elements. */
size_t protobuf_open(struct strbuf *out, unsigned number);
void protobuf_close(struct strbuf *out, size_t opened);

#endif
