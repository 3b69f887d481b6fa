/*
 * The "qtest" accelerator: a machine whose processors never run, for tests of its devices.
 *
 * Guest time stands still but for what the test's clock_step and clock_set say, so that every timer
 * fires at a foreseeable moment.
 */
#include "hw/core/cpu.h"
#include "util/timer.h"

typedef struct QtestAccel {
    Accel parent;
} QtestAccel;

OBJECT_DECLARE(QtestAccel, QTEST_ACCEL, qtest_accel)

static bool qtest_start(Accel *accel, Error **errp)
{
    clock_virtual_set_manual(true);
    return true;
}

ACCEL_DEFINE(QtestAccel, qtest_accel, "qtest-accel",
    .desc       = "device tests: nothing executes, time is stepped by hand",
    .hidden     = true,
    .accel_name = "qtest",
    .start      = qtest_start,
);
