package main

import (
	"fmt"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router"
)

func newCheckCommand(s *shared) *cobra.Command {
	f := &runFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration and its plugins without starting anything",
		Args:  noFileArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.load()
			if err != nil {
				return err
			}
			warnings, err := router.Check(cmd.Context(), c, router.Options{Logger: zerolog.Nop(), Version: version, CacheDir: cacheDir()})
			if err != nil {
				return err
			}
			for _, w := range warnings {
				fmt.Fprintln(cmd.OutOrStdout(), "warning:", w)
			}
			name := c.Source
			if name == "" {
				name = "the built-in configuration"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is good: channels %d, plugins %d, inputs %d, outputs %d, warnings %d\n", name, len(c.Channels), len(c.Plugins), len(c.Inputs), len(c.Outputs), len(warnings))
			return nil
		},
	}
	f.settings(cmd)
	return cmd
}
