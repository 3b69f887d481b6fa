/*
 * Random sequences of instructions on the host CPU and through the translator.
 *
 * usage: isa-random [-s seed] [-t seconds | -n programs] [-H host] [-b tb-size] [-c case] [-k]
 *   -s  of the run; each program has its own, which a failure prints
 *   -c  only the program of that seed
 *   -H  host features to translate with: see tcg_host_pretend()
 *   -k  go on after a failure
 */
#include <sys/time.h>
#include <unistd.h>

#include "random.h"
#include "tcg/tcg.h"
#include "util/log.h"

enum { CASES = 3 };       /* of each program, with other operands */

typedef struct Options {
    uint64_t seed, only;
    unsigned seconds, n, tb_size;
    const char *host;
    bool keep_going;
} Options;

static bool parse(int argc, char **argv, Options *o)
{
    int opt;

    while ((opt = getopt(argc, argv, "s:t:n:H:b:c:kd:")) != -1) {
        switch (opt) {
        case 's':
            o->seed = strtoull(optarg, NULL, 0);
            break;
        case 't':
            o->seconds = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'n':
            o->n = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'H':
            o->host = optarg;
            break;
        case 'b':
            o->tb_size = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'c':
            o->only = strtoull(optarg, NULL, 0);
            break;
        case 'k':
            o->keep_going = true;
            break;
        case 'd':
            if (!log_parse_items(optarg, &log_mask, NULL)) {
                return false;
            }
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

static GArray *usable_forms(IsaMode mode)
{
    GArray *all = g_array_new(false, false, sizeof(Form)), *forms = g_array_new(false, false, sizeof(Form));
    extern const Form __start_isa_forms[], __stop_isa_forms[];
    const uint64_t of_mode[] = { [ISA_64] = 0, [ISA_32] = FORM_32, [ISA_16] = FORM_16 };
    bool amd = native_is_amd();             /* CPUID, which a virtual host makes slow */

    g_array_append_vals(all, __start_isa_forms, __stop_isa_forms - __start_isa_forms);
    isa_add_map_forms(all);
    for (unsigned n = 0; n < all->len; n++) {
        const Form *f = &g_array_index(all, Form, n);
        bool other_vendor = f->flags & (amd ? FORM_INTEL : FORM_AMD);
        /* which parts are in use, and what is not written then, differs between processors */
        bool saves = strstr(f->text, "xsave") || strstr(f->text, "xrstor");
        /* whether a store of nothing faults */
        bool masked = strstr(f->text, "maskmov") || strstr(f->text, "0f f7");
        bool approximate = strstr(f->text, "rcp") || strstr(f->text, "rsqrt") || strstr(f->text, "dpp") || strstr(f->text, "0f 5") ||
            strstr(f->text, "0f 3a 4");

        if ((f->flags & (FORM_32 | FORM_16)) == of_mode[mode] && !other_vendor && !approximate && !saves && !masked) {
            g_array_append_val(forms, *f);
        }
    }
    g_array_free(all, true);
    return forms;
}

/* @host, @guest: what was seen; it may not be seen again. */
static void fail(const Options *o, uint64_t seed, Program *p, Case *c, Outcome *host, Outcome *guest)
{
    uint8_t code[ISA_HOLE_SIZE];

    printf("FAIL: isa-random -c 0x%" PRIx64 " -H %s -b %u\n", seed, o->host, o->tb_size);
    case_show(p, host, guest);
    minimize(p, c);
    printf(" made small:\n");
    g_assert(program_layout(p, code));
    program_print(p);
    if (case_agrees(p, code, c, host, guest, true)) {
        printf("  (not a second time: what ran before matters; run with the same -s, -H and -b)\n");
    }
    for (unsigned n = 0; n < 16; n++) {
        printf("%s r%u %" PRIx64, n % 4 ? "" : "\n ", n, c->in.r[n]);
    }
    printf("\n");
    fflush(stdout);
}

/* Program and operands of one seed.  False: they disagree. */
static bool run_one(const Options *o, GArray *const forms[3], uint64_t seed)
{
    static Outcome host, guest;
    static Case c;
    g_autoptr(Program) p = NULL;
    uint8_t code[ISA_HOLE_SIZE];
    unsigned where;

    isa_seed(seed | 1);
    p = gen_program(forms, strcmp(o->host, "host") != 0);
    for (unsigned k = 0; k < CASES; k++) {
        case_random(&c, p->mode);
        machine_vary();
        g_assert(program_layout(p, code) && program_follow_flags(p, &where));
        if (!case_agrees(p, code, &c, &host, &guest, false)) {
            fail(o, seed, p, &c, &host, &guest);
            return false;
        }
    }
    return true;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x7fb5d329728ea185ull;
    x = (x ^ x >> 27) * 0x81dadef4bc2dd44dull;
    return x ^ x >> 33;
}

int main(int argc, char **argv)
{
    Options o = { .seed = 1, .n = 2000, .tb_size = 4, .host = "host" };
    const struct itimerval every = { { 0, 20000 }, { 0, 20000 } };
    gint64 end;
    bool runs_here;
    GArray *forms[3];
    unsigned n, failed = 0;


    if (!parse(argc, argv, &o)) {
        return 2;
    }
    if (!tcg_host_pretend(o.host, &runs_here)) {
        fprintf(stderr, "isa-random: host '%s' is not known\n", o.host);
        return 2;
    }
    if (!runs_here) {
        printf("isa/random: skipped, this CPU is no %s\n", o.host);
        return 77;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    compare_init();
    machine_up(o.tb_size);
    setitimer(ITIMER_VIRTUAL, &every, NULL);
    for (unsigned mode = ISA_64; mode <= ISA_16; mode++) {
        forms[mode] = usable_forms((IsaMode)mode);
    }
    end = g_get_monotonic_time() + (gint64)o.seconds * G_USEC_PER_SEC;
    for (n = 0; o.only ? n < 1 : o.seconds ? g_get_monotonic_time() < end : n < o.n; n++) {
        uint64_t seed = o.only ? o.only : mix(o.seed + n * 0x9e3779b97f4a7c15ull) | 1;

        if (!run_one(&o, forms, seed)) {
            failed++;
            if (!o.keep_going) {
                n++;
                break;
            }
        }
    }
    printf("isa/random: seed %" PRIu64 ", host %s, tb-size %u: %u programs, %u failed, %u of %u cases without end\n", o.seed,
           o.host, o.tb_size, n, failed, n_unending, n * CASES);
    return failed != 0 || n_unending > n * CASES / 10;
}
