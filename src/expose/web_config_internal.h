/*
 * What the reading of a web configuration and its single values share; private to web_config*.c.
 */
#ifndef EXPOSE_WEB_CONFIG_INTERNAL_H
#define EXPOSE_WEB_CONFIG_INTERNAL_H

#include "config/yaml_reader.h"
#include "expose/web_config.h"

/* Where the reading is. */
struct reading {
    struct web_config *config;
    struct yaml_reader *reader;
    struct strbuf path; /* of the present value */
    struct strbuf why;
    struct strbuf *error;
};

/* Of at most `max` bytes; `lines` are for PEM only. An empty text is one that is not given: *out stays. False with what
 * is wrong in r->why. */
bool web_take_text(struct reading *r, const struct yaml_item *item, size_t max, bool lines, char **out);

/* A value, or one more of a list, into its field of struct web_config. False with what is wrong in r->why. */
typedef bool web_take_fn(struct reading *r, const struct yaml_item *item, void *field);
web_take_fn web_take_pem, web_take_path, web_take_bool, web_take_interval, web_take_burst, web_take_client_auth,
    web_take_version, web_take_cipher, web_take_curve, web_take_san;

#endif
