// Package membership knows who is in the network: it takes announcements and the state of the connection, and answers who reads
// and writes which channel, who is online, and whether that picture can be trusted yet. It is pure; the node that owns it
// publishes what it asks for.
package membership
