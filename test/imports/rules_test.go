package imports

// Packages from outside that only some folders may know.
var (
	viper      = []string{"github.com/spf13/viper/..."}
	sqlite     = []string{"github.com/ncruces/go-sqlite3/..."}
	wazero     = []string{"github.com/tetratelabs/wazero/..."}
	prometheus = []string{"github.com/prometheus/..."}
	natsClient = []string{"github.com/nats-io/nats.go/..."}
	natsServer = []string{"github.com/nats-io/nats-server/v2/..."}
	doesIO     = []string{"os/...", "net/...", "syscall", "context", "database/...", "golang.org/x/sys/..."}
)

// rules is the architecture. What is in test/ and examples/ is a user of the module, so the rules on packages from outside do not bind it.
var rules = []rule{
	{
		from: []string{"./cmd/..."}, never: []string{"./..."}, allow: []string{"./cmd/...", "./router/..."},
		reason:  "commands stay thin: what they do is in the router, where it has tests and other users",
		planted: imports("./cmd/rmds-router", "./engine"),
	},
	{
		from: []string{"./router/..."}, never: []string{"./..."}, allow: []string{"./router/...", "./engine/...", "./plugins/...", "./sdk"},
		reason:  "the router assembles engine and plugins and knows nothing above it; the SDKs' sources go into new plugins' folders",
		planted: imports("./router", "./cmd/rmds-router"),
	},
	{
		from: []string{"./engine/..."}, never: []string{"./..."}, allow: []string{"./engine/..."},
		reason:  "the engine is embedded by other programs: it stands alone, without plugins, router or configuration files",
		planted: imports("./engine/internal/inbox", "./plugins"),
	},
	{
		from: []string{"./plugins/..."}, never: []string{"./..."}, allow: []string{"./plugins/..."},
		reason:  "the plugin host knows messages and effects, not how they are delivered; the router joins the two",
		planted: imports("./plugins", "./engine"),
	},
	{
		from: []string{"./sdk/..."}, never: []string{"./..."}, allow: []string{"./sdk/..."},
		reason:  "an SDK is built into guests: the contract is all it shares with the host",
		planted: imports("./sdk/go", "./plugins/internal/abi"),
	},
	{
		from: []string{"./..."}, except: []string{"./test/..."}, never: []string{"./test/...", "./examples/...", "./cmd/..."}, allow: nil,
		reason:  "tests, examples and programs are leaves",
		planted: imports("./router", "./examples/plugins/aggregate"),
	},
	sibling("wire"),
	sibling("lane"),
	sibling("store"),
	sibling("transport"),
	sibling("crashvfs"),
	{
		from: []string{"./engine/internal/wire", "./engine/internal/lane"}, never: doesIO,
		reason:  "codec and state machines are pure: no I/O, and time is an argument",
		planted: imports("./engine/internal/wire", "net/netip"),
	},
	{
		// The codec may: it keeps a pool of buffers.
		from: []string{"./engine/internal/lane"}, never: []string{"sync/...", "runtime/..."},
		reason:  "a state machine belongs to one goroutine, which needs no lock",
		planted: imports("./engine/internal/lane", "sync/atomic"),
	},
	{
		from: []string{"./engine/..."}, never: concat(viper, wazero, prometheus), deep: true,
		reason:  "whoever embeds the engine gets no configuration reader, Wasm runtime or metrics client with it",
		planted: imports("./engine", "./engine/internal/store", "example.org/driver", "github.com/tetratelabs/wazero/api"),
	},
	{
		// The NATS client itself imports net/http for its websocket handshake, so only the engine's own imports can be held.
		from: []string{"./engine/..."}, never: []string{"net/http/..."},
		reason:  "the engine serves nothing over HTTP; the router does",
		planted: imports("./engine", "net/http/pprof"),
	},
	{
		from: []string{"./..."}, except: []string{"./router/config", "./test/..."}, never: viper,
		reason:  "router/config alone reads configuration; the others are given their own Config types",
		planted: imports("./router", "github.com/spf13/viper"),
	},
	{
		from: []string{"./..."}, except: []string{"./engine/internal/store/...", "./engine/internal/crashvfs/...", "./test/..."}, never: sqlite,
		reason:  "one writer owns the database, in store; crashvfs breaks the disk under it",
		planted: imports("./router/admin", "github.com/ncruces/go-sqlite3/vfs"),
	},
	{
		from: []string{"./..."}, except: []string{"./plugins/...", "./test/..."}, never: wazero,
		reason:  "the Wasm runtime is a detail of the plugin host",
		planted: imports("./router", "github.com/tetratelabs/wazero/api"),
	},
	{
		from:  []string{"./..."},
		never: natsClient, except: []string{"./engine", "./engine/internal/transport/natsconn", "./router/natsserver", "./router/bench", "./test/..."},
		reason:  "the transport hides NATS; the engine's root names it for one option, bench drives JetStream as the peer",
		planted: imports("./router/connect", "github.com/nats-io/nats.go/jetstream"),
	},
	{
		from: []string{"./..."}, except: []string{"./router/natsserver", "./router/bench", "./test/..."}, never: natsServer,
		reason:  "the embedded server belongs to the router: a program that embeds the engine brings its own",
		planted: imports("./engine/internal/transport/natsconn", "github.com/nats-io/nats-server/v2/server"),
	},
	{
		from: []string{"./..."}, except: []string{"./test/..."}, never: prometheus,
		reason:  "metrics have no place yet; when they get one, it is named here",
		planted: imports("./engine", "github.com/prometheus/client_golang/prometheus"),
	},
}

// sibling keeps one of the engine's inner packages free of the module: outbox and inbox join them through interfaces of their own.
func sibling(name string) rule {
	return rule{
		// Of a failpoint, nothing is left in a release.
		from: []string{"./engine/internal/" + name + "/..."}, never: []string{"./..."}, allow: []string{"./engine/internal/" + name + "/...", "./engine/internal/failpoint"},
		reason:  "engine/internal/" + name + " imports no sibling: the parts meet only in what is above them",
		planted: imports("./engine/internal/"+name, "./engine/internal/outbox"),
	}
}

func concat(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
