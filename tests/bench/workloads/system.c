/* The kernel's side of a program: system calls, faults, processes, code made at run time. */
#define _GNU_SOURCE
#include "rows.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static uint64_t syscalls(void)
{
    uint64_t same = 0;
    long parent = getppid();

    for (int i = 0; i < 10000; i++) {
        same += syscall(SYS_getppid) == parent;
    }
    return same;
}

static uint64_t faults(void)
{
    enum { SIZE = 4 << 20, PAGE = 4096 };
    uint64_t sum = 0;
    uint8_t *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(p != MAP_FAILED && !madvise(p, SIZE, MADV_NOHUGEPAGE), "mmap");
    for (int i = 0; i < SIZE; i += PAGE) {
        p[i] = i / PAGE;
    }
    for (int i = 0; i < SIZE; i += PAGE) {
        sum += p[i];
    }
    munmap(p, SIZE);
    return sum;
}

static int wait_for(pid_t pid)
{
    int status;

    must(pid > 0, "fork");
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    return WEXITSTATUS(status);
}

static uint64_t forks(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();

        if (!pid) {
            _exit(i);
        }
        sum += wait_for(pid);
    }
    return sum;
}

static uint64_t execs(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();

        if (!pid) {
            execl("/proc/self/exe", "workloads", "nothing", NULL);
            _exit(1);
        }
        sum += !wait_for(pid);
    }
    return sum;
}

static uint64_t ping_pong(void)
{
    enum { ROUNDS = 500 };
    int to[2], from[2];
    uint64_t sum = 0;
    uint32_t v = 1;
    pid_t pid;

    must(!pipe(to) && !pipe(from), "pipe");
    pid = fork();
    if (!pid) {
        for (int i = 0; i < ROUNDS; i++) {
            must(read(to[0], &v, sizeof(v)) == sizeof(v), "read");
            v = v * 3 + 1;
            must(write(from[1], &v, sizeof(v)) == sizeof(v), "write");
        }
        _exit(7);
    }
    for (int i = 0; i < ROUNDS; i++) {
        must(write(to[1], &v, sizeof(v)) == sizeof(v), "write");
        must(read(from[0], &v, sizeof(v)) == sizeof(v), "read");
        sum = sum * 31 + v;
    }
    sum += wait_for(pid);
    for (int i = 0; i < 2; i++) {
        close(to[i]);
        close(from[i]);
    }
    return sum;
}

/* lea eax, [rdi + N]; ret: written, called, and written again. */
static uint64_t rewritten(void)
{
    enum { SIZE = 4096, STEP = 64 };
    static uint8_t *page;
    uint32_t v = 1;

    if (!page) {
        page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(page != MAP_FAILED, "mmap");
    }
    for (uint32_t i = 0; i < 5000; i++) {
        uint8_t *code = page + i * STEP % SIZE;
        uint32_t n = i * 7;

        code[0] = 0x8d;
        code[1] = 0x87;
        memcpy(code + 2, &n, sizeof(n));
        code[6] = 0xc3;
        __builtin___clear_cache((char *)code, (char *)code + 7);
        v = ((uint32_t (*)(uint32_t))code)(v) ^ v << 1;
    }
    return v;
}

const Row system_rows[] = {
    { "syscall", syscalls, "getppid" },
    { "fault", faults, "first touch of 1024 pages" },
    { "fork", forks, "fork, exit, wait" },
    { "exec", execs, "fork, exec of a static program, wait" },
    { "pipe", ping_pong, "two processes, a word to and fro" },
    { "rewritten", rewritten, "code written, called, written again" },
    { }
};
