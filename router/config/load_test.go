package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const whole = `
node: {id: edge-1}
storage: {path: "x/{nodeID}.db", sync: normal, max_size: 3GiB, delivered_message_retention: 1h, cleanup_interval: 2m}
nats:
  servers: [a:1, "nats://b:2"]
  prefix: p.q.
  channels: {management: m, discovery: d, keepalive: k}
  auth: {user: u, password: "12"}
delivery: {ack_timeout: 1500ms, max_in_flight: 7, max_bytes_in_flight: 64KiB, message_expiry: 0s, max_messages_per_receiver: 0, compression: none, ordering: channel}
plugins:
  - {name: redact, file: FILE, config: {Fields: [ssn, 1, true, null], Deep: {CamelCase: "7"}}, limits: {memory: 32MiB}, allow: {emit: [alerts], kv: true}}
channels:
  - {name: Telemetry, mode: rw, outbound: [redact], consumer: pager, new_readers: all, own: true}
inputs:
  - {name: applog, type: file, path: /var/log/*.log, channel: Telemetry, format: json}
outputs:
  - {name: pager, type: file, path: alerts.txt, sync: true}
http: {listen: "127.0.0.1:0"}
log: {level: debug, format: json}
`

const wholeTOML = `
[node]
id = "edge-1"
[storage]
path = "x/{nodeID}.db"
sync = "normal"
max_size = "3GiB"
delivered_message_retention = "1h"
cleanup_interval = "2m"
[nats]
servers = ["a:1", "nats://b:2"]
prefix = "p.q."
channels = {management = "m", discovery = "d", keepalive = "k"}
auth = {user = "u", password = "12"}
[delivery]
ack_timeout = "1500ms"
max_in_flight = 7
max_bytes_in_flight = "64KiB"
message_expiry = "0s"
max_messages_per_receiver = 0
compression = "none"
ordering = "channel"
[[plugins]]
name = "redact"
file = "FILE"
config = {Fields = ["ssn", 1, true], Deep = {CamelCase = "7"}}
limits.memory = "32MiB"
[plugins.allow]
emit = ["alerts"]
kv = true
[[channels]]
name = "Telemetry"
mode = "rw"
outbound = ["redact"]
consumer = "pager"
new_readers = "all"
own = true
[[inputs]]
name = "applog"
type = "file"
path = "/var/log/*.log"
channel = "Telemetry"
format = "json"
[[outputs]]
name = "pager"
type = "file"
path = "alerts.txt"
sync = true
[http]
listen = "127.0.0.1:0"
[log]
level = "debug"
format = "json"
`

func TestEveryFormatReadsTheSame(t *testing.T) {
	wasm := write(t, "redact.wasm", "x")
	for _, f := range []struct{ name, text, pluginConfig string }{
		{"c.yaml", whole, `{"Fields":["ssn",1,true,null],"Deep":{"CamelCase":"7"}}`},
		{"c.toml", wholeTOML, `{"Deep":{"CamelCase":"7"},"Fields":["ssn",1,true]}`},
	} {
		c, err := Load(write(t, f.name, strings.ReplaceAll(f.text, "FILE", wasm)))
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		e := c.Engine
		if e.NodeID != "edge-1" || e.StorageSync != engine.SyncNormal || e.StorageMaxSize != 3<<30 || e.DeliveredMessageRetention != time.Hour ||
			e.NATSPrefix != "p.q." || len(e.NATSServers) != 2 || e.KeepaliveChannel != "k" || e.ACKTimeout != 1500*time.Millisecond ||
			e.MaxInFlight != 7 || e.MaxBytesInFlight != 64<<10 || e.EnableCompression || e.Ordering != engine.OrderChannel {
			t.Errorf("%s: engine %+v", f.name, e)
		}
		if e.MessageExpiry != engine.NoExpiry || e.MaxMessagesPerReceiver != engine.Unlimited {
			t.Errorf("%s: zero does not mean none: %v %v", f.name, e.MessageExpiry, e.MaxMessagesPerReceiver)
		}
		if p := c.Plugins[0]; string(p.Config) != f.pluginConfig || p.Limits.Memory != 32<<20 || !p.Allow.KV || p.Allow.Emit[0] != "alerts" {
			t.Errorf("%s: plugin %+v config %s", f.name, p, p.Config)
		}
		if ch := c.Channel("Telemetry"); ch == nil || !ch.Own || ch.NewReaders != ReadersAll || ch.Outbound[0] != "redact" || ch.Consumer != "pager" {
			t.Errorf("%s: channel %+v", f.name, ch)
		}
		if in := c.Inputs[0]; in.Format != "json" || in.Channel != "Telemetry" || !c.Output("pager").Sync {
			t.Errorf("%s: inputs %+v outputs %+v", f.name, c.Inputs, c.Outputs)
		}
		if c.NATS.User != "u" || c.NATS.Password != "12" || c.HTTP.Listen != "127.0.0.1:0" || c.Log != (Log{"debug", "json"}) {
			t.Errorf("%s: %+v %+v %+v", f.name, c.NATS, c.HTTP, c.Log)
		}
	}
}

func TestJSONLoads(t *testing.T) {
	c, err := Load(write(t, "c.json", "{\n\t\"node\": {\"id\": \"n\"},\n\t\"channels\": [\n\t\t{\"name\": \"a\", \"consumer\": \"none\"}]\n}"))
	if err != nil || c.Engine.NodeID != "n" || c.Channels[0].Mode != ReadWrite {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestDefaultsAreTheRouters(t *testing.T) {
	c, err := Load(write(t, "c.yaml", "# nothing\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Engine.MessageExpiry != engine.NoExpiry || c.Engine.MaxMessagesPerReceiver != engine.Unlimited || c.Engine.StorageMaxSize != 2<<30 ||
		c.Engine.StoragePath != "./data/{nodeID}.db" || len(c.Engine.NATSServers) != 0 || c.NATS.Listen != "127.0.0.1:4222" ||
		!c.Engine.EnableCompression || len(c.Channels) != 0 {
		t.Errorf("%+v", c)
	}
	lone, err := Load("")
	if err != nil || len(lone.Channels) != 1 || !lone.Channels[0].Own || lone.Channels[0].Consumer != ConsumerNone {
		t.Errorf("lone: %+v, %v", lone, err)
	}
}

func TestBadFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       []string // whole lines after the file's name
	}{
		"unknown key":          {"c.yaml", "node: {idd: x}\n", []string{`:1: node.idd: unknown key; did you mean "id"?`}},
		"unknown section":      {"c.yaml", "node: {id: x}\nchanels: []\n", []string{`:2: chanels: unknown key; did you mean "channels"?`}},
		"key in wrong section": {"c.yaml", "ack_timeout: 1s\n", []string{`:1: ack_timeout: unknown key; did you mean "delivery.ack_timeout"?`}},
		"key in list":          {"c.yaml", "channels:\n  - name: a\n    conusmer: none\n", []string{`:3: channels[0].conusmer: unknown key; did you mean "consumer"?`}},
		"name as a key":        {"c.yaml", "channels:\n  alerts: {mode: rw}\n", []string{`:2: channels: want a list, not a section: write [a, b], or a line with a dash for each`}},
		"far from all":         {"c.yaml", "zzzzzzzzzz: 1\n", []string{`:1: zzzzzzzzzz: unknown key`}},
		"text for number":      {"c.yaml", "delivery: {max_in_flight: many}\n", []string{`:1: delivery.max_in_flight: want a whole number, not "many"`}},
		"fraction":             {"c.yaml", "delivery: {max_in_flight: 1.5}\n", []string{`:1: delivery.max_in_flight: want a whole number, not 1.5`}},
		"quoted number":        {"c.yaml", "delivery: {max_in_flight: \"5\"}\n", []string{`:1: delivery.max_in_flight: want a whole number, not "5"`}},
		"number for text":      {"c.yaml", "node: {id: 5}\n", []string{`:1: node.id: want text, not a whole number; put it in quotes: "5"`}},
		"list for text":        {"c.yaml", "node: {id: [5]}\n", []string{`:1: node.id: want text, not a list`}},
		"word for section":     {"c.yaml", "node: edge\n", []string{`:1: node: want a section with keys below it, not text`}},
		"text for list":        {"c.yaml", "nats: {servers: localhost}\n", []string{`:1: nats.servers: want a list, not text: write [a, b], or a line with a dash for each`}},
		"no unit":              {"c.yaml", "delivery: {ack_timeout: 10}\n", []string{`:1: delivery.ack_timeout: 10 has no unit: write 10s, 10ms or the like`}},
		"no duration":          {"c.yaml", "delivery: {ack_timeout: soon}\n", []string{`:1: delivery.ack_timeout: "soon" is not a duration: write 500ms, 10s, 5m or 72h`}},
		"below zero":           {"c.yaml", "delivery: {ack_timeout: -1s}\n", []string{`:1: delivery.ack_timeout: -1s is below zero`}},
		"zero":                 {"c.yaml", "delivery: {max_retry_attempts: 0}\n", []string{`:1: delivery.max_retry_attempts: must be above zero`}},
		"no size":              {"c.yaml", "storage: {max_size: 2 gigs}\n", []string{`:1: storage.max_size: "2 gigs" is not a size: write 65536, 64KiB, 64MiB or 2GiB`}},
		"huge size":            {"c.yaml", "storage: {max_size: 99999999TiB}\n", []string{`:1: storage.max_size: 99999999TiB is too large`}},
		"size on a count":      {"c.yaml", "delivery: {max_in_flight: 4KiB}\n", []string{`:1: delivery.max_in_flight: want a whole number, not "4KiB"`}},
		"no value":             {"c.yaml", "node:\n  id:\n", []string{`:2: node.id: want text, not nothing`}},
		"word of a set":        {"c.yaml", "storage: {sync: ful}\n", []string{`:1: storage.sync: "ful" is not one of full, normal; did you mean "full"?`}},
		"later key":            {"c.yaml", "security: {trust: []}\n", []string{`:1: security: not available yet in this version; remove it`}},
		"later type":           {"c.yaml", "outputs: [{name: a, type: webhook}]\n", []string{`:1: outputs[0].type: "webhook" is not available yet in this version; use one of stdout, file`}},
		"twice":                {"c.yaml", "node: {id: a}\nnode: {id: b}\n", []string{`:2: node: given twice; keep one`}},
		"broken yaml":          {"c.yaml", "node: [\n", []string{`:1: not readable: did not find expected node content`}},
		"broken toml":          {"c.toml", "[node]\nid = \n", []string{`:2: not readable: `}},
		"toml unknown":         {"c.toml", "[[channels]]\nname = \"a\"\nconsumer = \"none\"\n[[channels]]\nname = \"b\"\nconumer = \"none\"\n", []string{`:6: channels[1].conumer: unknown key; did you mean "consumer"?`}},
		"toml type":            {"c.toml", "[node]\nid = 3\n", []string{`:2: node.id: want text, not a whole number; put it in quotes: "3"`}},
		"name with a dot":      {"c.yaml", "channels: [{name: a.b}]\n", []string{`:1: channels[0].name: "a.b" is not a legal name: use 1 to 64 letters, digits, "-" or "_"`}},
		"name with a space":    {"c.yaml", "node: {id: my node}\n", []string{`:1: node.id: "my node" is not a legal name: use 1 to 64 letters, digits, "-" or "_"`}},
		"missing plugin file": {"c.yaml", "plugins:\n  - name: p\n    file: /nope/p.wasm\n",
			[]string{`:3: plugins[0].file: cannot read /nope/p.wasm: no such file or directory: build the plugin`}},
		"limit of a plugin": {"c.yaml", "plugins:\n  - name: p\n    file: /dev/null\n    limits:\n      memory: 100\n    allow: {emit: [a.b]}\n",
			[]string{`:5: plugins[0].limits.memory: 100 bytes is not a whole number of 64 KiB pages`, `:6: plugins[0].allow.emit[0]: "a.b" is neither a channel name nor "*"`}},
		"no such consumer": {"c.yaml", "channels: [{name: a, consumer: pagr}]\noutputs: [{name: pager, type: stdout}]\n",
			[]string{`:1: channels[0].consumer: "pagr" is neither a plugin nor an output nor "none"; did you mean "pager"?`}},
		"no such filter":  {"c.yaml", "channels: [{name: a, inbound: [f]}]\n", []string{`:1: channels[0].inbound[0]: there is no plugin "f": add it under plugins`}},
		"no such channel": {"c.yaml", "inputs: [{name: i, type: stdin, channel: b}]\n", []string{`:1: inputs[0].channel: there is no channel "b": add it under channels`}},
		"input on a read channel": {"c.yaml", "channels: [{name: b, mode: read}]\ninputs: [{name: i, type: stdin, channel: b}]\n",
			[]string{`:2: inputs[0].channel: the channel "b" has mode read, so nothing can be sent on it: make it rw or write`}},
		"key of another type": {"c.yaml", "channels: [{name: b}]\ninputs: [{name: i, type: stdin, path: x, channel: b}]\n",
			[]string{`:2: inputs[0].path: has no effect on type stdin; remove it`}},
		"open nats":  {"c.yaml", "nats: {embedded: {listen: 0.0.0.0:4222}}\n", []string{`:1: nats.embedded.listen: 0.0.0.0:4222 is open to other machines without credentials`}},
		"open http":  {"c.yaml", "http: {listen: 0.0.0.0:80}\n", []string{`:1: http.listen: 0.0.0.0:80 is not on the loopback interface`}},
		"bad prefix": {"c.yaml", "nats: {prefix: rmds}\n", []string{`:1: nats.prefix: "rmds" is not a prefix`}},
		"everything at once": {"c.yaml", "node:\n  idd: 1\ndelivery:\n  ack_timeout: 3\nchannels:\n  - mode: rx\n",
			[]string{`:2: node.idd: `, `:4: delivery.ack_timeout: `, `:6: channels[0].mode: "rx" is not one of`, `:6: channels[0].name: is missing`}},
		"unset variable": {"c.yaml", "node:\n  id: ${RMDS_TEST_NOT_SET}\n",
			[]string{`:2: node.id: the environment variable RMDS_TEST_NOT_SET is not set: set it, or give a default as ${RMDS_TEST_NOT_SET:default}`}},
		"nats scheme":     {"c.yaml", "nats:\n  servers: [\"http://foo bar:99999\"]\n", []string{`:2: nats.servers[0]: "http://foo bar:99999" is not an address`}},
		"nats http":       {"c.yaml", "nats:\n  servers: [\"http://foo\"]\n", []string{`:2: nats.servers[0]: "http://foo" has the scheme "http"`}},
		"nats port":       {"c.yaml", "nats:\n  servers:\n    - hub\n    - localhost:99999\n", []string{`:4: nats.servers[1]: "localhost:99999" has the port 99999`}},
		"nats port 0":     {"c.yaml", "nats: {servers: [\"a:1,user:secret@b:0\"]}\n", []string{`:1: nats.servers[0]: "b:0" has the port 0`}},
		"nats host":       {"c.yaml", "nats: {servers: [\":4222\"]}\n", []string{`:1: nats.servers[0]: ":4222" has no host`}},
		"nats empty":      {"c.yaml", "nats: {servers: [\" , \"]}\n", []string{`:1: nats.servers[0]: is empty`}},
		"nats mixed":      {"c.yaml", "nats: {servers: [\"a:1\", \"ws://b:2\"]}\n", []string{`:1: nats.servers[1]: ws and wss cannot`}},
		"user alone":      {"c.yaml", "nats: {auth: {user: u}}\n", []string{`:1: nats.auth.user: has no password`}},
		"empty node id":   {"c.yaml", "node: {id: \"\"}\n", []string{`:1: node.id: is empty`}},
		"small storage":   {"c.yaml", "storage: {max_size: 1KiB}\n", []string{`:1: storage.max_size: 1024 bytes is too small: use 4MiB or more`}},
		"folder as store": {"c.yaml", "storage: {path: data/}\n", []string{`:1: storage.path: "data/" is a folder`}},
		"dot as store":    {"c.yaml", "storage: {path: .}\n", []string{`:1: storage.path: "." is a folder`}},
		"placeholder":     {"c.yaml", "storage: {path: \"data/{nodeid}.db\"}\n", []string{`:1: storage.path: {nodeid} is not known`}},
		"large messages":  {"c.yaml", "delivery: {max_message_size: 65MiB}\n", []string{`:1: delivery.max_message_size: 68157440 bytes is too much: the most is 64MiB`}},
		"slow keepalive":  {"c.yaml", "discovery: {keepalive_interval: 30s}\n", []string{`:1: discovery.keepalive_interval: nodes would go offline`}},
		"shortened key":   {"c.yaml", "plugins:\n  - name: p\n    file: /dev/null\n    limits: {mem: 1}\n", []string{`:4: plugins[0].limits.mem: unknown key; did you mean "memory"?`}},
		"open brace":      {"c.yaml", "node:\n  id: \"${X\"\n", []string{`:2: node.id: ${ without its }`}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.file, c.text)
			_, err := Load(path)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want problems", err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(lines), len(c.want), err)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], path+want) {
					t.Errorf("got  %s\nwant %s", lines[i], path+want)
				}
			}
		})
	}
}

func TestVariablesAndOverrides(t *testing.T) {
	t.Setenv("RMDS_TEST_N", "12")
	t.Setenv("RMDS_TEST_EVIL", "x\nnode: {id: evil}")
	c, err := Load(write(t, "c.yaml", "node: {id: \"${RMDS_TEST_ID:def}-$$\"}\ndelivery: {max_in_flight: \"${RMDS_TEST_N}\", ack_timeout: \"${NO_T:3}s\"}\nnats: {auth: {password: \"${RMDS_TEST_EVIL}\", user: a$b}}\n"),
		Override{Key: "node.id", Value: "flag", Source: "--node-id"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Engine.NodeID != "flag" || c.Engine.MaxInFlight != 12 || c.Engine.ACKTimeout != 3*time.Second || c.NATS.Password != "x\nnode: {id: evil}" || c.NATS.User != "a$b" {
		t.Errorf("%+v %+v", c.Engine, c.NATS)
	}
	t.Setenv("RMDS_NODE_ID", "env")
	if c, err = Load(write(t, "c.yaml", "node: {id: file}\n")); err != nil || c.Engine.NodeID != "env" {
		t.Errorf("the environment does not win over the file: %v %v", c, err)
	}
	if c, err = Load("", Override{Key: "node.id", Value: "flag"}); err != nil || c.Engine.NodeID != "flag" {
		t.Errorf("the flag does not win over the environment: %v %v", c, err)
	}
	t.Setenv("RMDS_NODE_ID", "not legal")
	if _, err = Load(""); err == nil || !strings.HasPrefix(err.Error(), `RMDS_NODE_ID: node.id: "not legal" is not a legal name`) {
		t.Errorf("got %v", err)
	}
	if _, err = Load("", Override{Key: "node.id", Value: "a b", Source: "--node-id"}); err == nil || !strings.HasPrefix(err.Error(), `--node-id: node.id: "a b"`) {
		t.Errorf("got %v", err)
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load("/nope/c.yaml")
	if err == nil || !strings.HasPrefix(err.Error(), "/nope/c.yaml: cannot read the configuration: no such file or directory: ") {
		t.Errorf("got %v", err)
	}
}

func TestWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"channels: [{name: a, consumer: none}]\ninputs: [{name: i, type: stdin, channel: a}]\n":                                 `:1: channels[0]: the input "i" sends on the channel "a"`,
		"channels: [{name: a, consumer: none, own: true}]\ninputs: [{name: i, type: stdin, channel: a}]\n":                      "",
		"plugins: [{name: p, file: FILE}]\nchannels: [{name: a, consumer: none}]\n":                                             `:1: plugins[0]: the plugin "p" is not used`,
		"outputs: [{name: o, type: stdout}]\nchannels: [{name: a, consumer: none}]\n":                                           `:1: outputs[0]: the output "o" is not used`,
		"nats: {servers: [a], embedded: {listen: \"127.0.0.1:1\"}}\nchannels: [{name: a, consumer: none}]\n":                    `:1: nats.embedded.listen: has no effect`,
		"channels: [{name: a, mode: read}]\n":                                                                                   `:1: channels[0]: the channel "a" has no consumer`,
		"channels: [{name: a, mode: write}]\n":                                                                                  "",
		"node: {id: x}\n":                                                                                                       "no channel is configured",
		"plugins: [{name: p, file: FILE, allow: {emit: [a]}}]\nchannels: [{name: a, consumer: none}, {name: b, consumer: p}]\n": `the plugin "p" (allow.emit) sends on the channel "a"`,
	} {
		c, err := Load(write(t, "c.yaml", strings.ReplaceAll(text, "FILE", write(t, "p.wasm", ""))))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(c.Warnings(), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestAliasesAreBounded(t *testing.T) {
	text := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'l'; c++ {
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "*" + string(c-1) + "]\n"
	}
	if _, err := Load(write(t, "c.yaml", text)); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(whole), false)
	f.Add([]byte(wholeTOML), true)
	f.Add([]byte("a: &a [*a]\n? [x]\n: y\n<<: {b: c}\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, isTOML bool) {
		name := "c.yaml"
		if isTOML {
			name = "c.toml"
		}
		c, err := Load(write(t, name, string(data)))
		if err == nil {
			c.Warnings()
		}
	})
}
