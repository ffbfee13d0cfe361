/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/diff/native.h"

#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/cpu/x86_state.h"
#include "tests/diff/descriptors.h"

#define MODIFY_LDT_WRITE 0x11

struct native {
    pid_t child;
    bool has_ldt;
    struct user_regs_struct regs; /* segments and the like, as the child has them */
};

static bool map_shared(uint64_t address, size_t size, int protection)
{
    return mmap((void *)address, size, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                -1, 0) == (void *)address;
}

/* Some kernels have no LDT for their programs. */
static bool set_ldt(void)
{
    bool ok = true;

    for (unsigned i = 0; i < LDT_COUNT; i++) {
        struct user_desc entry;

        descriptors_get_ldt(i, &entry);
        ok &= syscall(SYS_modify_ldt, MODIFY_LDT_WRITE, &entry, sizeof(entry)) == 0;
    }
    return ok;
}

static void be_traced(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    *(bool *)NATIVE_DATA = set_ldt();
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
        raise(SIGSTOP);
    _exit(1);
}

struct native *native_new(void)
{
    struct native *n = g_new0(struct native, 1);
    int status;

    if (!map_shared(NATIVE_DATA, NATIVE_DATA_SIZE, PROT_READ | PROT_WRITE) ||
        !map_shared(NATIVE_CODE, NATIVE_CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC))
        goto fail;
    n->child = fork();
    if (n->child == 0)
        be_traced();
    if (n->child < 0 || waitpid(n->child, &status, 0) != n->child || !WIFSTOPPED(status) ||
        ptrace(PTRACE_GETREGS, n->child, NULL, &n->regs) != 0)
        goto fail;
    n->has_ldt = *(const bool *)NATIVE_DATA;
    return n;
fail:
    native_free(n);
    return NULL;
}

void native_free(struct native *n)
{
    if (n == NULL)
        return;
    if (n->child > 0) {
        kill(n->child, SIGKILL);
        waitpid(n->child, NULL, 0);
    }
    munmap((void *)NATIVE_DATA, NATIVE_DATA_SIZE);
    munmap((void *)NATIVE_CODE, NATIVE_CODE_SIZE);
    g_free(n);
}

bool native_has_ldt(const struct native *n)
{
    return n->has_ldt;
}

void native_set_segments(struct native_state *s)
{
    memset(s->segment, 0, sizeof(s->segment));
    s->segment[X86_CS] = s->narrow ? USER_CODE32 : USER_CODE64;
    s->segment[X86_SS] = USER_DATA;
    if (s->narrow)
        s->segment[X86_DS] = s->segment[X86_ES] = USER_DATA;
    s->fs_base = s->gs_base = 0;
}

static void to_regs(const struct native_state *s, struct user_regs_struct *r)
{
    unsigned long long *const order[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp,
                                           &r->rsi, &r->rdi, &r->r8,  &r->r9,  &r->r10, &r->r11,
                                           &r->r12, &r->r13, &r->r14, &r->r15};

    for (unsigned i = 0; i < 16; i++)
        *order[i] = s->gpr[i];
    r->rip = s->rip;
    r->eflags = s->rflags;
    r->orig_rax = -1; /* no system call to restart */
    r->es = s->segment[X86_ES];
    r->cs = s->segment[X86_CS];
    r->ss = s->segment[X86_SS];
    r->ds = s->segment[X86_DS];
    r->fs = s->segment[X86_FS];
    r->gs = s->segment[X86_GS];
    r->fs_base = s->fs_base;
    r->gs_base = s->gs_base;
}

static void from_regs(const struct user_regs_struct *r, struct native_state *s)
{
    const uint64_t order[16] = {r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
                                r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};

    for (unsigned i = 0; i < 16; i++)
        s->gpr[i] = order[i];
    s->rip = r->rip;
    s->rflags = r->eflags;
    s->segment[X86_ES] = r->es;
    s->segment[X86_CS] = r->cs;
    s->segment[X86_SS] = r->ss;
    s->segment[X86_DS] = r->ds;
    s->segment[X86_FS] = r->fs;
    s->segment[X86_GS] = r->gs;
    s->fs_base = r->fs_base;
    s->gs_base = r->gs_base;
}

static enum native_fault fault_of(int signal, const siginfo_t *info)
{
    switch (signal) {
    case SIGTRAP:
        return NATIVE_TRAP;
    case SIGILL:
        return NATIVE_UD;
    case SIGBUS: /* #NP, #SS */
        return NATIVE_GP;
    case SIGSEGV:
        return info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR ? NATIVE_PF : NATIVE_GP;
    case SIGFPE:
        return info->si_code == FPE_INTDIV ? NATIVE_DIVIDE : NATIVE_FP;
    }
    return NATIVE_OTHER;
}

enum native_fault native_run(struct native *n, struct native_state *state)
{
    struct user_regs_struct regs = n->regs;
    siginfo_t info = {0};
    int status;

    to_regs(state, &regs);
    if (ptrace(PTRACE_SETREGS, n->child, NULL, &regs) != 0 ||
        ptrace(PTRACE_SETFPREGS, n->child, NULL, &state->fpu) != 0 ||
        ptrace(PTRACE_CONT, n->child, NULL, NULL) != 0 ||
        waitpid(n->child, &status, 0) != n->child || !WIFSTOPPED(status) ||
        ptrace(PTRACE_GETSIGINFO, n->child, NULL, &info) != 0 ||
        ptrace(PTRACE_GETREGS, n->child, NULL, &regs) != 0 ||
        ptrace(PTRACE_GETFPREGS, n->child, NULL, &state->fpu) != 0)
        return NATIVE_OTHER;
    from_regs(&regs, state);
    return fault_of(WSTOPSIG(status), &info);
}
