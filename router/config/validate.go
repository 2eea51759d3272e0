package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/getevo/rmds-router/plugins"
)

// defaultInterval is how often this machine's telemetry is read.
const defaultInterval = time.Second

// maxMessage is the most that delivery.max_message_size may be, in bytes.
const maxMessage = 64 << 20

// NameRule says what LegalName wants.
const NameRule = `use 1 to 64 letters, digits, "-" or "_"`

// LegalName says whether a name is one token, as the network's subjects need it.
func LegalName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func (p Problems) has(key string) bool {
	return slices.ContainsFunc(p, func(q Problem) bool { return q.Key == key })
}

// sorted orders problems by their line in the file; what has none stands first.
func (p Problems) sorted(file string) Problems {
	sort.SliceStable(p, func(i, j int) bool {
		if a, b := p[i].Source == file, p[j].Source == file; a != b {
			return b
		}
		return p[i].Line < p[j].Line
	})
	return p
}

// checker collects what is wrong between settings that are each well formed.
type checker struct {
	*Config
	known    Problems
	problems Problems
}

func (c *Config) check(known Problems) Problems {
	k := &checker{Config: c, known: known}
	k.node()
	k.network()
	k.plugins()
	k.channels()
	k.inputs()
	k.outputs()
	return k.problems
}

// fail reports a problem at the place of path, or of the nearest section around it; only the first one of a path counts.
func (k *checker) fail(path, format string, args ...any) {
	if k.known.has(path) || k.problems.has(path) {
		return
	}
	k.problems = append(k.problems, k.problem(path, fmt.Sprintf(format, args...)))
}

// Problem places a problem that was found with a setting later than at loading.
func (c *Config) Problem(path, format string, args ...any) Problem {
	return c.problem(path, fmt.Sprintf(format, args...))
}

func (c *Config) problem(path, text string) Problem {
	p := Problem{Source: c.Source, Key: path, Text: text}
	for at := path; at != ""; {
		if place, ok := c.places[at]; ok {
			p.Source, p.Line = place.source, place.line
			break
		}
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
	return p
}

func (k *checker) node() {
	_, given := k.places["node.id"]
	switch id := k.Engine.NodeID; {
	case id == "" && given:
		k.fail("node.id", "is empty: give the node an id, or leave it out for the host's name")
	case id != "" && !LegalName(id):
		k.fail("node.id", "%q is not a legal name: %s", id, NameRule)
	}
	k.storage()
	e := k.Engine
	if e.MaxMessageSize > maxMessage {
		k.fail("delivery.max_message_size", "%d bytes is too much: the most is 64MiB", e.MaxMessageSize)
	}
	if e.KeepaliveInterval >= e.NodeOfflineTimeout {
		path := "discovery.keepalive_interval"
		if _, given := k.places[path]; !given {
			path = "discovery.node_offline_timeout"
		}
		k.fail(path, "nodes would go offline between two announcements: keepalive_interval (%s) must be shorter than node_offline_timeout (%s), best a third of it", e.KeepaliveInterval, e.NodeOfflineTimeout)
	}
}

func (k *checker) network() {
	prefix, ok := strings.CutSuffix(k.Engine.NATSPrefix, ".")
	if !ok || slices.ContainsFunc(strings.Split(prefix, "."), func(s string) bool { return !LegalName(s) }) {
		k.fail("nats.prefix", "%q is not a prefix: write words and dots, ending with a dot, such as rmds.", k.Engine.NATSPrefix)
	}
	words := map[string]string{}
	for _, c := range []struct{ key, word string }{
		{"nats.channels.management", k.Engine.ManagementChannel}, {"nats.channels.discovery", k.Engine.DiscoveryChannel},
		{"nats.channels.keepalive", k.Engine.KeepaliveChannel},
	} {
		if !LegalName(c.word) {
			k.fail(c.key, "%q is not a legal name: %s", c.word, NameRule)
		}
		if other := words[c.word]; other != "" {
			k.fail(c.key, "is the same as %s; use another word", other)
		}
		words[c.word] = c.key
	}
	k.servers()
	k.embedded()
	switch {
	case k.NATS.User != "" && k.NATS.Password == "":
		k.fail("nats.auth.user", "has no password: set nats.auth.password as well")
	case k.NATS.User == "" && k.NATS.Password != "":
		k.fail("nats.auth.password", "has no user: set nats.auth.user as well")
	}
	k.listen("http.listen", k.HTTP.Listen)
	if host, _, err := net.SplitHostPort(k.HTTP.Listen); err == nil && !Loopback(host) {
		k.fail("http.listen", "%s is not on the loopback interface, and this version has no token to guard another: use 127.0.0.1:8420 or the like", k.HTTP.Listen)
	}
}

// embedded checks what concerns the embedded server, or what only makes sense without it.
func (k *checker) embedded() {
	if len(k.Engine.NATSServers) > 0 {
		return
	}
	k.listen("nats.embedded.listen", k.NATS.Listen)
	host, _, err := net.SplitHostPort(k.NATS.Listen)
	guarded := k.NATS.Token != "" || k.NATS.User != "" && k.NATS.Password != ""
	if err == nil && !Loopback(host) && !guarded {
		k.fail("nats.embedded.listen", "%s is open to other machines without credentials: set nats.auth.user and nats.auth.password (or nats.auth.token), or listen on 127.0.0.1", k.NATS.Listen)
	}
	for _, c := range []struct{ key, value string }{
		{"nats.auth.creds", k.NATS.Creds}, {"nats.auth.nkey", k.NATS.NKey},
		{"nats.tls.ca", k.NATS.CA}, {"nats.tls.cert", k.NATS.Cert}, {"nats.tls.key", k.NATS.Key},
	} {
		if c.value != "" {
			k.fail(c.key, "has no effect on the embedded NATS server: set nats.servers, or remove it")
		}
	}
}

func (k *checker) listen(key, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		k.fail(key, "%q is not an address: write host:port, such as 127.0.0.1:8420", address)
	}
}

// Loopback says whether a host can be reached from this machine alone.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// names checks the names of one list, and that none is used twice in it.
func (k *checker) names(list string, count int, name func(i int) string) {
	first := map[string]int{}
	for i := range count {
		path, n := fmt.Sprintf("%s[%d].name", list, i), name(i)
		switch j, twice := first[n]; {
		case n == "":
			k.fail(path, "is missing: give it a name")
		case !LegalName(n):
			k.fail(path, "%q is not a legal name: %s", n, NameRule)
		case twice:
			k.fail(path, "%q is the name of %s[%d] already; use another", n, list, j)
		default:
			first[n] = i
		}
	}
}

func (k *checker) plugins() {
	k.names("plugins", len(k.Plugins), func(i int) string { return k.Plugins[i].Name })
	for i, p := range k.Plugins {
		path := fmt.Sprintf("plugins[%d]", i)
		switch info, err := os.Stat(p.File); {
		case p.File == "":
			k.fail(path+".file", "is missing: name the plugin's .wasm file")
		case err != nil:
			k.fail(path+".file", "cannot read %s: %s: build the plugin, or correct the path (it is taken from %s)", p.File, reason(err), workingFolder())
		case info.IsDir():
			k.fail(path+".file", "%s is a folder: name the .wasm file", p.File)
		}
		if p.Name == ConsumerNone || p.Name == "api" {
			k.fail(path+".name", "%q has a meaning of its own as a consumer; use another name", p.Name)
		}
		k.pluginLimits(path, p)
	}
}

// pluginLimits reports what the plugin host itself finds wrong, at the place of each setting.
func (k *checker) pluginLimits(path string, p plugins.Config) {
	err := p.Validate()
	if err == nil {
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		key, text, ok := strings.Cut(strings.TrimPrefix(e.Error(), plugins.ErrConfig.Error()+": "), ": ")
		if !ok {
			key, text = "name", e.Error()
		}
		k.fail(path+"."+key, "%s", text)
	}
}

func workingFolder() string {
	if dir, err := os.Getwd(); err == nil {
		return dir
	}
	return "the working folder"
}

func (k *checker) inputs() {
	k.names("inputs", len(k.Inputs), func(i int) string { return k.Inputs[i].Name })
	stdin := ""
	for i, in := range k.Inputs {
		path := fmt.Sprintf("inputs[%d]", i)
		switch in.Type {
		case "":
			k.fail(path+".type", "is missing: write stdin, file or telemetry")
		case "file":
			if _, err := filepath.Match(in.Path, ""); in.Path == "" || err != nil {
				k.fail(path+".path", "%q is not a file or a pattern such as /var/log/*.log", in.Path)
			}
		case "stdin":
			if stdin != "" {
				k.fail(path+".type", "the input %q reads stdin already; there is only one", stdin)
			}
			stdin = in.Name
		}
		k.only(path, "path", in.Path != "", in.Type, "file")
		k.only(path, "interval", in.Interval != defaultInterval, in.Type, "telemetry")
		k.only(path, "format", in.Format != "raw", in.Type, "file", "stdin")
		if in.Type == "telemetry" && in.Interval < 100*time.Millisecond {
			k.fail(path+".interval", "%s is too short: use 100ms or more", in.Interval)
		}
		k.inputChannel(path, in)
	}
}

// only refuses a key that has no effect on this type.
func (k *checker) only(path, key string, given bool, typ string, types ...string) {
	if given && typ != "" && !slices.Contains(types, typ) {
		k.fail(path+"."+key, "has no effect on type %s; remove it", typ)
	}
}

func (k *checker) inputChannel(path string, in Input) {
	switch ch := k.Channel(in.Channel); {
	case in.Channel == "":
		k.fail(path+".channel", "is missing: name the channel that this input feeds")
	case ch == nil:
		k.fail(path+".channel", "there is no channel %q: add it under channels%s", in.Channel, suggest(in.Channel, k.channelNames()))
	case !ch.Mode.Writes():
		k.fail(path+".channel", "the channel %q has mode %s, so nothing can be sent on it: make it rw or write", in.Channel, ch.Mode)
	}
}

func (k *checker) outputs() {
	k.names("outputs", len(k.Outputs), func(i int) string { return k.Outputs[i].Name })
	for i, out := range k.Outputs {
		path := fmt.Sprintf("outputs[%d]", i)
		switch {
		case out.Type == "":
			k.fail(path+".type", "is missing: write stdout or file")
		case out.Type == "file" && out.Path == "":
			k.fail(path+".path", "is missing: name the file to append to")
		}
		k.only(path, "path", out.Path != "", out.Type, "file")
		k.only(path, "sync", out.Sync, out.Type, "file")
		if k.Plugin(out.Name) != nil {
			k.fail(path+".name", "%q is the name of a plugin already; use another, since a channel names its consumer", out.Name)
		}
		if out.Name == ConsumerNone || out.Name == "api" {
			k.fail(path+".name", "%q has a meaning of its own as a consumer; use another name", out.Name)
		}
	}
}
