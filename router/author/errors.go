package author

import "errors"

// Match with errors.Is; the texts say what to do.
var (
	// ErrFolder means a folder is not, or cannot become, a plugin's.
	ErrFolder = errors.New("not a plugin's folder")
	// ErrTool means a compiler is missing.
	ErrTool = errors.New("missing compiler")
	// ErrBuild means the compiler refused the sources.
	ErrBuild = errors.New("build failed")
	// ErrCases means the file of test cases cannot be used.
	ErrCases = errors.New("bad test cases")
	// ErrFailed means that test cases failed.
	ErrFailed = errors.New("test cases failed")
)
