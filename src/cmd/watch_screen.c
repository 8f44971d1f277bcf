#include "cmd/watch_screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"

/* ECMA-48, as every terminal of today has them. */
#define SCREEN_ENTER "\033[?1049h\033[?25l"     /* another screen, no cursor */
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define LINE_REST "\033[K"
#define SCREEN_REST "\033[J"

struct watch_screen {
    bool terminal, keys;        /* stdout is one; and so is stdin, and its mode was changed */
    struct termios before;
    int signals;                /* a signalfd: INT, TERM, HUP, WINCH */
    char *text;                 /* shown last; NULL: none */
};

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

struct watch_screen *watch_screen_open(void)
{
    struct watch_screen *w = mem_zalloc(sizeof(*w));

    w->terminal = isatty(STDOUT_FILENO);
    w->signals = open_signals();
    if (!w->terminal)
        return w;
    if (tcgetattr(STDIN_FILENO, &w->before) == 0) {
        struct termios raw = w->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        w->keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    fputs(SCREEN_ENTER, stdout);
    fflush(stdout);
    return w;
}

void watch_screen_close(struct watch_screen *w)
{
    if (w->terminal) {
        fputs(SCREEN_LEAVE, stdout);
        fflush(stdout);
    }
    if (w->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &w->before);
    close(w->signals);
    free(w->text);
    free(w);
}

/* As many bytes of a line as fill that many columns; a character of UTF-8 is taken for one. */
static size_t fitting(const char *line, size_t len, unsigned columns)
{
    size_t i = 0;

    for (unsigned c = 0; i < len && c < columns; c++)
        for (i++; i < len && ((unsigned char)line[i] & 0xc0) == 0x80;)
            i++;
    return i;
}

/* Columns have two blanks between them. */
static bool is_sentence(const char *line, size_t len)
{
    return memmem(line, len, "  ", 2) == NULL;
}

static void draw(const struct watch_screen *w)
{
    struct winsize size = { 0 };
    const char *p = w->text;

    /* A serial line knows no size, and says 0. */
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
    fputs(SCREEN_HOME, stdout);
    for (unsigned row = 1; *p != '\0' && row < size.ws_row; row++) {
        size_t len = strcspn(p, "\n"), fits = fitting(p, len, size.ws_col);
        fputs(LINE_REST, stdout);       /* at the row's end it would take the last sign */
        fwrite(p, 1, fits, stdout);
        putchar('\n');
        p += is_sentence(p, len) ? fits : len;
        p += *p == '\n';
    }
    fputs(*p != '\0' ? "… (more below; q ends)" LINE_REST : "q ends" LINE_REST, stdout);
    fputs(SCREEN_REST, stdout);
    fflush(stdout);
}

void watch_screen_show(struct watch_screen *w, const char *text)
{
    if (!w->terminal) {
        printf("%s%s", w->text != NULL ? "\n" : "", text);
        fflush(stdout);
    }
    free(w->text);
    w->text = mem_strdup(text);
    if (w->terminal)
        draw(w);
}

/* True: it shall end. */
static bool take_signal(struct watch_screen *w)
{
    struct signalfd_siginfo info;

    if (read(w->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return false;
    if (info.ssi_signo != SIGWINCH)
        return true;
    if (w->terminal && w->text != NULL)
        draw(w);
    return false;
}

static bool take_key(struct watch_screen *w)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);

    if (n <= 0)
        w->keys = false;        /* nobody types there any more */
    return n == 1 && (key == 'q' || key == 'Q');
}

bool watch_screen_wait(struct watch_screen *w, int ms)
{
    struct pollfd fds[] = { { .fd = w->signals, .events = POLLIN },
                            { .fd = w->keys ? STDIN_FILENO : -1, .events = POLLIN } };

    if (ferror(stdout) != 0)
        return false;           /* nobody reads any more */
    /* A key or a new size begins the waiting anew, which nobody minds. */
    while (poll(fds, 2, ms) > 0) {
        if (fds[0].revents != 0 && take_signal(w))
            return false;
        if (fds[1].revents != 0 && take_key(w))
            return false;
        fds[1].fd = w->keys ? STDIN_FILENO : -1;
    }
    return true;
}
