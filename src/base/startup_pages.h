/*
 * Gives back the memory pages that only the start needed.
 */
#ifndef BASE_STARTUP_PAGES_H
#define BASE_STARTUP_PAGES_H

/* Linking and initialising some thirty libraries touches some 4 MB of their code and 2 MB of their constants, symbols
 * and relocations, most of it never again. Take those pages out of our resident set: what is used after all comes back
 * from the page cache at its next use. Only of segments that nobody may write to, the linker included. Some hundred
 * system calls; no error matters. */
void startup_pages_release(void);

#endif
