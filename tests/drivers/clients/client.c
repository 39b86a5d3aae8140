/* libmariadb: ACT HOST PORT USER PASSWORD DATABASE; see test_drivers.py. */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    MYSQL *my = mysql_init(NULL);
    if (argc != 7 ||
        !mysql_real_connect(my, argv[2], argv[4], argv[5], argv[6], (unsigned)strtoul(argv[3], NULL, 10), NULL, 0) ||
        mysql_query(my,
                    strcmp(argv[1], "idle") == 0 ? "SET SESSION wait_timeout = 1" : "SET SESSION wait_timeout = 100")) {
        fprintf(stderr, "%s\n", mysql_error(my));
        return 1;
    }
    printf("%lu\n", mysql_thread_id(my));
    fflush(stdout);
    if (strcmp(argv[1], "killed") == 0 || strcmp(argv[1], "idle") == 0)
        sleep(60);
    getchar();
    if (strcmp(argv[1], "close") == 0)
        mysql_close(my);
    return 0;
}
