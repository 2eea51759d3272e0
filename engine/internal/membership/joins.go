package membership

import (
	"cmp"
	"slices"
	"strings"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

func byName(c wire.AnnouncedChannel, name string) int { return cmp.Compare(c.Name, name) }

// Channel returns what the peer does on a channel.
func (p *Peer) Channel(name string) (wire.AnnouncedChannel, bool) {
	if i, ok := slices.BinarySearchFunc(p.joins, name, byName); ok {
		return p.joins[i], true
	}
	return wire.AnnouncedChannel{}, false
}

// Joins lists what the peer does, by channel. It is not to be changed.
func (p *Peer) Joins() []wire.AnnouncedChannel { return p.joins }

// sorted returns a copy of the channels by name, the last of those that have the same.
func sorted(list []wire.AnnouncedChannel) []wire.AnnouncedChannel {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b wire.AnnouncedChannel) int { return strings.Compare(a.Name, b.Name) })
	kept := list[:0]
	for i := range list {
		if i+1 == len(list) || list[i+1].Name != list[i].Name {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// united adds channels to others, in whose place they come where both have them, as far as one node may have joined. It changes neither list.
func united(list, more []wire.AnnouncedChannel) []wire.AnnouncedChannel {
	own := false // list is a copy
	for _, c := range more {
		i, known := slices.BinarySearchFunc(list, c.Name, byName)
		if known && list[i] == c || !known && len(list) >= wire.MaxChannels {
			continue
		}
		if !own {
			list, own = slices.Clone(list), true
		}
		if known {
			list[i] = c
		} else {
			list = slices.Insert(list, i, c)
		}
	}
	return list
}
