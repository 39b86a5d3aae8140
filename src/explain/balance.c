/*
 * Rises against what is told of them; see balance.h.
 */
#include "explain/balance.h"

#include <math.h>

void balance_tell(struct balance *b, uint64_t n) {
    b->told += n;
}

void balance_tell_late(struct balance *b, uint64_t n) {
    balance_tell(b, n - balance_take(b, n));
}

void balance_settle(struct balance *b, double value) {
    if (isnan(value) || value < 0 || value >= 0x1p63)
        return;
    uint64_t now = (uint64_t)value, rise = b->polls++ > 0 && now > b->value ? now - b->value : 0;
    uint64_t explained = b->told + b->owed;
    b->old = now < b->value ? 0 : b->left;
    b->left = rise > explained ? rise - explained : 0;
    b->owed = rise < explained ? explained - rise : 0;
    if (b->owed > b->told) /* not of the last poll: it was no abort after all */
        b->owed = b->told;
    b->value = now;
    b->told = 0;
}

void balance_forget_old(struct balance *b) {
    b->old = 0;
}

uint64_t balance_left(const struct balance *b) {
    return b->old + b->left;
}

uint64_t balance_take(struct balance *b, uint64_t n) {
    uint64_t old = n < b->old ? n : b->old, part = n - old < b->left ? n - old : b->left;
    b->old -= old;
    b->left -= part;
    return old + part;
}
