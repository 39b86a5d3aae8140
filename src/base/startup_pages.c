/*
 * See startup_pages.h. dl_iterate_phdr(3) tells where the code and the constants of each library lie, its symbols and
 * relocations with them; for pages of a file that nobody can write to MADV_DONTNEED (madvise(2)) only forgets that we
 * looked at them. What the linker wrote to and made read-only afterwards is in a writable segment, and stays.
 */
#include "base/startup_pages.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int release_unwritten(struct dl_phdr_info *object, size_t size, void *arg) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)arg;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        madvise((void *)start, end - start, MADV_DONTNEED); /* NOLINT(performance-no-int-to-ptr) */
    }
    return 0;
}

void startup_pages_release(void) {
    dl_iterate_phdr(release_unwritten, NULL);
}
