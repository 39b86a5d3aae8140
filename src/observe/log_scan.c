/*
 * The scan; see log_scan.h.
 *
 * A message of interest follows a label or tag, "[Warning] " or "mysqld[811]: ", and begins like a frame; before 4.1,
 * it is "Aborted connection" without a label. What is wrapped so that it must be unwrapped is JSON, at the beginning of
 * a line or behind a blank, or a piece of CRI's, "stderr P ". So a few pairs of bytes are enough to stop at. 64 places
 * are looked at at once: with SSE2, which every amd64 has, with AVX2 where there is that, and one by one on others.
 */
#include "observe/log_scan.h"

#include "observe/log_frame.h"

#include <stdbool.h>
#include <string.h>

enum { STEP = 64 };

/* --- which of 64 places hold a pair; bytes p[0] to p[64] are looked at --- */

#ifdef __SSE2__
#include <immintrin.h>

static inline uint64_t pairs_sse2(const char *p) {
    uint64_t places = 0;
    for (unsigned i = 0; i < STEP; i += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + i + 1));
#define A(c) _mm_cmpeq_epi8(a, _mm_set1_epi8(c))
#define B(c) _mm_cmpeq_epi8(b, _mm_set1_epi8(c))
        __m128i end = _mm_and_si128(_mm_or_si128(A(']'), A('P')), _mm_or_si128(B(' '), B(':')));
        __m128i json = _mm_and_si128(_mm_or_si128(A('\n'), A(' ')), B('{'));
        __m128i abort = _mm_and_si128(A('A'), B('b'));
        places |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(end, json), abort)) << i;
#undef A
#undef B
    }
    return places;
}

static inline size_t newlines_sse2(const char *p, const char *end, size_t *count) {
    const char *begin = p;
    while (end - p >= STEP) {
        __m128i sums = _mm_setzero_si128(); /* of 16 columns, each in a byte */
        for (int rows = 0; rows < 252 && end - p >= STEP; rows += 4, p += STEP)
            for (unsigned i = 0; i < STEP; i += 16)
                sums = _mm_sub_epi8(
                    sums, _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + i)), _mm_set1_epi8('\n')));
        sums = _mm_sad_epu8(sums, _mm_setzero_si128());
        *count += (size_t)_mm_cvtsi128_si64(sums) + (size_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
    }
    return (size_t)(p - begin);
}

__attribute__((target("avx2"))) static inline uint64_t pairs_avx2(const char *p) {
    uint64_t places = 0;
    for (unsigned i = 0; i < STEP; i += 32) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + i + 1));
#define A(c) _mm256_cmpeq_epi8(a, _mm256_set1_epi8(c))
#define B(c) _mm256_cmpeq_epi8(b, _mm256_set1_epi8(c))
        __m256i end = _mm256_and_si256(_mm256_or_si256(A(']'), A('P')), _mm256_or_si256(B(' '), B(':')));
        __m256i json = _mm256_and_si256(_mm256_or_si256(A('\n'), A(' ')), B('{'));
        __m256i abort = _mm256_and_si256(A('A'), B('b'));
        places |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(end, json), abort)) << i;
#undef A
#undef B
    }
    return places;
}

__attribute__((target("avx2,popcnt"))) static size_t newlines_avx2(const char *p, const char *end, size_t *count) {
    const char *begin = p;
    for (; end - p >= 32; p += 32)
        *count += (size_t)__builtin_popcount((unsigned)_mm256_movemask_epi8(
            _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(const void *)p), _mm256_set1_epi8('\n'))));
    return (size_t)(p - begin);
}

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}
#endif

static bool is_pair(const char *p) {
    switch (p[0]) {
    case ']':
    case 'P':
        return p[1] == ' ' || p[1] == ':';
    case 'A':
        return p[1] == 'b';
    case '\n':
    case ' ':
        return p[1] == '{';
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
    default:
        return p[1] == '{';
    }
}

static inline __attribute__((always_inline)) bool is_place(const char *begin, const char *p, const char *end) {
    if (p[0] != ']')
        return is_rare_place(begin, p, end);
    const char *message = p + (p[1] == ':' ? 3 : 2);
    return end - message < 3 || (log_frame_may_fit(message) && log_frame_may_fit_behind_name(message, end));
}

/* Up to where less than a step is left: the place, or NULL and *p there. */
static inline __attribute__((always_inline)) const char *scan_steps(const char **p, const char *end,
                                                                    uint64_t (*pairs)(const char *)) {
    const char *begin = *p, *at = *p;
    for (; end - at > STEP; at += STEP)
        for (uint64_t places = pairs(at); places; places &= places - 1) {
            const char *place = at + __builtin_ctzll(places);
            if (is_place(begin, place, end))
                return place;
        }
    *p = at;
    return NULL;
}

#ifdef __SSE2__
__attribute__((target("avx2"))) static const char *scan_avx2(const char **p, const char *end) {
    return scan_steps(p, end, pairs_avx2);
}

static const char *scan_sse2(const char **p, const char *end) {
    return scan_steps(p, end, pairs_sse2);
}
#endif

const char *log_scan_next(const char *p, const char *end) {
    const char *begin = p, *place = NULL;
    if (p < end && *p == '{')
        return p;
#ifdef __SSE2__
    place = has_avx2() ? scan_avx2(&p, end) : scan_sse2(&p, end);
#endif
    for (; !place && end - p > 1; p++)
        if (is_pair(p) && is_place(begin, p, end))
            place = p;
    return place ? place + 1 : NULL; /* a newline belongs to the line before */
}

size_t log_scan_count_newlines(const char *p, const char *end) {
    size_t count = 0;
#ifdef __SSE2__
    p += has_avx2() ? newlines_avx2(p, end, &count) : newlines_sse2(p, end, &count);
#endif
    for (; p < end; p++)
        count += *p == '\n';
    return count;
}
