/*
 * sallyport: the command line. A table of verbs; everything else is in their files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/reference.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments, *summary;
} verbs[] = {
    { "serve", cmd_serve, "[-c FILE] [OPTION]...", "run it" },
    { "tunnel", cmd_tunnel, "[LISTEN] [UPSTREAM]", "run it with a throw-away certificate" },
    { "status", cmd_status, "[-c FILE] [--admin ADDR]", "say how the running one is" },
    { "reload", cmd_reload, "[-c FILE] [--admin ADDR]", "let the running one read all again" },
    { "drain", cmd_drain, "[-c FILE] [--admin ADDR]", "let the running one end in order" },
    { "check", cmd_check, "[-c FILE]", "say what `serve` would object to" },
    { "explain", cmd_explain, "[-c FILE] [FLAG]...", "say what becomes of a client, and why" },
    { "dump", cmd_dump, "[-c FILE]", "show the configuration in force" },
    { "show", cmd_show, "FILE...", "say what is in a certificate, key or CRL file" },
    { "help", cmd_help, "[COMMAND|keys|presets]", "explain a command, or the configuration" },
    { "version", cmd_version, "", "print the version" },
};
#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *find(const char *name)
{
    for (size_t i = 0; i < NVERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void print_help(FILE *out)
{
    fputs("sallyport: a TLS gate for plaintext services\n"
          "\n"
          "usage: sallyport COMMAND [ARGUMENT]...\n"
          "\n", out);
    for (size_t i = 0; i < NVERBS; i++)
        fprintf(out, "  %-8s %-24s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
    fputs("\n"
          "  -h, --help       this text; after a command: about that command\n"
          "  -V, --version    the version\n"
          "\n"
          "Try it:    sallyport tunnel\n"
          "Use it:    sallyport serve --listen 0.0.0.0:9142 --upstream 127.0.0.1:9042 \\\n"
          "               --cert tls.crt --key tls.key --ca ca.crt\n"
          "\n"
          "Exit codes: 0 done, 1 configuration or start error, or a drain that had to cut\n"
          "connections, 2 usage.\n", out);
}

static int unknown(const char *word)
{
    const char *names[NVERBS];

    for (size_t i = 0; i < NVERBS; i++)
        names[i] = verbs[i].name;
    const char *near = str_nearest(word, names, NVERBS);
    fprintf(stderr, "sallyport: there is no command \"%s\"", word);
    if (near != NULL)
        fprintf(stderr, " (did you mean \"%s\"?)", near);
    fputs("; see sallyport --help\n", stderr);
    return EXIT_USAGE;
}

static int cmd_help(int argc, char **argv)
{
    char help[] = "--help";

    if (argc < 2) {
        print_help(stdout);
        return EXIT_OK;
    }
    if (reference_print(argv[1]))
        return EXIT_OK;
    const struct verb *v = find(argv[1]);
    if (v == NULL)
        return unknown(argv[1]);
    if (v->run == cmd_help || v->run == cmd_version) {
        print_help(stdout);
        return EXIT_OK;
    }
    return v->run(2, (char *[]){ argv[1], help, NULL });
}

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("sallyport " SALLYPORT_VERSION);
    return EXIT_OK;
}

/* Started with 0, 1 or 2 closed, the next socket would become one of them, and
   the log would be written to a client. */
static void fill_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Help that went into a full disk or a closed pipe was not given. */
static int flushed(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "sallyport: cannot write to stdout: %s\n", strerror(errno));
    return code == EXIT_OK ? EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
    fill_standard_fds();
    if (argc < 2) {
        fputs("usage: sallyport COMMAND [ARGUMENT]...; see sallyport --help\n", stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
        word = "help";
    else if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
        word = "version";
    const struct verb *v = find(word);
    return v != NULL ? flushed(v->run(argc - 1, argv + 1)) : unknown(word);
}
