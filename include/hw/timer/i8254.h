/*
 * The 8254 interval timer and the port 0x61 speaker/NMI register of a PC.
 */
#ifndef HW_TIMER_I8254_H
#define HW_TIMER_I8254_H

#include "hw/isa/isa.h"

#define I8254_HZ 1193182

/* Here or in the host's kernel. */
typedef struct I8254 {
    IsaDevice isa;
    uint32_t iobase;
} I8254;

typedef struct I8254Info {
    struct DeviceInfo;
    void (*set_gate)(I8254 *pit, unsigned channel, bool level);
    bool (*get_gate)(I8254 *pit, unsigned channel);
    bool (*get_out)(I8254 *pit, unsigned channel);
    void (*set_irq_enabled)(I8254 *pit, bool on);
} I8254Info;

extern const TypeInfo i8254_type;               /* "pit-common", abstract */
static inline I8254 *I8254_CAST(const void *obj)
{
    return (I8254 *)object_check_cast(obj, &i8254_type);
}

extern const TypeInfo pcspk_type;               /* "isa-pcspk" */

/* The timer at ports @base..@base+3 with counter 0's output on @irq0.  Realized; borrowed by the caller. */
I8254 *i8254_create(IsaBus *bus, uint16_t base, IrqLine irq0);
/* The speaker register at port 0x61, gating counter 2 of @pit. */
Device *pcspk_create(IsaBus *bus, I8254 *pit);

/* A line that switches counter 0's interrupt: high = on (as after reset), low = off (HPET legacy replacement). */
IrqLine i8254_irq_control(I8254 *pit);

/* Counter 2's gate and output, as port 0x61 sees them. */
void i8254_set_gate(I8254 *pit, unsigned channel, bool level);
bool i8254_get_gate(I8254 *pit, unsigned channel);
bool i8254_get_out(I8254 *pit, unsigned channel);

#endif
