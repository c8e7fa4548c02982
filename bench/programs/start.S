# Start-up of the bare programs. The image is laid out like a Linux kernel's, for absolute address 0 with its entry at
# X'10000' and "S390EP" beside it, so that -kernel of lpar and of QEMU loads it; Hercules loads the PSW at 0.

        .section .lowcore, "ax"
        .long   0x00080000, 0x80000000 + initial_load   # initial-program-load PSW: ESA/390, 31-bit addressing
        .org    0x1a0                                   # new PSWs: restart, external, supervisor call,
        .quad   0x0000000180000000, start               # program, machine check, input/output
        .quad   0x0000000180000000, 0
        .quad   0x0002000180000000, 0xbad1
        .quad   0x0002000180000000, 0xbad2
        .quad   0x0002000180000000, 0xbad3
        .quad   0x0002000180000000, 0xbad4
        .org    0x200

        .section .entry, "ax"
        .globl  start, parameters, results
start:  j       1f
        .org    8
        .ascii  "S390EP"
1:      larl    %r13, control0
        lctlg   %c0, %c0, 0(%r13)
        lgfi    %r15, 0x10000 - 160
        brasl   %r14, measure
        stnsm   0x80(%r0), 0x00                         # DAT off
        brasl   %r14, report
        larl    %r1, done
        lpswe   0(%r1)

# Hercules begins as ESA/390: SIGNAL PROCESSOR, set architecture, makes it z/Architecture.
initial_load:
        slr     %r0, %r0
        lhi     %r1, 1
        sigp    %r1, %r0, 0x12
        sam64
        j       start

# void service_call(unsigned command, void *block): SERVICE CALL, then a wait for the service signal.
        .globl  service_call
service_call:
        .insn   rre, 0xb2200000, %r2, %r3
        jnz     service_call                            # busy
        larl    %r1, 2f
        stg     %r1, 0x1b8                              # external new PSW
        larl    %r1, enabled_wait
        lpswe   0(%r1)
2:      br      %r14

        .balign 8
control0:
        .quad   0x40200                                 # AFP registers, service signals
enabled_wait:
        .quad   0x0102000180000000, 0
done:   .quad   0x0002000180000000, 0xfff               # a guest that ends well, to QEMU and lpar

# The loader of the bench sets the parameters in the image; results are 16 bytes for each round.
        .org    0x100
parameters:
        .long   1, 0, 0                                 # rounds, DAT, circumstances
        .org    0x110
results:
        .org    0x1000                                  # X'10400' on: what a loader tells a Linux kernel
