/*
 * Gives back the memory pages that only the start needed.
 */
#ifndef BASE_STARTUP_PAGES_H
#define BASE_STARTUP_PAGES_H

/* Linking and initialising some thirty libraries touches some 4 MB of their code, most of it never again. Take the
 * pages of code out of our resident set: what is used after all comes back from the page cache at its next use. Code
 * only, which is never written; read-only data may hold relocations, which are. Some thirty system calls; no error
 * matters. */
void startup_pages_release(void);

#endif
