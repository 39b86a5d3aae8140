/*
 * Asking for privileges; see privileges.h.
 *
 * SHOW GRANTS of MariaDB holds the hash of our password, which must not travel over a connection that may be plain. So
 * there the privileges that the account itself has come from information_schema, and those of its role, which has no
 * password, from SHOW GRANTS. MySQL's shows no password, and the roles' privileges with the account's own.
 */
#include "observe/privileges.h"

#include <string.h>

enum { SQL_MAX = 1024 };

/* Whoever may read the mysql database sees the privileges of all accounts. */
#define OWN_ACCOUNT                                                                                                    \
    "CONCAT('''',LEFT(CURRENT_USER(),CHAR_LENGTH(CURRENT_USER())-CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(),'@',-1))"  \
    "-1),'''@''',SUBSTRING_INDEX(CURRENT_USER(),'@',-1),'''')"

static const char *const table_names[TABLE_COUNT] = {
#define PRIVILEGE_TABLE_NAME(id, name) name,
    PRIVILEGE_TABLES(PRIVILEGE_TABLE_NAME)
#undef PRIVILEGE_TABLE_NAME
};

/* --- PROCESS --- */

/* "GRANT SELECT, PROCESS ON *.* TO …". What stands in quotes is the name of a role. */
bool privileges_grant_process(struct span line) {
    static const char grant[] = "GRANT ", on[] = " ON *.* TO ";
    const char *end = memmem(line.ptr, line.len, on, sizeof on - 1);
    const char *at = line.ptr + sizeof grant - 1;
    if (!end || end < at || memcmp(line.ptr, grant, sizeof grant - 1) != 0)
        return false;
    for (const char *p = at; p < end; p++)
        if (strchr("`\"'", *p))
            return false;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        struct span word = {at, (size_t)((comma ? comma : end) - at)};
        if (span_is(word, "PROCESS") || span_is(word, "ALL PRIVILEGES"))
            return true;
        at += word.len + 1;
        at += at < end && *at == ' ';
    }
    return false;
}

static void grant_row(void *arg, const struct span *fields, unsigned count) {
    struct privileges *found = arg;
    if (count >= 1 && fields[0].ptr && privileges_grant_process(fields[0]))
        found->process = true;
}

static void process_row(void *arg, const struct span *fields, unsigned count) {
    struct privileges *found = arg;
    (void)fields, (void)count;
    found->process = true;
}

static void role_row(void *arg, const struct span *fields, unsigned count) {
    bool *has_role = arg;
    *has_role = count >= 1 && fields[0].ptr && fields[0].len > 0;
}

static int ask_process(struct client *client, bool mariadb, struct privileges *found) {
    struct failure failure;
    bool has_role = false;
    if (!mariadb)
        return client_query(client, "SHOW GRANTS", grant_row, found, &failure);
    int rc = client_query(client,
                          "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE='PROCESS' AND "
                          "GRANTEE=" OWN_ACCOUNT,
                          process_row, found, &failure);
    if (rc == 0 && !found->process)
        rc = client_query(client, "SELECT CURRENT_ROLE()", role_row, &has_role, &failure);
    if (rc == 0 && has_role)
        rc = client_query(client, "SHOW GRANTS FOR CURRENT_ROLE", grant_row, found, &failure);
    return rc;
}

/* --- tables --- */

/* The columns that one may read are listed with "select" among their privileges. */
static void column_row(void *arg, const struct span *fields, unsigned count) {
    struct privileges *found = arg;
    for (int i = 0; i < TABLE_COUNT; i++)
        if (count >= 1 && fields[0].ptr && span_is(fields[0], table_names[i]))
            found->table[i] = true;
}

static int ask_tables(struct client *client, struct privileges *found) {
    struct failure failure;
    struct strbuf sql;
    strbuf_init(&sql, SQL_MAX);
    strbuf_addstr(&sql, "SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMNS WHERE "
                        "TABLE_SCHEMA='performance_schema' AND PRIVILEGES LIKE '%select%' AND TABLE_NAME IN (");
    for (int i = 0; i < TABLE_COUNT; i++)
        strbuf_addf(&sql, "%s'%s'", i ? "," : "", table_names[i]);
    strbuf_addch(&sql, ')');
    int rc = client_query(client, strbuf_text(&sql), column_row, found, &failure);
    strbuf_release(&sql);
    return rc;
}

int privileges_ask(struct client *client, bool mariadb, struct privileges *out) {
    struct privileges found = {.process = false};
    if (ask_process(client, mariadb, &found) < 0 || ask_tables(client, &found) < 0)
        return -1;
    *out = found;
    return 0;
}
