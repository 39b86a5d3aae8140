/*
 * Walks the catalogue for each target; see render.h.
 */
#include "expose/render.h"

#include "expose/catalogue.h"
#include "expose/sample.h"

#include <stdlib.h>

struct render {
    struct sample_writer writer;
    const struct metric_family *families;
    size_t family_count;
    size_t family, target;       /* what comes next */
    struct exporter_facts facts; /* ->state NULL: left out */
    size_t target_count;
    struct target *targets[];
};

struct render *render_begin_look(struct target *target, enum metric_format format) {
    return render_begin(&target, 1, NULL, format);
}

struct render *render_begin(struct target *const *targets, size_t count, const struct exporter_state *state,
                            enum metric_format format) {
    struct render *render = calloc(1, sizeof *render + count * sizeof(struct target *));

    if (!render)
        return NULL;
    render->families = catalogue(&render->family_count);
    render->facts = (struct exporter_facts){.state = state, .target_count = count};
    render->target_count = count;
    for (size_t i = 0; i < count; i++)
        render->targets[i] = target_ref(targets[i]);
    sample_begin_page(&render->writer, format, NULL);
    sample_begin_family(&render->writer, &render->families[0]);
    return render;
}

/* Write what comes next; false when nothing does. */
static bool step(struct render *render) {
    if (render->family == render->family_count)
        return false;
    if (render->target < render->target_count) {
        const struct target *target = render->targets[render->target++];
        catalogue_of_target(&render->writer, target);
        return true;
    }
    if (render->facts.state)
        catalogue_of_exporter(&render->writer, &render->facts);
    render->target = 0;
    if (++render->family < render->family_count)
        sample_begin_family(&render->writer, &render->families[render->family]);
    else
        sample_end_page(&render->writer);
    return true;
}

bool render_next(struct render *render, struct strbuf *out, size_t enough) {
    size_t start = out->len;
    bool any = false;

    render->writer.out = out;
    while (out->len - start < enough && !strbuf_failed(out) && step(render))
        any = true;
    return any;
}

void render_end(struct render *render) {
    if (!render)
        return;
    for (size_t i = 0; i < render->target_count; i++)
        target_unref(render->targets[i]);
    sample_release(&render->writer);
    free(render);
}
