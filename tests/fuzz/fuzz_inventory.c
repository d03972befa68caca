/*
 * The table of what a process before had loaded. Whatever it says, a file that it names is the one
 * with these numbers and times, its bytes are those that lie where it says, within memory that
 * exists, and what lies elsewhere is not found; a table that is torn is none.
 *
 * An input has a line with numbers (see bits_t), one that says where the table is torn, and what
 * follows the table's head: for each memory file its unit, then records. The digests are right.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fuzz.h"
#include "release/inventory_layout.h"

enum { FILES_MAX = 3, FILE_LEN = 2 * 4096 };

/* bits of the first line */
typedef enum en_bits_t {
    NUM_FILES = 3,
    /* one file fewer, or more, comes along */
    LACKS_FILE = 4,
    IS_TORN = 8,
    IS_OF_OTHERS = 16,
    COUNTS_WRONG = 32,
    CAN_BE_WRITTEN = 64,
} bits_t;

static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

static int make_file(const void *bytes, size_t len, bool is_sealed)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ssize_t num_written = write(fd, bytes, len);
    int error = is_sealed ? fcntl(fd, F_ADD_SEALS, seals) : 0;

    assert(num_written == (ssize_t)len && error == 0);
    return fd;
}

static uint8_t byte_at(size_t file, size_t at)
{
    return (uint8_t)(at * 7 + at / 256 * 13 + file * 101);
}

/* memory files of two pages, each with bytes of its own; made once */
static int file_of(size_t number)
{
    static int fds[FILES_MAX] = {-1, -1, -1};
    uint8_t bytes[FILE_LEN];

    if (fds[number] == -1) {
        for (size_t i = 0; i != sizeof(bytes); ++i)
            bytes[i] = byte_at(number, i);
        fds[number] = make_file(bytes, sizeof(bytes), true);
    }
    return fcntl(fds[number], F_DUPFD_CLOEXEC, 0);
}

/* a table, as it is said to be */
typedef struct st_table_t {
    breaker__inventory_header_t header;
    uint8_t rest[FUZZ_INPUT_MAX];
} table_t;

static size_t num_files_of(uint64_t bits)
{
    return (size_t)(bits & NUM_FILES) % (FILES_MAX + 1);
}

/* whole records only; returns how long it is */
static size_t make_table(fuzz_text_t text, uint64_t bits, table_t *table)
{
    size_t units_len = num_files_of(bits) * sizeof(uint64_t), num = 0, len;
    bool is_made;

    if (text.len >= units_len)
        num = (text.len - units_len) / sizeof(breaker__record_t);
    memset(table, 0, sizeof(*table));
    memcpy(table->header.magic, BREAKER__INVENTORY_MAGIC, sizeof(table->header.magic));
    table->header.num_files = num_files_of(bits);
    table->header.num_records = num + ((bits & COUNTS_WRONG) != 0);
    len = units_len + num * sizeof(breaker__record_t);
    if (text.len != 0)
        memcpy(table->rest, text.base, text.len < len ? text.len : len);
    is_made = breaker__inventory_reader(table->header.reader) &&
              breaker__inventory_digest(table->rest, len, table->header.digest);
    assert(is_made);
    if ((bits & IS_OF_OTHERS) != 0)
        table->header.reader[0] ^= 1;
    return sizeof(table->header) + len;
}

static breaker__inventory_t *open_table(const table_t *table, size_t len, uint64_t bits)
{
    int fds[1 + FILES_MAX + 1];
    size_t num = 0, num_files = num_files_of(bits);

    if ((bits & LACKS_FILE) != 0)
        num_files = num_files != 0 ? num_files - 1 : 1;
    fds[num++] = make_file(table, len, (bits & CAN_BE_WRITTEN) == 0);
    for (size_t i = 0; i != num_files; ++i)
        fds[num++] = file_of(i);
    return breaker__inventory_open(fds, num);
}

/* ---- what must hold ---- */

static const breaker__record_t *record_at(const table_t *table, size_t number)
{
    const void *records = table->rest + table->header.num_files * sizeof(uint64_t);

    return (const breaker__record_t *)records + number;
}

static bool is_somewhere(const table_t *table, const breaker__record_t *record)
{
    uint64_t unit;

    if (record->file == BREAKER__RECORD_ON_DISK)
        return true;
    if (record->file >= table->header.num_files)
        return false;
    memcpy(&unit, table->rest + record->file * sizeof(unit), sizeof(unit));
    /* of a memory file bodies begin at pages, or small ones at every 64 bytes */
    return (unit == 64 || unit == 4096) && record->size != 0 && record->offset % unit == 0 &&
           record->offset < FILE_LEN && record->size <= FILE_LEN - record->offset;
}

static struct timespec time_of(int64_t ns)
{
    int64_t rest = ns % 1000000000, seconds = ns / 1000000000;

    return rest < 0 ? (struct timespec){seconds - 1, rest + 1000000000}
                    : (struct timespec){seconds, rest};
}

static breaker__stamp_t stamp_of(const breaker__record_t *record)
{
    return (breaker__stamp_t){
        .dev = record->dev,
        .ino = record->ino,
        .size = (off_t)record->size,
        .mtime = time_of(record->mtime_ns),
        .ctime = time_of(record->ctime_ns),
        .mount = record->mount,
    };
}

static bool is_same_file(const breaker__record_t *a, const breaker__record_t *b)
{
    return a->mount == b->mount && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* the first record of this file that lies somewhere, or NULL */
static const breaker__record_t *find_slowly(const table_t *table, const breaker__record_t *file)
{
    for (size_t i = 0; i != table->header.num_records; ++i)
        if (is_same_file(record_at(table, i), file) && is_somewhere(table, record_at(table, i)))
            return record_at(table, i);
    return NULL;
}

static void check_body(breaker__inventory_t *inventory, const breaker__record_t *record)
{
    breaker__body_t *body = breaker__inventory_adopt(inventory, record);

    assert((body == NULL) == (record->file == BREAKER__RECORD_ON_DISK));
    if (body == NULL)
        return;
    assert(body->bytes.len == record->size);
    for (size_t i = 0; i != record->size; ++i)
        assert((uint8_t)body->bytes.base[i] == byte_at(record->file, record->offset + i));
    breaker__body_free(body);
}

static void check_file(breaker__inventory_t *inventory, const table_t *table,
                       const breaker__record_t *file)
{
    breaker__stamp_t stamp = stamp_of(file);
    const breaker__record_t *found = breaker__inventory_find(inventory, &stamp);
    const breaker__record_t *expected = find_slowly(table, file);

    assert((found == NULL) == (expected == NULL));
    if (found == NULL)
        return;
    assert(memcmp(found, expected, sizeof(*found)) == 0);
    check_body(inventory, found);
}

static void check_records(breaker__inventory_t *inventory, const table_t *table)
{
    for (size_t i = 0; i != table->header.num_records; ++i) {
        breaker__record_t other = *record_at(table, i);
        check_file(inventory, table, &other);
        other.ino += 1;
        check_file(inventory, table, &other);
        other.ino -= 1;
        other.mtime_ns ^= 1;
        check_file(inventory, table, &other);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t text = {(const char *)data, size};
    uint64_t bits = fuzz_take_number(&text), torn_at = fuzz_take_number(&text);
    breaker__inventory_t *inventory;
    static table_t table;
    size_t len;
    bool is_good = (bits & ~(uint64_t)NUM_FILES & 127) == 0;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    len = make_table(text, bits, &table);
    if ((bits & IS_TORN) != 0)
        ((uint8_t *)&table)[torn_at / 8 % len] ^= (uint8_t)(1 << torn_at % 8);
    inventory = open_table(&table, len, bits);
    assert((inventory != NULL) == is_good);
    if (inventory != NULL)
        check_records(inventory, &table);
    breaker__inventory_free(inventory);
    return 0;
}
