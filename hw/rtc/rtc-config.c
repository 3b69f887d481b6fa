/*
 * -rtc base=,clock=,driftfix=: where the machine's wall time comes from.
 *
 * The one settings record is written at start-up, before any machine is built, and read from then on.
 */
#include "hw/rtc/rtc-config.h"

static struct {
    ClockType clock;
    int64_t offset_ns;          /* wall time = the clock + this */
    bool slew;
} rtc_config = { .clock = CLOCK_TYPE_HOST };

ClockType rtc_config_clock(void)
{
    return rtc_config.clock;
}

int64_t rtc_config_now_ns(void)
{
    return clock_get_ns(rtc_config.clock) + rtc_config.offset_ns;
}

bool rtc_config_slew(void)
{
    return rtc_config.slew;
}

static bool parse_clock(const char *text, ClockType *clock, Error **errp)
{
    static const struct {
        const char *name;
        ClockType clock;
    } clocks[] = { { "host", CLOCK_TYPE_HOST }, { "rt", CLOCK_TYPE_REALTIME }, { "vm", CLOCK_TYPE_VIRTUAL } };

    for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
        if (strcmp(text, clocks[i].name) == 0) {
            *clock = clocks[i].clock;
            return true;
        }
    }
    error_setg(errp, "clock=%s: must be host, rt or vm", text);
    return false;
}

/* Years that fit signed 64-bit nanoseconds. */
#define YEAR_MIN 1970
#define YEAR_MAX 2261

static bool parse_date(const char *text, int64_t *start_s, Error **errp)
{
    static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d" };

    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        struct tm tm = { 0 }, real;
        const char *end = strptime(text, formats[i], &tm);

        if (end && !*end && tm.tm_year + 1900 >= YEAR_MIN && tm.tm_year + 1900 <= YEAR_MAX) {
            real = tm;
            *start_s = timegm(&real);
            if (real.tm_mday == tm.tm_mday) {   /* else carried on: the month is shorter */
                return true;
            }
        }
    }
    error_setg(errp, "base=%s: must be utc, localtime, or a date like 2026-01-31T12:00:00 from %u to %u", text,
               YEAR_MIN, YEAR_MAX);
    return false;
}

/* Seconds east of Greenwich, now. */
static int64_t zone_offset_s(void)
{
    time_t now = time(NULL);
    struct tm tm;

    return localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
}

static bool parse_base(const char *text, int64_t *start_s, Error **errp)
{
    if (strcmp(text, "utc") == 0) {
        *start_s = 0;
        return true;
    }
    if (strcmp(text, "localtime") == 0) {
        *start_s = zone_offset_s();
        return true;
    }
    return parse_date(text, start_s, errp);
}

static bool check_keys(const Value *opts, Error **errp)
{
    for (size_t i = 0; i < value_dict_len(opts); i++) {
        const char *key = value_dict_key_at(opts, i);

        if (strcmp(key, "base") && strcmp(key, "clock") && strcmp(key, "driftfix")) {
            error_setg(errp, "no parameter '%s'", key);
            return false;
        }
        if (!value_dict_get_str(opts, key)) {
            error_setg(errp, "%s must be a string", key);
            return false;
        }
    }
    return true;
}

bool rtc_config_set(const Value *opts, Error **errp)
{
    const char *base, *clock_name, *driftfix;
    ClockType clock = CLOCK_TYPE_HOST;
    int64_t start_s = 0;
    bool is_date;

    if (!check_keys(opts, errp)) {
        return false;
    }
    base = value_dict_get_str(opts, "base");
    clock_name = value_dict_get_str(opts, "clock");
    driftfix = value_dict_get_str(opts, "driftfix");
    if (clock_name && !parse_clock(clock_name, &clock, errp)) {
        return false;
    }
    if (base && !parse_base(base, &start_s, errp)) {
        return false;
    }
    if (driftfix && strcmp(driftfix, "none") && strcmp(driftfix, "slew")) {
        error_setg(errp, "driftfix=%s: must be none or slew", driftfix);
        return false;
    }
    /* utc and localtime give a distance from the host's clock, a date replaces it. */
    is_date = base && strcmp(base, "utc") && strcmp(base, "localtime");
    rtc_config.clock = clock;
    rtc_config.slew = driftfix && strcmp(driftfix, "slew") == 0;
    rtc_config.offset_ns = start_s * NANOSECONDS_PER_SECOND + (is_date ? 0 : clock_get_ns(CLOCK_TYPE_HOST)) -
                           clock_get_ns(clock);
    return true;
}
