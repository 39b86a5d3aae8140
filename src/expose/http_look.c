/*
 * /probe?target=…: a look at a server that is not watched, in the manner of blackbox_exporter and mysqld_exporter. The
 * connection is suspended until the look is over.
 */
#include "expose/http_internal.h"

#include "base/clock.h"
#include "base/number.h"
#include "expose/look_page.h"
#include "expose/looker.h"
#include "expose/render.h"

#include <stdlib.h>
#include <string.h>

#define SCRAPE_TIMEOUT "X-Prometheus-Scrape-Timeout-Seconds"
#define SCRAPE_TIMEOUT_MAX_S 86400.0

struct look_wait {
    struct kept kept;
    struct http *http;
    struct MHD_Connection *connection;
    struct looker *looker;
    struct target *target; /* what was learnt; NULL: not yet */
    bool debug;
};

/* --- parameters --- */

struct parameter {
    const char *name, *value;
    unsigned count;
};

enum { PARAMETER_TARGET, PARAMETER_MODULE, PARAMETER_AUTH_MODULE, PARAMETER_DEBUG, PARAMETER_COUNT };

static enum MHD_Result take_parameter(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct parameter *parameters = arg;
    (void)kind;
    for (int i = 0; i < PARAMETER_COUNT; i++)
        if (strcmp(name, parameters[i].name) == 0) {
            parameters[i].value = value;
            parameters[i].count++;
        }
    return MHD_YES;
}

static bool check_parameters(const struct parameter *parameters, struct strbuf *why) {
    for (int i = 0; i < PARAMETER_COUNT; i++)
        if (parameters[i].count > 1) {
            strbuf_addf(why, "the parameter '%s' is given more than once", parameters[i].name);
            return false;
        }
    if (!parameters[PARAMETER_TARGET].value || !*parameters[PARAMETER_TARGET].value) {
        strbuf_addstr(why, "the parameter 'target' is missing: /probe?target=HOST:PORT");
        return false;
    }
    return true;
}

/* What Prometheus waits, less what the answer's way takes; a day where it does not say. */
static bool read_timeout(struct MHD_Connection *connection, int64_t offset_ns, int64_t *out, struct strbuf *why) {
    const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, SCRAPE_TIMEOUT);
    double seconds = SCRAPE_TIMEOUT_MAX_S;
    if (text &&
        (number_parse_double(span_of(text), &seconds) < 0 || !(seconds > 0) || seconds > SCRAPE_TIMEOUT_MAX_S)) {
        strbuf_addstr(why, SCRAPE_TIMEOUT " must be a number of seconds, at most a day");
        return false;
    }
    int64_t ns = (int64_t)(seconds * (double)NS_PER_S);
    *out = ns > 2 * offset_ns ? ns - offset_ns : ns / 2;
    return true;
}

/* --- the look --- */

static enum MHD_Result refuse(const struct request *request, struct looker *looker, enum look_refusal refusal,
                              const char *why) {
    static const unsigned statuses[LOOK_REFUSAL_COUNT] = {
        [LOOK_BAD_REQUEST] = MHD_HTTP_BAD_REQUEST,
        [LOOK_NOT_ALLOWED] = MHD_HTTP_FORBIDDEN,
        [LOOK_TOO_MANY] = MHD_HTTP_SERVICE_UNAVAILABLE,
        [LOOK_OUT_OF_MEMORY] = MHD_HTTP_SERVICE_UNAVAILABLE,
    };
    struct strbuf text;
    looker->state->looks_refused[refusal]++;
    strbuf_init(&text, 4096);
    strbuf_addf(&text, "%s\n", why);
    enum MHD_Result result = http_send_copy(request->connection, statuses[refusal], &text);
    strbuf_release(&text);
    return result;
}

static void told(void *arg, struct target *target) {
    struct look_wait *wait = arg;
    wait->target = target_ref(target);
    MHD_resume_connection(wait->connection);
    http_wake(wait->http);
}

static enum MHD_Result answer_kept(const struct request *request, struct kept *kept);
static void free_kept(struct kept *kept);

static enum MHD_Result begin(const struct request *request, struct looker *looker, const struct look_request *wish,
                             bool debug, struct strbuf *why) {
    enum look_refusal refusal;
    struct look_wait *wait = calloc(1, sizeof *wait);
    if (!wait)
        return refuse(request, looker, LOOK_OUT_OF_MEMORY, "out of memory");
    *wait = (struct look_wait){{answer_kept, free_kept}, request->http, request->connection, looker, NULL, debug};
    if (!looker->look(looker->arg, wish, told, wait, &refusal, why)) {
        free(wait);
        return refuse(request, looker, refusal, strbuf_text(why));
    }
    *request->mark = &wait->kept;
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

enum MHD_Result http_look_begin(const struct request *request, struct looker *looker) {
    struct parameter parameters[PARAMETER_COUNT] = {[PARAMETER_TARGET] = {.name = "target"},
                                                    [PARAMETER_MODULE] = {.name = "module"},
                                                    [PARAMETER_AUTH_MODULE] = {.name = "auth_module"},
                                                    [PARAMETER_DEBUG] = {.name = "debug"}};
    struct look_request wish;
    struct strbuf why;
    enum MHD_Result result;
    looker->state->looks++;
    strbuf_init(&why, 4000);
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, take_parameter, parameters);
    if (!check_parameters(parameters, &why) ||
        !read_timeout(request->connection, looker->state->look_offset_ns, &wish.timeout_ns, &why)) {
        result = refuse(request, looker, LOOK_BAD_REQUEST, strbuf_text(&why));
    } else {
        const char *debug = parameters[PARAMETER_DEBUG].value;
        wish.target = parameters[PARAMETER_TARGET].value;
        wish.module = parameters[PARAMETER_MODULE].value;
        wish.auth_module = parameters[PARAMETER_AUTH_MODULE].value;
        result = begin(request, looker, &wish, debug && strcmp(debug, "true") == 0, &why);
    }
    strbuf_release(&why);
    return result;
}

static const struct failure *not_allowed(const struct target *target) {
    const struct failure *failures[] = {&target->poll.down, &target->probes[0].facts.down};
    for (size_t i = 0; i < 2; i++)
        if (failures[i]->failure == FAILURE_NOT_ALLOWED)
            return failures[i];
    return NULL;
}

static enum MHD_Result answer_debug(const struct request *request, struct target *target) {
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    look_page_debug(target, &text);
    enum MHD_Result result = http_send_copy(request->connection, MHD_HTTP_OK, &text);
    strbuf_release(&text);
    return result;
}

static enum MHD_Result answer_kept(const struct request *request, struct kept *kept) {
    struct look_wait *wait = (struct look_wait *)kept;
    const struct failure *refused = not_allowed(wait->target);
    if (refused)
        return refuse(request, wait->looker, LOOK_NOT_ALLOWED, refused->text);
    if (wait->debug)
        return answer_debug(request, wait->target);
    enum metric_format format = http_wanted_format(request);
    return http_send_metrics(request, render_begin_look(wait->target, format), format);
}

static void free_kept(struct kept *kept) {
    struct look_wait *wait = (struct look_wait *)kept;
    target_unref(wait->target);
    free(wait);
}
