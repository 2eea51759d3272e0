package router

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/getevo/rmds-router/router/config"
	"github.com/getevo/rmds-router/router/connect"
)

// faultyFiles finds the inputs and outputs that cannot work, without creating anything.
func (r *Router) faultyFiles() config.Problems {
	var problems config.Problems
	for i, in := range r.config.Inputs {
		if in.Type != "file" {
			continue
		}
		if err := connect.LookAtInput(in.Path); err != nil {
			problems = append(problems, r.config.Problem(fmt.Sprintf("inputs[%d].path", i), "%v: name a file in it, or a pattern such as %s", err, filepath.Join(in.Path, "*.log")))
		}
	}
	for i, out := range r.config.Outputs {
		if out.Type != "file" {
			continue
		}
		if err := connect.LookAtOutput(out.Path); err != nil {
			problems = append(problems, r.outputProblem(i, err))
		}
	}
	return problems
}

func (r *Router) outputProblem(i int, err error) config.Problem {
	wayOut := "make sure that this user may write there, or name another file"
	if errors.Is(err, connect.ErrFolder) {
		wayOut = "name a file in it"
	}
	return r.config.Problem(fmt.Sprintf("outputs[%d].path", i), "%v: %s", err, wayOut)
}

// openOutputs opens every output before there is a database, so that a bad one leaves nothing behind.
func (r *Router) openOutputs(context.Context) error {
	if err := r.faultyFiles().Err(); err != nil {
		return err
	}
	for i, o := range r.config.Outputs {
		format := connect.Format(o.Format)
		switch o.Type {
		case "stdout":
			r.outputs[o.Name] = connect.NewStream(r.options.Stdout, format)
		case "file":
			r.willMake(o.Path)
			out, err := connect.NewAppendFile(o.Path, format, o.Sync)
			if err != nil {
				return config.Problems{r.outputProblem(i, err)}
			}
			r.outputs[o.Name] = out
		}
	}
	return nil
}

// willMake notes which of a file and the folders above it are not there yet.
func (r *Router) willMake(path string) {
	var missing []string
	for at := path; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		missing = append(missing, at)
	}
	slices.Reverse(missing)
	r.made = append(r.made, missing...)
}

// unmake takes away what an abandoned start created, unless something is in it by now.
func (r *Router) unmake() {
	for _, path := range slices.Backward(r.made) {
		if info, err := os.Lstat(path); err == nil && (info.IsDir() || info.Size() == 0) {
			_ = os.Remove(path) // a folder that is not empty stays
		}
	}
}
