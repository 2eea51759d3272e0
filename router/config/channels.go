package config

import (
	"fmt"
	"slices"
)

func (c *Config) channelNames() []string {
	names := make([]string, len(c.Channels))
	for i := range c.Channels {
		names[i] = c.Channels[i].Name
	}
	return names
}

func (c *Config) pluginNames() []string {
	names := make([]string, len(c.Plugins))
	for i := range c.Plugins {
		names[i] = c.Plugins[i].Name
	}
	return names
}

func (k *checker) channels() {
	k.names("channels", len(k.Channels), func(i int) string { return k.Channels[i].Name })
	for i, ch := range k.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		k.filters(path+".outbound", ch.Outbound, ch.Mode.Writes(), ch.Mode)
		k.filters(path+".inbound", ch.Inbound, ch.Mode.Reads(), ch.Mode)
		if ch.Own && ch.Mode != ReadWrite {
			k.fail(path+".own", "a channel of mode %s cannot read its own messages: make it rw", ch.Mode)
		}
		if ch.Journal > 0 && !ch.Mode.Reads() {
			k.fail(path+".journal", "keeps what is received, and a channel of mode %s receives nothing; remove it or change the mode", ch.Mode)
		}
		k.consumer(path+".consumer", ch)
	}
}

func (k *checker) filters(path string, filters []string, used bool, mode Mode) {
	if len(filters) > 0 && !used {
		k.fail(path, "has no effect on a channel of mode %s; remove it or change the mode", mode)
	}
	for i, name := range filters {
		if k.Plugin(name) == nil {
			k.fail(fmt.Sprintf("%s[%d]", path, i), "there is no plugin %q: add it under plugins%s", name, suggest(name, k.pluginNames()))
		}
		if slices.Contains(filters[:i], name) {
			k.fail(fmt.Sprintf("%s[%d]", path, i), "%q stands here twice; keep one", name)
		}
	}
}

func (k *checker) consumer(path string, ch Channel) {
	switch {
	case ch.Consumer == "":
		return
	case !ch.Mode.Reads():
		k.fail(path, "has no effect on a channel of mode %s; remove it or change the mode", ch.Mode)
	case ch.Consumer == "api":
		k.fail(path, "\"api\" is not available yet in this version; name a plugin, an output, or none")
	case ch.Consumer != ConsumerNone && k.Plugin(ch.Consumer) == nil && k.Output(ch.Consumer) == nil:
		names := append(k.pluginNames(), ConsumerNone)
		for _, out := range k.Outputs {
			names = append(names, out.Name)
		}
		k.fail(path, "%q is neither a plugin nor an output nor %q%s", ch.Consumer, ConsumerNone, suggest(ch.Consumer, names))
	}
}

// Warnings are about what is legal and probably not meant, one line each.
func (c *Config) Warnings() []string {
	var out []string
	warn := func(path, format string, args ...any) {
		out = append(out, c.problem(path, fmt.Sprintf(format, args...)).String())
	}
	for i, ch := range c.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		if !ch.Mode.Reads() {
			continue
		}
		if ch.Consumer == "" {
			warn(path, "the channel %q has no consumer: its messages wait at their senders until it gets one (consumer: none takes them without handling)", ch.Name)
			continue
		}
		if source := c.feeder(ch); source != "" && !ch.Own {
			warn(path, "%s sends on the channel %q, which this node also consumes, but a node does not read its own messages without own: true", source, ch.Name)
		}
	}
	for i, p := range c.Plugins {
		if !c.inUse(p.Name) {
			warn(fmt.Sprintf("plugins[%d]", i), "the plugin %q is not used: name it in a channel's outbound, inbound or consumer, give it a tick, or remove it", p.Name)
		}
	}
	for i, o := range c.Outputs {
		if !slices.ContainsFunc(c.Channels, func(ch Channel) bool { return ch.Consumer == o.Name }) {
			warn(fmt.Sprintf("outputs[%d]", i), "the output %q is not used: name it as a channel's consumer, or remove it", o.Name)
		}
	}
	if at := c.places["nats.embedded.listen"]; at.line > 0 && at.source == c.Source && len(c.Engine.NATSServers) > 0 {
		warn("nats.embedded.listen", "has no effect: nats.servers is set, so no server is embedded")
	}
	if len(c.Channels) == 0 {
		warn("", "no channel is configured: this node carries nothing")
	}
	return out
}

// feeder names what on this node sends on a channel, or returns "".
func (c *Config) feeder(ch Channel) string {
	if !ch.Mode.Writes() {
		return ""
	}
	for _, in := range c.Inputs {
		if in.Channel == ch.Name {
			return fmt.Sprintf("the input %q", in.Name)
		}
	}
	for _, p := range c.Plugins {
		if c.inUse(p.Name) && (slices.Contains(p.Allow.Emit, ch.Name) || slices.Contains(p.Allow.Emit, "*")) {
			return fmt.Sprintf("the plugin %q (allow.emit)", p.Name)
		}
	}
	return ""
}

// inUse says whether some channel, or a tick, calls the plugin.
func (c *Config) inUse(plugin string) bool {
	if p := c.Plugin(plugin); p != nil && p.Tick > 0 {
		return true
	}
	return slices.ContainsFunc(c.Channels, func(ch Channel) bool {
		return ch.Consumer == plugin || slices.Contains(ch.Inbound, plugin) || slices.Contains(ch.Outbound, plugin)
	})
}
