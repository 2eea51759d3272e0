package plugins

import "errors"

// The reasons for which a plugin cannot be loaded or used. Match with errors.Is; the text of what Load returns names the plugin, the file, what is
// wrong and the way out, in one line.
var (
	// ErrConfig means a setting of the plugin cannot be used.
	ErrConfig = errors.New("bad plugin configuration")
	// ErrFile means the module's file cannot be read.
	ErrFile = errors.New("module file cannot be read")
	// ErrPin means the file's sha256 is not the one in the configuration.
	ErrPin = errors.New("module differs from its sha256 pin")
	// ErrModule means the file is not a module that the host can run.
	ErrModule = errors.New("module cannot be run")
	// ErrContract means the module's imports or exports do not fit contract rmds1.
	ErrContract = errors.New("module does not fit contract rmds1")
	// ErrStart means the guest failed, or refused, to start.
	ErrStart = errors.New("plugin does not start")
	// ErrUnhealthy is what Health returns for a guest that says so, or cannot say.
	ErrUnhealthy = errors.New("plugin is unhealthy")
	// ErrClosed means the plugin or its host was closed.
	ErrClosed = errors.New("plugin is closed")
)

// problem is an error with a text of its own that still matches a sentinel.
type problem struct {
	kind error
	text string
}

func (p *problem) Error() string { return p.text }
func (p *problem) Unwrap() error { return p.kind }
