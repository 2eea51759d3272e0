package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// tutorial is what docs/tutorial-plugin.md tells a newcomer to do, with the files that it shows.
const tutorial = `
exec rmds-router plugin new hush --lang c
cd hush
exec rmds-router plugin test
stdout '^2 cases passed$'
cp ../cases.yaml cases.yaml
cp ../plugin.yaml plugin.yaml
! exec rmds-router plugin test
stdout '^FAIL  the quiet are not heard$'
stdout '^      step 2: verdict pass, want drop$'
cp ../plugin.c src/plugin.c
exec rmds-router plugin test
stdout '^ok    the quiet are not heard$'
! stderr warning
exec rmds-router plugin bench --for 50ms
stdout '^filter: .* a call, '
cp ../router.yaml router.yaml
exec rmds-router check -c router.yaml
exec rmds-router run -c router.yaml --http $RMDS_HTTP &router&
await
exec rmds-router send messages hello
handled messages 1
exec rmds-router plugin ls
stdout '^hush +1 +[0-9a-f]+ +rmds_filter +1 +0 +working$'
cp ../changed.c src/plugin.c
exec rmds-router plugin build
! stderr warning
exec rmds-router plugin reload hush
exec rmds-router send messages 'much more than twenty bytes'
handled messages 2
exec rmds-router plugin ls -o json
stdout '"edition": 2,'
stdout '"drop": 1,'
terminate
wait router
stdout '^hello$'
! stdout twenty
`

// TestTutorial follows the tutorial step by step, with what its blocks of code hold.
func TestTutorial(t *testing.T) {
	if _, err := exec.LookPath("clang-22"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("the tutorial takes a C compiler: apt-get install -y clang-22 lld-22")
	}
	text, err := os.ReadFile("../../docs/tutorial-plugin.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	for _, b := range regexp.MustCompile("(?s)```(\\w*)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks[b[1]] = append(blocks[b[1]], b[2])
	}
	if len(blocks["yaml"]) != 3 || len(blocks["c"]) != 1 {
		t.Fatalf("the tutorial shows %d files in YAML and %d in C; this test knows of 3 and 1", len(blocks["yaml"]), len(blocks["c"]))
	}
	change := regexp.MustCompile("put `(.*)` in place of `(.*)`").FindStringSubmatch(string(text))
	c := blocks["c"][0]
	if change == nil || strings.Count(c, change[2]) != 1 {
		t.Fatalf("the change that the tutorial makes does not fit: %q", change)
	}
	script := tutorial
	for name, content := range map[string]string{
		"cases.yaml": blocks["yaml"][0], "plugin.yaml": blocks["yaml"][1], "router.yaml": "nats: {embedded: {listen: \"${NATS}\"}}\n" + blocks["yaml"][2],
		"plugin.c": c, "changed.c": strings.Replace(c, change[2], change[1], 1),
	} {
		script += "-- " + name + " --\n" + content
	}
	for _, block := range blocks["sh"] {
		for _, line := range strings.Split(block, "\n") {
			command, _, _ := strings.Cut(line, " #")
			command = strings.ReplaceAll(strings.TrimSpace(command), "\"", "'")
			if strings.HasPrefix(command, "rmds-router ") && !strings.Contains(tutorial, "exec "+command) {
				t.Errorf("this test leaves out: %s", command)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "tutorial.txtar")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	p := scripts(t)
	p.Files = []string{file}
	testscript.Run(t, p)
}
