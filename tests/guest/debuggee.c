/*
 * A guest to be debugged: CPU 0 calls its way down, computes, and rewrites its own code; the others
 * count.  Nothing ends, no interrupt comes.
 */
typedef unsigned long u64;

#define NOINLINE __attribute__((noinline))

volatile u64 counters[8];       /* one for each CPU */
volatile u64 written;           /* written by set_written() only */
volatile u64 beside;            /* next to it, written all the time */
volatile u64 read_only = 42;
volatile u64 sum_of_reads;
volatile double scale = 1.5, scaled;
volatile unsigned patch_result;

/* mov $imm32, %eax; ret: its immediate is rewritten before each call. */
__attribute__((section(".patched"))) unsigned char patched_code[8] = { 0xb8, 0, 0, 0, 0, 0xc3 };

NOINLINE int leaf(int x)
{
    counters[0]++;
    return 2 * x + 1;
}

NOINLINE int middle(int x)
{
    return leaf(x + 10) + 1;
}

NOINLINE void set_written(u64 v)
{
    written = v;
}

NOINLINE void read_something(void)
{
    sum_of_reads += read_only;
}

NOINLINE void work(int cpu)
{
    counters[cpu]++;
}

static void wake_others(void)
{
    volatile unsigned *icr = (volatile unsigned *)0xfee00300;

    *icr = 0xc4500;             /* INIT to all but self */
    *icr = 0xc4608;             /* start at 0x8000 */
    *icr = 0xc4608;
}

static void run_patched(unsigned n)
{
    *(volatile unsigned *)(patched_code + 1) = n;
    patch_result = ((unsigned (*)(void))patched_code)();
}

void debuggee_main(int cpu);
void debuggee_main(int cpu)
{
    if (cpu) {
        for (;;) {
            work(cpu);
        }
    }
    wake_others();
    for (int i = 0;; i++) {
        beside = middle(i);
        if (i % 16 == 0) {
            set_written(i);
        }
        read_something();
        scaled = i * scale;
        run_patched(i);
    }
}
