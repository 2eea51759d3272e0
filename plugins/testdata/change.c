/* Reads the body, changes a byte and emits it: the benchmark's guest. */
#include "rmds.h"

static unsigned char body[65536];

RMDS_EXPORT(rmds_handle) int32_t rmds_handle(int32_t n) {
    (void)n;
    int32_t len = rmds_body(body, sizeof body);
    if (len <= 0) return RMDS_DEAD;
    body[0] ^= 0x20;
    return rmds_send("out", body, (uint32_t)len) ? RMDS_DEAD : RMDS_ACK;
}
