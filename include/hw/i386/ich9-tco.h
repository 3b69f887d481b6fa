/*
 * The TCO watchdog of the ICH9 and the "no reboot" bit that holds its reset back.
 */
#ifndef HW_I386_ICH9_TCO_H
#define HW_I386_ICH9_TCO_H

#include "hw/core/vmstate.h"
#include "system/memory.h"
#include "util/timer.h"

enum { ICH9_TCO_SIZE = 0x20, ICH9_RCRB_SIZE = 0x4000 };

typedef struct Ich9Tco {
    /* registers */
    uint16_t tmr, sts1, sts2, cnt1, cnt2;
    uint8_t dat_in, dat_out, message[2], wdcnt, sw_irq_gen;
    uint32_t gcs;
    uint16_t frozen;                    /* ticks left while halted */
    Timer timer;

    /* constant */
    bool noreboot;                      /* the strap: software cannot clear GCS.NO_REBOOT */
    void (*smi)(void *opaque);          /* first timeout */
    void *opaque;
    MemoryRegion io;                    /* 0x20 ports, at PMBASE + 0x60 */
    MemoryRegion rcrb;                  /* 16 KiB of memory, where RCBA says */
} Ich9Tco;

void ich9_tco_init(Ich9Tco *t, void *owner, void (*smi)(void *opaque), void *opaque);
void ich9_tco_reset(Ich9Tco *t);

extern const VMState vmstate_ich9_tco;

#endif
