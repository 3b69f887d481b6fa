/* Names that users give to things.  See util/identifier.h. */
#include "util/identifier.h"
#include "util/base.h"

bool identifier_is_wellformed(const char *id)
{
    if (!g_ascii_isalpha(id[0])) {
        return false;
    }
    for (; *id; id++) {
        if (!g_ascii_isalnum(*id) && !strchr("-._", *id)) {
            return false;
        }
    }
    return true;
}
