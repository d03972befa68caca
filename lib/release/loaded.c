/*
 * What a load leaves the process after this one: the stamps of its files, and where their bytes lie
 * in memory that both can have. It is written once, at the end of the load, so that it says exactly
 * what the release has, and sealed before anybody else sees it.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "release/blob.h"
#include "release/inventory_layout.h"

/*
 * A file that changed so short a time before the load may change once more under the same times,
 * which some file systems keep in steps of two seconds.
 */
static const int64_t UNSURE_NS = INT64_C(2500000000);

/* what is dead in a memory file is of no account up to here: the rest of a huge page */
static const uint64_t SLACK = UINT64_C(2) << 20;

/* a memory file is small up to here; so many of them are handed on, and two for each view */
static const uint64_t SMALL = BREAKER_SEALED_FILE / 4;
enum { SMALL_FILES_MAX = 16 };

/** A table in the making. */
typedef struct st_table_t {
    const breaker__loaded_t *loaded; /* borrowed */
    breaker__record_t *records;      /* owned: those that lie somewhere */
    size_t num;
    bool leaves_small_files;
    const breaker__sealed_file_t *files[BREAKER__INVENTORY_FILES_MAX]; /* borrowed: the blobs' */
    size_t num_files;
} table_t;

void breaker__loaded_begin(breaker__loaded_t *loaded)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    *loaded = (breaker__loaded_t){.latest_ns = breaker__nanoseconds(&now) - UNSURE_NS};
}

void breaker__loaded_dispose(breaker__loaded_t *loaded)
{
    free(loaded->records);
    free(loaded->blobs);
    *loaded = (breaker__loaded_t){.records = NULL};
}

static bool grow(breaker__loaded_t *loaded)
{
    size_t capacity = loaded->capacity == 0 ? 256 : loaded->capacity * 2;
    breaker__record_t *records;
    breaker__blob_t **blobs;

    if (loaded->num != loaded->capacity)
        return true;
    if ((records = realloc(loaded->records, capacity * sizeof(*records))) == NULL)
        return false;
    loaded->records = records;
    if ((blobs = realloc(loaded->blobs, capacity * sizeof(*blobs))) == NULL)
        return false;
    loaded->blobs = blobs;
    loaded->capacity = capacity;
    return true;
}

void breaker__loaded_add(breaker__loaded_t *loaded, const breaker__stamp_t *stamp,
                         breaker__blob_t *blob, bool is_text)
{
    breaker__record_t *record;

    if (loaded->has_failed || stamp->mount == 0 ||
        breaker__stamp_ctime_ns(stamp) > loaded->latest_ns)
        return;
    if (!grow(loaded)) {
        loaded->has_failed = true;
        return;
    }
    record = loaded->records + loaded->num;
    *record = (breaker__record_t){
        .mount = stamp->mount,
        .dev = stamp->dev,
        .ino = stamp->ino,
        .size = (uint64_t)stamp->size,
        .mtime_ns = breaker__nanoseconds(&stamp->mtime),
        .ctime_ns = breaker__nanoseconds(&stamp->ctime),
        .is_text = is_text,
    };
    memcpy(record->digest, breaker__blob_digest(blob), sizeof(record->digest));
    loaded->blobs[loaded->num++] = blob;
}

/* ---- writing ---- */

/* the number of a memory file, or BREAKER__INVENTORY_FILES_MAX where there are too many */
static size_t number_of(table_t *table, const breaker__sealed_file_t *file)
{
    size_t at = table->num_files;

    /* files that follow each other mostly lie in the same one, the last */
    while (at != 0 && table->files[at - 1] != file)
        --at;
    if (at != 0)
        return at - 1;
    if (table->num_files != BREAKER__INVENTORY_FILES_MAX)
        table->files[table->num_files++] = file;
    else
        return BREAKER__INVENTORY_FILES_MAX;
    return table->num_files - 1;
}

static uint64_t live_in(const breaker__sealed_file_t *file)
{
    return atomic_load_explicit(&file->live, memory_order_relaxed);
}

/* one small body is not to keep for the next process what this one could have let go */
static bool is_worth_keeping(const breaker__sealed_file_t *file)
{
    return live_in(file) + SLACK >= file->allocated / 2;
}

/* where the bytes of a blob lie; false where nobody else could have them */
static bool find_bytes(table_t *table, breaker__blob_t *blob, breaker__record_t *record)
{
    const breaker__body_t *body = breaker__blob_encoding(blob, BREAKER_ENCODING_IDENTITY);
    size_t number;

    if (body == NULL || body->lender != NULL || body->bytes.len != record->size)
        return false;
    if (body->bytes.fd >= 0) {
        record->file = BREAKER__RECORD_ON_DISK;
        return true;
    }
    if (body->file == NULL || body->file->window != NULL || !is_worth_keeping(body->file) ||
        (table->leaves_small_files && live_in(body->file) < SMALL) ||
        (number = number_of(table, body->file)) == BREAKER__INVENTORY_FILES_MAX)
        return false;
    record->file = (uint32_t)number;
    record->offset = (uint64_t)(body->bytes.base - body->file->base);
    return true;
}

static void find_all(table_t *table)
{
    const breaker__loaded_t *loaded = table->loaded;

    table->num = table->num_files = 0;
    for (size_t i = 0; i != loaded->num; ++i) {
        table->records[table->num] = loaded->records[i];
        table->num += find_bytes(table, loaded->blobs[i], table->records + table->num);
    }
}

/* each load of a few files that changed leaves small memory files beside those that there were */
static bool has_many_small_files(const table_t *table)
{
    size_t num = 0;

    for (size_t i = 0; i != table->num_files; ++i)
        num += live_in(table->files[i]) < SMALL;
    return num > SMALL_FILES_MAX + 2 * table->loaded->num_views;
}

static bool fill_table(table_t *table)
{
    size_t size = (table->loaded->num + 1) * sizeof(*table->records);

    if ((table->records = malloc(size)) == NULL)
        return false;
    find_all(table);
    if (!has_many_small_files(table))
        return true;
    table->leaves_small_files = true;
    find_all(table);
    return true;
}

static char *write_table(const table_t *table, size_t size)
{
    breaker__inventory_header_t *header = calloc(1, size);
    uint64_t *units;

    if (header == NULL)
        return NULL;
    *header = (breaker__inventory_header_t){
        .magic = BREAKER__INVENTORY_MAGIC,
        .num_files = table->num_files,
        .num_records = table->num,
    };
    units = (uint64_t *)(header + 1);
    for (size_t i = 0; i != table->num_files; ++i)
        units[i] = table->files[i]->unit;
    memcpy(units + table->num_files, table->records, table->num * sizeof(*table->records));
    if (breaker__inventory_reader(header->reader) &&
        breaker__inventory_digest(header + 1, size - sizeof(*header), header->digest))
        return (char *)header;
    free(header);
    return NULL;
}

static bool write_fully(int fd, const char *base, size_t len)
{
    while (len != 0) {
        ssize_t put = write(fd, base, len);

        if (put <= 0)
            return false;
        base += put;
        len -= (size_t)put;
    }
    return true;
}

/* a memory file with these bytes, which nobody can change; -1: there is none */
static int seal(const char *base, size_t len)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    int fd = memfd_create("breaker-inventory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd == -1)
        return -1;
    if (write_fully(fd, base, len) && fcntl(fd, F_ADD_SEALS, seals) == 0)
        return fd;
    close(fd);
    return -1;
}

static int make_table(const table_t *table)
{
    size_t size = sizeof(breaker__inventory_header_t) + table->num_files * sizeof(uint64_t) +
                  table->num * sizeof(breaker__record_t);
    char *base = write_table(table, size);
    int fd = base != NULL ? seal(base, size) : -1;

    free(base);
    return fd;
}

/* all or none */
static size_t duplicate_files(const table_t *table, int *ret_fds)
{
    size_t num = 0;

    while (num != table->num_files &&
           (ret_fds[num] = fcntl(table->files[num]->fd, F_DUPFD_CLOEXEC, 0)) != -1)
        ++num;
    if (num == table->num_files)
        return num;
    while (num != 0)
        close(ret_fds[--num]);
    return 0;
}

size_t breaker__loaded_write(const breaker__loaded_t *loaded, int *ret_fds)
{
    table_t table = {.loaded = loaded};
    size_t num = 0;

    if (!loaded->has_failed && fill_table(&table) && (ret_fds[0] = make_table(&table)) != -1) {
        num = 1 + duplicate_files(&table, ret_fds + 1);
        if (num != 1 + table.num_files) {
            close(ret_fds[0]);
            num = 0;
        }
    }
    free(table.records);
    return num;
}
