/*
 * The control group's limit, from trees as kernels lay them out: version 2, version 1, both.
 */
#include "util/account.h"

#include <glib/gstdio.h>

typedef struct Tree {
    char *root;
} Tree;

static void put(const Tree *t, const char *path, const char *text)
{
    g_autofree char *file = g_strconcat(t->root, path, NULL), *dir = g_path_get_dirname(file);

    g_assert_cmpint(g_mkdir_with_parents(dir, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static Tree tree_new(const char *proc_cgroup)
{
    Tree t = { g_dir_make_tmp("quern-cgroup-XXXXXX", NULL) };

    put(&t, "/proc/self/cgroup", proc_cgroup);
    return t;
}

static void tree_free(Tree *t)
{
    char *argv[] = { (char *)"rm", (char *)"-r", t->root, NULL };

    g_assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_free(t->root);
}

static void assert_memory(const Tree *t, uint64_t limit, uint64_t current)
{
    g_assert_cmpuint(memory_cgroup_limit_in(t->root), ==, limit);
    g_assert_cmpuint(memory_cgroup_current_in(t->root), ==, current);
}

/* The root group has neither file; "max" is no limit; the one above may be the smaller. */
static void test_v2_takes_the_smallest_of_the_path(void)
{
    Tree t = tree_new("0::/user.slice/user-1000.slice/vm.scope\n");

    put(&t, "/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
    put(&t, "/sys/fs/cgroup/user.slice/memory.max", "max\n");
    put(&t, "/sys/fs/cgroup/user.slice/user-1000.slice/memory.max", "536870912\n");
    put(&t, "/sys/fs/cgroup/user.slice/user-1000.slice/vm.scope/memory.max", "1073741824\n");
    put(&t, "/sys/fs/cgroup/user.slice/user-1000.slice/vm.scope/memory.high", "1048576\n");
    put(&t, "/sys/fs/cgroup/user.slice/user-1000.slice/vm.scope/memory.current", "7340032\n");
    assert_memory(&t, 512 * MiB, 7 * MiB);
    put(&t, "/sys/fs/cgroup/user.slice/user-1000.slice/memory.max", "max\n");
    assert_memory(&t, GiB, 7 * MiB);
    put(&t, "/sys/fs/cgroup/user.slice/user-1000.slice/vm.scope/memory.max", "max\n");
    assert_memory(&t, UINT64_MAX, 7 * MiB);
    tree_free(&t);
}

/* A container with a namespace of its own sees its group as the root, whose files are there. */
static void test_v2_in_a_namespace(void)
{
    Tree t = tree_new("0::/\n");

    put(&t, "/sys/fs/cgroup/memory.max", "268435456\n");
    put(&t, "/sys/fs/cgroup/memory.current", "4096\n");
    assert_memory(&t, 256 * MiB, 4096);
    tree_free(&t);
}

/* The controller is not delegated to the group: what is above counts. */
static void test_v2_without_the_controller_below(void)
{
    Tree t = tree_new("0::/a/b\n");

    put(&t, "/sys/fs/cgroup/a/memory.max", "1048576\n");
    put(&t, "/sys/fs/cgroup/a/b/cgroup.procs", "1\n");
    assert_memory(&t, MiB, UINT64_MAX);
    tree_free(&t);
}

/* No limit is a very large number; the unified hierarchy beside it has no memory controller. */
static void test_v1_and_hybrid(void)
{
    Tree t = tree_new("9:pids:/x\n4:memory:/x\n1:name=systemd:/x\n0::/x\n");

    put(&t, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(&t, "/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "100663296\n");
    put(&t, "/sys/fs/cgroup/memory/x/memory.usage_in_bytes", "12288\n");
    put(&t, "/sys/fs/cgroup/unified/x/cgroup.procs", "1\n");
    assert_memory(&t, 96 * MiB, 12288);
    put(&t, "/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
    assert_memory(&t, UINT64_MAX, 12288);
    tree_free(&t);
}

static void test_nothing_and_nonsense(void)
{
    Tree t = tree_new("");

    assert_memory(&t, UINT64_MAX, UINT64_MAX);
    put(&t, "/proc/self/cgroup", "garbage\n:::\n0::/a\n\n");
    put(&t, "/sys/fs/cgroup/a/memory.max", "lots\n");
    put(&t, "/sys/fs/cgroup/a/memory.current", "");
    assert_memory(&t, UINT64_MAX, UINT64_MAX);
    tree_free(&t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cgroup/v2/smallest", test_v2_takes_the_smallest_of_the_path);
    g_test_add_func("/cgroup/v2/namespace", test_v2_in_a_namespace);
    g_test_add_func("/cgroup/v2/not-delegated", test_v2_without_the_controller_below);
    g_test_add_func("/cgroup/v1", test_v1_and_hybrid);
    g_test_add_func("/cgroup/nonsense", test_nothing_and_nonsense);
    return g_test_run();
}
