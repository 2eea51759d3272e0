// Package meter rewrites a guest's module so that the host stays in charge of it, whatever the guest does.
//
// Compiled guest code cannot be preempted: a guest in a tight loop would hold up the next garbage collection, and with it the whole
// process. The rewritten module therefore counts down a private global at every function entry and loop header, by the size of the code that
// the check stands for, and before every bulk operation, by its length. When the count runs out, every Budget units, it calls a function that is added to the
// module. That one grows the memory by zero pages, which leaves guest code for the scheduler and the collector, and then traps if the host has
// set the global exported as StopGlobal.
//
// Rewrite is also the gate in front of the compiler: it decodes every byte of the module, lets through only instructions that it knows, and refuses what is out of
// proportion (see the bounds), because some modules of a few bytes cost a compiler gigabytes or minutes. What it writes is encoded afresh from the
// decoded values, so that no two decoders can disagree about it. Types are not checked: that is left to the compiler. Indices are, so that
// nothing in the guest can reach what was added.
//
// Beside the countdown the rewritten module differs in this:
//   - The start function is not run by instantiation; the host calls the function exported as StartExport, if Module.Start says so. The stop
//     global can only be set once there is an instance.
//   - Tables have a maximum of at most MaxTable elements.
//   - A module without memory gets an empty one that cannot grow.
//   - Custom sections are gone, except for the names of functions.
package meter
