/*
 * Interrupt lines in a test's hands: watching those of one device, driving a device's inputs.
 *
 * An input is watched where its line is set (irq_tap), an output by a line of ours between it and
 * its sink.  Both still reach the sink.
 */
#include "system/qtest/internal.h"

#define DEFAULT_GROUP "unnamed-gpio-in"

static Qtest *tapping;          /* for the tap, which has no opaque; at most one intercepts inputs */

/* Our place in an output line. */
typedef struct OutputTap {
    Qtest *s;                   /* NULL: its server is gone */
    IrqLine sink;
} OutputTap;

static void report(Qtest *s, unsigned n, int level)
{
    if (n < QTEST_IRQ_MAX && s->irq_level[n] != level) {
        s->irq_level[n] = level;
        qtest_reply(s, "IRQ %s %u", level ? "raise" : "lower", n);
    }
}

static void input_set(const IrqLine *line, int level)
{
    Qtest *s = tapping;

    if (s && line->opaque == s->intercepted && line->set == device_irq_input(s->intercepted, NULL, 0).set) {
        report(s, line->n, level);
    }
}

static void output_set(void *opaque, unsigned n, int level)
{
    OutputTap *t = opaque;

    irq_set(t->sink, level);
    if (t->s) {
        report(t->s, n, level);
    }
}

/* False: @dev has no output line in group @name. */
static bool tap_outputs(Qtest *s, Device *dev, const char *name)
{
    IrqLine *out;
    unsigned n;

    for (n = 0; (out = device_irq_output(dev, name, n)) != NULL; n++) {
        OutputTap *t = g_new(OutputTap, 1);     /* lives as long as the line may be copied: for ever */

        *t = (OutputTap){ s, *out };
        g_ptr_array_add(s->output_taps, t);
        *out = irq_line(output_set, t, n);
    }
    return n > 0;
}

static bool tap_inputs(Qtest *s, Device *dev)
{
    if (!irq_connected(device_irq_input(dev, NULL, 0)) || tapping) {
        return false;
    }
    tapping = s;
    irq_tap = input_set;
    return true;
}

static Device *find_device(const char *path)
{
    Object *obj = object_resolve_path(path, NULL);

    return object_is(obj, &device_type) ? DEVICE(obj) : NULL;
}

/* irq_intercept_in PATH, irq_intercept_out PATH [GROUP] */
void qtest_irq_intercept(Qtest *s, char **words, unsigned n_words)
{
    bool in = !strcmp(words[0], "irq_intercept_in");
    Device *dev = find_device(words[1]);

    if (!dev) {
        qtest_reply(s, "FAIL Unknown device");
    } else if (n_words > 2 && in) {
        qtest_reply(s, "FAIL Interception of named in-GPIOs not yet supported");
    } else if (s->intercepted) {
        qtest_reply(s, s->intercepted == dev ? "OK" : "FAIL IRQ intercept already enabled");
    } else if (in ? !tap_inputs(s, dev) : !tap_outputs(s, dev, n_words > 2 ? words[2] : NULL)) {
        qtest_reply(s, "FAIL No intercepts installed");
    } else {
        s->intercepted = object_ref(dev) ? dev : NULL;
        qtest_reply(s, "OK");
    }
}

/* set_irq_in PATH GROUP NUM LEVEL */
void qtest_set_irq_in(Qtest *s, char **words, unsigned n_words)
{
    Device *dev = find_device(words[1]);
    const char *name = strcmp(words[2], DEFAULT_GROUP) ? words[2] : NULL;
    uint64_t n, level;
    IrqLine line;

    if (!dev) {
        qtest_reply(s, "FAIL Unknown device");
        return;
    }
    if (!qtest_parse_u64(words[3], &n) || !qtest_parse_u64(words[4], &level)) {
        qtest_reply(s, "FAIL '%s %s' is not a number and a level", words[3], words[4]);
        return;
    }
    line = n <= UINT_MAX ? device_irq_input(dev, name, (unsigned)n) : (IrqLine){ 0 };
    if (!irq_connected(line)) {
        qtest_reply(s, "FAIL Device '%s' has no input '%s' %" PRIu64, words[1], words[2], n);
        return;
    }
    irq_set(line, level != 0);
    qtest_reply(s, "OK");
}

void qtest_irq_forget_levels(Qtest *s)
{
    memset(s->irq_level, 0, sizeof(s->irq_level));
}

void qtest_irq_stop(Qtest *s)
{
    if (tapping == s) {
        tapping = NULL;
        irq_tap = NULL;
    }
    for (unsigned i = 0; i < s->output_taps->len; i++) {
        ((OutputTap *)g_ptr_array_index(s->output_taps, i))->s = NULL;
    }
    g_ptr_array_free(s->output_taps, true);
    object_unref(s->intercepted);
}
