package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

// These commands are about the plugins of a running router.

func newPluginList(s *shared) *cobra.Command {
	get := func(ctx context.Context, c *admin.Client) ([]admin.Plugin, error) { return c.Plugins(ctx) }
	return newListCommand(s, "ls", "List the plugins of a running router", get, func(w io.Writer, list []admin.Plugin) {
		fmt.Fprint(w, "PLUGIN\tVERSION\tSHA256\tSERVES\tCALLS\tFAULTS\tSTATE\n")
		for _, p := range list {
			fmt.Fprintf(w, "%s\t%d\t%.12s\t%s\t%d\t%d\t%s\n", p.Name, p.Edition, p.SHA256, p.Serves, p.Calls, p.Faults, printable(p.State))
		}
	})
}

func newPluginReload(s *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "reload <plugin>",
		Short: "Put a new version of a plugin's file to work in a running router",
		Long: `Reads the plugin's file again. The new version is compiled, started and asked for its health beside the one that runs, and
takes over between two messages. If anything is wrong with it, the old one runs on. A running router also does so by
itself when the file changes.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			r, err := client.ReloadPlugin(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !r.Changed {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: the file holds what runs already, version %d\n", args[0], r.Plugin.Edition)
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: version %d is at work, sha256 %s\n", args[0], r.Plugin.Edition, r.Plugin.SHA256)
			return nil
		},
	}
}

func newPluginKV(s *shared) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kv",
		Short: "List and edit the keys that a plugin of a running router keeps",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKVList(s), newKVSet(s), newKVDelete(s))
	return cmd
}

func newKVList(s *shared) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:   "ls <plugin>",
		Short: "List keys with their values, a line of JSON each",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			for after := ""; ; {
				page, err := client.State(cmd.Context(), args[0], prefix, after)
				if err != nil {
					return err
				}
				for _, e := range page.Entries {
					if err := out.Encode(e); err != nil {
						return err
					}
				}
				if after = page.Next; after == "" {
					return nil
				}
			}
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that begin with this")
	return cmd
}

func newKVSet(s *shared) *cobra.Command {
	var counter, encoded bool
	cmd := &cobra.Command{
		Use:   "set <plugin> <key> <value>",
		Short: "Set a key; the plugin goes on from there",
		Args:  cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			value := []byte(args[2])
			switch {
			case counter && encoded:
				return usage("--counter and --base64 exclude each other")
			case counter:
				n, err := strconv.ParseInt(args[2], 10, 64)
				if err != nil {
					return usage("%q is not a whole number", args[2])
				}
				value = binary.LittleEndian.AppendUint64(nil, uint64(n))
			case encoded:
				var err error
				if value, err = base64.StdEncoding.DecodeString(args[2]); err != nil {
					return usage("the value is not base64: %v", err)
				}
			}
			return s.changeKey(cmd, args[0], args[1], value)
		},
	}
	cmd.Flags().BoolVar(&counter, "counter", false, "the value is a whole number, stored as a counter")
	cmd.Flags().BoolVar(&encoded, "base64", false, "the value is in base64")
	return cmd
}

func newKVDelete(s *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "rm <plugin> <key>",
		Short: "Remove a key",
		Args:  cobra.ExactArgs(2),
		RunE:  func(cmd *cobra.Command, args []string) error { return s.changeKey(cmd, args[0], args[1], nil) },
	}
}

// changeKey sets a key, or removes it if value is nil.
func (s *shared) changeKey(cmd *cobra.Command, plugin, key string, value []byte) error {
	if key == "" {
		return usage("the key is empty")
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	return client.SetState(cmd.Context(), plugin, []byte(key), value)
}
