package author

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/getevo/rmds-router/router/config"
	"github.com/getevo/rmds-router/sdk"
)

//go:embed templates
var templates embed.FS

// sdkFiles says which of an SDK's files go where under rmds/ of a plugin's folder.
var sdkFiles = map[string]map[string]string{
	"assemblyscript": {"*.ts": ""},
	"c":              {"*.h": ""},
	"go":             {"*.go": ""},
	"rust":           {"Cargo.toml": "Cargo.toml", "src/*.rs": "src"},
}

// jsonHelpers is what reads and writes JSON in each language.
var jsonHelpers = map[string]string{
	"assemblyscript": "`rmds/json.ts` (`textOf`, `numberOf`, `member`, `quote`, `Reader`)",
	"c":              "`rmds/rmds_json.h` (`rmds_json_member`, `rmds_json_text`, `rmds_json_number`, `rmds_json_quote`)",
	"go":             "`encoding/json`",
	"rust":           "`rmds::json` (`member`, `quote`, `Reader`)",
}

// Create makes a plugin's folder with a small filter that builds, its test cases and the SDK. The folder must be absent or empty; if anything fails, nothing
// is left behind.
func Create(dir, language string) (err error) {
	whole, err := filepath.Abs(dir) // "." is a folder with a name, too
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	name := filepath.Base(whole)
	if !config.LegalName(name) {
		return fmt.Errorf("%w: %q cannot be a plugin's name: %s", ErrFolder, name, config.NameRule)
	}
	if !slices.Contains(Languages, language) {
		return fmt.Errorf("%w: there is no SDK for %q: use one of %s, or follow the contract by hand", ErrFolder, language, strings.Join(Languages, ", "))
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%w: %s is not empty: choose a new folder", ErrFolder, dir)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	existed := err == nil
	if err := fill(dir, name, language); err != nil {
		takeBack(dir, existed)
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return nil
}

// takeBack removes what was made.
func takeBack(dir string, keep bool) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		os.RemoveAll(filepath.Join(dir, e.Name()))
	}
	if !keep {
		os.Remove(dir)
	}
}

// writer writes files under a folder, with the folders on the way.
func writer(dir string) func(to string, b []byte) error {
	return func(to string, b []byte) error {
		file := filepath.Join(dir, filepath.FromSlash(to))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, b, 0o644)
	}
}

func fill(dir, name, language string) error {
	replace := strings.NewReplacer("NAME", name, "LANGUAGE", language, "HELPER", jsonHelpers[language])
	write := writer(dir)
	for _, file := range []string{"plugin.yaml", "cases.yaml", "README.md", "gitignore.txt"} {
		b, err := templates.ReadFile("templates/" + file)
		if err != nil {
			return err
		}
		if err := write(strings.Replace(file, "gitignore.txt", ".gitignore", 1), []byte(replace.Replace(string(b)))); err != nil {
			return err
		}
	}
	root := "templates/" + language
	err := fs.WalkDir(templates, root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := templates.ReadFile(file)
		if err != nil {
			return err
		}
		// Sources that the project's own tools would take for theirs are kept with .txt behind their names.
		to := strings.TrimSuffix(strings.TrimPrefix(file, root+"/"), ".txt")
		return write(to, []byte(replace.Replace(string(b))))
	})
	if err != nil {
		return err
	}
	return copySDK(language, write)
}

// addSDK gives a folder the SDK, and what installs its compiler, unless it has them.
func (m *Manifest) addSDK() (added bool, err error) {
	if m.Command { // it is written without one
		return true, nil
	}
	if _, err := os.Stat(filepath.Join(m.dir, "rmds")); err == nil {
		return false, nil
	}
	if err := copySDK(m.Language, writer(m.dir)); err != nil {
		return false, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return true, nil
}

// errDiffers ends a comparison.
var errDiffers = errors.New("it differs")

// sdkDiffers tells whether a file of the SDK is missing from the folder's copy, or is another there. Files that the author added do not count.
func (m *Manifest) sdkDiffers() bool {
	return errors.Is(copySDK(m.Language, func(to string, b []byte) error {
		if !strings.HasPrefix(to, "rmds/") {
			return nil
		}
		if have, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(to))); err != nil || !bytes.Equal(have, b) {
			return errDiffers
		}
		return nil
	}), errDiffers)
}

func copySDK(language string, write func(to string, b []byte) error) error {
	for pattern, to := range sdkFiles[language] {
		files, err := fs.Glob(sdk.Files, language+"/"+pattern)
		if err != nil {
			return err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			b, err := sdk.Files.ReadFile(file)
			if err != nil {
				return err
			}
			target := to
			if strings.Contains(pattern, "*") {
				target = path.Join(to, path.Base(file))
			}
			if err := write("rmds/"+target, b); err != nil {
				return err
			}
		}
	}
	if language != "assemblyscript" {
		return nil
	}
	for _, file := range []string{"package.json", "package-lock.json"} { // its compiler is installed per folder
		b, err := sdk.Files.ReadFile("assemblyscript/" + file)
		if err != nil {
			return err
		}
		if err := write(file, b); err != nil {
			return err
		}
	}
	return nil
}
