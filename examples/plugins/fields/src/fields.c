/* fields takes the members that the configuration names out of a JSON message, at any depth, and leaves every other byte as it is.
 *
 * What is no JSON passes unchanged up to where it ceases to be; a name is compared as it is written, without escapes. */
#include "rmds.h"

#define MAX_CONFIG 4096

static char config[MAX_CONFIG];
static uint32_t config_len;

RMDS_EXPORT(rmds_init) int32_t rmds_init(void) {
    int32_t n = rmds_read(RMDS_CONFIG, 0, config, MAX_CONFIG);
    if (n > MAX_CONFIG) return rmds_because(1, "the configuration is longer than 4096 bytes");
    config_len = (uint32_t)n;
    return 0;
}

/* Where a string that begins at i, with its quote, ends; past its closing quote, or n. */
static uint32_t string_end(const char *b, uint32_t n, uint32_t i) {
    for (i++; i < n && b[i] != '"'; i++)
        if (b[i] == '\\') i++;
    return i < n ? i + 1 : n;
}

static uint32_t spaces(const char *b, uint32_t n, uint32_t i) {
    while (i < n && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r')) i++;
    return i;
}

/* Where the value that begins at i ends. */
static uint32_t value_end(const char *b, uint32_t n, uint32_t i) {
    uint32_t depth = 0;
    for (; i < n; i++) {
        switch (b[i]) {
        case '"':
            i = string_end(b, n, i) - 1;
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (!depth) return i;
            depth--;
            break;
        case ',':
            if (!depth) return i;
            break;
        }
    }
    return n;
}

/* Whether the configuration names this string; both with their quotes. The texts of the configuration are names and the word "remove". */
static int removed(const char *name, uint32_t len) {
    for (uint32_t i = 0; i < config_len; i++) {
        if (config[i] != '"') continue;
        uint32_t end = string_end(config, config_len, i);
        if (end - i == len && config[spaces(config, config_len, end)] != ':') {
            uint32_t k = 0;
            while (k < len && config[i + k] == name[k]) k++;
            if (k == len) return 1;
        }
        i = end - 1;
    }
    return 0;
}

RMDS_EXPORT(rmds_filter) int32_t rmds_filter(int32_t body_len) {
    uint32_t n = (uint32_t)body_len, out = 0, count = 0;
    char *b = (char *)rmds_room(n);
    if (!b) return rmds_because(RMDS_DEAD, "the body does not fit into the plugin's memory");
    rmds_read(RMDS_BODY, 0, b, n);
    for (uint32_t i = 0; i < n;) { /* what is kept moves to the front: out never overtakes i */
        if (b[i] != '"') {
            b[out++] = b[i++];
            continue;
        }
        uint32_t end = string_end(b, n, i), colon = spaces(b, n, end);
        if (colon < n && b[colon] == ':' && removed(b + i, end - i)) {
            i = value_end(b, n, colon + 1);
            count++;
            if (i < n && b[i] == ',') {
                i = spaces(b, n, i + 1);
            } else { /* it was the last member: the comma before it goes too */
                uint32_t k = out;
                while (k && (b[k - 1] == ' ' || b[k - 1] == '\n' || b[k - 1] == '\t' || b[k - 1] == '\r')) k--;
                if (k && b[k - 1] == ',') out = k - 1;
            }
            continue;
        }
        while (i < end) b[out++] = b[i++];
    }
    if (!count) return RMDS_PASS;
    rmds_stat("removed", 7, count);
    if (rmds_set(RMDS_BODY, b, out) < 0) return rmds_because(RMDS_DEAD, "the body is above the plugin's limit of effects");
    return RMDS_PASS;
}
