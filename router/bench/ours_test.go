package bench

import (
	"errors"
	"testing"

	rmds "github.com/getevo/rmds-router/engine"
)

func TestEngineRecorded(t *testing.T) {
	account := func(reader string, accepted, handled, dead, pending uint64) rmds.Account {
		return rmds.Account{Channel: engineChannel, Reader: reader, Accepted: accepted, Handled: handled, Dead: dead, Pending: pending}
	}
	other := rmds.Account{Channel: "other", Reader: "a", Accepted: 3, Dead: 3}
	for name, tc := range map[string]struct {
		accounts []rmds.Account
		done     bool
		fault    error
	}{
		"all handled":         {[]rmds.Account{account("a", 9, 9, 0, 0), account("b", 9, 9, 0, 0), other}, true, nil},
		"one on its way":      {[]rmds.Account{account("a", 9, 9, 0, 0), account("b", 9, 8, 0, 1)}, false, nil},
		"one not yet known":   {[]rmds.Account{account("a", 9, 9, 0, 0)}, false, nil},
		"a dead letter":       {[]rmds.Account{account("a", 9, 9, 0, 0), account("b", 9, 8, 1, 0)}, false, ErrDelivery},
		"one gone in silence": {[]rmds.Account{account("a", 9, 9, 0, 0), account("b", 9, 8, 0, 0)}, false, ErrDelivery},
	} {
		t.Run(name, func(t *testing.T) {
			done, err := engineRecorded(tc.accounts, 2, 9)
			if done != tc.done || !errors.Is(err, tc.fault) {
				t.Errorf("got %v, %v; want %v, %v", done, err, tc.done, tc.fault)
			}
		})
	}
}
