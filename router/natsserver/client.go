package natsserver

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/getevo/rmds-router/router/config"
)

// ClientOptions turns the configured credentials and certificates into what the NATS client takes. Files that cannot be read are
// an error that names the setting.
func ClientOptions(c config.NATS) ([]nats.Option, error) {
	var options []nats.Option
	if c.User != "" || c.Password != "" {
		options = append(options, nats.UserInfo(c.User, c.Password))
	}
	if c.Token != "" {
		options = append(options, nats.Token(c.Token))
	}
	if c.Creds != "" {
		options = append(options, nats.UserCredentials(c.Creds))
	}
	if c.NKey != "" {
		option, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("nats.auth.nkey: %w: name a file that holds the seed", err)
		}
		options = append(options, option)
	}
	if c.CA != "" {
		options = append(options, nats.RootCAs(c.CA))
	}
	if c.Cert != "" || c.Key != "" {
		options = append(options, nats.ClientCert(c.Cert, c.Key))
	}
	var probe nats.Options
	for _, option := range options {
		if err := option(&probe); err != nil {
			return nil, fmt.Errorf("nats.auth or nats.tls: %w: check the files named there", err)
		}
	}
	return options, nil
}
