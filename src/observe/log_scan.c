/*
 * The scan; see log_scan.h.
 *
 * A message of interest follows a label or tag, "[Warning] " or "mysqld[811]: ", and begins like a frame; before 4.1,
 * it is "Aborted connection" without a label. What is wrapped so that it must be unwrapped is JSON, at the beginning of
 * a line or behind a blank, a piece of CRI's, "stderr P ", or RFC 5424's syslog, "<30>1 "; and behind the hole of a
 * truncation, NUL bytes, anything may be. So a few pairs of bytes are enough to stop at. 64 places are looked at at
 * once: with AVX2, with SSSE3 (every amd64 since 2008 has that), and one by one on others.
 */
#include "observe/log_scan.h"

#include "observe/log_frame.h"

#include <stdbool.h>
#include <string.h>

enum { STEP = 64 };

/* --- which of 64 places hold a pair; bytes p[0] to p[64] are looked at --- */

#ifdef __x86_64__
#include <immintrin.h>

/* Bytes that may begin a pair, and bytes that may end one, each at the place of its low four bits: PSHUFB then finds
 * all of them at once. What is "{" needs no second byte, NUL ends all of them (the smaller of the two differences is
 * zero), and what is no pair for all that is sorted out later. */
#define FIRST 'P', 'A', 0, 0, 0, 0, 0, 0, 0, 0, '\n', '{', 0, ']', 0, 0
#define SECOND ' ', 0, 'b', 0, 0, 0, 0, 0, 0, 0, ':', 0, '<', 0, 0, 0

__attribute__((target("ssse3,popcnt"))) static inline uint64_t pairs_ssse3(const char *p, uint64_t *newlines) {
    const __m128i first = _mm_setr_epi8(FIRST), second = _mm_setr_epi8(SECOND);
    uint64_t places = 0, ends = 0;
#pragma GCC unroll 4
    for (unsigned i = 0; i < STEP; i += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + i + 1));
        __m128i begins = _mm_cmpeq_epi8(a, _mm_shuffle_epi8(first, a));
        __m128i alone = _mm_min_epu8(_mm_xor_si128(a, _mm_set1_epi8('{')), b);
        __m128i ended =
            _mm_or_si128(_mm_cmpeq_epi8(b, _mm_shuffle_epi8(second, b)), _mm_cmpeq_epi8(alone, _mm_setzero_si128()));
        places |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_and_si128(begins, ended)) << i;
        ends |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, _mm_set1_epi8('\n'))) << i;
    }
    *newlines = ends;
    return places;
}

__attribute__((target("avx2,popcnt"))) static inline uint64_t pairs_avx2(const char *p, uint64_t *newlines) {
    const __m256i first = _mm256_setr_epi8(FIRST, FIRST), second = _mm256_setr_epi8(SECOND, SECOND);
    uint64_t places = 0, ends = 0;
#pragma GCC unroll 2
    for (unsigned i = 0; i < STEP; i += 32) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + i + 1));
        __m256i begins = _mm256_cmpeq_epi8(a, _mm256_shuffle_epi8(first, a));
        __m256i alone = _mm256_min_epu8(_mm256_xor_si256(a, _mm256_set1_epi8('{')), b);
        __m256i ended = _mm256_or_si256(_mm256_cmpeq_epi8(b, _mm256_shuffle_epi8(second, b)),
                                        _mm256_cmpeq_epi8(alone, _mm256_setzero_si256()));
        places |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_and_si256(begins, ended)) << i;
        ends |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, _mm256_set1_epi8('\n'))) << i;
    }
    *newlines = ends;
    return places;
}

#endif

enum log_scan_speed log_scan_best(void) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("popcnt"))
        return __builtin_cpu_supports("avx2")    ? LOG_SCAN_AVX2
               : __builtin_cpu_supports("ssse3") ? LOG_SCAN_SSSE3
                                                 : LOG_SCAN_BYTES;
#endif
    return LOG_SCAN_BYTES;
}

static bool is_pair(const char *p) {
    switch (p[0]) {
    case ']':
    case 'P':
        return p[1] == ' ' || p[1] == ':';
    case 'A':
        return p[1] == 'b';
    case '\n':
        return p[1] == '<' || p[1] == '\0';
    case '{':
        return true;
    default:
        return false;
    }
}

/* --- which pairs matter --- */

static bool is_rare_place(const char *begin, const char *p, const char *end) {
    static const char aborted[] = "Aborted connection ", out[] = "stdout ", err[] = "stderr ";
    switch (p[0]) {
    case 'A':
        return end - p > (ptrdiff_t)sizeof aborted && memcmp(p, aborted, sizeof aborted - 1) == 0;
    case 'P':
        return p - begin >= 7 && (memcmp(p - 7, out, 7) == 0 || memcmp(p - 7, err, 7) == 0);
    case '\n':
        return true;
    default:
        return p == begin || p[-1] == ' ' || p[-1] == '\n';
    }
}

static inline __attribute__((always_inline)) bool is_place(const char *begin, const char *p, const char *end) {
    if (p[0] != ']')
        return is_pair(p) && is_rare_place(begin, p, end);
    if (p[1] != ' ' && p[1] != ':')
        return false;
    const char *message = p + (p[1] == ':' ? 3 : 2);
    return end - message < 3 || (log_frame_may_fit(message) && log_frame_may_fit_behind_name(message, end));
}

/* Add the places in one step to a list: most steps have none, one or two, in no order that a processor could foresee,
 * so two are written whether they are there or not. Returns how many there are. */
static inline __attribute__((always_inline)) unsigned list_places(uint64_t places, unsigned at, uint16_t *list) {
    const uint64_t last = UINT64_C(1) << (STEP - 1); /* so that there is always one to count up to */
    unsigned count = (unsigned)__builtin_popcountll(places);
    uint64_t behind_first = places & (places - 1);
    list[0] = (uint16_t)(at + (unsigned)__builtin_ctzll(places | last));
    list[1] = (uint16_t)(at + (unsigned)__builtin_ctzll(behind_first | last));
    for (unsigned i = 2; i < count; i++) {
        behind_first &= behind_first - 1;
        list[i] = (uint16_t)(at + (unsigned)__builtin_ctzll(behind_first));
    }
    return count;
}

/* Move *p to the place (true), or to where less than a step is left. Adds the newlines in front of it to *lines. */
static inline __attribute__((always_inline)) bool scan_steps(const char **p, const char *end, size_t *lines,
                                                             uint64_t (*pairs)(const char *, uint64_t *)) {
    enum { STEPS = 16 };
    const char *begin = *p, *at = *p;
    unsigned most = 2; /* steps at once: few at first, because what was looked at behind the place is looked at again */
    for (; end - at > STEP; most = STEPS) {
        uint16_t list[STEPS * STEP + 2];
        uint64_t newlines[STEPS];
        unsigned steps = end - at > most * STEP ? most : (unsigned)((end - at - 1) / STEP), count = 0;
        for (unsigned i = 0; i < steps; i++)
            count += list_places(pairs(at + i * STEP, &newlines[i]), i * STEP, list + count);
        unsigned whole = steps, found = 0;
        while (found < count && !is_place(begin, at + list[found], end))
            found++;
        if (found < count) {
            whole = list[found] / STEP;
            newlines[whole] &= (UINT64_C(1) << list[found] % STEP) - 1;
            *lines += (size_t)__builtin_popcountll(newlines[whole]);
        }
        for (unsigned i = 0; i < whole; i++)
            *lines += (size_t)__builtin_popcountll(newlines[i]);
        if (found < count) {
            *p = at + list[found];
            return true;
        }
        at += steps * STEP;
    }
    *p = at;
    return false;
}

#ifdef __x86_64__
__attribute__((target("avx2,popcnt"))) static bool scan_avx2(const char **p, const char *end, size_t *lines) {
    return scan_steps(p, end, lines, pairs_avx2);
}

__attribute__((target("ssse3,popcnt"))) static bool scan_ssse3(const char **p, const char *end, size_t *lines) {
    return scan_steps(p, end, lines, pairs_ssse3);
}
#endif

const char *log_scan_next_with(enum log_scan_speed speed, const char *p, const char *end, size_t *lines) {
    const char *begin = p;
    *lines = 0;
#ifdef __x86_64__
    if (speed == LOG_SCAN_AVX2 ? scan_avx2(&p, end, lines) : speed == LOG_SCAN_SSSE3 && scan_ssse3(&p, end, lines))
        return p;
#else
    (void)speed;
#endif
    for (; end - p > 1; p++) {
        if (is_pair(p) && is_place(begin, p, end))
            return p;
        *lines += *p == '\n';
    }
    if (p < end)
        *lines += *p == '\n';
    return NULL;
}

const char *log_scan_next(const char *p, const char *end, size_t *lines) {
    return log_scan_next_with(log_scan_best(), p, end, lines);
}
