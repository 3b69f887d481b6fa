/*
 * The command line, parsed: what main() and the builder of the machine work from.
 *
 * options.c holds the table of options and fills an Options; build.c makes the machine from it.
 */
#ifndef SYSTEM_CLI_CLI_H
#define SYSTEM_CLI_CLI_H

#include "qapi/qapi-types.h"
#include "system/run-with.h"
#include "util/qom/object.h"
#include "util/value.h"

#define QEMU_VERSION "10.0.2"           /* whose interfaces are offered; harnesses parse it */
#define MAX_SERIALS  4

/* One use of an option that may be repeated. */
typedef struct CliItem {
    char *where;                /* "-device foo": what errors name */
    char *text;                 /* as given */
    Value *dict;                /* options that take keys; else NULL */
    bool is_json;               /* dict's scalars have types; else they are text */
    bool done;                  /* made before its turn */
} CliItem;

typedef struct Options {
    CliItem machine;            /* -machine, merged */
    CliItem cpu, smp, rtc;
    /* of CliItem, in order of appearance */
    GArray *accels, *acpitables, *blockdevs, *chardevs, *devices, *drives, *fw_cfgs, *globals, *mons, *monitors,
        *netdevs, *nets, *nics, *numas, *objects, *option_roms, *parallels, *serials, *smbios, *vncs;
    QapiMemoryOptions *memory;
    char *memory_where, *boot_where, *name_where;
    QapiBootOptions *boot;
    QapiNameOptions *name;
    QapiMemLockMode mem_lock;
    QapiRunWithOptions *run_with;
    RunAs *run_as;                  /* from run_with; NULL = stay who we are */
    unsigned sandbox;               /* SandboxGroup bits; 0 = none */
    char *kernel, *initrd, *append, *firmware, *dtb;
    char *mem_path;
    char *pidfile;
    char *qtest, *qtest_log, *gdb;
    char *log_items, *log_file, *log_filter;
    GPtrArray *audiodev_ids;    /* of char *; NULL = none */
    char *vga;                  /* -vga */
    uint8_t uuid[16];
    bool uuid_set;
    bool done;                  /* an option asked for help, which was printed: nothing is to be started */
    char *debugcon;
    GPtrArray *datadirs;        /* of char *: -L */
    uint64_t seed;
    int escape;                 /* of the terminal */
    bool seed_set, escape_set, no_fd_bootchk;
    bool no_new_privileges, msg_guest_name;
    bool mem_prealloc, memory_budget, snapshot, nodefaults, nographic, paused, preconfig, daemonize;
} Options;

/* --- options.c, readconfig.c, help.c --- */

/* Fill @o from the arguments.  Help and version options print and set @o->done; the rest is not looked at then. */
bool options_parse(Options *o, int argc, char **argv, Error **errp) MUST_USE;
/* Free all that @o holds and forget the -global properties. */
void options_clear(Options *o);
/* One option by name (without dash); @arg NULL if it takes none. */
bool options_apply(Options *o, const char *name, const char *arg, Error **errp) MUST_USE;
/* The same from keys already split, as a configuration file has them; @dict is consumed. */
bool options_apply_dict(Options *o, const char *name, Value *dict, Error **errp) MUST_USE;
bool options_read_config(Options *o, const char *path, Error **errp) MUST_USE;
void options_print_help(FILE *f);

void help_version(FILE *f);
void help_machines(void);
void help_cpus(void);
void help_accels(void);
void help_devices(void);
void help_objects(void);
void help_chardevs(void);
/* Properties of a type; false and @errp if @name is none that descends from @base. */
bool help_type(const char *name, const TypeInfo *base, Error **errp) MUST_USE;
const char *cli_arch(void);     /* "x86_64": the default guest architecture */
char *cli_cpu_type_name(const char *model);     /* "qemu64" -> "qemu64-x86_64-cpu"; NULL if unknown */

/* --- daemon.c --- */

/* Fork; the parent waits and exits with the child's verdict.  Returns in the child only. */
bool daemon_start(Error **errp) MUST_USE;
/* All files are open: leave the working folder.  Before the root folder changes. */
bool daemon_leave(Error **errp) MUST_USE;
/* All is up: let the parent go and give up the terminal. */
void daemon_ready(void);
bool pidfile_create(const char *path, Error **errp) MUST_USE;
void pidfile_remove(void);

/* --- options-misc.c, refused.c --- */

bool apply_audio(Options *o, CliItem *item, Error **errp) MUST_USE;
bool apply_audiodev(Options *o, CliItem *item, Error **errp) MUST_USE;
bool apply_compat(Options *o, CliItem *item, Error **errp) MUST_USE;
bool apply_datadir(Options *o, const char *arg, Error **errp) MUST_USE;
bool apply_debugcon(Options *o, const char *arg, Error **errp) MUST_USE;
bool apply_echr(Options *o, const char *arg, Error **errp) MUST_USE;
bool apply_seed(Options *o, const char *arg, Error **errp) MUST_USE;
bool apply_trace(Options *o, CliItem *item, Error **errp) MUST_USE;
void help_trace(void);
bool apply_set(Options *o, const char *arg, Error **errp) MUST_USE;
void help_audiodevs(void);
/* What those options changed that is not the machine's. */
void options_misc_take_effect(const Options *o);
/* Why an option of QEMU's is refused; NULL if it is none of those. */
const char *option_refusal(const char *name, bool *takes_arg);

/* --- process.c --- */

/* Options that concern the process: see the table in options.c. */
bool apply_msg(Options *o, CliItem *item, Error **errp) MUST_USE;
bool apply_overcommit(Options *o, CliItem *item, Error **errp) MUST_USE;
bool apply_run_with(Options *o, CliItem *item, Error **errp) MUST_USE;
bool apply_sandbox(Options *o, CliItem *item, Error **errp) MUST_USE;
/* Before anything of the machine exists: lock memory, filter system calls. */
bool process_prepare(Options *o, Error **errp) MUST_USE;
/* All files are open: give up what the running machine does not need. */
bool process_confine(Options *o, Error **errp) MUST_USE;

/* --- budget.c --- */

struct Machine;

/* Print what this command line may take, as JSON; @m has its sizes and topology, the accelerator is chosen. */
bool budget_print(Options *o, struct Machine *m, Error **errp) MUST_USE;

/* --- build.c --- */

/* In this order: character devices, monitors, objects and back ends; then the machine, ready to be reset and run. */
bool build_before_machine(Options *o, Error **errp) MUST_USE;
bool build_the_machine(Options *o, Error **errp) MUST_USE;

/* --- preconfig.c --- */

/* -preconfig: wait, answering monitors, until x-exit-preconfig has run @go_on.  False = the process is to end. */
bool preconfig_wait(void (*go_on)(Options *o), Options *o) MUST_USE;

/* --- identity: what query-name and query-uuid tell --- */
void identity_set(const Options *o);

#endif
