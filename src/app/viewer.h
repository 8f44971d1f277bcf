/*
 * viewer: answers who only looks: status, metrics, ready.
 *
 * What it shows comes from elsewhere and is kept here: the master's report, the facts of
 * certificates, which are asked for when somebody looks for the first time after a reload, and
 * the configuration, which is health's. A page is written once and given to all who ask
 * within a moment after, which is longer for what took longer to write: however often
 * somebody asks, the monitor spends a tenth of its time on writing.
 */
#ifndef SALLYPORT_APP_VIEWER_H
#define SALLYPORT_APP_VIEWER_H

#include <stdbool.h>
#include <stddef.h>

#include "app/channel.h"
#include "app/health.h"
#include "app/httpd.h"
#include "proxy/account.h"

enum view { VIEW_STATUS_JSON, VIEW_STATUS_TEXT, VIEW_METRICS, VIEW_READY, VIEW_COUNT };

struct viewer;

/* `accounts` and `h` must outlive it. */
struct viewer *viewer_new(const struct accounts *accounts, const struct health *h);
void viewer_free(struct viewer *v);         /* NULL is fine; nobody is told of calls that wait */

/* Answer, now or when what is needed has come. */
void viewer_show(struct viewer *v, struct httpd_call *call, enum view what);
void viewer_gone(struct viewer *v, const struct httpd_call *call);

/* REPORT, FACTS, and that there are other settings now. The generation whose facts are to be asked
   for; 0: none. */
uint64_t viewer_take(struct viewer *v, const struct channel_msg *m);
void viewer_changed(struct viewer *v);

/* The same, after viewer_show(). */
uint64_t viewer_wants(struct viewer *v);

#endif
