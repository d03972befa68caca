#ifndef BREAKER_BIN_ASKERS_H
#define BREAKER_BIN_ASKERS_H

#include <stddef.h>

/*
 * Who has asked the master for a reload and waits for how it ends: `h2o-breaker --reload` (ask.h),
 * which sends the signal with a number (sigqueue(3)), the name of its socket. That is a datagram
 * socket in the abstract namespace, to which the kernel gave five hexadecimal digits for a name
 * (unix(7), autobind). What it is sent is a word of these, or the status of a refusal and a reason.
 */

/** the signal was heard; how it ends follows */
#define BREAKER__ANSWER_HEARD "heard"
/** the signal has to be sent once more: the master has become another program */
#define BREAKER__ANSWER_AGAIN "again"
#define BREAKER__ANSWER_DONE "done"
/** the most bytes of an answer, its end included */
#define BREAKER__ANSWER_MAX 2200

/** a number that is a name has this in its upper bits */
#define BREAKER__ASKER_MARK 0x62600000
#define BREAKER__ASKER_MASK 0x000fffff

/** so many are answered; others get no word, and ask again */
#define BREAKER__ASKERS_MAX 64

/** Zeroed: nobody. */
typedef struct st_breaker__askers_t {
    unsigned names[BREAKER__ASKERS_MAX];
    size_t num;
} breaker__askers_t;

/** Says to one that it was heard; whose number is no name is not there. */
void breaker__askers_add(breaker__askers_t *askers, int value);
void breaker__askers_move(breaker__askers_t *to, breaker__askers_t *from);

/* Each tells all of them, and forgets them. Nobody is waited for. */
void breaker__askers_tell_done(breaker__askers_t *askers);
void breaker__askers_tell_again(breaker__askers_t *askers);
/** `status` is what they exit with, not 0; `reason` is the end of a sentence. */
void breaker__askers_tell_refused(breaker__askers_t *askers, int status, const char *reason);

#endif
