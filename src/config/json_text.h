/*
 * JSON for a reader of YAML 1.1: the few things rewritten that YAML reads in another way.
 */
#ifndef CONFIG_JSON_TEXT_H
#define CONFIG_JSON_TEXT_H

#include <stddef.h>

/* Rewrite `text` in its place; the new length, which is not above `len`. Lines stay, columns may move. What is no JSON
 * stays what it is, for the reader to complain of. */
size_t json_text_to_yaml(char *text, size_t len);

#endif
