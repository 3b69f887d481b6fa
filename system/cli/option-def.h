/*
 * A row of the table of command-line options.
 */
#ifndef SYSTEM_CLI_OPTION_DEF_H
#define SYSTEM_CLI_OPTION_DEF_H

#include "qapi/keyval.h"
#include "system/cli/cli.h"

typedef struct OptionDef {
    const char *name;
    const char *arg;                /* NULL = takes none */
    const char *help;
    bool (*text)(Options *o, const char *arg, Error **errp);
    bool (*keys)(Options *o, CliItem *item, Error **errp);  /* may steal from @item */
    void (*print_help)(void);       /* "-OPT help" */
    const char *implied;            /* key of a first part without '=' */
    KeyvalMode mode;
    size_t list;                    /* offset of a GArray * of CliItem to append to */
    size_t string;                  /* offset of a char * to set */
    size_t flag;                    /* offset of a bool to set */
    const char *group;              /* section name in configuration files; NULL = .name */
    const QapiType *schema;         /* the keys it takes, as query-command-line-options tells them; NULL = told elsewhere */
} OptionDef;

const OptionDef *options_table(unsigned *n);

#endif
