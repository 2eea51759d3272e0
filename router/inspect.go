package router

import (
	"context"

	"github.com/getevo/rmds-router/plugins"
)

// PluginModule is what a plugin's file says of itself.
type PluginModule = plugins.Module

// InspectPlugin reads a module without running any of it.
func InspectPlugin(ctx context.Context, file string) (*PluginModule, error) {
	return plugins.Inspect(ctx, file)
}
