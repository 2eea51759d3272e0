package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// outputFlag adds the choice between a table for people and JSON for programs.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "table", "table or json")
}

// tableOrJSON refuses every other choice before anything is done.
func tableOrJSON(output string) error {
	if output != "table" && output != "json" {
		return usage("--output %q is neither table nor json", output)
	}
	return nil
}

// indented writes a value as JSON that people can read as well.
func indented(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
