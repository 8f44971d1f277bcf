#include "cmd/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/environment.h"
#include "cmd/given.h"
#include "conf/schema.h"

#define DEFAULT_CONFIG SALLYPORT_SYSCONFDIR "/sallyport.conf"

/* Accepted for the same, because people know them from elsewhere. */
static const struct {
    const char *flag, *same_as;
} aliases[] = {
    { "--tls-cert", "--cert" },
    { "--tls-key", "--key" },
    { "--tls-ca-file", "--ca" },
    { "-c", "--config" },
    { "-h", "--help" },
};

#define NALIASES (sizeof(aliases) / sizeof(aliases[0]))

static const char *canonical(const char *flag)
{
    for (size_t i = 0; i < NALIASES; i++)
        if (strcmp(aliases[i].flag, flag) == 0)
            return aliases[i].same_as;
    return flag;
}

struct command_line {
    const struct option_rules *rules;
    struct invocation *out;
    struct givens *given;
    struct diags *d;
    char **argv;
    int argc, at;
    bool help;
};

static void usage_error(struct command_line *l, const char *flag, char *hint, const char *message)
{
    struct diag_at where = { { ORIGIN_COMMAND_LINE, 0 }, NULL, flag, NULL };

    diag_add(l->d, DIAG_ERROR, where, hint, "%s", message);
    free(hint);
}

static bool takes(const struct option_rules *r, const struct key_row *row)
{
    for (size_t i = 0; i < r->nonly; i++)
        if (&conf_keys[r->only[i]] == row)
            return true;
    if (r->nonly > 0 || r->nown > 0)
        return false;
    return row->flag != NULL && (row->section == SECTION_PROXY || r->configuration);
}

static const struct key_row *row_of_flag(const struct option_rules *r, const char *flag)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (takes(r, &conf_keys[i]) && strcmp(conf_keys[i].flag, flag) == 0)
            return &conf_keys[i];
    return NULL;
}

/* "--accept-proxy-from" is a key that has no flag: there is one place for it. */
static char *key_hint(const struct option_rules *r, const char *flag)
{
    char *key = mem_strdup(flag + strspn(flag, "-")), *hint = NULL;

    for (char *c = key; *c != '\0'; c++)
        if (*c == '-')
            *c = '_';
    for (size_t i = 0; r->configuration && r->nown == 0 && hint == NULL && i < KEY_COUNT; i++)
        if (conf_keys[i].flag == NULL && strcmp(conf_keys[i].key, key) == 0)
            hint = mem_printf("a key of [%s%s], for which there is no flag: write a file",
                              conf_sections[conf_keys[i].section],
                              schema_named(conf_keys[i].section) ? " …" : "");
    free(key);
    return hint;
}

static char *flag_hint(const struct option_rules *r, const char *flag)
{
    char *known = key_hint(r, flag);
    if (known != NULL)
        return known;
    const char **words = mem_zalloc((KEY_COUNT + NALIASES + 3 + r->nown) * sizeof(words[0]));
    size_t n = 0;

    for (size_t i = 0; i < KEY_COUNT; i++)
        if (takes(r, &conf_keys[i]))
            words[n++] = conf_keys[i].flag;
    for (size_t i = 0; i < r->nown; i++)
        words[n++] = r->own[i].flag;
    for (size_t i = 0; r->configuration && r->nown == 0 && i < NALIASES; i++)
        if (strlen(aliases[i].flag) > 2)
            words[n++] = aliases[i].flag;
    if (r->configuration)
        words[n++] = "--config";
    if (r->json)
        words[n++] = "--json";
    if (r->watch)
        words[n++] = "--watch";
    words[n++] = "--help";
    /* The dashes are no likeness. */
    for (size_t i = 0; i < n; i++)
        words[i] += 2;
    const char *near = str_nearest(flag + strspn(flag, "-"), words, n);
    free(words);
    return near != NULL ? mem_printf("did you mean \"--%s\"?", near) : NULL;
}

/* The value of a flag: behind its '=', or the next word. NULL: none (said). */
static const char *value_of(struct command_line *l, const char *flag, const char *inline_value)
{
    if (inline_value != NULL)
        return inline_value;
    if (l->at + 1 < l->argc && strncmp(l->argv[l->at + 1], "--", 2) != 0)
        return l->argv[++l->at];
    usage_error(l, flag, NULL, "needs a value");
    return NULL;
}

static void take_config(struct command_line *l, const char *inline_value)
{
    const char *value = value_of(l, "--config", inline_value);

    if (l->out->config_path != NULL)
        usage_error(l, "--config", NULL, "given twice");
    else if (value != NULL && value[0] == '\0')
        usage_error(l, "--config", NULL, "needs a value");
    else
        l->out->config_path = value;
}

static void take_switch(struct command_line *l, const char *flag, const char *inline_value,
                        bool *on)
{
    if (inline_value != NULL)
        usage_error(l, flag, NULL, "takes no value");
    *on = true;
}

static void take_own(struct command_line *l, size_t i, const char *inline_value)
{
    const char *flag = l->rules->own[i].flag, *value = value_of(l, flag, inline_value);

    if (l->out->own[i] != NULL)
        usage_error(l, flag, NULL, "given twice");
    l->out->own[i] = value;
}

/* Its place in the rules' own flags; their number: it is none of them. */
static size_t find_own(const struct option_rules *r, const char *flag)
{
    size_t i = 0;

    while (i < r->nown && strcmp(r->own[i].flag, flag) != 0)
        i++;
    return i;
}

static void take_flag(struct command_line *l, const char *word)
{
    const char *sign = strchr(word, '=');
    char *typed = mem_strndup(word, sign ? (size_t)(sign - word) : strlen(word));
    const char *flag = canonical(typed), *inline_value = sign ? sign + 1 : NULL;
    const struct key_row *row = row_of_flag(l->rules, flag);
    size_t own = find_own(l->rules, flag);

    if (own < l->rules->nown) {
        take_own(l, own, inline_value);
    } else if (row != NULL) {
        const char *value = value_of(l, row->flag, inline_value);
        if (value != NULL)
            givens_add(l->given, row, value, ORIGIN_COMMAND_LINE);
    } else if (l->rules->configuration && strcmp(flag, "--config") == 0) {
        take_config(l, inline_value);
    } else if (l->rules->json && strcmp(flag, "--json") == 0) {
        take_switch(l, flag, inline_value, &l->out->json);
    } else if (l->rules->watch && strcmp(flag, "--watch") == 0) {
        take_switch(l, flag, inline_value, &l->out->watch);
    } else if (strcmp(flag, "--help") == 0) {
        take_switch(l, flag, inline_value, &l->help);
    } else {
        usage_error(l, typed, flag_hint(l->rules, typed), "unknown flag");
        /* where no verb's arguments can follow, a plain word was meant for it */
        if (sign == NULL && l->rules->max_args == 0 && l->at + 1 < l->argc
            && l->argv[l->at + 1][0] != '-')
            l->at++;
    }
    free(typed);
}

static void take_argument(struct command_line *l, const char *word)
{
    struct invocation *out = l->out;

    if (out->nargs >= l->rules->max_args) {
        bool file = l->rules->configuration && l->rules->max_args == 0 && word[0] != '-';
        usage_error(l, word, file ? mem_printf("a configuration is named by -c %s", word) : NULL,
                    "not expected here");
        return;
    }
    out->args = mem_grow(out->args, out->nargs + 1, sizeof(out->args[0]));
    out->args[out->nargs++] = word;
}

static void read_command_line(struct command_line *l)
{
    bool only_args = false;

    for (l->at = 1; l->at < l->argc; l->at++) {
        const char *word = l->argv[l->at];
        if (only_args || word[0] != '-' || word[1] == '\0')
            take_argument(l, word);
        else if (strcmp(word, "--") == 0)
            only_args = true;
        else if (word[1] == 'c' && word[2] != '\0' && l->rules->configuration)
            take_config(l, word + 2);   /* -cFILE */
        else
            take_flag(l, word);
    }
}

/* A file describes all routes, the flags describe one: both at once is a mistake. */
static void settle_source(struct command_line *l, const char *config_origin)
{
    const struct given *route = givens_route(l->given);
    struct invocation *out = l->out;

    if (!l->rules->configuration)
        return;
    if (route == NULL && out->config_path == NULL)
        out->config_path = DEFAULT_CONFIG;
    if (route == NULL || config_origin == NULL)
        return;

    bool by_flag = strcmp(route->origin, ORIGIN_COMMAND_LINE) == 0;
    bool file_by_flag = strcmp(config_origin, ORIGIN_COMMAND_LINE) == 0;
    const char *name = by_flag ? route->row->flag : route->row->env;
    struct diag_at where = { { route->origin, 0 }, NULL, name, route->value };
    diag_add(l->d, DIAG_ERROR, where, "write it into the file, or leave the file out",
             "cannot be given together with the file %s (%s)", out->config_path,
             file_by_flag ? "--config" : ENVIRONMENT_CONFIG);
}

/* The configuration file's path, and who named it (NULL: nobody). */
static const char *settle_config(struct command_line *l, const char *from_environment)
{
    if (l->out->config_path != NULL)
        return ORIGIN_COMMAND_LINE;
    if (from_environment == NULL || !l->rules->configuration)
        return NULL;
    l->out->config_path = from_environment;
    return ORIGIN_ENVIRONMENT;
}

int options_parse(int argc, char **argv, const struct option_rules *rules, struct invocation *out)
{
    struct givens env = { 0 }, cli = { 0 };
    struct diags d = { 0 };
    struct command_line l = {
        .rules = rules, .out = out, .given = &cli, .d = &d, .argv = argv, .argc = argc
    };

    *out = (struct invocation){ .own = mem_zalloc(rules->nown * sizeof(out->own[0])) };
    read_command_line(&l);
    if (!l.help) {
        const char *config =
            rules->nonly == 0 ? environment_read(rules->configuration, &env, &d) : NULL;
        const char *origin = settle_config(&l, config);
        givens_merge(&cli, &env);
        settle_source(&l, origin);
        if (out->nargs < rules->min_args)
            usage_error(&l, NULL, NULL, "what is it to look at? name a file");
        if (d.errors == 0)
            givens_settings(&cli, &out->overrides);
        diags_print(&d, stderr);
    }
    int rc = l.help ? 0 : d.errors > 0 ? 2 : -1;
    if (rc == 2)
        fprintf(stderr, "try: sallyport %s --help\n", rules->verb);
    if (l.help)
        options_help(rules);
    if (rc >= 0)
        invocation_free(out);
    givens_free(&env);
    givens_free(&cli);
    diags_free(&d);
    return rc;
}

void invocation_free(struct invocation *inv)
{
    settings_free(&inv->overrides);
    free(inv->args);
    free(inv->own);
    *inv = (struct invocation){ 0 };
}
