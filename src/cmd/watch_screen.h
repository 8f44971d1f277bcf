/*
 * watch_screen: a text that changes, on the whole of a terminal.
 *
 * The screen that was there comes back at the end, however that comes: by q, by a signal. A line
 * of a table that does not fit is cut at the edge, a sentence goes on in the next row; what is too
 * much for the rows is cut. Where stdout is no terminal, the texts follow one another.
 */
#ifndef SALLYPORT_CMD_WATCH_SCREEN_H
#define SALLYPORT_CMD_WATCH_SCREEN_H

#include <stdbool.h>

struct watch_screen;

struct watch_screen *watch_screen_open(void);
void watch_screen_close(struct watch_screen *w);

/* Show it from its beginning. */
void watch_screen_show(struct watch_screen *w, const char *text);

/* Wait that long. False when it shall end. */
bool watch_screen_wait(struct watch_screen *w, int ms);

#endif
