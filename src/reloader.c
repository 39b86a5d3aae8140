/*
 * Reloads; see reloader.h.
 */
#include "reloader.h"

#include <stdlib.h>

enum { ERROR_BYTES = 4096, WARNINGS_BYTES = 65536 };

/* What the pool works on: nobody else touches it, or waits for it at the end. */
struct job {
    uv_work_t work;
    struct reloader *reloader; /* for the loop */
    struct config *(*load)(const void *arg, struct strbuf *error, struct strbuf *warnings);
    const void *load_arg;
    struct config *config;
    struct strbuf error, warnings;
};

static void begin(struct reloader *reloader);

static void end(struct job *job) {
    struct reloader *reloader = job->reloader;
    if (reloader->stopped)
        config_free(job->config);
    else
        reloader->read(reloader->arg, job->config, &job->error, &job->warnings);
    strbuf_release(&job->error);
    strbuf_release(&job->warnings);
    free(job);
    reloader->under_way = false;
    if (reloader->again && !reloader->stopped)
        begin(reloader);
}

static void read_in_pool(uv_work_t *work) {
    struct job *job = work->data;
    job->config = job->load(job->load_arg, &job->error, &job->warnings);
}

static void on_read(uv_work_t *work, int status) {
    (void)status; /* nobody cancels it */
    end(work->data);
}

static void say_no_memory(struct reloader *reloader) {
    struct strbuf error, warnings;
    strbuf_init(&error, ERROR_BYTES);
    strbuf_init(&warnings, WARNINGS_BYTES);
    strbuf_addstr(&error, "out of memory");
    reloader->read(reloader->arg, NULL, &error, &warnings);
    strbuf_release(&error);
    strbuf_release(&warnings);
}

static void begin(struct reloader *reloader) {
    struct job *job = calloc(1, sizeof *job);
    reloader->again = false;
    reloader->begins(reloader->arg);
    if (!job) {
        say_no_memory(reloader);
        return;
    }
    *job = (struct job){.work.data = job, .reloader = reloader, .load = reloader->load, .load_arg = reloader->load_arg};
    strbuf_init(&job->error, ERROR_BYTES);
    strbuf_init(&job->warnings, WARNINGS_BYTES);
    reloader->under_way = true;
    uv_queue_work(reloader->loop, &job->work, read_in_pool, on_read); /* fails only where it is given no function */
}

void reloader_ask(struct reloader *reloader) {
    reloader->again = reloader->under_way;
    if (!reloader->under_way && !reloader->stopped)
        begin(reloader);
}

void reloader_stop(struct reloader *reloader) {
    reloader->stopped = true;
}
