package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// Plugins is what the API needs of a router's plugins.
type Plugins interface {
	// PluginState lists durable keys of a plugin: those above after that begin with prefix, in byte order, at most limit.
	PluginState(plugin string, prefix, after []byte, limit int) ([]Entry, error)
	// SetPluginState changes a key of a plugin, or removes it if value is nil, between two of the plugin's calls.
	SetPluginState(ctx context.Context, plugin string, key, value []byte) error
	// ReloadPlugin puts a new version of a plugin's module to work.
	ReloadPlugin(ctx context.Context, plugin string) (Reloaded, error)
}

func (a *api) reload(w http.ResponseWriter, r *http.Request) {
	result, err := a.router.ReloadPlugin(r.Context(), r.PathValue("plugin"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	writeJSON(w, result)
}

// KeyChange sets a key of a plugin, or removes it if there is no value. Both are base64 in JSON.
type KeyChange struct {
	Key   []byte  `json:"key"`
	Value *[]byte `json:"value"`
}

// maxKeyChange bounds a change of a key, in bytes of JSON.
const maxKeyChange = 2 << 20

func (a *api) setState(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxKeyChange))
	var c KeyChange
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	if err == nil && len(c.Key) == 0 {
		err = errors.New("there is no key in it")
	}
	if err != nil {
		writeProblem(w, badRequest("the change cannot be read: %v", err))
		return
	}
	var value []byte
	if c.Value != nil {
		value = append([]byte{}, *c.Value...) // empty is a value, nil is none
	}
	if err := a.router.SetPluginState(r.Context(), r.PathValue("plugin"), c.Key, value); err != nil {
		writeProblem(w, err)
		return
	}
	writeJSON(w, struct{}{})
}

// Plugins asks for every plugin of the router.
func (c *Client) Plugins(ctx context.Context) ([]Plugin, error) {
	var list []Plugin
	err := c.get(ctx, "/api/v1/plugins", nil, &list)
	return list, err
}

// State asks for a page of a plugin's keys: those that begin with prefix, behind the page that gave after as its next.
func (c *Client) State(ctx context.Context, plugin, prefix, after string) (*StatePage, error) {
	var page StatePage
	return &page, c.get(ctx, "/api/v1/plugins/"+url.PathEscape(plugin)+"/state", url.Values{"prefix": {prefix}, "after": {after}}, &page)
}

// ReloadPlugin puts a new version of a plugin's module to work.
func (c *Client) ReloadPlugin(ctx context.Context, plugin string) (*Reloaded, error) {
	var r Reloaded
	return &r, c.post(ctx, "/api/v1/plugins/"+url.PathEscape(plugin)+"/reload", nil, &r)
}

// SetState changes a key of a plugin, or removes it if value is nil.
func (c *Client) SetState(ctx context.Context, plugin string, key, value []byte) error {
	change := KeyChange{Key: key}
	if value != nil {
		change.Value = &value
	}
	return c.post(ctx, "/api/v1/plugins/"+url.PathEscape(plugin)+"/state", change, nil)
}
