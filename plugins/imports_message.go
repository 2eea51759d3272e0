package plugins

import (
	"math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

func hostRead(in *instance, m api.Memory, s []uint64) {
	field, off, buf, capacity := uint32(s[0]), s[1], s[2], s[3]
	msg := in.call.msg
	switch field {
	case abi.FieldConfig:
		deliver(in, m, s, in.p.config.Config, off, buf, capacity)
		return
	case abi.FieldPlugin:
		deliver(in, m, s, in.p.config.Name, off, buf, capacity)
		return
	case abi.FieldNodeInfo:
		if !in.p.config.Allow.NodeInfo {
			give32(s, abi.Denied)
			return
		}
		deliver(in, m, s, in.p.host.options.NodeInfo(), off, buf, capacity)
		return
	}
	if field > abi.FieldNodeInfo {
		give32(s, abi.Argument)
		return
	}
	if msg == nil {
		give32(s, abi.Misplaced)
		return
	}
	switch field {
	case abi.FieldBody:
		deliver(in, m, s, msg.Body, off, buf, capacity)
	case abi.FieldID:
		deliver(in, m, s, msg.ID, off, buf, capacity)
	case abi.FieldChannel:
		deliver(in, m, s, msg.Channel, off, buf, capacity)
	case abi.FieldSender:
		deliver(in, m, s, msg.Sender, off, buf, capacity)
	case abi.FieldHeaders:
		deliver(in, m, s, in.call.headerBlock(), off, buf, capacity)
	case abi.FieldLastError:
		deliver(in, m, s, msg.LastError, off, buf, capacity)
	}
}

func hostNum(in *instance, _ api.Memory, s []uint64) {
	field, msg := uint32(s[0]), in.call.msg
	switch field {
	case abi.NumNow:
		give64(s, in.p.host.options.Now().UnixMilli())
		return
	case abi.NumMonotonic:
		give64(s, int64(monotonic()))
		return
	case abi.NumRandom:
		give64(s, int64(rand.Uint64()))
		return
	case abi.NumLeft:
		give64(s, in.left().Milliseconds())
		return
	}
	if field > abi.NumLeft {
		give64(s, abi.Argument)
		return
	}
	if msg == nil {
		give64(s, abi.Misplaced)
		return
	}
	switch field {
	case abi.NumCreated:
		give64(s, msg.Created)
	case abi.NumAttempt:
		give64(s, int64(msg.Attempt))
	case abi.NumExpires:
		give64(s, msg.Expires)
	case abi.NumSeq:
		give64(s, int64(msg.Seq))
	}
}

func hostHeader(in *instance, m api.Memory, s []uint64) {
	name := in.guestBytes(m, s[0], s[1])
	if in.call.msg == nil {
		give32(s, abi.Misplaced)
		return
	}
	for i := range in.call.msg.Headers {
		if h := &in.call.msg.Headers[i]; h.Name == string(name) {
			deliver(in, m, s, h.Value, 0, s[2], s[3])
			return
		}
	}
	give32(s, abi.Absent)
}

func hostSet(in *instance, m api.Memory, s []uint64) {
	field, b, c := uint32(s[0]), in.guestBytes(m, s[1], s[2]), &in.call
	switch {
	case c.entry != entryFilter:
		give32(s, abi.Misplaced)
	case field != abi.FieldBody && (field != abi.FieldChannel || !abi.ValidChannel(b)):
		give32(s, abi.Argument)
	case field == abi.FieldChannel && string(b) != c.msg.Channel && !in.p.mayEmit(b):
		give32(s, abi.Denied)
	case !c.fits(int64(len(b)), in.p.config.Limits.Effects):
		give32(s, abi.Limit)
	case field == abi.FieldBody:
		c.body, c.bodySet = c.keep(b), true
		give32(s, abi.OK)
	default:
		c.channel, c.channelSet = c.keep(b), true
		give32(s, abi.OK)
	}
}

// A value length that deletes the header.
const deleteHeader = 0xffffffff

func hostSetHeader(in *instance, m api.Memory, s []uint64) {
	name, c := in.guestBytes(m, s[0], s[1]), &in.call
	deleted := uint32(s[3]) == deleteHeader
	var value []byte
	if !deleted {
		value = in.guestBytes(m, s[2], s[3])
	}
	switch {
	case c.entry != entryFilter:
		give32(s, abi.Misplaced)
	case !abi.ValidHeaderName(name):
		give32(s, abi.Argument)
	case !c.fits(int64(len(name)+len(value)), in.p.config.Limits.Effects):
		give32(s, abi.Limit)
	default:
		c.overhead += effectOverhead
		c.changes = append(c.changes, pair{c.keep(name), c.keep(value), deleted})
		give32(s, abi.OK)
	}
}

// maxMillis is the longest time an opt can name.
const maxMillis = int64(100 * 365 * 24 * time.Hour / time.Millisecond)

func hostOpt(in *instance, _ api.Memory, s []uint64) {
	key, value, c := uint32(s[0]), int64(s[1]), &in.call
	switch {
	case key > abi.OptOffers:
		give32(s, abi.Argument)
	case key == abi.OptOffers && c.entry != entryInit, key != abi.OptOffers && !c.entry.effectful():
		give32(s, abi.Misplaced)
	case value < 0 || value > maxMillis:
		give32(s, abi.Argument)
	case key == abi.OptOffers && (value == 0 || value > int64(abi.OfferFilter|abi.OfferHandle|abi.OfferTick)):
		give32(s, abi.Argument)
	default:
		d := time.Duration(value) * time.Millisecond
		switch key {
		case abi.OptRetryAfter:
			c.retryAfter = d
		case abi.OptTTL:
			c.ttl = d
		case abi.OptDelay:
			c.delay = d
		case abi.OptOffers:
			c.offers = Kind(value)
		}
		give32(s, abi.OK)
	}
}
