/*
 * What the process before had loaded, so that a file to which nothing happened since is neither
 * opened nor read nor hashed. The table was made before its process had heard from anybody
 * (bin/master/README.md), and nobody can write to it or to the memory that it names; so it is
 * believed about what files were. It is not believed about where anything lies: a table that is
 * torn, or of another program, costs the time of a load and nothing else.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "release/digest.h"
#include "release/inventory_layout.h"
#include "release/sealed.h"

/* the groups of one process that are looked at; with more there is no inventory */
#define GROUPS_MAX 1024

struct st_breaker__inventory_t {
    const void *base; /* owned: the table, mapped */
    size_t size;
    const breaker__record_t *records; /* in it */
    size_t num_records;
    /** owned: open addressing, at most half full; the number of a record and 1, or 0 */
    uint32_t *places;
    size_t mask;
    size_t num_files;
    breaker__sealed_file_t *files[BREAKER__INVENTORY_FILES_MAX]; /* owned references, or NULL */
};

bool breaker__inventory_digest(const void *base, size_t len, uint8_t *dst)
{
    breaker__hasher_t hasher;
    bool is_made;

    if (breaker__hasher_init(&hasher) != 0)
        return false;
    is_made = breaker__hash(&hasher, base, len, dst) == 0;
    breaker__hasher_dispose(&hasher);
    return is_made;
}

bool breaker__inventory_reader(uint8_t *dst)
{
    gid_t ids[GROUPS_MAX + 2];
    int num = getgroups(GROUPS_MAX, ids + 2);

    if (num < 0)
        return false;
    ids[0] = geteuid();
    ids[1] = getegid();
    return breaker__inventory_digest(ids, ((size_t)num + 2) * sizeof(ids[0]), dst);
}

/* ---- opening ---- */

static size_t place_of(const breaker__inventory_t *inventory, uint64_t dev, uint64_t ino)
{
    uint64_t hash = (ino ^ dev << 32) * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(hash >> 32) & inventory->mask;
}

static bool map_table(breaker__inventory_t *inventory, int fd)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int has = fcntl(fd, F_GET_SEALS);
    struct stat status;
    void *base;

    /* one with holes would take memory as it is read, as much as it says that it is long */
    if (has == -1 || (has & seals) != seals || fstat(fd, &status) != 0 ||
        status.st_size < (off_t)sizeof(breaker__inventory_header_t) ||
        status.st_blocks < (status.st_size + 511) / 512)
        return false;
    base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (base == MAP_FAILED)
        return false;
    inventory->base = base;
    inventory->size = (size_t)status.st_size;
    return true;
}

/* the numbers say exactly what there is, and all of it is as it was written, for this user */
static bool is_right(const breaker__inventory_t *inventory, size_t num_files)
{
    const breaker__inventory_header_t *header = inventory->base;
    size_t rest = inventory->size - sizeof(*header);
    uint8_t digest[BREAKER_DIGEST_LEN];

    return memcmp(header->magic, BREAKER__INVENTORY_MAGIC, sizeof(header->magic)) == 0 &&
           header->num_files == num_files && num_files <= BREAKER__INVENTORY_FILES_MAX &&
           rest >= num_files * sizeof(uint64_t) &&
           header->num_records <= BREAKER_ASSETS_MAX * (uint64_t)BREAKER_VIEWS_MAX &&
           header->num_records < UINT32_MAX &&
           rest - num_files * sizeof(uint64_t) == header->num_records * sizeof(breaker__record_t) &&
           breaker__inventory_reader(digest) &&
           memcmp(header->reader, digest, sizeof(digest)) == 0 &&
           breaker__inventory_digest(header + 1, rest, digest) &&
           memcmp(header->digest, digest, sizeof(digest)) == 0;
}

/* those that are no memory files are missing: their bodies are not adopted */
static void adopt_files(breaker__inventory_t *inventory, int *fds)
{
    const breaker__inventory_header_t *header = inventory->base;
    const uint64_t *units = (const uint64_t *)(header + 1);

    inventory->num_files = (size_t)header->num_files;
    for (size_t i = 0; i != inventory->num_files; ++i) {
        inventory->files[i] = breaker__sealed_adopt(fds[i], units[i]);
        fds[i] = -1;
    }
    inventory->records = (const breaker__record_t *)(units + header->num_files);
    inventory->num_records = (size_t)header->num_records;
}

static bool lies_in_file(const breaker__inventory_t *inventory, const breaker__record_t *record)
{
    const breaker__sealed_file_t *file;

    if (record->file >= inventory->num_files || (file = inventory->files[record->file]) == NULL)
        return false;
    return record->size != 0 && record->offset % file->unit == 0 &&
           record->offset <= file->allocated && record->size <= file->allocated - record->offset;
}

/* of one file that has several paths */
static bool is_same(const breaker__record_t *a, const breaker__record_t *b)
{
    return a->ino == b->ino && a->dev == b->dev && a->mount == b->mount && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* once only, however many links lead to it: searches stay short */
static void add_record(breaker__inventory_t *inventory, size_t number)
{
    const breaker__record_t *record = inventory->records + number;
    size_t at = place_of(inventory, record->dev, record->ino);

    for (; inventory->places[at] != 0; at = (at + 1) & inventory->mask)
        if (is_same(inventory->records + inventory->places[at] - 1, record))
            return;
    inventory->places[at] = (uint32_t)number + 1;
}

/* a record that is nowhere is left out */
static bool index_records(breaker__inventory_t *inventory)
{
    size_t size = 64;

    while (size < inventory->num_records * 2)
        size *= 2;
    if ((inventory->places = calloc(size, sizeof(*inventory->places))) == NULL)
        return false;
    inventory->mask = size - 1;
    for (size_t i = 0; i != inventory->num_records; ++i) {
        const breaker__record_t *record = inventory->records + i;

        if (record->file == BREAKER__RECORD_ON_DISK || lies_in_file(inventory, record))
            add_record(inventory, i);
    }
    return true;
}

/* what it takes over is -1 afterwards */
static bool open_all(breaker__inventory_t *inventory, int *fds, size_t num_fds)
{
    if (num_fds == 0 || !map_table(inventory, fds[0]) || !is_right(inventory, num_fds - 1))
        return false;
    adopt_files(inventory, fds + 1);
    return index_records(inventory);
}

breaker__inventory_t *breaker__inventory_open(const int *fds, size_t num_fds)
{
    breaker__inventory_t *inventory = calloc(1, sizeof(*inventory));
    int rest[BREAKER_INVENTORY_MAX];

    assert(num_fds <= BREAKER_INVENTORY_MAX);
    memcpy(rest, fds, num_fds * sizeof(*fds));
    if (inventory != NULL && !open_all(inventory, rest, num_fds)) {
        breaker__inventory_free(inventory);
        inventory = NULL;
    }
    for (size_t i = 0; i != num_fds; ++i)
        if (rest[i] != -1)
            close(rest[i]);
    return inventory;
}

void breaker__inventory_free(breaker__inventory_t *inventory)
{
    if (inventory == NULL)
        return;
    for (size_t i = 0; i != inventory->num_files; ++i) {
        if (inventory->files[i] == NULL)
            continue;
        breaker__sealed_settle_adopted(inventory->files[i]);
        breaker__sealed_unref(inventory->files[i]);
    }
    if (inventory->base != NULL)
        munmap((void *)(uintptr_t)inventory->base, inventory->size);
    free(inventory->places);
    free(inventory);
}

/* ---- finding ---- */

static bool is_of(const breaker__record_t *record, const breaker__stamp_t *stamp)
{
    return record->ino == stamp->ino && record->dev == stamp->dev &&
           record->mount == stamp->mount && record->size == (uint64_t)stamp->size &&
           record->mtime_ns == breaker__nanoseconds(&stamp->mtime) &&
           record->ctime_ns == breaker__nanoseconds(&stamp->ctime);
}

const breaker__record_t *breaker__inventory_find(const breaker__inventory_t *inventory,
                                                 const breaker__stamp_t *stamp)
{
    size_t at = place_of(inventory, stamp->dev, stamp->ino);

    for (; inventory->places[at] != 0; at = (at + 1) & inventory->mask) {
        const breaker__record_t *record = inventory->records + inventory->places[at] - 1;

        if (is_of(record, stamp))
            return record;
    }
    return NULL;
}

/* ---- adopting ---- */

breaker__body_t *breaker__inventory_adopt(breaker__inventory_t *inventory,
                                          const breaker__record_t *record)
{
    breaker__body_t *body;
    breaker__sealed_file_t *file;

    if (record->file == BREAKER__RECORD_ON_DISK)
        return NULL;
    assert(record->file < inventory->num_files);
    if ((body = breaker__body_create(BREAKER_ENCODING_IDENTITY, record->size)) == NULL)
        return NULL;
    file = inventory->files[record->file];
    breaker__sealed_keep_adopted(file, record->offset, record->size, &body->bytes);
    body->file = file;
    return body;
}
