/* redact writes "***" in place of what the members that the configuration names hold, at any depth. Every other byte stays as it is. What is no
 * JSON becomes a dead letter: nobody could say what is in it. */
#include "rmds.h"
#include "rmds_json.h"

#define MAX_FIELDS 64

static char config[4096], names[4096];
static struct {
    const char *name;
    uint32_t len;
} fields[MAX_FIELDS];
static uint32_t count;

RMDS_EXPORT(rmds_init) int32_t rmds_init(void) {
    int32_t n = rmds_read(RMDS_CONFIG, 0, config, sizeof config);
    if (n > (int32_t)sizeof config) return rmds_because(1, "the configuration is longer than 4096 bytes");
    rmds_json list;
    if (rmds_json_member(config, (uint32_t)n, "fields", &list) != RMDS_JSON_ARRAY) return rmds_because(1, "fields: want a list of names");
    list = rmds_json_read(list.text + list.from, list.to - list.from);
    rmds_json_next(&list);
    for (uint32_t used = 0; rmds_json_next(&list) == RMDS_JSON_STRING; count++) {
        if (count == MAX_FIELDS) return rmds_because(1, "fields: more than 64 names");
        fields[count].name = names + used;
        fields[count].len = rmds_json_text(&list, names + used, sizeof names - used);
        used += fields[count].len; /* decoded, it is never longer than in config */
    }
    return count ? 0 : rmds_because(1, "fields: want a list of names");
}

static int secret(const rmds_json *name) {
    for (uint32_t i = 0; i < count; i++)
        if (rmds_json_equal(name, fields[i].name, fields[i].len)) return 1;
    return 0;
}

RMDS_EXPORT(rmds_filter) int32_t rmds_filter(int32_t body_len) {
    uint32_t n = (uint32_t)body_len, out = 0, kept = 0, redacted = 0;
    char *body = n < 1u << 30 ? (char *)rmds_room(3 * n) : NULL; /* a redacted body is less than twice as long */
    if (!body) return rmds_because(RMDS_DEAD, "the body does not fit into the plugin's memory");
    rmds_read(RMDS_BODY, 0, body, n);
    char *to = body + n;
    rmds_json j = rmds_json_read(body, n);
    int kind;
    while ((kind = rmds_json_next(&j)) > 0) {
        if (kind != RMDS_JSON_NAME || !secret(&j)) continue;
        if (rmds_json_skip(&j) == RMDS_JSON_BAD) continue;
        rmds_copy(to + out, body + kept, j.from - kept);
        out += j.from - kept;
        rmds_copy(to + out, "\"***\"", 5);
        out += 5;
        kept = j.to;
        redacted++;
    }
    if (kind == RMDS_JSON_BAD) return rmds_because(RMDS_DEAD, "no JSON");
    if (!redacted) return RMDS_PASS;
    rmds_copy(to + out, body + kept, n - kept);
    rmds_stat("redacted", 8, redacted);
    if (rmds_set(RMDS_BODY, to, out + n - kept) < 0) return rmds_because(RMDS_DEAD, "the body is above the plugin's limit of effects");
    return RMDS_PASS;
}
