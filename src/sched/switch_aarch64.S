/*
 * switch_aarch64.S: the context switch for AAPCS64.
 *
 * void leat_i_switch(void **save_sp, void *load_sp): keeps x19 - x30 and d8 - d15 on the old stack, leaves the stack pointer
 * in *save_sp, and goes on where `load_sp` was left. fpcr is not kept.
 *
 * leat_i_switch_entry is where a fresh stack starts: x19 holds the argument, x20 the function, which never returns.
 */
    .text
    .globl  leat_i_switch
    .hidden leat_i_switch
    .type   leat_i_switch, %function
    .p2align 4
leat_i_switch:
    .cfi_startproc
    hint    #34                 /* bti c */
    sub     sp, sp, #160
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    mov     x9, sp
    str     x9, [x0]
    mov     sp, x1
    ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    add     sp, sp, #160
    ret
    .cfi_endproc
    .size   leat_i_switch, . - leat_i_switch

    .globl  leat_i_switch_entry
    .hidden leat_i_switch_entry
    .type   leat_i_switch_entry, %function
    .p2align 4
leat_i_switch_entry:
    .cfi_startproc
    .cfi_undefined x30
    hint    #36                 /* bti j */
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x19
    blr     x20
    brk     #1
    .cfi_endproc
    .size   leat_i_switch_entry, . - leat_i_switch_entry

    .section .note.gnu.property, "a"
    .p2align 3
    .word   4, 16, 5
    .asciz  "GNU"
    .word   0xc0000000, 4, 1, 0 /* BTI */

    .section .note.GNU-stack, "", %progbits
