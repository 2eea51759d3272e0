package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router"
)

func newNodeCommand(s *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "Change what this node is"}
	cmd.AddCommand(newRenameCommand(s))
	return cmd
}

func newRenameCommand(s *shared) *cobra.Command {
	f := &runFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "rename <new id>",
		Short: "Give the node of a configuration another id",
		Long: `Gives the node another id, in its database and, where storage.path has {nodeID}, in the database's path. The router must not be running on it.
Nothing of what it holds is lost, and nobody has to be told: messages that wait, in both directions, go on as soon as the node runs under its new id. Other
nodes take that up when the old id has said goodbye, as a router does that is stopped in order, or has been silent for discovery.node_offline_timeout.

Then change node.id where it is set, before the router is started again. Should this command be cut off, give it again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.rename(cmd, args[0]) },
	}
	f.settings(cmd)
	return cmd
}

func (f *runFlags) rename(cmd *cobra.Command, id string) error {
	if err := nodeName(id); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	done, err := router.Rename(c, id)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "node %s is %s now, with its database %s\n", done.Before, done.After, done.Path)
	if c.Engine.NodeID == done.Before && !f.nodeGiven() {
		fmt.Fprintln(cmd.ErrOrStderr(), c.Problem("node.id", "set this to %s before the router is started again", done.After))
	}
	return nil
}
