#ifndef BREAKER_BIN_CHANNEL_H
#define BREAKER_BIN_CHANNEL_H

#include <stddef.h>

/*
 * What the master and a worker say to each other: messages over a pair of sockets that keep their
 * bounds (SOCK_SEQPACKET, unix(7)), with a text and descriptors (SCM_RIGHTS). Every function is for
 * the main thread of its process.
 */

/** the most bytes of a text, its end included: a path and a number */
#define BREAKER__MESSAGE_TEXT_MAX 4200
/** the most descriptors of a message; the kernel takes 253 */
#define BREAKER__MESSAGE_FDS_MAX 128

/** What a message is about; the letters are the bytes on the wire. */
typedef enum {
    /* from the master */
    /** end: `shutdown-delay`, then as BREAKER__SAY_RETIRE */
    BREAKER__SAY_STOP = 'S',
    /** another worker has taken over: finish what is open, and end */
    BREAKER__SAY_RETIRE = 'R',
    /** end now, whatever is open */
    BREAKER__SAY_CUT = 'C',
    /** the worker that was to be followed is no more: nobody serves until this one does */
    BREAKER__SAY_ALONE = 'A',
    /** a log was opened anew: the descriptor takes the place of the one that the text names */
    BREAKER__SAY_REOPENED = 'O',

    /* from a worker */
    /** the text is a listener's name, the descriptors are its sockets, bound just now */
    BREAKER__SAY_BOUND = 'B',
    /** the text is the name of a listener that was held already and is needed on */
    BREAKER__SAY_USED = 'U',
    /** the text is the path of the pid file, which names the master; the descriptor is open on it
     */
    BREAKER__SAY_PID_FILE = 'P',
    /**
     * "FLAG FORM": from here on the master's lines are of this form (error_log.h), and go to the
     * descriptor, if there is one; 0: it is stderr as ever
     */
    BREAKER__SAY_ERROR_LOG = 'E',
    /** the text is why it does not serve and ends */
    BREAKER__SAY_FAILED = 'F',
    /** "FD PATH": a log that can be opened anew */
    BREAKER__SAY_LOG = 'L',
    /** the text is a state for the service manager, as in sd_notify(3) */
    BREAKER__SAY_NOTIFY = 'N',
    /**
     * "ORDER TOKEN RELEASE", which a node by itself has minted: with the same files the next worker
     * has the same token
     */
    BREAKER__SAY_MINTED = 'M',
    /**
     * what it has loaded, for the next worker: descriptors that no process can write to, or none;
     * once, before anything came from the network
     */
    BREAKER__SAY_INVENTORY = 'I',
    /** it serves, and whoever served before it may retire; the text as of BREAKER__SAY_NOTIFY */
    BREAKER__SAY_READY = 'Y',
    /** it is about to close its listeners for good, after BREAKER__SAY_STOP */
    BREAKER__SAY_CLOSING = 'D',
    /** it has closed its last listener: whoever connects from here on meets another worker */
    BREAKER__SAY_CLOSED = 'X',
} breaker__say_t;

typedef struct st_breaker__message_t {
    breaker__say_t say;
    /** NUL-ended */
    char text[BREAKER__MESSAGE_TEXT_MAX];
    /** close-on-exec, and the receiver's */
    int fds[BREAKER__MESSAGE_FDS_MAX];
    size_t num_fds;
} breaker__message_t;

/**
 * Makes the two ends of a channel, close-on-exec. The master's does not block, since no worker may
 * hold it up. Returns 0, or -1 with errno.
 */
int breaker__channel_open(int *ret_master, int *ret_worker);

/**
 * Sends a message; the descriptors stay the sender's. Returns 0, or -1 with errno: the other side
 * is gone, or does not take what it is told.
 */
int breaker__channel_send(int fd, breaker__say_t say, const char *text, const int *fds,
                          size_t num_fds);

/**
 * Takes the next message, without waiting. Returns 1 and the message, 0 when there is none, and -1
 * when the other side has gone, or has sent what is none.
 */
int breaker__channel_receive(int fd, breaker__message_t *ret_message);

#endif
