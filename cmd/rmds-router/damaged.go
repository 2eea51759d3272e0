package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

func newDamagedCommand(s *shared) *cobra.Command {
	get := func(ctx context.Context, c *admin.Client) ([]admin.DamagedBatch, error) { return c.DamagedBatches(ctx) }
	cmd := newListCommand(s, "damaged", "List batches of messages that are damaged", get, func(w io.Writer, list []admin.DamagedBatch) {
		fmt.Fprint(w, "WHERE\tFROM\tCHANNEL\tFIRST\tLAST\tCOUNT\tFOUND\tKEPT\tCAUSE\n")
		for _, b := range list {
			kept := "in place"
			if b.Kept != nil {
				kept = fmt.Sprint(*b.Kept)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", b.Where, printable(b.Node), orDash(printable(b.Channel)), b.First, orDash(sequence(b.Last)), orDash(sequence(b.Count)), when(b.FoundMs), kept, printable(b.Cause))
		}
	})
	cmd.Long = `Lists the batches of messages that ended as corrupt: those of this node's own log that cannot be read back as they were written (they stay where they are),
and those that came damaged alike three times from another node (of the newest, what came is kept). Both are in the database for somebody to look at.`
	return cmd
}
