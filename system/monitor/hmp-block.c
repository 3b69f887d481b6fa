/*
 * The human monitor's view of block nodes and drives, on QMP's functions.
 */
#include "system/monitor/internal.h"

#include "qapi/qapi-commands.h"
#include "system/block.h"

/* --- info block --- */

/* "64 MiB": three digits and a unit. */
static char *size_text(int64_t bytes)
{
    static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
    double n = (double)bytes;
    unsigned i = 0;

    for (; n >= 1000 && i + 1 < ARRAY_SIZE(units); i++) {
        n /= 1024;
    }
    return g_strdup_printf("%0.3g %sB", n, units[i]);
}

static void print_image(FILE *out, const QapiImageInfo *i)
{
    g_autofree char *actual = size_text(i->actual_size), *virtual = size_text(i->virtual_size);

    fprintf(out, "\nImages:\nimage: %s\nfile format: %s\nvirtual size: %s (%" PRId64 " bytes)\ndisk size: %s\n", i->filename,
            i->format, virtual, i->virtual_size, actual);
}

static void print_limits(FILE *out, const QapiBlockDeviceInfo *b)
{
    if (b->bps || b->bps_rd || b->bps_wr || b->iops || b->iops_rd || b->iops_wr) {
        fprintf(out, "    I/O throttling:   bps=%" PRId64 " bps_rd=%" PRId64 " bps_wr=%" PRId64 " bps_max=%" PRId64
                " bps_rd_max=%" PRId64 " bps_wr_max=%" PRId64 " iops=%" PRId64 " iops_rd=%" PRId64 " iops_wr=%" PRId64
                " iops_max=%" PRId64 " iops_rd_max=%" PRId64 " iops_wr_max=%" PRId64 " iops_size=%" PRId64 " group=%s\n",
                b->bps, b->bps_rd, b->bps_wr, b->bps_max, b->bps_rd_max, b->bps_wr_max, b->iops, b->iops_rd, b->iops_wr,
                b->iops_max, b->iops_rd_max, b->iops_wr_max, b->iops_size, b->group ? b->group : "");
    }
}

static void print_drive(FILE *out, const QapiBlockInfo *drive)
{
    if (drive->qdev) {
        fprintf(out, "    Attached to:      %s\n", drive->qdev);
    }
    if (drive->has_io_status && drive->io_status != QAPI_BLOCK_DEVICE_IO_STATUS_OK) {
        fprintf(out, "    I/O status:       %s\n", qapi_block_device_io_status_str(drive->io_status));
    }
    if (drive->removable) {
        fprintf(out, "    Removable device: %slocked%s%s\n", drive->locked ? "" : "not ", drive->has_tray_open ? ", tray " : "",
                !drive->has_tray_open ? "" : drive->tray_open ? "open" : "closed");
    }
}

/* What follows the name: the image and how it is used.  @b NULL: there is no medium. */
static void print_node(FILE *out, const QapiBlockDeviceInfo *b, const QapiBlockInfo *drive, bool verbose)
{
    const QapiBlockdevCacheInfo *c = b ? b->cache : NULL;

    if (b) {
        fprintf(out, ": %s (%s%s)\n", b->file, b->drv, b->ro ? ", read-only" : "");
    } else {
        fprintf(out, ": [not inserted]\n");
    }
    if (drive) {
        print_drive(out, drive);
    }
    if (!b) {
        return;
    }
    fprintf(out, "    Cache mode:       %s%s%s\n", c->writeback ? "writeback" : "writethrough", c->direct ? ", direct" : "",
            c->no_flush ? ", ignore flushes" : "");
    if (b->detect_zeroes != QAPI_BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF) {
        fprintf(out, "    Detect zeroes:    %s\n", qapi_blockdev_detect_zeroes_options_str(b->detect_zeroes));
    }
    print_limits(out, b);
    if (verbose) {
        print_image(out, b->image);
    }
}

static unsigned print_nodes(FILE *out, const char *name, bool verbose)
{
    QapiQueryNamedBlockNodesArgs all = { 0 };
    g_autoptr(QapiBlockDeviceInfoList) list = qmp_query_named_block_nodes(&all, &error_abort);
    unsigned n = 0;

    for (size_t i = 0; i < list->len; i++) {
        if (*name && strcmp(name, list->at[i].node_name)) {
            continue;
        }
        fprintf(out, "%s%s", n++ ? "\n" : "", list->at[i].node_name);
        print_node(out, &list->at[i], NULL, verbose);
    }
    return n;
}

static unsigned print_drives(FILE *out, const char *name, bool verbose)
{
    g_autoptr(QapiBlockInfoList) list = qmp_query_block(&error_abort);
    unsigned n = 0;

    for (size_t i = 0; i < list->len; i++) {
        const QapiBlockInfo *b = &list->at[i];

        if (*name && strcmp(name, b->device)) {
            continue;
        }
        fprintf(out, "%s%s", n++ ? "\n" : "", *b->device ? b->device : b->inserted ? b->inserted->node_name
                : b->qdev ? b->qdev : "<anonymous>");
        if (*b->device && b->inserted) {
            fprintf(out, " (%s)", b->inserted->node_name);
        }
        print_node(out, b->inserted, b, verbose);
    }
    return n;
}

void hmp_info_block(FILE *out, const char *args, int cpu_index)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    bool nodes = false, verbose = false;
    const char *name = "";

    for (char **w = words; *w; w++) {
        nodes |= !strcmp(*w, "-n");
        verbose |= !strcmp(*w, "-v");
        name = **w && **w != '-' ? *w : name;
    }
    if (!(nodes ? print_nodes(out, name, verbose) : print_drives(out, name, verbose)) && *name) {
        fprintf(out, "Device '%s' not found\n", name);
    }
}

void hmp_info_blockstats(FILE *out, const char *args, int cpu_index)
{
    QapiQueryBlockstatsArgs drives = { 0 };
    g_autoptr(QapiBlockStatsList) list = qmp_query_blockstats(&drives, &error_abort);

    for (size_t i = 0; i < list->len; i++) {
        const QapiBlockDeviceStats *s = list->at[i].stats;

        fprintf(out, "%s: rd_bytes=%" PRId64 " wr_bytes=%" PRId64 " rd_operations=%" PRId64 " wr_operations=%" PRId64
                " flush_operations=%" PRId64 " wr_total_time_ns=%" PRId64 " rd_total_time_ns=%" PRId64
                " flush_total_time_ns=%" PRId64 " rd_merged=%" PRId64 " wr_merged=%" PRId64 " idle_time_ns=%" PRId64 "\n",
                list->at[i].device && *list->at[i].device ? list->at[i].device
                : list->at[i].node_name ? list->at[i].node_name : "", s->rd_bytes,
                s->wr_bytes, s->rd_operations, s->wr_operations, s->flush_operations, s->wr_total_time_ns, s->rd_total_time_ns,
                s->flush_total_time_ns, s->rd_merged, s->wr_merged, s->idle_time_ns);
    }
}

/* --- commands --- */

/* A bare number is in MiB. */
bool hmp_block_resize(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    QapiBlockResizeArgs a = { 0 };
    g_autofree char *size = NULL;
    uint64_t bytes;

    if (!words[0] || !words[1]) {
        error_setg(errp, "expected DEVICE and SIZE");
        return false;
    }
    g_strstrip(words[1]);
    size = g_strdup_printf("%s%s", words[1], *words[1] && g_ascii_isdigit(words[1][strlen(words[1]) - 1]) ? "M" : "");
    if (!qapi_parse_size("size", size, &bytes, errp)) {
        return false;
    }
    a.size = (int64_t)MIN(bytes, (uint64_t)INT64_MAX);
    if (block_node_find(words[0])) {
        a.node_name = words[0];
    } else {
        a.device = words[0];
    }
    return qmp_block_resize(&a, errp);
}

/* A drive by id, or a device by its own id or path: the HMP user may say either. */
static bool is_drive(const char *name)
{
    g_autoptr(QapiBlockInfoList) list = qmp_query_block(&error_abort);

    for (size_t i = 0; i < list->len; i++) {
        if (!strcmp(list->at[i].device, name)) {
            return true;
        }
    }
    return false;
}

bool hmp_eject(FILE *out, const char *args, Error **errp)
{
    bool force = g_str_has_prefix(args, "-f ");
    g_autofree char *name = g_strstrip(g_strdup(force ? args + 3 : args));
    QapiEjectArgs a = { .has_force = true, .force = force };

    if (!*name) {
        error_setg(errp, "expected [-f] DEVICE");
        return false;
    }
    *(is_drive(name) ? &a.device : &a.id) = name;
    return qmp_eject(&a, errp);
}

static bool read_only_mode(const char *text, QapiBlockdevChangeMediumArgs *a, Error **errp)
{
    for (int i = 0; text && i < QAPI_BLOCKDEV_CHANGE_READ_ONLY_MODE__MAX; i++) {
        if (!strcmp(text, qapi_blockdev_change_read_only_mode_str((QapiBlockdevChangeReadOnlyMode)i))) {
            a->has_read_only_mode = true;
            a->read_only_mode = (QapiBlockdevChangeReadOnlyMode)i;
            return true;
        }
    }
    if (text) {
        error_setg(errp, "invalid parameter '%s': expected retain, read-only or read-write", text);
    }
    return !text;
}

bool hmp_change_medium(FILE *out, const char *args, Error **errp)
{
    bool force = g_str_has_prefix(args, "-f ");
    g_auto(GStrv) words = g_strsplit(force ? args + 3 : args, " ", -1);
    unsigned n = g_strv_length(words);
    QapiBlockdevChangeMediumArgs a = { .has_force = true, .force = force };

    if (n < 2 || n > 4) {
        error_setg(errp, "expected [-f] DEVICE FILENAME [FORMAT [READ-ONLY-MODE]]");
        return false;
    }
    *(is_drive(words[0]) ? &a.device : &a.id) = words[0];
    a.filename = words[1];
    a.format = words[2];
    return read_only_mode(n > 3 ? words[3] : NULL, &a, errp) && qmp_blockdev_change_medium(&a, errp);
}

bool hmp_block_set_io_throttle(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    QapiBlockIOThrottle a = { 0 };
    Error *err = NULL;
    int64_t *const limits[] = { &a.bps, &a.bps_rd, &a.bps_wr, &a.iops, &a.iops_rd, &a.iops_wr };

    if (g_strv_length(words) != 1 + ARRAY_SIZE(limits)) {
        error_setg(errp, "expected DEVICE and six limits, 0 for none");
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
        if (!qapi_parse_int("limit", words[i + 1], limits[i], errp)) {
            return false;
        }
    }
    a.device = words[0];
    if (qmp_block_set_io_throttle(&a, &err)) {
        return true;
    }
    if (error_get_class(err) != ERROR_CLASS_DEVICE_NOT_FOUND) {
        error_propagate(errp, err);
        return false;
    }
    error_free(err);
    a.device = NULL;            /* no drive: a device, by its own id */
    a.id = words[0];
    return qmp_block_set_io_throttle(&a, errp);
}
