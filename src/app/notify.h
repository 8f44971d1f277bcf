/*
 * notify: what the service manager is told (sd_notify(3)): that it is up, reloads, ends, whose
 * process it is, and, for `systemctl status`, a line about how it goes. With WatchdogSec= also
 * that it is alive, which is left unsaid while a loop does not turn; so systemd restarts a
 * process that cannot help itself.
 *
 * The protocol is a datagram of lines to the socket in NOTIFY_SOCKET, and its specification
 * invites to speak it without libsystemd, which would bring liblzma, zstd, lz4, libcap and
 * libgcrypt along into an image that needs none of them.
 *
 * The variables are taken out of the environment: no child is to speak for us. Where they are
 * not set everything here does nothing.
 */
#ifndef SALLYPORT_APP_NOTIFY_H
#define SALLYPORT_APP_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/loop.h"

struct notify;

#define NOTIFY_STATUS_MAX 400

struct notify_asks {
    /* How it goes, in a line. */
    void (*status)(void *arg, char out[NOTIFY_STATUS_MAX]);
    /* Whether all loops turn. */
    bool (*well)(void *arg);
    void *arg;
};

/* NULL when memory is out. */
struct notify *notify_new(struct loop *l, const struct notify_asks *asks);
void notify_free(struct notify *n);         /* NULL is fine, here and below */

void notify_ready(struct notify *n);        /* it serves; or it has reloaded, well or not */
void notify_reloading(struct notify *n);
void notify_stopping(struct notify *n);
/* This may take so long from now, whatever the unit says. */
void notify_extend(struct notify *n, uint64_t ms);
/* From now on that process is the service, and this one says nothing more. */
void notify_main_pid(struct notify *n, pid_t pid);

/* In a child that is to become such a process: the variables are there again. */
void notify_hand_on(const struct notify *n);

#endif
