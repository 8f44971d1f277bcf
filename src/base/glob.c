#include "base/glob.h"

#include <string.h>

static bool is_barrier(char c, const char *barriers)
{
    return c != '\0' && strchr(barriers, c) != NULL;
}

static char folded(char c, bool fold)
{
    return fold && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The pattern from its first star on, and how far into it the text can have come: at[i] is
   set when its first i bytes fit what was read. Going back to try again, as is usual, takes
   squares and cubes of the text's length once `*` and `**` stand in one pattern. */
struct state {
    struct span pattern;
    bool at[GLOB_MAX + 1];
    size_t first;               /* nothing before it matters any more */
};

static bool is_wide(const struct span *p, size_t star, const char *barriers)
{
    return barriers[0] == '\0' || (star + 1 < p->len && p->p[star + 1] == '*');
}

/* A star may stand for nothing. Who is at a `**` is wherever he was before, and further. */
static void pass_stars(struct state *s, const char *barriers)
{
    const struct span *p = &s->pattern;

    for (size_t i = s->first; i < p->len; i++) {
        if (!s->at[i] || p->p[i] != '*')
            continue;
        size_t behind = i;
        while (behind < p->len && p->p[behind] == '*')
            behind++;
        s->at[behind] = true;
        if (is_wide(p, i, barriers))
            s->first = i;
        i = behind - 1;         /* `behind` is looked at next, but the stars between never are */
    }
}

/* One byte of the text more. False: nothing fits. */
static bool step(struct state *s, char c, const char *barriers)
{
    const struct span *p = &s->pattern;
    bool barrier = is_barrier(c, barriers), any = false;

    for (size_t i = p->len + 1; i-- > s->first;) {
        bool stays = s->at[i] && i < p->len && p->p[i] == '*'
                  && (!barrier || is_wide(p, i, barriers));
        bool comes = i > s->first && s->at[i - 1] && p->p[i - 1] != '*' && p->p[i - 1] == c;
        s->at[i] = stays || comes;
        any = any || s->at[i];
    }
    if (any)
        pass_stars(s, barriers);
    return any;
}

bool glob_match(struct span pattern, struct span text, const char *barriers, size_t fold_from,
                size_t fold_to)
{
    const char *star = pattern.len > 0 ? memchr(pattern.p, '*', pattern.len) : NULL;
    size_t plain = star != NULL ? (size_t)(star - pattern.p) : pattern.len;
    struct state s;

    if (text.len < plain || (star == NULL && text.len > plain))
        return false;
    for (size_t i = 0; i < plain; i++)
        if (pattern.p[i] != folded(text.p[i], i >= fold_from && i < fold_to))
            return false;
    if (star == NULL)
        return true;

    s.pattern = (struct span){ star, pattern.len - plain };
    s.first = 0;
    if (s.pattern.len > GLOB_MAX)
        return false;
    memset(s.at, 0, s.pattern.len + 1);
    s.at[0] = true;
    pass_stars(&s, barriers);
    for (size_t i = plain; i < text.len; i++)
        if (!step(&s, folded(text.p[i], i >= fold_from && i < fold_to), barriers))
            return false;
    return s.at[s.pattern.len];
}
