/*
 * Passwords are hashed slowly on purpose, and the thread that does it serves visitors as well. So a
 * hash is bounded where it is read; what was right once is remembered, by a hash that is fast and
 * keyed with bytes of this process's own; and of what is wrong only so much is looked at that it
 * takes a twentieth of one thread, however many ask. Passwords are kept nowhere, and names, right
 * or wrong, take the same time.
 */
#include <assert.h>
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include "status/users.h"

enum {
    BCRYPT_COST_MAX = 10,
    SHA_ROUNDS_MAX = 100000,
    /* of a thread's time one part of so many goes into hashes of what is wrong */
    SHARE = 20,
};

#define ACCEPTED                                                                                   \
    "accepted: NAME:HASH, the hash of bcrypt (`htpasswd -B`, a cost of 10 at most) or of SHA-256 " \
    "or SHA-512 (`openssl passwd -6`, 100,000 rounds at most)"

typedef struct st_user_t {
    const char *name, *hash; /* of the file's text */
    size_t name_len;
    /* of the credentials that were right last */
    bool is_known;
    uint8_t known[SHA256_DIGEST_LENGTH];
} user_t;

struct st_breaker__users_t {
    char *text; /* owned */
    uint8_t key[32];
    size_t num;
    pthread_mutex_t lock; /* of what follows, for moments */
    user_t users[BREAKER__USERS_MAX];
    bool is_hashing;
    /* of CLOCK_MONOTONIC: nothing is hashed before */
    uint64_t next_us;
};

/* ---- the file ---- */

/* a number that follows; how many of them the hash says, `otherwise` where it does not say it */
static unsigned long number_after(const char *hash, const char *word, unsigned long otherwise)
{
    size_t len = strlen(word);

    return strncmp(hash, word, len) == 0 ? strtoul(hash + len, NULL, 10) : otherwise;
}

static bool is_bounded(const char *hash)
{
    if (strncmp(hash, "$2a$", 4) == 0 || strncmp(hash, "$2b$", 4) == 0 ||
        strncmp(hash, "$2y$", 4) == 0)
        return number_after(hash + 4, "", 0) <= BCRYPT_COST_MAX;
    if (strncmp(hash, "$5$", 3) == 0 || strncmp(hash, "$6$", 3) == 0)
        return number_after(hash + 3, "rounds=", 0) <= SHA_ROUNDS_MAX;
    return false;
}

/* crypt(3) knows it as well, and it is whole */
static bool is_hash(const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof(*data));
    const char *made = data != NULL && is_bounded(hash) ? crypt_r("", hash, data) : NULL;
    bool is_one = made != NULL && made[0] != '*' && strlen(made) == strlen(hash);

    free(data);
    return is_one;
}

/* one line, NUL-ended; false where it is neither a user nor to be passed over */
static bool read_line(breaker__users_t *users, char *line)
{
    char *colon = strchr(line, ':');
    user_t *user = users->users + users->num;

    line[strcspn(line, "\r")] = '\0';
    if (line[0] == '\0' || line[0] == '#')
        return true;
    if (colon == NULL || colon == line || users->num == BREAKER__USERS_MAX || !is_hash(colon + 1))
        return false;
    *user = (user_t){.name = line, .hash = colon + 1, .name_len = (size_t)(colon - line)};
    ++users->num;
    return true;
}

static int read_lines(breaker__users_t *users, const char *path, breaker_error_t *error)
{
    unsigned num = 0;

    for (char *line = users->text, *next; line != NULL; line = next) {
        if ((next = strchr(line, '\n')) != NULL)
            *next++ = '\0';
        ++num;
        if (!read_line(users, line))
            return breaker_error_set(error, BREAKER_ERR_RANGE, "%s:%u: " ACCEPTED, path, num);
    }
    if (users->num == 0)
        return breaker_error_set(error, BREAKER_ERR_RANGE, "%s: no user; " ACCEPTED, path);
    return 0;
}

/* NUL-ended; NULL with errno */
static char *read_file(const char *path)
{
    char *text = calloc(1, BREAKER__USERS_FILE_MAX + 1);
    size_t len = 0;
    ssize_t got = 0;
    int fd;

    if (text == NULL || (fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1) {
        free(text);
        return NULL;
    }
    while (len != BREAKER__USERS_FILE_MAX &&
           ((got = read(fd, text + len, BREAKER__USERS_FILE_MAX - len)) > 0 ||
            (got == -1 && errno == EINTR)))
        len += got > 0 ? (size_t)got : 0;
    if (len == BREAKER__USERS_FILE_MAX)
        errno = EFBIG;
    close(fd);
    if (got >= 0 && len != BREAKER__USERS_FILE_MAX && memchr(text, '\0', len) == NULL)
        return text;
    free(text);
    return NULL;
}

int breaker__users_read(const char *path, breaker__users_t **ret_users, breaker_error_t *error)
{
    breaker__users_t *users = calloc(1, sizeof(*users));
    int err;

    if (users == NULL || pthread_mutex_init(&users->lock, NULL) != 0) {
        free(users);
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "%s: no memory", path);
    }
    errno = 0;
    if ((users->text = read_file(path)) == NULL)
        err = breaker_error_set(error, BREAKER_ERR_IO, "%s: %s", path,
                                errno != 0 ? strerror(errno) : "no text");
    else if (getrandom(users->key, sizeof(users->key), 0) != sizeof(users->key))
        err = breaker_error_set(error, BREAKER_ERR_IO, "%s: no random bytes", path);
    else
        err = read_lines(users, path, error);
    if (err != 0) {
        breaker__users_free(users);
        return err;
    }
    *ret_users = users;
    return 0;
}

void breaker__users_free(breaker__users_t *users)
{
    if (users == NULL)
        return;
    assert(!users->is_hashing);
    pthread_mutex_destroy(&users->lock);
    free(users->text);
    OPENSSL_cleanse(users, sizeof(*users));
    free(users);
}

/* ---- what a client says ---- */

/* "name:password", NUL-ended; false where it is none */
static bool decode(h2o_iovec_t authorization, char credentials[BREAKER__CREDENTIALS_MAX + 1])
{
    static const char scheme[] = "Basic ";
    uint8_t decoded[BREAKER__CREDENTIALS_MAX + 3];
    const char *base = authorization.base, *password;
    size_t len = authorization.len, scheme_len = sizeof(scheme) - 1;
    int got;

    if (base == NULL || len <= scheme_len || strncasecmp(base, scheme, scheme_len) != 0)
        return false;
    base += scheme_len;
    len -= scheme_len;
    if (len % 4 != 0 || len / 4 * 3 > BREAKER__CREDENTIALS_MAX)
        return false;
    got = EVP_DecodeBlock(decoded, (const uint8_t *)base, (int)len);
    if (got <= 0)
        return false;
    /* it counts the padding as bytes */
    got -= (base[len - 1] == '=') + (base[len - 2] == '=');
    memcpy(credentials, decoded, (size_t)got);
    credentials[got] = '\0';
    OPENSSL_cleanse(decoded, sizeof(decoded));
    if (strlen(credentials) != (size_t)got || (password = strchr(credentials, ':')) == NULL)
        return false;
    return strlen(password + 1) <= BREAKER__PASSWORD_MAX;
}

static user_t *find(breaker__users_t *users, const char *name, size_t len)
{
    for (size_t i = 0; i != users->num; ++i)
        if (users->users[i].name_len == len && memcmp(users->users[i].name, name, len) == 0)
            return users->users + i;
    return NULL;
}

/* ---- hashes ---- */

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void digest(const breaker__users_t *users, const char *credentials,
                   uint8_t ret_digest[SHA256_DIGEST_LENGTH])
{
    unsigned len = 0;
    const uint8_t *made = HMAC(EVP_sha256(), users->key, sizeof(users->key),
                               (const uint8_t *)credentials, strlen(credentials), ret_digest, &len);

    assert(made != NULL);
    assert(len == SHA256_DIGEST_LENGTH);
    (void)made;
}

/* what is right is known at once; else whether the caller is to hash now */
static breaker__users_verdict_t look(breaker__users_t *users, const user_t *user,
                                     const uint8_t *said, bool *ret_is_to_hash)
{
    breaker__users_verdict_t verdict = BREAKER__USERS_LATER;

    pthread_mutex_lock(&users->lock);
    *ret_is_to_hash = false;
    if (user != NULL && user->is_known &&
        CRYPTO_memcmp(user->known, said, sizeof(user->known)) == 0)
        verdict = BREAKER__USERS_RIGHT;
    else if (!users->is_hashing && now_us() >= users->next_us)
        users->is_hashing = *ret_is_to_hash = true;
    pthread_mutex_unlock(&users->lock);
    return verdict;
}

static bool is_right(const char *password, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof(*data));
    const char *made = data != NULL ? crypt_r(password, hash, data) : NULL;
    bool is_right = made != NULL && strlen(made) == strlen(hash) &&
                    CRYPTO_memcmp(made, hash, strlen(hash)) == 0;

    if (data != NULL)
        OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return is_right;
}

static void note(breaker__users_t *users, user_t *user, const uint8_t *said, bool is_right,
                 uint64_t began_us)
{
    uint64_t ended_us = now_us();

    pthread_mutex_lock(&users->lock);
    assert(users->is_hashing);
    users->is_hashing = false;
    if (is_right) {
        user->is_known = true;
        memcpy(user->known, said, sizeof(user->known));
    } else {
        users->next_us = ended_us + (ended_us - began_us) * (SHARE - 1);
    }
    pthread_mutex_unlock(&users->lock);
}

static breaker__users_verdict_t judge(breaker__users_t *users, const char *credentials)
{
    const char *password = strchr(credentials, ':') + 1;
    user_t *user = find(users, credentials, (size_t)(password - credentials) - 1);
    uint8_t said[SHA256_DIGEST_LENGTH];
    breaker__users_verdict_t verdict;
    uint64_t began_us = now_us();
    bool is_to_hash, is_user;

    digest(users, credentials, said);
    verdict = look(users, user, said, &is_to_hash);
    if (!is_to_hash)
        return verdict;
    /* a name that is none takes as long */
    is_user = is_right(password, user != NULL ? user->hash : users->users[0].hash) && user != NULL;
    note(users, user, said, is_user, began_us);
    return is_user ? BREAKER__USERS_RIGHT : BREAKER__USERS_WRONG;
}

breaker__users_verdict_t breaker__users_judge(breaker__users_t *users, h2o_iovec_t authorization)
{
    char credentials[BREAKER__CREDENTIALS_MAX + 1];
    breaker__users_verdict_t verdict;

    if (!decode(authorization, credentials))
        return BREAKER__USERS_WRONG;
    verdict = judge(users, credentials);
    OPENSSL_cleanse(credentials, sizeof(credentials));
    return verdict;
}
