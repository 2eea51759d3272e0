/* NAME drops empty messages and marks the others with a header. */
#include "rmds.h"

RMDS_EXPORT(rmds_filter) int32_t rmds_filter(int32_t body_len) {
    if (body_len == 0) return RMDS_DROP;
    if (rmds_put_header("seen-by", "NAME", sizeof "NAME" - 1) < 0) return rmds_because(RMDS_DEAD, "the header cannot be set");
    return RMDS_PASS;
}
