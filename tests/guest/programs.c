/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program whose results are the same on any x86-64 computer: arithmetic of all kinds, sorting,
 * signals and faults, threads, processes.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 20000
#define PAGE 4096

static uint64_t seed = 88172645463325252;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void integers(void)
{
    uint64_t sum = 0;
    int64_t quotients = 0;
    __uint128_t wide = 1;

    for (int i = 0; i < 300000; i++) {
        uint64_t a = draw(), b = draw() | 1;
        unsigned turn = a & 63;

        sum += a / b + a % b + (uint32_t)a / (uint16_t)(b | 1);
        sum ^= (a << turn | a >> (-turn & 63)) + __builtin_popcountll(b) + __builtin_ctzll(b);
        quotients += (int64_t)a / (int32_t)b + (int16_t)a * (int64_t)(int8_t)b;
        wide = wide * a + b;
    }
    printf("integers %016lx %016lx %016lx%016lx\n", (unsigned long)sum, (unsigned long)quotients,
           (unsigned long)(wide >> 64), (unsigned long)wide);
}

static void floats(void)
{
    static double a[96][96], b[96][96];
    double trace = 0, roots = 0;
    float single = 0;
    long double extended = 0;

    for (int i = 0; i < 96; i++)
        for (int j = 0; j < 96; j++) {
            a[i][j] = (double)(int64_t)draw() / 1e18;
            b[i][j] = (double)(uint32_t)draw() / 4e9;
        }
    for (int i = 0; i < 96; i++)
        for (int j = 0; j < 96; j++) {
            double cell = 0;

            for (int k = 0; k < 96; k++)
                cell += a[i][k] * b[k][j];
            trace += cell / (1 + i + j);
            roots += sqrt(fabs(cell)) + floor(cell * 100) + rint(cell * 7);
            single = single * 0.5f + (float)cell;
            extended += sqrtl(fabsl(cell)) / (1 + j) + (long double)(int64_t)(cell * 1e6);
        }
    printf("floats %a %a %a %La\n", trace, roots, single, extended);
    printf("functions %.10f %.10f %.10f %.14Lf\n", sin(trace), exp(roots / 1e6), pow(1.7, 9.3),
           atan2l(extended, 3) + logl(7) + fmodl(extended, 17));
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void memory(void)
{
    static uint32_t values[100000];
    static char text[PAGE * 4];
    uint64_t sum = 0;

    for (int i = 0; i < 100000; i++)
        values[i] = (uint32_t)draw();
    qsort(values, 100000, sizeof(values[0]), compare);
    for (int i = 0; i < 100000; i++)
        sum = sum * 31 + values[i];
    for (int i = 0; i < 20000; i++) {
        size_t from = draw() % PAGE, to = draw() % PAGE * 2, length = draw() % (PAGE / 2);

        memset(text + from, 'a' + i % 26, length);
        memmove(text + to, text + from + 3, length);
        text[sizeof(text) - 1] = 0;
        sum += strlen(text + from) + (uintptr_t)(memchr(text, i % 256, PAGE) != NULL) +
               (memcmp(text, text + to, length) > 0);
    }
    printf("memory %016lx\n", (unsigned long)sum);
}

static sigjmp_buf back;
static volatile sig_atomic_t faults, alarms;
static volatile uintptr_t fault_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    faults++;
    fault_address = (uintptr_t)info->si_addr;
    siglongjmp(back, number);
}

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static void signals(void)
{
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction alarm = {.sa_handler = on_alarm};
    uint8_t *page = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile int zero = 0;
    volatile double work = 1;
    uintptr_t places = 0;

    sigaction(SIGSEGV, &fault, NULL);
    sigaction(SIGFPE, &fault, NULL);
    sigaction(SIGILL, &fault, NULL);
    sigaction(SIGUSR1, &alarm, NULL);
    for (volatile int i = 0; i < 300; i++) {
        if (sigsetjmp(back, 1) == 0)
            *(volatile uint64_t *)(page + PAGE - 7 + i % 7) = 1;
        places += fault_address - (uintptr_t)page;
        if (sigsetjmp(back, 1) == 0)
            work = (double)(i / zero);
        if (sigsetjmp(back, 1) == 0)
            __builtin_trap();
        work = work * 1.5 + 1;
        raise(SIGUSR1);
    }
    printf("signals %d %d %lu %a\n", (int)faults, (int)alarms, (unsigned long)places, work);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turn;
static uint64_t locked;
static _Atomic uint64_t counted;

static void *thread(void *opaque)
{
    int me = (int)(intptr_t)opaque;

    for (int i = 0; i < ROUNDS; i++) {
        counted += (uint64_t)i;
        pthread_mutex_lock(&lock);
        locked = locked + (uint64_t)i * 3;
        pthread_mutex_unlock(&lock);
    }
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != me)
            pthread_cond_wait(&turned, &lock);
        turn++;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t ids[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&ids[i], NULL, thread, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    printf("threads %lu %lu %d\n", (unsigned long)counted, (unsigned long)locked, turn);
}

static void processes(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < 40; i++) {
        int ends[2], status = -1;
        uint64_t value = 0;
        pid_t pid;

        if (pipe(ends) != 0)
            exit(EXIT_FAILURE);
        pid = fork();
        if (pid == 0) {
            value = draw();
            _exit(write(ends[1], &value, sizeof(value)) == sizeof(value) ? i : 255);
        }
        if (read(ends[0], &value, sizeof(value)) != sizeof(value) ||
            waitpid(pid, &status, 0) != pid)
            exit(EXIT_FAILURE);
        close(ends[0]);
        close(ends[1]);
        sum = sum * 31 + value + (uint64_t)WEXITSTATUS(status);
        draw();
    }
    printf("processes %016lx\n", (unsigned long)sum);
}

int main(void)
{
    integers();
    floats();
    memory();
    signals();
    threads();
    fflush(stdout);
    processes();
    return 0;
}
