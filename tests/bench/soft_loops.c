/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's program for soft_cpu.py: one kind of instruction, many times. No C library, so that
 * nothing else runs: gcc -O2 -static -nostdlib -ffreestanding -fno-pie -no-pie.
 *
 * usage: loops register|memory|call|movs
 */

#define ROUNDS 20000000ul
#define COPIES 20000ul

static char buffer[2][64 * 1024] __attribute__((aligned(4096)));

static void register_loop(void)
{
    unsigned long n = ROUNDS, a = 1, b = 2;

    __asm__ volatile("1: add %1, %2\n\t"
                     "lea 3(%2,%1,2), %1\n\t"
                     "xor %2, %1\n\t"
                     "mov %1, %%rdx\n\t"
                     "shr $3, %%rdx\n\t"
                     "and %%edx, %k2\n\t"
                     "sub $1, %0\n\t"
                     "jnz 1b"
                     : "+r"(n), "+r"(a), "+r"(b)
                     :
                     : "rdx", "cc");
}

static void memory_loop(void)
{
    unsigned long n = ROUNDS;

    __asm__ volatile("1: mov %0, %%edx\n\t"
                     "and $0xfff8, %%edx\n\t"
                     "mov (%1,%%rdx), %%rax\n\t"
                     "add %0, %%eax\n\t"
                     "mov %%rax, (%2,%%rdx)\n\t"
                     "movzbl 5(%1,%%rdx), %%ecx\n\t"
                     "mov %%cl, 3(%2,%%rdx)\n\t"
                     "add %%ecx, (%1)\n\t"
                     "dec %0\n\t"
                     "jnz 1b"
                     : "+r"(*(unsigned *)&n)
                     : "r"(buffer[0]), "r"(buffer[1])
                     : "rax", "rcx", "rdx", "cc", "memory");
}

static void call_loop(void)
{
    unsigned long n = ROUNDS;

    __asm__ volatile("1: call 2f\n\t"
                     "dec %0\n\t"
                     "jnz 1b\n\t"
                     "jmp 3f\n\t"
                     "2: push %%rbp\n\t"
                     "mov %%rsp, %%rbp\n\t"
                     "pop %%rbp\n\t"
                     "ret\n\t"
                     "3:"
                     : "+r"(n)
                     :
                     : "cc", "memory");
}

static void movs_loop(void)
{
    for (unsigned long i = 0; i < COPIES; i++) {
        void *from = buffer[i & 1], *to = buffer[~i & 1];
        unsigned long count = sizeof(buffer[0]);

        __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    }
}

static void leave(int status)
{
    __asm__ volatile("syscall" : : "a"(60), "D"(status) : "rcx", "r11", "memory");
    __builtin_unreachable();
}

__attribute__((used)) static void start(const unsigned long *stack)
{
    const char *kind = stack[0] > 1 ? (const char *)stack[2] : "";

    switch (kind[0]) {
    case 'r':
        register_loop();
        leave(0);
    case 'm':
        if (kind[1] == 'e')
            memory_loop();
        else
            movs_loop();
        leave(0);
    case 'c':
        call_loop();
        leave(0);
    }
    leave(2);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n\tcall start");
