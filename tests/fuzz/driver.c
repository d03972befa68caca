/*
 * A main for fuzz targets where there is no libFuzzer: replays a corpus, then mutations of it that
 * are the same in every run. Inputs end at a guard page. When the target fails, seed, round and
 * input are printed, so that the failure can be repeated.
 *
 *     replay_TARGET CORPUS [SEED [ROUNDS]]
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "fuzz.h"
#include "guard.h"

#define CORPUS_MAX 256
#define DEFAULT_SEED 20261123
#define DEFAULT_ROUNDS 20000
/** an input that takes longer never ends */
#define HANG_S 120

/** An input on its way to the target. */
typedef struct st_input_t {
    size_t len;
    char bytes[FUZZ_INPUT_MAX];
} input_t;

/** What a signal handler needs to tell the story; written before every input. */
static struct {
    uint64_t seed;
    long round; /* -1: the corpus itself */
    const input_t *input;
} current;

/** Present with the sanitizers, which end the process without a signal. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void tell(void)
{
    const input_t *input = current.input;

    fprintf(stderr, "\nfailed: seed %" PRIu64 ", round %ld, %zu bytes:\n", current.seed,
            current.round, input->len);
    for (size_t i = 0; i != input->len; ++i)
        fprintf(stderr, "%02x%s", (unsigned char)input->bytes[i], i % 32 == 31 ? "\n" : "");
    fprintf(stderr, "\n\"");
    for (size_t i = 0; i != input->len; ++i)
        fputc(input->bytes[i] >= 0x20 && input->bytes[i] < 0x7f ? input->bytes[i] : '?', stderr);
    fprintf(stderr, "\"\n");
}

static void on_signal(int number)
{
    signal(number, SIG_DFL);
    tell();
    raise(number);
}

static void tell_when_it_fails(void)
{
    signal(SIGALRM, on_signal);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(tell);
        signal(SIGABRT, on_signal);
        return;
    }
    for (size_t i = 0; i != 5; ++i) {
        static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
        signal(numbers[i], on_signal);
    }
}

static void run(const input_t *input, long round)
{
    static char *page; /* one block for all inputs, which end where it ends */

    if (page == NULL)
        page = guarded_alloc(FUZZ_INPUT_MAX);
    current.round = round;
    current.input = input;
    if (input->len != 0)
        memcpy(page + FUZZ_INPUT_MAX - input->len, input->bytes, input->len);
    alarm(HANG_S);
    LLVMFuzzerTestOneInput((const uint8_t *)page + FUZZ_INPUT_MAX - input->len, input->len);
    alarm(0);
}

/* ---- the corpus ---- */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void read_file(const char *directory, const char *name, input_t *input)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if ((file = fopen(path, "rb")) == NULL)
        fail(path);
    input->len = fread(input->bytes, 1, sizeof(input->bytes), file);
    if (ferror(file) || input->len == sizeof(input->bytes)) {
        fprintf(stderr, "%s: cannot be read, or %d bytes and more\n", path, FUZZ_INPUT_MAX);
        exit(1);
    }
    fclose(file);
}

/** Reads the files in the order of their names, which is the same everywhere. */
static size_t read_corpus(const char *directory, input_t *corpus)
{
    struct dirent **entries;
    int num_entries = scandir(directory, &entries, NULL, alphasort);
    size_t num = 0;

    if (num_entries < 0)
        fail(directory);
    for (int i = 0; i != num_entries; ++i) {
        if (entries[i]->d_name[0] != '.' && num != CORPUS_MAX)
            read_file(directory, entries[i]->d_name, &corpus[num++]);
        free(entries[i]);
    }
    free(entries);
    if (num == 0) {
        fprintf(stderr, "%s: no corpus\n", directory);
        exit(1);
    }
    return num;
}

/* ---- mutations ---- */

/** xorshift64*: a number below `below`, which is not 0 */
static size_t draw(uint64_t *state, size_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (size_t)((*state * UINT64_C(2685821657736338717)) >> 32) % below;
}

/** Replaces `old_len` bytes at a place by others, cut to what there is room for. */
static void splice(input_t *input, size_t at, size_t old_len, const char *base, size_t len)
{
    size_t tail = input->len - at - old_len, room = sizeof(input->bytes) - (input->len - old_len);

    if (len > room)
        len = room;
    memmove(input->bytes + at + len, input->bytes + at + old_len, tail);
    if (len != 0)
        memcpy(input->bytes + at, base, len);
    input->len = at + len + tail;
}

static void mutate_once(uint64_t *state, input_t *input, const input_t *other)
{
    static const char special[] = "\0\t\n\r \"%*,-./0123;=\\{}\x7f\x80\xff";
    size_t at = draw(state, input->len + 1);
    size_t len = draw(state, (input->len - at < 8 ? input->len - at : 8) + 1);
    size_t from = draw(state, other->len + 1), take = draw(state, other->len - from + 1);
    char byte = special[draw(state, sizeof(special) - 1)];

    switch (draw(state, 6)) {
    case 0: /* a bit flips */
        if (at != input->len)
            input->bytes[at] = (char)(input->bytes[at] ^ (1 << draw(state, 8)));
        break;
    case 1: /* bytes go */
        splice(input, at, len, NULL, 0);
        break;
    case 2: /* a byte comes */
        splice(input, at, 0, &byte, 1);
        break;
    case 3: /* a byte takes the place of others */
        splice(input, at, len, &byte, 1);
        break;
    case 4: /* a piece of another input comes */
        splice(input, at, 0, other->bytes + from, take < 32 ? take : 32);
        break;
    case 5: /* another input goes on */
        splice(input, at, input->len - at, other->bytes + from, other->len - from);
        break;
    }
}

int main(int argc, char **argv)
{
    input_t *corpus = calloc(CORPUS_MAX, sizeof(*corpus));
    static input_t input;
    uint64_t state;
    long rounds;
    size_t num;

    if (argc < 2 || argc > 4 || corpus == NULL) {
        fprintf(stderr, "usage: %s CORPUS [SEED [ROUNDS]]\n", argv[0]);
        return 2;
    }
    current.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : DEFAULT_SEED;
    rounds = argc > 3 ? strtol(argv[3], NULL, 10) : DEFAULT_ROUNDS;
    state = current.seed != 0 ? current.seed : 1;
    tell_when_it_fails();

    num = read_corpus(argv[1], corpus);
    for (size_t i = 0; i != num; ++i)
        run(&corpus[i], -1);
    for (long round = 0; round < rounds; ++round) {
        input = corpus[draw(&state, num)];
        for (size_t i = 1 + draw(&state, 6); i != 0; --i)
            mutate_once(&state, &input, &corpus[draw(&state, num)]);
        run(&input, round);
    }
    printf("seed %" PRIu64 ": %zu inputs and %ld mutations\n", current.seed, num, rounds);
    free(corpus);
    return 0;
}
