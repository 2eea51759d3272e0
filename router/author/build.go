package author

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build compiles a plugin's folder into Module, and adds the SDK to it if it is not there; one that is there stays as it is, and the log says so if this program brings another. What it runs is written to
// log, with what the compilers say. The error wraps ErrTool with the command that installs what is missing, or ErrBuild.
func (m *Manifest) Build(ctx context.Context, log io.Writer) error {
	added, err := m.addSDK()
	if err != nil {
		return err
	}
	if !added && m.sdkDiffers() {
		fmt.Fprintf(log, "note: %s is not the SDK that this program brings; it is used as it is. To have the other, remove the folder and build again.\n", filepath.Join(m.dir, "rmds"))
	}
	steps, err := m.steps(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(m.dir, "build"), 0o755); err != nil {
		return fmt.Errorf("%w: %w", ErrBuild, err)
	}
	for _, s := range steps {
		fmt.Fprintln(log, strings.Join(s.args, " "))
		c := exec.CommandContext(ctx, s.args[0], s.args[1:]...)
		c.Dir, c.Env = m.dir, append(os.Environ(), s.env...)
		c.Stdout, c.Stderr = log, log
		if err := c.Run(); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrBuild, s.args[0], err)
		}
	}
	return nil
}

// step is one command, run in the plugin's folder.
type step struct {
	args []string
	env  []string
}

func (m *Manifest) steps(ctx context.Context) ([]step, error) {
	switch m.Language {
	case "c":
		return m.stepsC()
	case "go":
		return m.stepsGo()
	case "rust":
		return m.stepsRust(ctx)
	}
	return m.stepsAssemblyScript()
}

func (m *Manifest) stepsC() ([]step, error) {
	const install = "apt-get update && apt-get install -y clang-22 lld-22"
	clang, err := program(install, "clang-22", "clang")
	if err != nil {
		return nil, err
	}
	// The compiler finds its linker itself, but says nothing useful when there is none.
	if _, err := program(install, "wasm-ld-22", "wasm-ld"); err != nil {
		return nil, err
	}
	sources, err := m.sources("src", ".c", ".cpp", ".cc")
	if err != nil {
		return nil, err
	}
	args := []string{clang, "--target=wasm32-unknown-unknown", "-O2", "-Wall", "-Wextra", "-ffreestanding", "-nostdlib", "-fuse-ld=lld", "-Wl,--no-entry", "-Wl,--strip-all",
		"-Irmds", "-o", m.Name + ".wasm"}
	return []step{{args: append(args, sources...)}}, nil
}

func (m *Manifest) stepsGo() ([]step, error) {
	tool, err := program("get Go 1.24 or later from https://go.dev/dl", "go")
	if err != nil {
		return nil, err
	}
	mode := "-buildmode=c-shared"
	if m.Command {
		mode = "-buildmode=exe"
	}
	return []step{{
		args: []string{tool, "build", mode, "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", m.Name + ".wasm", "."},
		env:  []string{"GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0"},
	}}, nil
}

const rustTarget = "wasm32-unknown-unknown"

// stepsRust runs the compiler itself: a plugin needs no cargo.
func (m *Manifest) stepsRust(ctx context.Context) ([]step, error) {
	const install = "apt-get update && apt-get install -y rustc libstd-rust-dev-wasm32 lld-14"
	compiler, sysroot, err := rustc(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; install it with: %s (with rustup: rustup target add %s)", ErrTool, err, install, rustTarget)
	}
	common := []string{compiler, "--edition=2021", "--target=" + rustTarget, "-Copt-level=s", "-Cpanic=abort"}
	crate := []string{"-Clto", "-Cstrip=symbols", "-Clink-arg=-zstack-size=65536", "--extern=rmds=build/librmds.rlib"}
	if strings.HasPrefix(sysroot, "/usr") { // Debian's compiler has no linker of its own for this target
		linker, err := program(install, "wasm-ld-14", "wasm-ld")
		if err != nil {
			return nil, err
		}
		crate = append(crate, "-Clinker="+linker)
	}
	library := append(common[:len(common):len(common)], "--crate-type=rlib", "--crate-name=rmds", "-o", "build/librmds.rlib", "rmds/src/lib.rs")
	plugin := append(append(common, crate...), "--crate-type=cdylib", "--crate-name="+strings.ReplaceAll(m.Name, "-", "_"), "-o", m.Name+".wasm", "src/lib.rs")
	return []step{{args: library}, {args: plugin}}, nil
}

// rustc finds a compiler that has the target's standard library.
func rustc(ctx context.Context) (compiler, sysroot string, err error) {
	for _, name := range []string{"rustc", "/usr/bin/rustc"} {
		out, err := exec.CommandContext(ctx, name, "--print", "sysroot").Output()
		if err != nil {
			continue
		}
		sysroot = strings.TrimSpace(string(out))
		if _, err := os.Stat(filepath.Join(sysroot, "lib", "rustlib", rustTarget, "lib")); err == nil {
			return name, sysroot, nil
		}
	}
	return "", "", fmt.Errorf("no rustc with the target %s", rustTarget)
}

// stepsAssemblyScript installs the compiler into the folder when it is not there yet.
func (m *Manifest) stepsAssemblyScript() ([]step, error) {
	const compiler = "node_modules/.bin/asc"
	const install = "apt-get update && apt-get install -y nodejs npm"
	if _, err := program(install, "node"); err != nil { // the compiler is a program for it
		return nil, err
	}
	var steps []step
	if _, err := os.Stat(filepath.Join(m.dir, compiler)); err != nil {
		npm, err := program(install, "npm")
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{args: []string{npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"}})
	}
	return append(steps, step{args: []string{compiler, "src/plugin.ts", "-o", m.Name + ".wasm", "-O3", "--exportStart", "_initialize"}}), nil
}

// program finds the first of some programs.
func program(install string, names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	if strings.HasPrefix(install, "apt-get") {
		install = "install it with: " + install
	}
	return "", fmt.Errorf("%w: %s is not there; %s", ErrTool, names[0], install)
}

// sources lists a folder's files with one of some endings, from the plugin's folder.
func (m *Manifest) sources(under string, endings ...string) (files []string, err error) {
	err = filepath.WalkDir(filepath.Join(m.dir, under), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, ending := range endings {
			if strings.HasSuffix(file, ending) {
				relative, err := filepath.Rel(m.dir, file)
				files = append(files, relative)
				return err
			}
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("no source file in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBuild, filepath.Join(m.dir, under), err)
	}
	return files, nil
}
