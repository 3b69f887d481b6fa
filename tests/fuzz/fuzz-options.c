/*
 * Fuzz target: the command line, up to but not including the building of a machine.
 *
 * Each line of the input is an argument.  "-readconfig" reads the lines that follow it, from a file.
 */
#include "tests/fuzz/confine.h"

#include "system/cli/cli.h"

#define MAX_ARGS 256

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    confine_init();
    return 0;
}

/* "-readconfig": the remaining lines become a file, whose name is the argument. */
static void make_config(GPtrArray *args, char **rest)
{
    g_autofree char *text = g_strjoinv("\n", rest);

    if (g_file_set_contents("config", text, -1, NULL)) {
        g_ptr_array_add(args, g_strdup("config"));
    }
}

static GPtrArray *arguments(char **lines)
{
    GPtrArray *args = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(args, g_strdup("quern"));
    for (; *lines && args->len < MAX_ARGS; lines++) {
        g_ptr_array_add(args, g_strdup(*lines));
        if (g_str_has_suffix(*lines, "-readconfig")) {
            make_config(args, lines + 1);
            break;
        }
    }
    g_ptr_array_add(args, NULL);            /* as main() gets it */
    return args;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GPtrArray) args = arguments(lines);
    Options o = { 0 };
    Error *err = NULL;

    confine_enter();
    if (!options_parse(&o, (int)args->len - 1, (char **)args->pdata, &err)) {
        assert(error_get_pretty(err)[0]);
        error_free(err);
    }
    options_clear(&o);
    confine_leave();
    return 0;
}
