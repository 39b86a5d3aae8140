/*
 * Counts over a sliding window; see advice_window.h.
 */
#include "explain/advice_window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct advice_window {
    struct mono made;
    int64_t step; /* the number of the present one, since it was made */
    double greatest[ADVICE_STEPS];
    size_t things;
    uint32_t counts[]; /* step after step */
};

static uint32_t *step_of(struct advice_window *window, int64_t step) {
    return window->counts + (size_t)(step % ADVICE_STEPS) * window->things;
}

struct advice_window *advice_window_new(size_t things, struct mono now) {
    struct advice_window *window = calloc(1, sizeof *window + ADVICE_STEPS * things * sizeof(uint32_t));
    if (!window)
        return NULL;
    window->made = now;
    window->things = things;
    for (int i = 0; i < ADVICE_STEPS; i++)
        window->greatest[i] = NAN;
    return window;
}

void advice_window_free(struct advice_window *window) {
    free(window);
}

void advice_window_slide(struct advice_window *window, struct mono now) {
    int64_t step = mono_between(window->made, now) / ADVICE_STEP_NS;
    if (step - window->step > ADVICE_STEPS)
        window->step = step - ADVICE_STEPS;
    while (window->step < step) {
        window->step++;
        memset(step_of(window, window->step), 0, window->things * sizeof(uint32_t));
        window->greatest[window->step % ADVICE_STEPS] = NAN;
    }
}

void advice_window_add(struct advice_window *window, size_t thing, uint64_t n, struct mono now) {
    advice_window_slide(window, now);
    uint32_t *count = step_of(window, window->step) + thing;
    *count = n > UINT32_MAX - *count ? UINT32_MAX : *count + (uint32_t)n;
}

void advice_window_greatest(struct advice_window *window, double value, struct mono now) {
    advice_window_slide(window, now);
    double *greatest = &window->greatest[window->step % ADVICE_STEPS];
    *greatest = fmax(*greatest, value);
}

uint64_t advice_window_count(const struct advice_window *window, size_t thing) {
    uint64_t sum = 0;
    for (size_t i = 0; i < ADVICE_STEPS; i++)
        sum += window->counts[i * window->things + thing];
    return sum;
}

double advice_window_greatest_of(const struct advice_window *window) {
    double greatest = NAN;
    for (int i = 0; i < ADVICE_STEPS; i++)
        greatest = fmax(greatest, window->greatest[i]);
    return greatest;
}

int64_t advice_window_ns(const struct advice_window *window, struct mono now) {
    int64_t first = window->step < ADVICE_STEPS ? 0 : window->step - ADVICE_STEPS + 1;
    return mono_between(mono_add(window->made, first * ADVICE_STEP_NS), now);
}
