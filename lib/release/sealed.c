/*
 * Large bodies in anonymous memory files, so that the bytes which are read at an address can be
 * sent by sendfile(2) as well, without being copied.
 *
 * A file has its whole length from the beginning, all of it a hole, so that it is sealed against
 * growing, shrinking and write(2) before its first byte is written, and so that its mappings never
 * move. Bytes come in through a window, the one mapping for writing that was made before the seals
 * and that cannot be made again. The mapping for reading is a private one: a shared one would
 * count as a possible writer and stand in the way of the last seal.
 *
 * Pages are allocated before they are written: without memory that is an error here, and would be
 * a SIGBUS there.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "release/sealed.h"

/* Linux 6.1 has it, older headers have not */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
/* Linux 5.1 has it, older headers have not */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* of x86-64, and of 64-bit ARM with pages of 4 KiB; with others there is nothing to gather */
#define HUGE_PAGE ((size_t)2 << 20)
/* from here on a huge page that is not full is gathered */
#define WORTH_GATHERING ((size_t)256 << 10)

static uint64_t page_size(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t breaker__sealed_span(uint64_t len)
{
    uint64_t page = page_size();

    return (len + page - 1) / page * page;
}

/* Beyond a limit of file size the kernel sends a signal; where address space is rationed, reserving
 * half a gigabyte would take it from others. */
static bool is_allowed(uint64_t size)
{
    struct rlimit file, space;

    return getrlimit(RLIMIT_FSIZE, &file) == 0 && file.rlim_cur >= size &&
           getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur == RLIM_INFINITY;
}

static void unmap(const char *base, uint64_t size)
{
    int err = munmap((void *)(uintptr_t)base, size);

    assert(err == 0);
}

/** Maps a file for reading, from a huge page's boundary on. Returns MAP_FAILED when it cannot. */
static void *map_for_reading(const breaker__sealed_file_t *file)
{
    size_t slack;
    char *room, *base;

    room = mmap(NULL, file->size + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return MAP_FAILED;
    slack = (size_t)(HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
    base = mmap(room + slack, file->size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file->fd, 0);
    if (base == MAP_FAILED) {
        unmap(room, file->size + HUGE_PAGE);
        return MAP_FAILED;
    }
    if (slack != 0)
        unmap(room, slack);
    unmap(base + file->size, HUGE_PAGE - slack);
    return base;
}

static bool map_file(breaker__sealed_file_t *file)
{
    void *window, *base;

    window = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (window == MAP_FAILED)
        return false;
    if ((base = map_for_reading(file)) == MAP_FAILED) {
        unmap(window, file->size);
        return false;
    }
    file->window = window;
    file->base = base;
    return true;
}

/**
 * Has the kernel gather what is complete into huge pages: sendfile(2) then hands the network a few
 * large pieces instead of one a page, which is most of what it costs. Where it does not
 * (before Linux 6.1, or fragmented memory) nothing changes but the speed. The last huge page is
 * gathered, too, once there is something in it that is worth it: a small site gets the speed as
 * well, for less than 2 MiB of memory that hold nothing.
 */
static void gather(const breaker__sealed_file_t *file)
{
    uint64_t rest = file->used % HUGE_PAGE, len = file->used - rest;

    if (rest >= WORTH_GATHERING && len + HUGE_PAGE <= file->size)
        len += HUGE_PAGE;
    if (len != 0)
        madvise((void *)(uintptr_t)file->base, len, MADV_COLLAPSE);
}

/** Closes the window of a file, and the last way to open one. */
static void close_window(breaker__sealed_file_t *file)
{
    if (file->window == NULL)
        return;
    unmap(file->window, file->size);
    file->window = NULL;
    gather(file);
    /* refused while a page is being sent; the seals that the file has keep writers out as well */
    fcntl(file->fd, F_ADD_SEALS, F_SEAL_WRITE);
    fcntl(file->fd, F_ADD_SEALS, F_SEAL_SEAL);
}

static void close_file(breaker__sealed_file_t *file)
{
    if (file->window != NULL)
        unmap(file->window, file->size);
    unmap(file->base, file->size);
    close(file->fd);
}

static void unref(breaker__sealed_file_t *file)
{
    size_t before = atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel);

    assert(before != 0);
    if (before != 1)
        return;
    assert(atomic_load_explicit(&file->live, memory_order_relaxed) == 0);
    close_file(file);
    free(file);
}

static bool open_file(breaker__sealed_file_t *file, uint64_t size)
{
    file->size = size;
    if (!is_allowed(size) ||
        (file->fd = memfd_create("breaker-bodies", MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0)
        return false;
    if (ftruncate(file->fd, (off_t)size) != 0 || !map_file(file)) {
        close(file->fd);
        return false;
    }
    if (fcntl(file->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) == 0)
        return true;
    close_file(file);
    return false;
}

/** Makes a file, with one reference. Returns NULL when the system does not. */
static breaker__sealed_file_t *create_file(uint64_t size)
{
    breaker__sealed_file_t *file = calloc(1, sizeof(*file));

    if (file == NULL)
        return NULL;
    atomic_init(&file->refs, 1);
    if (open_file(file, size))
        return file;
    free(file);
    return NULL;
}

/** The file that a body of `span` bytes goes to. NULL when there is none. */
static breaker__sealed_file_t *file_for(breaker__sealed_t *sealed, uint64_t span)
{
    breaker__sealed_file_t *file = sealed->file;
    uint64_t size = sealed->file_size != 0 ? sealed->file_size : BREAKER_SEALED_FILE;

    if (file != NULL && span <= file->size - file->used)
        return file;
    if ((file = create_file(span > size ? span : size)) == NULL)
        return NULL;
    breaker__sealed_finish(sealed);
    sealed->file = file;
    return file;
}

/** Has the system find the pages for the body that comes next. */
static bool allocate(const breaker__sealed_file_t *file, uint64_t span)
{
    int err;

    do {
        err = fallocate(file->fd, 0, (off_t)file->used, (off_t)span);
    } while (err != 0 && errno == EINTR);
    return err == 0;
}

char *breaker__sealed_begin(breaker__sealed_t *sealed, uint64_t len, breaker_variant_t *variant)
{
    uint64_t span = breaker__sealed_span(len);
    breaker__sealed_file_t *file;

    assert(len != 0 && span >= len);
    if (sealed->refused)
        return NULL;
    if ((file = file_for(sealed, span)) == NULL || !allocate(file, span)) {
        sealed->refused = true;
        return NULL;
    }
    variant->base = file->base + file->used;
    variant->memory_fd = file->fd;
    variant->memory_offset = file->used;
    return file->window + file->used;
}

breaker__sealed_file_t *breaker__sealed_keep(breaker__sealed_t *sealed, uint64_t len)
{
    uint64_t span = breaker__sealed_span(len);
    breaker__sealed_file_t *file = sealed->file;

    assert(file != NULL && file->window != NULL);
    assert(span <= file->size - file->used);
    /* the pages stay in the file; what goes is that the process counts them twice */
    madvise(file->window + file->used, span, MADV_DONTNEED);
    atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&file->live, span, memory_order_relaxed);
    atomic_fetch_add_explicit(&file->used, span, memory_order_relaxed);
    return file;
}

void breaker__sealed_let_go(breaker__sealed_file_t *file, uint64_t len)
{
    uint64_t span = breaker__sealed_span(len);
    uint64_t before = atomic_fetch_sub_explicit(&file->live, span, memory_order_relaxed);

    assert(before >= span);
    unref(file);
}

bool breaker__sealed_is_sparse(const breaker__sealed_file_t *file)
{
    uint64_t used = atomic_load_explicit(&file->used, memory_order_relaxed);

    return atomic_load_explicit(&file->live, memory_order_relaxed) < used / 2;
}

void breaker__sealed_finish(breaker__sealed_t *sealed)
{
    if (sealed->file == NULL)
        return;
    close_window(sealed->file);
    unref(sealed->file);
    sealed->file = NULL;
}

void breaker__sealed_dispose(breaker__sealed_t *sealed)
{
    /* what others keep is sealed, and gathered for them */
    if (sealed->file != NULL && atomic_load_explicit(&sealed->file->refs, memory_order_relaxed) > 1)
        breaker__sealed_finish(sealed);
    else if (sealed->file != NULL)
        unref(sealed->file);
    *sealed = (breaker__sealed_t){0};
}
