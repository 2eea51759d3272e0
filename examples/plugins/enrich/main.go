// Command enrich adds to each message what is known of its device. It is two things in one plugin, which share their keys: a handler of the channel
// on which devices are described, {"id": "d1", "site": "north", …}, and a filter of the channels whose messages name a device, {"device": "d1", …}.
package main

import (
	"encoding/json"
	"errors"

	"enrich/rmds"
)

func init() {
	rmds.Handle(func(m *rmds.Message) rmds.Verdict {
		if err := learn(m.Body()); err != nil {
			return rmds.Dead(err.Error())
		}
		return rmds.Ack
	})
	rmds.Filter(func(m *rmds.Message) rmds.Verdict {
		if err := enrich(m); err != nil {
			return rmds.Dead(err.Error())
		}
		return rmds.Pass
	})
}

func main() {}

// learn keeps a device's description; one without anything but the id is forgotten.
func learn(body []byte) error {
	var device map[string]json.RawMessage
	if err := json.Unmarshal(body, &device); err != nil {
		return err
	}
	var id string
	if err := json.Unmarshal(device["id"], &id); err != nil || id == "" {
		return errors.New("a device's description needs an id")
	}
	delete(device, "id")
	if len(device) == 0 {
		return rmds.Delete("device/" + id)
	}
	known, err := json.Marshal(device)
	if err != nil {
		return err
	}
	return rmds.Set("device/"+id, known)
}

// enrich puts the description under "about". A message that names no device, or one that is not known, passes as it is.
func enrich(m *rmds.Message) error {
	var message map[string]json.RawMessage
	var id string
	if json.Unmarshal(m.Body(), &message) != nil || json.Unmarshal(message["device"], &id) != nil {
		return nil
	}
	known, err := rmds.Get("device/" + id)
	if err != nil {
		return err
	}
	if known == nil {
		rmds.Stat("unknown", 1)
		return nil
	}
	message["about"] = known
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return m.SetBody(body)
}
