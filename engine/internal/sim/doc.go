// Package sim runs whole networks of nodes through faults and checks what they did. One seed draws everything: how many nodes there
// are, which channels they write and read and how, what is sent, how handlers behave, and which faults come when. The nodes are real
// ones, on a network and disks in memory; they run in a testing/synctest bubble, so that hours pass in milliseconds.
//
// [Run] plays one seed and returns its [History]: who sent what and how that ended, what was handed to whom, what the accounts and
// the state held in the end. [Check] reads a history, in time linear in its length, and lists what is wrong with it: see the rules there.
//
// A seed decides what the simulation does, not how Go schedules the goroutines of the nodes. A seed that fails once fails again often,
// not always.
package sim
