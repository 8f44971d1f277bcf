/*
 * channel: the few messages between the master and its children.
 *
 * A pair of SOCK_SEQPACKET sockets: a message is a packet, descriptors ride along
 * (SCM_RIGHTS), and the end of either process is an end of file for the other.
 * Both ends come from one fork of one binary, so a message is a C struct and has
 * no version. Still nothing is believed: sizes and descriptor counts are checked,
 * and anything odd closes the channel.
 *
 *   master -> worker   BUNDLE(generation, bundle, listening sockets)
 *                      DRAIN(timeout)   LOG(format, level, descriptor)
 *                      TICKETS(secrets)
 *                      ENDPOINTS(what the monitor knows of servers)
 *                      DIALLER(whom to ask to dial what it may not)
 *                      PING(number)
 *   worker -> master   READY(generation)   FAILED(generation, why)   DRAINED(cut)
 *                      PONG(number)
 *   loader -> master   LOADED(findings, bundle, passwords to keep)
 *   monitor -> master  READY   RELOAD(request)   DRAIN(timeout)   ENDPOINTS   FACTS(generation)
 *                      PONG(number)
 *   master -> monitor  PING(number)   RELOADED(request, outcome)   DRAINED(cut)   LOG
 *                      SETTINGS(of the edition in force)
 *                      ENDPOINTS(what the one before it knew)   DIALLER
 *                      REPORT(how it is)   FACTS(generation, of its certificates)
 */
#ifndef SALLYPORT_APP_CHANNEL_H
#define SALLYPORT_APP_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"

enum channel_kind {
    CHANNEL_BUNDLE = 1,
    CHANNEL_DRAIN,
    CHANNEL_LOG,
    CHANNEL_TICKETS,
    CHANNEL_READY,
    CHANNEL_FAILED,
    CHANNEL_DRAINED,
    CHANNEL_LOADED,
    CHANNEL_RELOAD,
    CHANNEL_RELOADED,
    CHANNEL_SETTINGS,
    CHANNEL_ENDPOINTS,
    CHANNEL_REPORT,
    CHANNEL_FACTS,
    CHANNEL_DIALLER,
    CHANNEL_PING,
    CHANNEL_PONG,
    CHANNEL_LAST = CHANNEL_PONG
};

/* Listening sockets of one message; more than any configuration needs. */
#define CHANNEL_FDS_MAX 8192

/* The timeout of a DRAIN that the configuration knows. */
#define CHANNEL_DRAIN_DEFAULT UINT64_MAX

struct channel_msg {
    enum channel_kind kind;
    uint64_t number;            /* BUNDLE, READY, FAILED: generation; DRAIN: timeout in ms;
                                   DRAINED: connections that were cut; RELOAD, RELOADED: request;
                                   FACTS: generation; PING, PONG: watchdog.h */
    int log_format, log_level;  /* LOG */
    char text[ERR_TEXT_MAX];    /* FAILED */

    /* BUNDLE: the bundle, then the listening sockets. LOG: the log, none for syslog.
       TICKETS: a memory file of secrets, newest first (tickets.h).
       LOADED: loader_job.c. RELOADED: the outcome (outcome.h), if there was memory for it.
       SETTINGS: as the bundle has them. ENDPOINTS: endpoints.h; none: nothing is known.
       REPORT: report.h. FACTS: inventory_pack(), of all there is.
       DIALLER: dialler.h; none: there is none. */
    int *fds;
    size_t nfds;
};

struct channel;

/*
 * One message came. Descriptors the handler keeps it replaces by -1 in m->fds;
 * the others are closed when it returns. The handler may free the channel.
 */
typedef void channel_fn(void *arg, struct channel_msg *m);

/* The other end is gone, or sent what makes no sense. Called once; nothing comes
   after it. The handler may free the channel. */
typedef void channel_closed_fn(void *arg);

/* Two connected ends, close-on-exec, non-blocking. 0, or -1 and e. */
int channel_pair(int fds[2], struct err *e);

/* Owns fd, even when this fails (NULL, memory is out). */
struct channel *channel_new(struct loop *l, int fd, channel_fn *on_msg,
                            channel_closed_fn *on_closed, void *arg);
void channel_free(struct channel *c);       /* NULL is fine; what is unsent is lost */

/*
 * Send, or keep to send later (descriptors are duplicated then; the caller's stay
 * the caller's). 0, or -1 when the other end is gone or takes nothing any more.
 */
int channel_send(struct channel *c, const struct channel_msg *m);

/* Nothing is waiting to be sent. */
bool channel_flushed(const struct channel *c);

#endif
