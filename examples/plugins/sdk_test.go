package plugins_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/getevo/rmds-router/router/author"
)

// sdkExamples is a folder for each example, with one for each language in it, and one file of cases for all of them.
const sdkExamples = "../../sdk/examples"

func TestSameExamplesInEveryLanguage(t *testing.T) {
	for _, example := range []string{"redact", "average"} {
		var first *author.Manifest
		for _, language := range author.Languages {
			from := filepath.Join(sdkExamples, example)
			m, err := author.Open(filepath.Join(from, language))
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = m
			}
			if m.Language != language || m.Cases != "../cases.yaml" || !reflect.DeepEqual(m.Config, first.Config) || !reflect.DeepEqual(m.Allow, first.Allow) {
				t.Errorf("%s in %s is not set up as in the other languages: %+v", example, language, m)
			}
			t.Run(example+"/"+language, func(t *testing.T) {
				t.Parallel()
				to := t.TempDir()
				cases, err := os.ReadFile(filepath.Join(from, author.CasesFile))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(to, author.CasesFile), cases, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.CopyFS(filepath.Join(to, language), os.DirFS(filepath.Join(from, language))); err != nil {
					t.Fatal(err)
				}
				dir := filepath.Join(to, language)
				configured(t, dir, example, played(t, dir))
				tried(t, dir, trials[example])
			})
		}
	}
}
