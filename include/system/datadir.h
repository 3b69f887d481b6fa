/*
 * Where firmware and the like are found: -L's folders, then those that distributions use.
 */
#ifndef SYSTEM_DATADIR_H
#define SYSTEM_DATADIR_H

#include "util/base.h"

/* Looked into before what is there already. */
void datadir_add(const char *path);
/* The path of @name: as it stands if it exists, else from the folders; NULL if there is none.  Owned. */
char *datadir_find(const char *name);
void datadir_print(FILE *f);

#endif
