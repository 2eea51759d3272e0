/* average keeps the average of each sensor's readings. A tick ends the window: it emits the averages to "averages", and to "alerts" what is above
 * the limit.
 *
 * A reading is {"sensor": "boiler", "value": 71.5}. What a window has so far is kept under two counters for each sensor: sum/, in thousandths,
 * and count/. So a crash loses nothing and counts nothing twice. */
#include "rmds.h"
#include "rmds_json.h"

#define MAX_SENSOR 256 /* bytes of a sensor's name */
#define MAX_VALUE 1e12

static char body[65536];
static int64_t limit; /* thousandths */

static int64_t thousandths(double value) { return (int64_t)(value * 1000 + (value < 0 ? -0.5 : 0.5)); }

RMDS_EXPORT(rmds_init) int32_t rmds_init(void) {
    int32_t n = rmds_read(RMDS_CONFIG, 0, body, sizeof body);
    rmds_json value;
    if (n > (int32_t)sizeof body || rmds_json_member(body, (uint32_t)n, "limit", &value) != RMDS_JSON_NUMBER) return rmds_because(1, "limit: want a number");
    limit = thousandths(rmds_json_number(&value));
    return 0;
}

/* A key: prefix and name in buf, which has room for both. */
static uint32_t key(char *buf, const char *prefix, const char *sensor, uint32_t len) {
    uint32_t n = rmds_len(prefix);
    rmds_copy(buf, prefix, n);
    rmds_copy(buf + n, sensor, len);
    return n + len;
}

RMDS_EXPORT(rmds_handle) int32_t rmds_handle(int32_t body_len) {
    (void)body_len;
    static const char want[] = "no reading: want a sensor and a value";
    rmds_json sensor, value;
    int32_t n = rmds_body(body, sizeof body);
    if (n < 0 || rmds_json_member(body, (uint32_t)n, "sensor", &sensor) != RMDS_JSON_STRING) return rmds_because(RMDS_DEAD, want);
    if (rmds_json_member(body, (uint32_t)n, "value", &value) != RMDS_JSON_NUMBER) return rmds_because(RMDS_DEAD, want);
    char name[MAX_SENSOR], k[MAX_SENSOR + 8];
    uint32_t len = rmds_json_text(&sensor, name, sizeof name);
    double number = rmds_json_number(&value);
    if (!len || len > sizeof name || !(number >= -MAX_VALUE && number <= MAX_VALUE)) return rmds_because(RMDS_DEAD, want);
    int64_t sum = rmds_kv_add(k, key(k, "sum/", name, len), thousandths(number));
    int64_t count = rmds_kv_add(k, key(k, "count/", name, len), 1);
    if (rmds_add_error(sum) || rmds_add_error(count)) return rmds_because(RMDS_DEAD, "the window cannot be kept");
    return RMDS_ACK;
}

static uint32_t text(char *to, const char *from) {
    uint32_t n = rmds_len(from);
    rmds_copy(to, from, n);
    return n;
}

/* Thousandths as a JSON number; returns its length, at most 24. */
static uint32_t decimal(char *to, int64_t value) {
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint32_t n = value < 0 ? text(to, "-") : 0;
    n += rmds_decimal(size / 1000, to + n);
    to[n++] = '.';
    for (uint32_t unit = 100; unit; unit /= 10) to[n++] = (char)('0' + size / unit % 10);
    return n;
}

/* Emits what a window came to; 0 or an error. */
static int32_t report(const char *sensor, uint32_t len, int64_t average, int64_t count) {
    uint32_t n = text(body, "{\"sensor\":");
    n += rmds_json_quote(sensor, len, body + n, 6 * MAX_SENSOR + 2);
    n += text(body + n, ",\"average\":");
    n += decimal(body + n, average);
    n += text(body + n, ",\"count\":");
    n += rmds_decimal((uint64_t)count, body + n);
    body[n++] = '}';
    int32_t code = average > limit ? rmds_send("alerts", body, n) : 0;
    return code < 0 ? code : rmds_send("averages", body, n);
}

static int is_count(const char *k) {
    for (uint32_t i = 0; i < 6; i++)
        if (k[i] != "count/"[i]) return 0;
    return 1;
}

RMDS_EXPORT(rmds_tick) int32_t rmds_tick(int64_t now_ms) {
    (void)now_ms;
    char counts[MAX_SENSOR + 8] = "count/", sums[MAX_SENSOR + 8];
    int32_t n = 6;
    while ((n = rmds_kv_next(counts, (uint32_t)n, counts, sizeof counts)) > 6 && n <= (int32_t)sizeof counts) {
        const char *sensor = counts + 6;
        uint32_t len = (uint32_t)n - 6, sum_len = key(sums, "sum/", sensor, len);
        if (!is_count(counts)) break;
        int64_t count = rmds_kv_add(counts, (uint32_t)n, 0), sum = rmds_kv_add(sums, sum_len, 0);
        if (count <= 0 || rmds_add_error(sum)) return rmds_because(RMDS_DEAD, "the window cannot be read");
        if (report(sensor, len, sum / count, count) < 0) return rmds_because(RMDS_DEAD, "an average cannot be emitted");
        rmds_kv_del(counts, (uint32_t)n);
        rmds_kv_del(sums, sum_len);
    }
    return RMDS_ACK;
}
