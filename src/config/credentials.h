/*
 * From where the account comes to what it is: user and password.
 */
#ifndef CONFIG_CREDENTIALS_H
#define CONFIG_CREDENTIALS_H

#include "config/config.h"

struct credentials_report {
    const char *key;   /* the schema's path of the key at fault, on failure; of the exposed source, on success */
    bool exposed;      /* the file that the password came from is readable by everybody */
    struct strbuf why; /* what is wrong; never holds a secret */
};

/* Sets *user and *password, "" where there is none; the caller frees them (secret_free). On failure report->key and
 * ->why say what is wrong. The caller inits and releases report->why. */
bool credentials_resolve(const struct credentials_config *credentials, char **user, char **password,
                         struct credentials_report *report);

#endif
