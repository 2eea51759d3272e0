package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router"
	"github.com/getevo/rmds-router/router/author"
)

// newPluginCommand returns `rmds-router plugin`: the tools of those who write plugins, which need no configuration and no running router, and what concerns the plugins of a running one.
func newPluginCommand(s *shared) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Make, build, test and measure plugins; look after those of a running router",
		Long: `Tools for those who write plugins. From nothing to a filter that works:

  rmds-router plugin new my-filter --lang rust
  cd my-filter
  rmds-router plugin test

The folder holds the SDK, a small filter, and cases.yaml with test cases: messages in, and what must come of them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPluginNew(), newPluginBuild(), newPluginTest(), newPluginInspect(), newPluginBench(), newPluginList(s), newPluginReload(s), newPluginKV(s))
	return cmd
}

func newPluginNew() *cobra.Command {
	var language string
	cmd := &cobra.Command{
		Use:   "new <folder>",
		Short: "Make a folder for a plugin that builds and tests at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if language == "" {
				return usage("say which language: --lang %s", strings.Join(author.Languages, ", --lang "))
			}
			if err := author.Create(args[0], language); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "made %s; now:\n  cd %s\n  rmds-router plugin test\n", args[0], args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&language, "lang", "", strings.Join(author.Languages, ", "))
	return cmd
}

// pluginFolder opens the folder that the arguments name, or the current one.
func pluginFolder(args []string) (dir string, m *author.Manifest, err error) {
	dir = "."
	if len(args) > 0 {
		dir = args[0]
	}
	m, err = author.Open(dir)
	return dir, m, err
}

func newPluginBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build [folder]",
		Short: "Compile a plugin's folder with its language's compiler",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, m, err := pluginFolder(args)
			if err != nil {
				return err
			}
			if err := m.Build(cmd.Context(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), m.Module())
			return nil
		},
	}
}

func newPluginTest() *cobra.Command {
	var built bool
	var cases string
	cmd := &cobra.Command{
		Use:   "test [folder]",
		Short: "Build a plugin and run its test cases",
		Long: `Builds the plugin and runs cases.yaml (or what cases: in plugin.yaml names): each case is a fresh plugin with its own clock and keys, and calls in order.

  cases:
    - name: the third failure raises an alert
      now: 2026-05-04T03:02:01Z          # the clock; it moves only by advance
      kv: {failures: 2}                  # a whole number is a counter, a text is bytes
      steps:
        - advance: 10s
          handle: {json: {ok: false}, channel: jobs, headers: {host: a}}   # or filter: {...}, or tick: true
          expect:
            verdict: ack                 # pass, ack, drop, retry, dead, fault
            emits: [{channel: alerts, json: {failures: 3}}]
      kv_after: {failures: 3}

A body is given as body, json (compared by meaning) or base64. What an expectation leaves out is not looked at, except that
the verdict must be pass or ack, and that there must be exactly the emits listed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, m, err := pluginFolder(args)
			if err != nil {
				return err
			}
			file := m.CasesPath()
			if cases != "" {
				file = filepath.Join(dir, cases)
			}
			if !built {
				if err := m.Build(cmd.Context(), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			config, err := m.Plugin()
			if err != nil {
				return err
			}
			suite, err := author.ReadSuite(file)
			if err != nil {
				return err
			}
			return suite.Test(cmd.Context(), config, cacheDir(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&built, "no-build", false, "take the module as it is")
	cmd.Flags().StringVar(&cases, "cases", "", "file of test cases, from the folder (default: cases of plugin.yaml, or "+author.CasesFile+")")
	return cmd
}

func newPluginInspect() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "inspect <file.wasm>",
		Short: "Show what a module imports, exports and serves, its memory and its sha256, without running it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := tableOrJSON(output); err != nil {
				return err
			}
			info, err := router.InspectPlugin(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if output == "json" {
				return indented(cmd.OutOrStdout(), info)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "size\t%d bytes\nsha256\t%s\nmemory\t%d KiB at the start%s\n", info.Size, info.SHA256, info.Memory>>10, declared(info.Maximum))
			if info.Problem != "" {
				fmt.Fprintf(w, "refused\t%s\n", printable(info.Problem))
			} else {
				fmt.Fprintf(w, "entries\t%s\n", info.Entries)
			}
			for _, f := range info.Imports {
				fmt.Fprintf(w, "import\t%s.%s%s\n", f.Module, f.Name, f.Type)
			}
			for _, f := range info.Exports {
				fmt.Fprintf(w, "export\t%s%s\n", f.Name, f.Type)
			}
			return w.Flush()
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// declared says what bound a module sets to its memory.
func declared(maximum int64) string {
	if maximum == 0 {
		return ""
	}
	return fmt.Sprintf(", at most %d KiB", maximum>>10)
}

func newPluginBench() *cobra.Command {
	var body, file string
	var total time.Duration
	cmd := &cobra.Command{
		Use:   "bench [folder]",
		Short: "Measure what one call of a built plugin costs",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, m, err := pluginFolder(args)
			if err != nil {
				return err
			}
			if _, err := os.Stat(m.Module()); errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("%s is not built yet: rmds-router plugin build", m.Module())
			}
			config, err := m.Plugin()
			if err != nil {
				return err
			}
			message := []byte(body)
			if file != "" {
				if message, err = os.ReadFile(file); err != nil {
					return err
				}
			}
			result, err := author.Measure(cmd.Context(), config, message, cacheDir(), total)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), result)
			return nil
		},
	}
	cmd.Flags().StringVar(&body, "body", `{"text":"hello"}`, "the message's body")
	cmd.Flags().StringVar(&file, "file", "", "file with the message's body")
	cmd.Flags().DurationVar(&total, "for", 2*time.Second, "how long to measure")
	return cmd
}
