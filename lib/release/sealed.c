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
 * Small bodies have files of their own, in which they are packed: they are never sent by
 * sendfile(2), and a page for each would be mostly empty.
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
#include <sys/stat.h>
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
/* where a packed body may begin: lines of the cache are not shared */
#define PACKED_UNIT 64
/* pages of packed bodies are allocated so many bytes at a time */
#define PACKED_STEP ((uint64_t)64 << 10)

static uint64_t page_size(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t breaker__sealed_span(uint64_t len)
{
    uint64_t page = page_size();

    return (len + page - 1) / page * page;
}

static uint64_t span_in(const breaker__sealed_file_t *file, uint64_t len)
{
    return (len + file->unit - 1) / file->unit * file->unit;
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

void breaker__sealed_unref(breaker__sealed_file_t *file)
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
static breaker__sealed_file_t *create_file(uint64_t size, uint64_t unit)
{
    breaker__sealed_file_t *file = calloc(1, sizeof(*file));

    if (file == NULL)
        return NULL;
    atomic_init(&file->refs, 1);
    file->unit = unit;
    if (open_file(file, size))
        return file;
    free(file);
    return NULL;
}

static void finish(breaker__sealed_file_t **file)
{
    if (*file == NULL)
        return;
    close_window(*file);
    breaker__sealed_unref(*file);
    *file = NULL;
}

/* where a body of this length is written: those that are packed are by themselves */
static breaker__sealed_file_t **place_for(breaker__sealed_t *sealed, uint64_t len)
{
    return sealed->packs && len < BREAKER_SENDFILE_MIN ? &sealed->packed : &sealed->file;
}

/** The file that a body goes to. NULL when there is none. */
static breaker__sealed_file_t *file_for(breaker__sealed_t *sealed, uint64_t len)
{
    breaker__sealed_file_t **place = place_for(sealed, len), *file = *place;
    uint64_t size = sealed->file_size != 0 ? sealed->file_size : BREAKER_SEALED_FILE;
    uint64_t unit = place == &sealed->packed ? PACKED_UNIT : page_size();

    if (file != NULL && span_in(file, len) <= file->size - file->used)
        return file;
    if (breaker__sealed_span(len) > size)
        size = breaker__sealed_span(len);
    if ((file = create_file(size, unit)) == NULL)
        return NULL;
    finish(place);
    *place = file;
    return file;
}

/** Has the system find the pages for the body that comes next. */
static bool allocate(breaker__sealed_file_t *file, uint64_t span)
{
    uint64_t end = file->used + span, from = file->allocated;
    int err;

    if (end <= from)
        return true;
    if (file->unit == PACKED_UNIT)
        end = (end + PACKED_STEP - 1) / PACKED_STEP * PACKED_STEP;
    if (end > file->size)
        end = file->size;
    do {
        err = fallocate(file->fd, 0, (off_t)from, (off_t)(end - from));
    } while (err != 0 && errno == EINTR);
    if (err == 0)
        file->allocated = end;
    return err == 0;
}

static void point_into(const breaker__sealed_file_t *file, uint64_t offset,
                       breaker_variant_t *variant)
{
    variant->base = file->base + offset;
    if (file->unit == PACKED_UNIT)
        return;
    variant->memory_fd = file->fd;
    variant->memory_offset = offset;
}

char *breaker__sealed_begin(breaker__sealed_t *sealed, uint64_t len, breaker_variant_t *variant)
{
    breaker__sealed_file_t *file;

    assert(len != 0 && breaker__sealed_span(len) >= len);
    if (sealed->refused)
        return NULL;
    if ((file = file_for(sealed, len)) == NULL || !allocate(file, span_in(file, len))) {
        sealed->refused = true;
        return NULL;
    }
    point_into(file, file->used, variant);
    return file->window + file->used;
}

static void count_kept(breaker__sealed_file_t *file, uint64_t span)
{
    atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&file->live, span, memory_order_relaxed);
    atomic_fetch_add_explicit(&file->used, span, memory_order_relaxed);
}

breaker__sealed_file_t *breaker__sealed_keep(breaker__sealed_t *sealed, uint64_t len)
{
    breaker__sealed_file_t *file = *place_for(sealed, len);
    uint64_t span;

    assert(file != NULL && file->window != NULL);
    span = span_in(file, len);
    assert(span <= file->size - file->used);
    /* the pages stay in the file; what goes is that the process counts them twice */
    if (file->unit != PACKED_UNIT)
        madvise(file->window + file->used, span, MADV_DONTNEED);
    count_kept(file, span);
    return file;
}

void breaker__sealed_let_go(breaker__sealed_file_t *file, uint64_t len)
{
    uint64_t span = span_in(file, len);
    uint64_t before = atomic_fetch_sub_explicit(&file->live, span, memory_order_relaxed);

    assert(before >= span);
    breaker__sealed_unref(file);
}

bool breaker__sealed_is_sparse(const breaker__sealed_file_t *file)
{
    uint64_t used = atomic_load_explicit(&file->used, memory_order_relaxed);

    return atomic_load_explicit(&file->live, memory_order_relaxed) < used / 2;
}

void breaker__sealed_finish(breaker__sealed_t *sealed)
{
    finish(&sealed->file);
    finish(&sealed->packed);
}

static void dispose(breaker__sealed_file_t **file)
{
    /* what others keep is sealed, and gathered for them */
    if (*file != NULL && atomic_load_explicit(&(*file)->refs, memory_order_relaxed) > 1)
        finish(file);
    else if (*file != NULL)
        breaker__sealed_unref(*file);
}

void breaker__sealed_dispose(breaker__sealed_t *sealed)
{
    dispose(&sealed->file);
    dispose(&sealed->packed);
    *sealed = (breaker__sealed_t){0};
}

/* ---- of another process ---- */

/* whether nobody, whoever has the file, can change a byte of it or take one away */
static bool is_sealed(int fd)
{
    const int still = F_SEAL_SHRINK | F_SEAL_GROW;
    int seals = fcntl(fd, F_GET_SEALS);

    return seals != -1 && (seals & still) == still &&
           (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0;
}

breaker__sealed_file_t *breaker__sealed_adopt(int fd, uint64_t unit)
{
    breaker__sealed_file_t *file = calloc(1, sizeof(*file));
    struct stat status;
    void *base;

    if (file == NULL || (unit != PACKED_UNIT && unit != page_size()) || !is_sealed(fd) ||
        fstat(fd, &status) != 0 || status.st_size <= 0 || (uint64_t)status.st_size % unit != 0)
        goto Fail;
    *file = (breaker__sealed_file_t){.fd = fd, .size = (uint64_t)status.st_size, .unit = unit};
    if ((base = map_for_reading(file)) == MAP_FAILED)
        goto Fail;
    atomic_init(&file->refs, 1);
    file->base = base;
    /* pages come into a file from its start on */
    file->allocated = (uint64_t)status.st_blocks * 512;
    if (file->allocated > file->size)
        file->allocated = file->size;
    return file;

Fail:
    close(fd);
    free(file);
    return NULL;
}

void breaker__sealed_keep_adopted(breaker__sealed_file_t *file, uint64_t offset, uint64_t len,
                                  breaker_variant_t *variant)
{
    assert(file->window == NULL);
    assert(offset % file->unit == 0);
    assert(offset <= file->allocated);
    assert(len <= file->allocated - offset);
    point_into(file, offset, variant);
    count_kept(file, span_in(file, len));
}

void breaker__sealed_settle_adopted(breaker__sealed_file_t *file)
{
    uint64_t used = atomic_load_explicit(&file->used, memory_order_relaxed);

    assert(file->window == NULL);
    if (used < file->allocated)
        atomic_store_explicit(&file->used, file->allocated, memory_order_relaxed);
}
