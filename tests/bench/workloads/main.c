/*
 * The workload table's program: one static binary, run natively and in guests by workloads.py.
 *
 *   workloads list                      names and what they do
 *   workloads ROW...                    those rows
 *   workloads run NAME COMMAND ARG...   a program as a row; the number is a hash of what it prints
 *
 * For each row it prints "BEGIN name", works, prints "END name calls seconds cpu-seconds number".  It is
 * idle for a moment after each of the two lines, so that a host that reads the CPU time of an emulator when
 * it sees them is in time.
 */
#define _GNU_SOURCE
#include "rows.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_US = 30000 };

static double seconds_at_least = 0.25;      /* BENCH_SECONDS in the environment */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double seconds_of(struct timeval t)
{
    return t.tv_sec + t.tv_usec * 1e-6;
}

/* CPU time of this process and of the children that it has waited for. */
static double cpu_seconds(void)
{
    struct rusage self, children;

    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return seconds_of(self.ru_utime) + seconds_of(self.ru_stime) + seconds_of(children.ru_utime) + seconds_of(children.ru_stime);
}

typedef struct Clock {
    double start, cpu;
} Clock;

static Clock begin(const char *name)
{
    printf("BEGIN %s\n", name);
    fflush(stdout);
    usleep(PAUSE_US);
    return (Clock) { now(), cpu_seconds() };
}

static void end(Clock c, const char *name, unsigned calls, uint64_t number)
{
    double took = now() - c.start, cpu = cpu_seconds() - c.cpu;

    printf("END %s %u %.6f %.6f %016" PRIx64 "\n", name, calls, took, cpu, number);
    fflush(stdout);
    usleep(PAUSE_US);
}

static int run_row(const Row *row)
{
    uint64_t number = row->work();      /* warms caches, and the translator's */
    Clock c = begin(row->name);
    unsigned calls = 0;

    do {
        uint64_t again = row->work();

        if (again != number) {
            printf("WRONG %s: %016" PRIx64 ", then %016" PRIx64 "\n", row->name, number, again);
            return 1;
        }
        calls++;
    } while (now() - c.start < seconds_at_least);
    end(c, row->name, calls, number);
    return 0;
}

/* In a process of its own: what a row leaves in memory is no matter of the next, which may fork. */
static int run_row_apart(const Row *row)
{
    int status = 1;
    pid_t pid = fork();

    if (!pid) {
        exit(run_row(row));
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        perror("workloads");
    }
    return status != 0;
}

/* FNV-1a over all that can be read from @fd. */
static uint64_t hash_stream(int fd)
{
    uint64_t h = 0xcbf29ce484222325;
    unsigned char buf[4096];
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            h = (h ^ buf[i]) * 0x100000001b3;
        }
    }
    return h;
}

static int run_program(const char *name, char **argv)
{
    Clock c = begin(name);
    int fds[2], status;
    uint64_t number;
    pid_t pid;

    if (pipe(fds) || (pid = fork()) < 0) {
        perror("workloads");
        return 1;
    }
    if (!pid) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    close(fds[1]);
    number = hash_stream(fds[0]);
    close(fds[0]);
    waitpid(pid, &status, 0);
    if (status) {
        printf("WRONG %s: wait status %#x\n", name, status);
        return 1;
    }
    end(c, name, 1, number);
    return 0;
}

static const Row *const tables[] = { integer_rows, float_rows, vector_rows, system_rows };

static const Row *find_row(const char *name)
{
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        for (const Row *r = tables[t]; r->name; r++) {
            if (!strcmp(r->name, name)) {
                return r;
            }
        }
    }
    return NULL;
}

static void list_rows(void)
{
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        for (const Row *r = tables[t]; r->name; r++) {
            printf("%-12s %s\n", r->name, r->what);
        }
    }
}

int main(int argc, char **argv)
{
    const char *s = getenv("BENCH_SECONDS");
    int wrong = 0;

    if (s) {
        seconds_at_least = atof(s);
    }
    if (argc < 2 || !strcmp(argv[1], "list")) {
        list_rows();
        return 0;
    }
    if (!strcmp(argv[1], "nothing")) {      /* what the row "exec" executes */
        return 0;
    }
    if (!strcmp(argv[1], "run")) {
        return argc < 4 ? 2 : run_program(argv[2], argv + 3);
    }
    for (int i = 1; i < argc; i++) {
        const Row *row = find_row(argv[i]);

        if (!row) {
            printf("WRONG %s: no such row\n", argv[i]);
        }
        wrong |= row ? run_row_apart(row) : 2;
    }
    return wrong;
}
