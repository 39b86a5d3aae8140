/*
 * Any bytes as what a client sends, to a whole server over a real socket: it answers or hangs up, and lives. The first
 * byte chooses between a server that is open to all and one with users, and how the bytes are cut into pieces.
 */
#include "../unit/expose/fake_targets.h"
#include "base/log.h"
#include "expose/http.h"
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TURNS_MAX = 20000, PIECES_MAX = 8 };

/* --- a fleet of one fake instead of observe's --- */

static struct target *fake;

size_t fleet_count(const struct fleet *fleet) {
    (void)fleet;
    return 1;
}

struct target *fleet_target(const struct fleet *fleet, size_t index) {
    (void)fleet;
    (void)index;
    return fake;
}

bool fleet_all_tried(const struct fleet *fleet) {
    (void)fleet;
    return true;
}

static struct http *servers[2];

static void reload(void *arg) {
    struct http *http = *(struct http **)arg;
    struct strbuf error;
    strbuf_init(&error, 100);
    strbuf_addstr(&error, "not now");
    http_reload_begins(http);
    http_reload_ends(http, false, &error);
    strbuf_release(&error);
}

static const struct config *running(void *arg) {
    static const struct config config;
    (void)arg;
    return &config;
}

/* --- two servers --- */

static uv_loop_t loop;
static struct exporter_state state;
static char folder[] = "/tmp/fuzz_http-XXXXXX";
static char paths[3][64]; /* two sockets and the web configuration */

static void clean_up(void) {
    for (int i = 0; i < 3; i++)
        unlink(paths[i]);
    rmdir(folder);
}

static void serve(struct http **http, const char *path, const char *web_config) {
    char address[80];
    struct strbuf error;
    const char *addresses[] = {address};
    struct http_settings settings = {.listen_addresses = addresses,
                                     .listen_count = 1,
                                     .web_config_file = web_config,
                                     .route_prefix = web_config ? "/p" : "",
                                     .reload = reload,
                                     .config = running,
                                     .arg = http};
    strbuf_init(&error, 1000);
    snprintf(address, sizeof address, "unix:%s", path);
    *http = http_start(&loop, &settings, NULL, &state, &error);
    fuzz_check(*http);
    http_serve(*http);
    strbuf_release(&error);
}

static void start(void) {
    static const char users[] =
        "basic_auth_users:\n  alice: $2b$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e\n";
    FILE *nowhere = fopen("/dev/null", "w");
    signal(SIGPIPE, SIG_IGN);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, nowhere);
    fuzz_check(nowhere && mkdtemp(folder));
    for (int i = 0; i < 3; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%d", folder, i);
    atexit(clean_up);
    FILE *web = fopen(paths[2], "w");
    fuzz_check(web && fputs(users, web) >= 0 && fclose(web) == 0);
    fake = fake_target("t");
    fake_up(fake);
    state = fake_state();
    uv_loop_init(&loop);
    serve(&servers[0], paths[0], NULL);
    serve(&servers[1], paths[1], paths[2]);
}

static int dial(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    fuzz_check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* Whether the server has hung up; what it said is read over. */
static bool hung_up(int fd) {
    char some[65536];
    ssize_t n;
    while ((n = recv(fd, some, sizeof some, 0)) > 0)
        ;
    return n == 0 || errno != EAGAIN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if (!fake)
        start();
    size_t piece = data[0] & 2 ? size / PIECES_MAX + 1 : size;
    int fd = dial(paths[data[0] & 1]);
    for (size_t at = 1; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        if (send(fd, data + at, len, MSG_NOSIGNAL) < 0)
            break; /* it does not want more */
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    shutdown(fd, SHUT_WR);
    /* It may be waiting for a password's check, but never for more from us. */
    for (int turn = 0; turn < TURNS_MAX && !hung_up(fd); turn++)
        uv_run(&loop, UV_RUN_NOWAIT);
    close(fd);
    for (int turn = 0; turn < 3; turn++)
        uv_run(&loop, UV_RUN_NOWAIT);
    return 0;
}
