/*
 * cmd: the verbs of the command line, one in a file each.
 *
 * A verb gets its own arguments (argv[0] is the verb) and returns the exit code.
 * It answers -h and --help itself, on stdout.
 */
#ifndef SALLYPORT_CMD_CMD_H
#define SALLYPORT_CMD_CMD_H

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int cmd_serve(int argc, char **argv);
int cmd_tunnel(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_drain(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_dump(int argc, char **argv);

#endif
