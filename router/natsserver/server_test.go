package natsserver

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestClientsReachIt(t *testing.T) {
	s := start(t, Options{Listen: "127.0.0.1:0", Logger: zerolog.Nop()})
	for name, options := range map[string][]nats.Option{"tcp": nil, "in process": {s.InProcess()}} {
		c, err := nats.Connect(s.URL(), options...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sub, err := c.SubscribeSync("x")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Publish("x", []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if m, err := sub.NextMsg(time.Minute); err != nil || string(m.Data) != "hello" {
			t.Errorf("%s: %v %v", name, m, err)
		}
		if c.MaxPayload() != 1<<20 {
			t.Errorf("max payload %d", c.MaxPayload())
		}
		if js, err := c.JetStream(); err == nil {
			if _, err := js.AccountInfo(); err == nil {
				t.Error("JetStream is on")
			}
		}
		c.Close()
	}
}

func TestCredentialsAreRequired(t *testing.T) {
	for name, o := range map[string]Options{
		"user":  {User: "u", Password: "p"},
		"token": {Token: "secret"},
	} {
		o.Listen, o.Logger = "127.0.0.1:0", zerolog.Nop()
		s := start(t, o)
		if c, err := nats.Connect(s.URL()); err == nil {
			c.Close()
			t.Errorf("%s: let in without credentials", name)
		}
		for _, in := range [][]nats.Option{nil, {s.InProcess()}} {
			c, err := nats.Connect(s.URL(), append(in, nats.UserInfo("u", "p"), nats.Token("secret"))...)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			c.Close()
		}
	}
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(Options{Listen: l.Addr().String(), Logger: zerolog.Nop()})
	if !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), "nats.embedded.listen: "+l.Addr().String()+" is taken") {
		t.Errorf("got %v", err)
	}
}

func TestRefusedAddresses(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:0":         "open to other machines without credentials",
		"[::]:0":            "open to other machines without credentials",
		"example.invalid:0": "open to other machines without credentials",
		"127.0.0.1":         "is not host:port",
		"127.0.0.1:http":    "has no port number",
	} {
		s, err := Start(Options{Listen: listen, Logger: zerolog.Nop()})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", listen, err, want)
		}
	}
}

func TestCloseFreesThePort(t *testing.T) {
	s, err := Start(Options{Listen: "127.0.0.1:0", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(s.URL(), "nats://")
	s.Close()
	again, err := Start(Options{Listen: address, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	again.Close()
}
