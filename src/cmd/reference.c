#include "cmd/reference.h"

#include <stdio.h>
#include <string.h>

#include "conf/presets.h"
#include "conf/schema.h"
#include "conf/types.h"

static void print_facts(const struct key_row *row)
{
    const char *facts[5];
    size_t n = 0;
    char def[160];

    if (row->def != NULL) {
        snprintf(def, sizeof(def), "default %s", row->def);
        facts[n++] = def;
    }
    if (row->flags & ROW_LIST)
        facts[n++] = row->flags & ROW_COMMA ? "a list, commas too" : "a list";
    if (row->flags & ROW_REQUIRED)
        facts[n++] = "required";
    if (row->flags & ROW_RESTART)
        facts[n++] = "a reload does not change it";
    if (row->flag != NULL)
        facts[n++] = row->flag;
    for (size_t i = 0; i < n; i++)
        printf("%s%s%s", i == 0 ? "        " : "; ", facts[i], i + 1 == n ? "\n" : "");
}

static void print_keys(void)
{
    for (int s = 0; s < SECTION_COUNT; s++) {
        printf("%s[%s%s]\n", s > 0 ? "\n" : "", conf_sections[s],
               schema_named((enum conf_section)s) ? " NAME" : "");
        for (size_t i = 0; i < KEY_COUNT; i++) {
            const struct key_row *row = &conf_keys[i];
            if ((int)row->section != s)
                continue;
            printf("  %s = %s\n        %s\n", row->key, type_metavar(row->type), row->help);
            print_facts(row);
        }
    }
}

static void print_presets(void)
{
    for (const struct preset *p = presets; p->name != NULL; p++) {
        printf("%s[%s] %s\n", p > presets ? "\n" : "", p->name, p->use);
        for (const struct preset_row *r = preset_rows; r->preset != NULL; r++) {
            const struct key_row *row = &conf_keys[r->key];
            if (strcmp(r->preset, p->name) == 0)
                printf("  %s = %s\n        %s\n        of [%s]%s\n", row->key, r->value, r->why,
                       conf_sections[row->section], r->weakens ? "; less than our default" : "");
        }
    }
}

bool reference_print(const char *topic)
{
    if (strcmp(topic, "keys") == 0)
        print_keys();
    else if (strcmp(topic, "presets") == 0)
        print_presets();
    else
        return false;
    return true;
}
