/*
 * switch_x86_64.S: the context switch for the System V ABI.
 *
 * void leat_i_switch(void **save_sp, void *load_sp): pushes the callee-saved registers, leaves the stack pointer in *save_sp,
 * and goes on where `load_sp` was left. The control bits of mxcsr and of the x87 word are not kept: restoring them costs ten
 * times the switch as soon as one side has raised a floating-point flag, and C code changes them hardly ever.
 *
 * leat_i_switch_from does the same for code that has jumped here with its return address in rcx (fiber.h).
 *
 * leat_i_switch_entry is where a fresh stack starts: r12 holds the argument, r13 the function, which never returns. The frame
 * pointer is zero and the CFI says that there is no caller, so that unwinders stop here.
 */
    .text
    .globl  leat_i_switch
    .hidden leat_i_switch
    .type   leat_i_switch, @function
    .globl  leat_i_switch_from
    .hidden leat_i_switch_from
    .type   leat_i_switch_from, @function
    .p2align 4
leat_i_switch_from:
    .cfi_startproc
    pushq   %rcx
    /* From here on it is as if it had been called. */
leat_i_switch:
    endbr64
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    /* A jump and not a ret: the other stack was left at another place. */
    popq    %rcx
    notrack jmp *%rcx
    .cfi_endproc
    .size   leat_i_switch, . - leat_i_switch
    .size   leat_i_switch_from, . - leat_i_switch_from

    .globl  leat_i_switch_entry
    .hidden leat_i_switch_entry
    .type   leat_i_switch_entry, @function
    .p2align 4
leat_i_switch_entry:
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    xorl    %ebp, %ebp
    movq    %r12, %rdi
    callq   *%r13
    ud2
    .cfi_endproc
    .size   leat_i_switch_entry, . - leat_i_switch_entry

    /* Indirect branch tracking is honoured. The shadow stack is not: the property is left out on purpose. */
    .section .note.gnu.property, "a"
    .p2align 3
    .long   4, 16, 5
    .asciz  "GNU"
    .long   0xc0000002, 4, 1, 0

    .section .note.GNU-stack, "", @progbits
